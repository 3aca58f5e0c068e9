// Where records end, however they are damaged, and however long they are.
#include <random>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "base/simd.h"
#include "base/temporary_folder.h"
#include "formats/csv_cursor.h"

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
    CsvCursor cursor(file, "data.csv", dialect, empty_line_is_record,
                     CsvCursor::Find::records, use);
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
};

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
  EXPECT_EQ(found.records[3].fault, CsvFault::long_quote);
  EXPECT_EQ(found.records[3].line, 3U);
  EXPECT_EQ(found.records[4].fault, CsvFault::none);
  ASSERT_EQ(found.long_lines.size(), 2U);
  EXPECT_EQ(found.long_lines[0], line);
}

// The vector instructions that the test was started with.
class EachSimdLevel {
 public:
  ~EachSimdLevel() { set_simd_level(before_); }
  template <class Check> void run(Check check) const {
    for (const SimdLevel level : {SimdLevel::portable, SimdLevel::avx2, SimdLevel::avx512}) {
      set_simd_level(level);
      check();
    }
  }

 private:
  const SimdLevel before_ = simd_level();
};

TEST_F(CsvSplit, AReturnThatEndsNoLineCostsItsRecordWhereverBlocksAndWindowsEnd) {
  const EachSimdLevel levels;
  for (std::size_t before = 1; before < 140; ++before) {
    for (const char* line_end : {"\n", "\r\n"}) {
      const std::string text = fmt::format("{}{}1,x\ry{}2,\"z\r\"{}", std::string(before, 'a'),
                                           line_end, line_end, line_end);
      const std::uint64_t at = text.find("x\ry") + 1;
      put("data.csv", text);
      levels.run([&] {
        for (const std::size_t window : {std::size_t{1}, std::size_t{64}, std::size_t{4096}}) {
          const auto found = find(CsvDialect(), false, 0, text.size(), window, 16);
          ASSERT_EQ(found.records.size(), 3U) << before;
          EXPECT_EQ(found.records[0].fault, CsvFault::none);
          EXPECT_EQ(found.records[0].bytes, before);
          EXPECT_EQ(found.records[1].fault, CsvFault::stray_return);
          EXPECT_EQ(found.records[1].offset + found.records[1].fault_at, at);
          EXPECT_EQ(found.records[1].bytes, 5U);
          EXPECT_EQ(found.records[2].fault, CsvFault::none);
          EXPECT_EQ(found.records[2].line, 2U);
          EXPECT_EQ(found.records[2].lines, 1U);
        }
      });
    }
  }
}

TEST_F(CsvSplit, AReturnAtTheEndOfWhatIsSearchedOrReadAtOnceIsJudgedByTheByteBehindIt) {
  const EachSimdLevel levels;
  for (const std::size_t boundary : {std::size_t{64} << 10, std::size_t{256} << 10}) {
    std::string lines;
    while (lines.size() < boundary - 8) lines += "abc,d\n";
    for (std::size_t more = 0; more < 12; ++more) {
      const std::string text = fmt::format("{}{}\r\nx\ry\nz\r", lines, std::string(more, 'b'));
      put("data.csv", text);
      levels.run([&] {
        const auto found = find(CsvDialect(), false, 0, text.size(), boundary, 100000);
        const std::size_t count = lines.size() / 6 + (more == 0 ? 0 : 1);
        ASSERT_EQ(found.records.size(), count + 2);
        EXPECT_EQ(found.records[count - 1].fault, CsvFault::none);
        EXPECT_EQ(found.records[count].fault, CsvFault::stray_return);
        EXPECT_EQ(found.records[count].bytes, 3U);
        EXPECT_EQ(found.records[count + 1].fault, CsvFault::stray_return);
        EXPECT_EQ(found.records[count + 1].bytes, 2U);
      });
    }
  }
}

TEST_F(CsvSplit, ManyReturnsThatEndNoLinesAreFoundInOneGo) {
  std::string text;
  for (int i = 0; i < 40000; ++i) text += i % 2 == 0 ? "1,x\ry\n" : "2,\"\r\n\"\n";
  put("data.csv", text);
  const auto found = find(CsvDialect(), false, 0, text.size(), std::size_t{1} << 20, 1000);
  ASSERT_EQ(found.records.size(), 40000U);
  for (std::size_t i = 0; i < found.records.size(); ++i) {
    ASSERT_EQ(found.records[i].fault, i % 2 == 0 ? CsvFault::stray_return : CsvFault::none) << i;
    ASSERT_EQ(found.records[i].line, i / 2 * 3 + i % 2) << i;
  }
}

TEST_F(CsvSplit, ALineEndThatFallsBetweenTwoReadsIsOne) {
  CsvDialect dialect;
  dialect.max_record_bytes = 100;
  for (std::size_t bytes = (256 << 10) - 3; bytes < (256 << 10) + 2; ++bytes) {
    for (const char* line_end : {"\r\n", "\r", "\n"}) {
      const std::string text = std::string(bytes, 'x').append(line_end).append("a\nb\n");
      put("data.csv", text);
      dialect.return_ends_lines = std::string_view(line_end) == "\r";
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
