#include <fmt/format.h>
#include <gtest/gtest.h>

#include <tranche/core/value.h>

#include "base/temporary_folder.h"
#include "formats/csv_fields.h"
#include "formats/csv_guess.h"
#include "formats/csv_head.h"
#include "formats/csv_reader.h"
#include "formats/csv_writer.h"

namespace tranche {
namespace {

Schema schema_of(std::initializer_list<std::pair<const char*, const char*>> columns) {
  Schema schema;
  for (const auto& [name, type] : columns) {
    schema.fields.push_back({name, parse_type(type).value(), false});
  }
  return schema;
}

class CsvFile : public TemporaryFolder {
 protected:
  // Reads all of `text`, by position.
  void read(const std::string& text, const Schema& schema, std::uint64_t digest = 0) {
    put("data.csv", text);
    auto columns = std::make_shared<CsvColumns>();
    columns->schema = std::make_shared<const Schema>(schema);
    columns->fields = static_cast<std::uint32_t>(schema.fields.size());
    columns->guessed = guessed_;
    for (std::uint32_t i = 0; i < columns->fields; ++i) columns->field_of_column.push_back(i);
    Slice slice;
    slice.end = text.size();
    slice.first_line = 1;
    slice.records = 1;
    slice.digest = digest;
    CsvReader reader(File::open_read(at("data.csv")).value(),
                     std::make_shared<const std::string>("data.csv"), dialect_, columns, slice);
    rows_.clear();
    rejects_.clear();
    pages_.clear();
    while (true) {
      auto page = reader.next(rejects_);
      if (!page) {
        error_ = page.error();
        return;
      }
      if (*page == nullptr) return;
      for (std::size_t row = 0; row < (*page)->rows(); ++row) {
        std::string line;
        for (std::size_t i = 0; i < schema.fields.size(); ++i) {
          if (i > 0) line += '|';
          if (!(*page)->column(i).is_valid(row)) line += "<null>";
          append_value_text(line, (*page)->column(i), row);
        }
        rows_.push_back(line);
      }
      pages_.push_back(std::move(*page));
    }
  }

  std::string written(const CsvOutput& output = {}) {
    CsvWriter writer(pages_.at(0)->schema_ptr(), output);
    std::string text = writer.header();
    for (const auto& page : pages_) writer.add(*page);
    return text + writer.take();
  }

