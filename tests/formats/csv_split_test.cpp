// The splitter and the parser against a reference, on generated and damaged bytes, cut everywhere.
#include <random>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "base/temporary_folder.h"
#include "base/text.h"
#include "formats/csv_reader.h"
#include "formats/csv_reference.h"

namespace tranche {
namespace {

struct Found {
  std::vector<CsvRecord> records;
  std::vector<std::string> long_lines;
};

class CsvSplit : public TemporaryFolder {
 protected:
  // What a cursor finds in [begin, end), with windows that begin at `window_bytes`.
  Found find(const CsvDialect& dialect, bool empty_line_is_record, std::uint64_t begin,
             std::uint64_t end, std::size_t window_bytes, std::size_t block_records) {
    Found found;
    const TextFile file = File::open_read(at("data.csv")).value();
    CsvCursor::Use use{.begin = begin, .end = end, .window_bytes = window_bytes,
                       .block_records = block_records, .keep_long_raw = true};
    Digest digest;
    use.digest = &digest;
    CsvCursor cursor(file, "data.csv", dialect, empty_line_is_record, use);
    while (true) {
      const auto block = cursor.next().value();
      if (block.empty()) break;
      if (cursor.block_is_long()) found.long_lines.push_back(cursor.long_raw());
      found.records.insert(found.records.end(), block.begin(), block.end());
    }
    const std::string bytes = read_file(at("data.csv")).value();
    EXPECT_EQ(digest.value(), digest64(std::string_view(bytes).substr(begin, end - begin)));
    return found;
  }

  void compare(const std::vector<ReferenceRecord>& expected, std::size_t first,
               const std::vector<CsvRecord>& found, std::size_t line_before) {
    for (std::size_t i = 0; i < found.size() && first + i < expected.size(); ++i) {
      const auto& record = expected[first + i];
      ASSERT_EQ(found[i].offset, record.offset);
      ASSERT_EQ(found[i].bytes, record.end - record.offset);
      ASSERT_EQ(found[i].next, record.next);
      ASSERT_EQ(found[i].line + line_before, record.line);
      ASSERT_EQ(found[i].fault != CsvFault::none, record.broken);
    }
  }

  // Compares the whole text, and every way of cutting it in two at a record's end.
  void check(const std::string& text, const CsvDialect& dialect, bool empty_line_is_record) {
    SCOPED_TRACE(excerpt(text, 400));
    put("data.csv", text);
    const auto expected = ReferenceCsv(text, dialect, empty_line_is_record).records();
    for (const std::size_t window : {1, 7, 64, 4096}) {
      for (const std::size_t block : {1, 3, 1000}) {
        const auto found = find(dialect, empty_line_is_record, 0, text.size(), window, block);
        ASSERT_EQ(found.records.size(), expected.size()) << window << " " << block;
        compare(expected, 0, found.records, 1);
      }
    }
    for (std::size_t cut = 1; cut < expected.size(); ++cut) {
      const auto at = expected[cut - 1].next;
      const auto head = find(dialect, empty_line_is_record, 0, at, 16, 2);
      ASSERT_EQ(head.records.size(), cut);
      compare(expected, 0, head.records, 1);
      const auto tail = find(dialect, empty_line_is_record, at, text.size(), 16, 2);
      ASSERT_EQ(tail.records.size(), expected.size() - cut);
      const auto line = head.records.back().line + head.records.back().lines + 1;
      compare(expected, cut, tail.records, line);
    }
  }

  // The rows and rejects that a reader gives, one line each.
  std::vector<std::string> read(const CsvDialect& dialect, std::size_t columns,
                                const Slice& slice) {
    auto shape = std::make_shared<CsvColumns>();
    auto schema = std::make_shared<Schema>();
    for (std::size_t i = 0; i < columns; ++i) {
      schema->fields.push_back({fmt::format("c{}", i), Type{TypeId::varchar}, false});
      shape->field_of_column.push_back(static_cast<std::uint32_t>(i));
    }
    shape->schema = schema;
    shape->fields = static_cast<std::uint32_t>(columns);
    CsvReader reader(File::open_read(at("data.csv")).value(),
                     std::make_shared<const std::string>("data.csv"), dialect, shape, slice);
    std::vector<Reject> rejects;
    std::vector<std::pair<std::uint64_t, std::string>> all;
    while (true) {
      auto page = reader.next(rejects).value();
      if (!page) break;
      for (std::size_t row = 0; row < page->rows(); ++row) {
        const Origin& origin = page->origins[row];
        std::string text = fmt::format("{} at {} line {}", page->raw(row), origin.offset,
                                       page->base.line + origin.line);
        for (std::size_t i = 0; i < columns; ++i) {
          const Column& column = page->column(i);
          text += !column.is_valid(row)
                      ? "|<null>"
                      : fmt::format("|{}", column.values<StringRef>()[row].view());
        }
        all.emplace_back(page->base.record + origin.record, text);
      }
    }
    for (const auto& reject : rejects) {
      all.emplace_back(reject.record, fmt::format("reject {} at {} line {}", reject.raw,
                                                  reject.offset, reject.line));
    }
    std::sort(all.begin(), all.end());
    std::vector<std::string> lines;
    for (std::size_t i = 0; i < all.size(); ++i) {
      EXPECT_EQ(all[i].first, slice.first_record + i);
      lines.push_back(all[i].second);
    }
    return lines;
  }
};

std::string random_text(std::mt19937& random, std::string_view alphabet, std::size_t bytes_max) {
  std::string text;
  const std::size_t bytes = random() % (bytes_max + 1);
  for (std::size_t i = 0; i < bytes; ++i) text += alphabet[random() % alphabet.size()];
  return text;
}

TEST_F(CsvSplit, FindsTheRecordsThatTheReferenceFinds) {
  std::mt19937 random(1);
  CsvDialect dialect;
  for (int i = 0; i < 400; ++i) {
    dialect.max_record_bytes = i % 3 == 0 ? 9 : 1 << 20;
    dialect.comment = i % 5 == 0 ? '#' : '\0';
    dialect.trim = i % 4 == 0;
    check(random_text(random, "ab,,\"\"\"\n\n\r #", 40), dialect, i % 2 == 0);
    if (HasFatalFailure()) return;
  }
}

TEST_F(CsvSplit, FindsThemInOtherDialectsToo) {
  std::mt19937 random(2);
  CsvDialect dialect;
  for (int i = 0; i < 300; ++i) {
    dialect.delimiter = i % 2 == 0 ? "||" : "\t";
    dialect.trim = i % 3 == 0;
    dialect.quote = i % 4 == 3 ? '\0' : '\'';
    dialect.escape = i % 4 == 1 ? '\\' : dialect.quote;
    dialect.max_record_bytes = i % 5 == 0 ? 12 : 1 << 20;
    check(random_text(random, "a||\t''\\\n\r ", 40), dialect, false);
    if (HasFatalFailure()) return;
  }
}

TEST_F(CsvSplit, FieldsAreThoseOfTheReference) {
  std::mt19937 random(3);
  CsvDialect dialect;
  for (int i = 0; i < 400; ++i) {
    dialect.trim = i % 3 == 0;
    dialect.delimiter = i % 4 == 0 ? ",," : ",";
    dialect.escape = i % 5 == 0 ? '\\' : '"';
    const std::string text = random_text(random, "ab\xC3\xA9,,,,\"\"\"\n\n\r \\", 60);
    SCOPED_TRACE(excerpt(text, 400));
    put("data.csv", text);
    const auto records = ReferenceCsv(text, dialect, false).records();
    std::vector<std::string> expected;
    for (const auto& record : records) {
      const std::string raw = text.substr(record.offset, record.end - record.offset);
      std::string line = fmt::format("{} at {} line {}", raw, record.offset, record.line);
      if (record.broken || record.fields.size() != 2 || !is_utf8(raw)) {
        expected.push_back("reject " + line);
        continue;
      }
      for (const auto& field : record.fields) {
        line += field.text.empty() && !field.quoted ? "|<null>" : "|" + field.text;
      }
      expected.push_back(line);
    }
    Slice slice;
    slice.end = text.size();
    slice.first_line = 1;
    slice.records = records.size();
    ASSERT_EQ(read(dialect, 2, slice), expected);
    std::vector<std::string> joined;  // the same, one record a slice
    for (std::size_t k = 0; k < records.size(); ++k) {
      Slice one;
      one.begin = k == 0 ? 0 : records[k - 1].next;
      one.end = records[k].next;
      one.first_line = records[k].line - ReferenceCsv(text.substr(one.begin, one.end - one.begin),
                                                      dialect, false).records()[0].line + 1;
      one.first_record = k;
      one.records = 1;
      for (auto& line : read(dialect, 2, one)) joined.push_back(std::move(line));
    }
    ASSERT_EQ(joined, expected);
  }
}

TEST_F(CsvSplit, DamageToOneLineCostsThatLineAlone) {
  std::string clean;
  for (int i = 0; i < 60; ++i) clean += fmt::format("{},\"text {}, and\nmore\",{}\n", i, i, i * 7);
  std::mt19937 random(4);
  for (int i = 0; i < 100; ++i) {
    // A stray quote in an unquoted field: its record becomes broken, those that follow do not.
    std::string text = clean;
    const std::size_t victim = random() % 60;
    const std::string begin =
        fmt::format("{}{},\"text {}", victim == 0 ? "" : "\n", victim, victim);
    std::size_t place = text.find(begin);
    ASSERT_NE(place, std::string::npos);
    text.insert(text.find(',', place), "x\"");
    CsvDialect dialect;
    put("data.csv", text);
    const auto found = find(dialect, false, 0, text.size(), 128, 16);
    // The broken record ends at its own line; the second half of it, `more",7`, is broken alone.
    ASSERT_EQ(found.records.size(), 61U);
    for (std::size_t k = 0; k < found.records.size(); ++k) {
      const bool is_victim = k == victim || k == victim + 1;
      ASSERT_EQ(found.records[k].fault != CsvFault::none, is_victim) << k << " of " << victim;
    }
  }
}

TEST_F(CsvSplit, AnOpenQuoteTakesNoNeighbourWithIt) {
  std::string text = "1,\"never closed\n";
  for (int i = 0; i < 50; ++i) text += fmt::format("{},\"quoted\",plain\n", i);
  put("data.csv", text);
  CsvDialect dialect;
  const auto found = find(dialect, false, 0, text.size(), 64, 8);
  ASSERT_EQ(found.records.size(), 51U);
  EXPECT_EQ(found.records[0].fault, CsvFault::open_quote);
  EXPECT_EQ(found.records[0].fault_at, 2U);
  for (std::size_t i = 1; i < 51; ++i) EXPECT_EQ(found.records[i].fault, CsvFault::none) << i;
}

TEST_F(CsvSplit, ALineOfTenMegabytesIsOneBrokenRecordInABoundedWindow) {
  const std::string line(10 << 20, 'x');
  const std::string text = fmt::format("a,b\n{}\r\nc,d\n\"{}\ne,f\n", line, line);
  put("data.csv", text);
  CsvDialect dialect;
  dialect.max_record_bytes = 1 << 16;
  const auto found = find(dialect, false, 0, text.size(), 4096, 16);
  ASSERT_EQ(found.records.size(), 5U);
  EXPECT_EQ(found.records[1].fault, CsvFault::too_long);
  EXPECT_EQ(found.records[1].offset, 4U);
  EXPECT_EQ(found.records[1].bytes, line.size());
  EXPECT_EQ(found.records[3].fault, CsvFault::open_quote);
  EXPECT_EQ(found.records[3].line, 3U);
  EXPECT_EQ(found.records[4].fault, CsvFault::none);
  ASSERT_EQ(found.long_lines.size(), 2U);
  EXPECT_EQ(found.long_lines[0], line);
}

TEST_F(CsvSplit, ALineEndThatFallsBetweenTwoReadsIsOne) {
  CsvDialect dialect;
  dialect.max_record_bytes = 100;
  for (std::size_t bytes = (256 << 10) - 3; bytes < (256 << 10) + 2; ++bytes) {
    for (const char* line_end : {"\r\n", "\r", "\n"}) {
      const std::string text = std::string(bytes, 'x').append(line_end).append("a\nb\n");
      put("data.csv", text);
      const auto found = find(dialect, false, 0, text.size(), 64, 8);
      ASSERT_EQ(found.records.size(), 3U);
      EXPECT_EQ(found.records[0].bytes, bytes);
      EXPECT_EQ(found.records[1].line, 1U);
      EXPECT_EQ(found.records[1].bytes, 1U);
    }
  }
}

}  // namespace
}  // namespace tranche