  CsvDialect dialect_;
  bool guessed_ = false;
  std::vector<std::string> rows_;
  std::vector<Reject> rejects_;
  std::vector<std::unique_ptr<Page>> pages_;
  std::optional<Error> error_;
};

using Rows = std::vector<std::string>;

TEST_F(CsvFile, GivesTypedValues) {
  read("1,2.50,2024-02-29,2024-02-29 01:02:03,true,\"a \"\"long\"\" text, with it\"\n,,,,,\n",
       schema_of({{"a", "integer"}, {"b", "decimal(9,2)"}, {"c", "date"}, {"d", "timestamp"},
                  {"e", "boolean"}, {"f", "varchar"}}));
  EXPECT_EQ(rows_, (Rows{"1|2.50|2024-02-29|2024-02-29T01:02:03|true|a \"long\" text, with it",
                         "<null>|<null>|<null>|<null>|<null>|<null>"}));
  EXPECT_TRUE(rejects_.empty());
}

TEST_F(CsvFile, RejectsARecordWithTooFewOrTooManyColumnsAndReadsOn) {
  read("1,a\n2\n3,c,x\n4,d\n", schema_of({{"n", "integer"}, {"t", "varchar"}}));
  EXPECT_EQ(rows_, (Rows{"1|a", "4|d"}));
  ASSERT_EQ(rejects_.size(), 2U);
  EXPECT_EQ(rejects_[0].error, "Expected 2 columns, found 1.");
  EXPECT_EQ(rejects_[0].raw, "2");
  EXPECT_EQ(rejects_[1].error, "Expected 2 columns, found 3.");
  EXPECT_EQ(rejects_[1].line, 3U);
  EXPECT_EQ(rejects_[1].offset, 6U);
  EXPECT_EQ(rejects_[1].record, 2U);
  EXPECT_EQ(rejects_[1].phase, "read");
  EXPECT_EQ(rejects_[1].source, "data.csv");
}

TEST_F(CsvFile, TakesRecordsOfOtherLengthsWhenTold) {
  dialect_.extra_columns_ignored = true;
  dialect_.missing_columns_null = true;
  read("1,a\n2\n3,c,x\n", schema_of({{"n", "integer"}, {"t", "varchar"}}));
  EXPECT_EQ(rows_, (Rows{"1|a", "2|<null>", "3|c"}));
}

TEST_F(CsvFile, NamesColumnValueAndTypeOfABadValue) {
  Schema schema = schema_of({{"id", "integer"}, {"unit_price", "decimal(12,2)"}});
  schema.fields[0].required = true;
  read("1,\"12,x\"\n2,1.005\n,3\n99999999999,1\nx,y\n5,5\n", schema);
  EXPECT_EQ(rows_, (Rows{"5|5.00"}));
  ASSERT_EQ(rejects_.size(), 5U);
  EXPECT_EQ(rejects_[0].error, "Column 2 \"unit_price\": \"12,x\" is not a decimal(12,2).");
  EXPECT_EQ(rejects_[1].error,
            "Column 2 \"unit_price\": \"1.005\" has more than 2 digits after the point: "
            "decimal(12,2).");
  EXPECT_EQ(rejects_[2].error, "Column 1 \"id\" is empty, but a value is required.");
  EXPECT_EQ(rejects_[3].error, "Column 1 \"id\": \"99999999999\" is out of range of integer.");
  EXPECT_EQ(rejects_[4].error, "Column 1 \"id\": \"x\" is not an integer.");
  EXPECT_EQ(pages_[0]->raw(0), "5,5");
}

TEST_F(CsvFile, RejectsBytesThatAreNotUtf8AndKeepsThem) {
  read("1,\xC3\xA9\n2,\xFF\xFE\n3,\"two\n\xC3(lines\"\n4,ok\n",
       schema_of({{"n", "integer"}, {"t", "varchar"}}));
  EXPECT_EQ(rows_, (Rows{"1|\xC3\xA9", "4|ok"}));
  ASSERT_EQ(rejects_.size(), 2U);
  EXPECT_EQ(rejects_[0].error, "The byte 0xFF at offset 7 is not UTF-8.");
  EXPECT_EQ(rejects_[0].raw, "2,\xFF\xFE");
  EXPECT_EQ(rejects_[1].raw, "3,\"two\n\xC3(lines\"");
}

TEST_F(CsvFile, RejectsBrokenQuotesByTheirOwnLine) {
  read("1,a\"b\n2,\"open\n3,\"closed\" x\n4,fine\n",
       schema_of({{"n", "integer"}, {"t", "varchar"}}));
  EXPECT_EQ(rows_, (Rows{"4|fine"}));
  ASSERT_EQ(rejects_.size(), 3U);
  EXPECT_EQ(rejects_[0].error,
            "The quote at byte 3 stands inside a field that does not begin with one.");
  EXPECT_EQ(rejects_[1].error, "The quoted field that begins at byte 8 is not closed before a "
                               "delimiter or a line end.");
  EXPECT_EQ(rejects_[1].raw, "2,\"open");
  EXPECT_EQ(rejects_[2].line, 3U);
}

TEST_F(CsvFile, ACarriageReturnThatEndsNoLineCostsItsRecordAndNoOther) {
  const Schema schema = schema_of({{"n", "integer"}, {"t", "varchar"}});
  read("1,a\n2,x\ry\n3,\"x\ry\"\n4,\"c\"\r\n5,\"c\"\rd,\"e\nf\"\n6,g\n7,h\r", schema);
  EXPECT_EQ(rows_, (Rows{"1|a", "3|x\ry", "4|c", "6|g"}));
  ASSERT_EQ(rejects_.size(), 3U);
  EXPECT_EQ(rejects_[0].error, "The carriage return at byte 7 stands outside quotes and ends no "
                               "line: lines of this file end with a line feed.");
  EXPECT_EQ(rejects_[0].raw, "2,x\ry");
  EXPECT_EQ(rejects_[0].line, 2U);
  EXPECT_EQ(rejects_[1].raw, "5,\"c\"\rd,\"e\nf\"");
  EXPECT_EQ(rejects_[1].line, 5U);
  EXPECT_EQ(rejects_[2].raw, "7,h\r");
  EXPECT_EQ(rejects_[2].line, 8U);
  dialect_.return_ends_lines = true;
  read("1,a\r2,b\r\r3,\"x\ry\"\r4,d\n5,e\r\n6,f", schema);
  EXPECT_EQ(rows_, (Rows{"1|a", "2|b", "3|x\ry", "4|d", "5|e", "6|f"}));
  EXPECT_TRUE(rejects_.empty());
}

TEST_F(CsvFile, ManyBadRowsLeaveTheOthersInPlaceAcrossPages) {
  std::string text;
  Rows expected;
  for (int i = 0; i < 30000; ++i) {
    const bool bad = i % 7 == 3;
    const bool null = i % 5 == 1;
    const std::string value = fmt::format("text number {}", i);
    text += fmt::format("{},{}\n", bad ? "x" : std::to_string(i), null ? "" : value);
    if (!bad) expected.push_back(fmt::format("{}|{}", i, null ? "<null>" : value));
  }
  read(text, schema_of({{"n", "integer"}, {"t", "varchar"}}), digest64(text));
  EXPECT_EQ(rows_, expected);
  EXPECT_EQ(rejects_.size() + expected.size(), 30000U);
  EXPECT_GT(pages_.size(), 1U);
  EXPECT_FALSE(error_);
}

TEST_F(CsvFile, NoticesBytesThatAreNotThoseThatWerePlanned) {
  read("1\n2\n", schema_of({{"n", "integer"}}), 12345);
  ASSERT_TRUE(error_);
  EXPECT_EQ(error_->kind, ErrorKind::failed);
  EXPECT_NE(error_->message.find("data.csv was changed"), std::string::npos);
}

TEST_F(CsvFile, AnEmptyStringIsNotNullAndOtherSpellingsMayBe) {
  const Schema schema = schema_of({{"a", "varchar"}, {"b", "varchar"}});
  read("\"\",\n", schema);
  EXPECT_EQ(rows_, (Rows{"|<null>"}));
  dialect_.nulls = {"NA", "-"};
  read("NA,\"NA\"\n-,\n", schema);
  EXPECT_EQ(rows_, (Rows{"<null>|NA", "<null>|"}));
}

TEST_F(CsvFile, QuotedSpellingsOfNullCountWhenTold) {
  const Schema schema = schema_of({{"a", "varchar"}, {"b", "integer"}});
  dialect_.quoted_nulls = true;
  read("\"\",\"\"\nx,\"7\"\n", schema);
  EXPECT_EQ(rows_, (Rows{"<null>|<null>", "x|7"}));
  dialect_.nulls = {"NA"};
  read("\"NA\",NA\n\"\",1\n", schema);
  EXPECT_EQ(rows_, (Rows{"<null>|<null>", "|1"}));
  dialect_.nulls = {"\\N"};
  dialect_.escape = '\\';
  read("\"\\\\N\",\\N\n\"\\N\",1\n", schema);
  EXPECT_EQ(rows_, (Rows{"<null>|<null>", "<null>|1"}));
}

std::vector<TimeFormat> formats_of(std::initializer_list<const char*> texts, TimeFormat::Use use) {
  std::vector<TimeFormat> formats;
  for (const char* text : texts) formats.push_back(TimeFormat::compile(text, use).value());
  return formats;
}

TEST_F(CsvFile, ReadsDatesAndTimestampsByFormats) {
  dialect_.date_formats = formats_of({"%d.%m.%Y", "%-m/%-d/%y"}, TimeFormat::Use::read_date);
  dialect_.timestamp_formats =
      formats_of({"%d.%m.%Y %H:%M%z", "%d.%m.%Y %H:%M"}, TimeFormat::Use::read_timestamp);
  const Schema schema = schema_of({{"d", "date"}, {"t", "timestamptz"}});
  read("31.01.2026,31.01.2026 12:30\n1/2/26,01.02.2026 12:30+02\n2026-01-31,\n30.02.2026,\n"
       ",2026-01-31 12:30:00\n",
       schema);
  EXPECT_EQ(rows_, (Rows{"2026-01-31|2026-01-31T12:30:00Z", "2026-01-02|2026-02-01T10:30:00Z"}));
  ASSERT_EQ(rejects_.size(), 3U);
  EXPECT_EQ(rejects_[0].error, "Column 1 \"d\": \"2026-01-31\" is not a date by date_format "
                               "\"%d.%m.%Y\" or \"%-m/%-d/%y\".");
  EXPECT_EQ(rejects_[2].error,
            "Column 2 \"t\": \"2026-01-31 12:30:00\" is not a timestamptz by timestamp_format "
            "\"%d.%m.%Y %H:%M%z\" or \"%d.%m.%Y %H:%M\".");
}

TEST_F(CsvFile, WritesDatesAndTimestampsByFormatsAndQuotesThemWhereNeeded) {
  read("2026-01-31,2026-01-31 12:30:05,2026-01-31 12:30:05Z\n,,\n",
       schema_of({{"d", "date"}, {"t", "timestamp"}, {"z", "timestamptz"}}));
  CsvOutput output;
  output.header = false;
  output.time_formats.date = TimeFormat::compile("%d.%m.%Y", TimeFormat::Use::write_date).value();
  EXPECT_EQ(written(output), "31.01.2026,2026-01-31T12:30:05,2026-01-31T12:30:05Z\n,,\n");
  output.time_formats.date =
      TimeFormat::compile("%b %-d, %Y", TimeFormat::Use::write_date).value();
  output.time_formats.timestamp =
      TimeFormat::compile("\"%T\"", TimeFormat::Use::write_timestamp).value();
  EXPECT_EQ(written(output), "\"Jan 31, 2026\",\"\"\"12:30:05\"\"\",\"\"\"12:30:05\"\"\"\n,,\n");
}

TEST_F(CsvFile, SaysThatATypeWasGuessed) {
  guessed_ = true;
  read("1\nx\n", schema_of({{"n", "bigint"}}));
  ASSERT_EQ(rejects_.size(), 1U);
  EXPECT_EQ(rejects_[0].error,
            "Column 1 \"n\": \"x\" is not a bigint. The type was guessed from a sample; if it is "
            "wrong, declare the column in `columns:`, for example as varchar.");
}

TEST_F(CsvFile, DecimalCommasArePointsElsewhere) {
  dialect_.delimiter = ";";
  dialect_.decimal_comma = true;
  read("1,50;2,5\n1.5;2\n", schema_of({{"a", "decimal(9,2)"}, {"b", "double"}}));
  EXPECT_EQ(rows_, (Rows{"1.50|2.5"}));
  EXPECT_EQ(rejects_.at(0).error, "Column 1 \"a\": \"1.5\" is not a decimal(9,2).");
}

TEST_F(CsvFile, WhatIsWrittenReadsBackAsItWas) {
  const std::string text =
      "plain,1\n\"\",2\n,3\n\"comma, quote \"\" and\nline\",4\n\"cr\rhere\",5\n blank ,\n";
  read(text, schema_of({{"t", "varchar"}, {"n", "integer"}}));
  ASSERT_TRUE(rejects_.empty());
  EXPECT_EQ(written(), "t,n\n" + text);
  CsvOutput output;
  output.header = false;
  output.null = "NULL";
  output.delimiter = ";;";
  EXPECT_EQ(written(output), "plain;;1\n\"\";;2\nNULL;;3\n\"comma, quote \"\" and\nline\";;4\n"
                             "\"cr\rhere\";;5\n blank ;;NULL\n");
}

TEST_F(CsvFile, ValuesThatLookLikeNullOrHoldTheDelimiterAreQuoted) {
  read("NULL,-1\n", schema_of({{"t", "varchar"}, {"n", "integer"}}));
  CsvOutput output;
  output.header = false;
  output.null = "NULL";
  output.delimiter = "-";
  EXPECT_EQ(written(output), "\"NULL\"-\"-1\"\n");
}

TEST_F(CsvFile, TheHeadIsBehindMarkSkippedLinesAndComments) {
  put("h.csv", "\xEF\xBB\xBFskip \"me\r\n# note\r\n\r\na,\"b\nc\"\r\n1,2\r\n");
  CsvDialect dialect;
  dialect.skip_lines = 1;
  dialect.comment = '#';
  const std::uint64_t bytes = file_status(at("h.csv")).value().bytes;
  const TextFile file = File::open_read(at("h.csv")).value();
  const CsvHead head = read_csv_head(file, bytes, "h.csv", dialect).value();
  EXPECT_EQ(head.names, (std::vector<std::string>{"a", "b\nc"}));
  EXPECT_EQ(head.data_line, 6U);
  EXPECT_EQ(head.data_begin, bytes - 5);
}

TEST_F(CsvFile, TheFirstLineEndOutsideQuotesSaysWhetherReturnsEndLines) {
  CsvDialect dialect;
  const auto ends_lines = [&](const std::string& text) {
    put("h.csv", text);
    return return_ends_first_line(File::open_read(at("h.csv")).value(), text.size(), "h.csv",
                                  dialect)
        .value();
  };
  EXPECT_TRUE(ends_lines("a,b\r1,2\n"));
  EXPECT_TRUE(ends_lines("a,b\r"));
  EXPECT_TRUE(ends_lines("\r\r\n"));
  EXPECT_TRUE(ends_lines("\"a\nb\",c\r1,2\r"));
  EXPECT_TRUE(ends_lines(std::string(5 << 20, 'x') + "\r1\n"));
  EXPECT_FALSE(ends_lines(""));
  EXPECT_FALSE(ends_lines("a,b"));
  EXPECT_FALSE(ends_lines("a,b\n1\r2\n"));
  EXPECT_FALSE(ends_lines("a,b\r\n1\r2\r\n"));
  EXPECT_FALSE(ends_lines("\"a\rb\",c\n1,2\r"));
  EXPECT_FALSE(ends_lines("\"a\rb\",\"c\"\r\n1,2\r"));
  EXPECT_FALSE(ends_lines("\n\r"));
  EXPECT_FALSE(ends_lines(std::string((4 << 10) - 1, 'x') + "\r\n1\r"));
  dialect.comment = '#';
  EXPECT_TRUE(ends_lines("# it's, \"open\ra,b\n"));
  EXPECT_FALSE(ends_lines("# it's, \"open\na,b\r"));
  dialect.comment = 0;
  dialect.skip_lines = 1;
  EXPECT_FALSE(ends_lines("\xEF\xBB\xBFskip, \"me\na,\"b\"\r"));
}

TEST_F(CsvFile, LinesToSkipEndWhereTheFilesLinesEnd) {
  CsvDialect dialect;
  dialect.skip_lines = 2;
  for (const std::string text : {"one\nt\rw\ro\na,b\n1,2\n", "one\rtwo\ra,b\r1,2\r"}) {
    put("h.csv", text);
    const CsvHead head =
        read_csv_head(File::open_read(at("h.csv")).value(), text.size(), "h.csv", dialect).value();
    EXPECT_EQ(head.names, (std::vector<std::string>{"a", "b"}));
    EXPECT_EQ(head.data_line, 4U);
    EXPECT_EQ(head.data_begin, text.size() - 4);
  }
}

TEST_F(CsvFile, AHeaderWithAReturnThatEndsNoLineIsRefused) {
  const std::string text = "\na,b\rc\n1,2\n";
  put("h.csv", text);
  const auto head =
      read_csv_head(File::open_read(at("h.csv")).value(), text.size(), "h.csv", CsvDialect());
  ASSERT_FALSE(head);
  EXPECT_EQ(head.error().message,
            "The header of h.csv has a carriage return outside quotes, at byte 4.");
}

TEST_F(CsvFile, AHeaderThatNamesAColumnTwiceIsRefused) {
  put("h.csv", "a,b,a\n1,2,3\n");
  const TextFile file = File::open_read(at("h.csv")).value();
  const auto head = read_csv_head(file, 12, "h.csv", CsvDialect());
  ASSERT_FALSE(head);
  EXPECT_EQ(head.error().message, "The header of h.csv names the column \"a\" twice.");
}

TEST(CsvGuess, KeepsWhatANumberWouldDamageAsText) {
  const auto guess = [](std::initializer_list<const char*> texts) {
    TypeGuess column;
    for (const char* text : texts) column.add(text, false);
    return to_string(column.type());
  };
  EXPECT_EQ(guess({"1", "-20"}), "bigint");
  EXPECT_EQ(guess({"1", "2.5"}), "double");
  EXPECT_EQ(guess({"00501", "12345"}), "varchar");
  EXPECT_EQ(guess({"2024-01-01"}), "date");
  EXPECT_EQ(guess({"2024-01-01 10:00:00"}), "timestamp");
  EXPECT_EQ(guess({"true", "FALSE"}), "boolean");
  EXPECT_EQ(guess({"1", "x"}), "varchar");
  EXPECT_EQ(guess({"nan"}), "varchar");
  EXPECT_EQ(guess({}), "varchar");
  EXPECT_EQ(guess({"12345678901234567890123", "1.5"}), "varchar");
}

TEST(CsvGuess, KnowsZonesAndTheFormatsThatAreGiven) {
  const auto dates = formats_of({"%d.%m.%Y", "%Y%m%d"}, TimeFormat::Use::read_date);
  const auto timestamps = formats_of({"%d.%m.%Y %H:%M"}, TimeFormat::Use::read_timestamp);
  const auto zoned = formats_of({"%F %H:%M %z"}, TimeFormat::Use::read_timestamp);
  const auto guess = [](TypeGuess column, std::initializer_list<const char*> texts) {
    for (const char* text : texts) column.add(text, false);
    return to_string(column.type());
  };
  EXPECT_EQ(guess({}, {"2024-01-01 10:00:00Z", "2024-01-01T10:00:00+02:00"}), "timestamptz");
  EXPECT_EQ(guess({}, {"2024-01-01 10:00:00Z", "2024-01-01T10:00:00"}), "varchar");
  EXPECT_EQ(guess({dates, {}}, {"31.01.2024", "20240131"}), "date");
  EXPECT_EQ(guess({dates, {}}, {"20240131"}), "date");  // a number else
  EXPECT_EQ(guess({dates, {}}, {"20240131", "20241331"}), "bigint");
  EXPECT_EQ(guess({dates, {}}, {"2024-01-31"}), "varchar");
  EXPECT_EQ(guess({dates, timestamps}, {"31.01.2024 10:00"}), "timestamp");
  EXPECT_EQ(guess({{}, zoned}, {"2024-01-31 10:00 +01"}), "timestamptz");
  EXPECT_EQ(guess({{}, zoned}, {"2024-01-31 10:00:00"}), "varchar");
}

TEST(CsvDialect, RefusesCharactersThatContradictEachOther) {
  CsvDialect dialect;
  dialect.delimiter = "\"";
  EXPECT_FALSE(check_dialect(dialect));
  dialect = CsvDialect();
  dialect.decimal_comma = true;
  EXPECT_FALSE(check_dialect(dialect));
  dialect = CsvDialect();
  dialect.comment = ',';
  EXPECT_FALSE(check_dialect(dialect));
  EXPECT_TRUE(check_dialect(CsvDialect()));
}

TEST_F(CsvFile, SaysThatARecordOfSeveralLinesIsTooLongWithoutTheLengthOfItsFirst) {
  dialect_.max_record_bytes = 40;
  const std::string tail(50, 'x');
  read(fmt::format("1,a\n2,\"b\nc\"{0},d\n3,{0}\n4,e\n", ",y" + tail),
       schema_of({{"n", "integer"}, {"t", "varchar"}}));
  ASSERT_EQ(rejects_.size(), 3U);
  EXPECT_EQ(rejects_[0].raw, "2,\"b");
  EXPECT_EQ(rejects_[0].error,
            "The record is longer than max_record (40 B); it goes on behind its first line, "
            "which is rejected here.");
  EXPECT_TRUE(rejects_[2].error.starts_with("The record of 54 bytes is longer than max_record"))
      << rejects_[2].error;
}

TEST_F(CsvFile, SaysOfAQuotedFieldBeyondMaxRecordThatItIsTooLong) {
  dialect_.max_record_bytes = 40;
  const Schema schema = schema_of({{"n", "integer"}, {"t", "varchar"}});
  read(fmt::format("1,a\n2,\"{}\"\n3,b\n", std::string(50, 'x')), schema);
  EXPECT_EQ(rows_, (Rows{"1|a", "3|b"}));
  ASSERT_EQ(rejects_.size(), 1U);
  EXPECT_EQ(rejects_[0].error,
            "The record is longer than max_record (40 B): the quoted field that begins at byte 6 "
            "does not close within it, if it closes at all.");
  read(fmt::format("2,\"b\n{}\"\n3,b\n", std::string(50, 'x')), schema);
  EXPECT_EQ(rows_, (Rows{"3|b"}));
  ASSERT_EQ(rejects_.size(), 2U);
  EXPECT_EQ(rejects_[0].error,
            "The record is longer than max_record (40 B): the quoted field that begins at byte 2 "
            "does not close within it, if it closes at all. It goes on behind its first line, "
            "which is rejected here.");
}

TEST(CsvDialect, LetsNoRecordBeLongerThanALengthCanSay) {
  CsvDialect dialect;
  dialect.max_record_bytes = (std::uint64_t{1} << 29) - 1;
  EXPECT_TRUE(check_dialect(dialect));
  CsvField field;
  field.marks = static_cast<std::uint32_t>(dialect.max_record_bytes);
  EXPECT_FALSE(field.absent());
  ++dialect.max_record_bytes;
  EXPECT_FALSE(check_dialect(dialect));
}

}  // namespace
}  // namespace tranche
