#include <set>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <tranche/core/value.h>

#include "connectors/csv.h"
#include "connectors/text_connector_fixture.h"

namespace tranche {
namespace {

class CsvConnector : public TextConnectorTest {
 protected:
  CsvConnector() : TextConnectorTest(csv_connector()) {}
};

TEST_F(CsvConnector, HowTheInputIsCutDoesNotChangeWhatIsRead) {
  std::string first = "id,text\n";
  for (int i = 0; i < 40; ++i) {
    first += i % 9 == 4 ? fmt::format("x{},\"bad\n", i) : fmt::format("{},\"a\nb {}\"\r\n", i, i);
  }
  put("a.csv", first);
  put("b.csv", "text,id\n");
  put("c.csv", "text,id\nlast,7\n\n# no comment\nunended,8");
  const auto source = open({{"csv", Node::list({Node::scalar("a.csv"), Node::scalar("[bc].csv")})},
                            {"columns", columns_of({{"id", "integer"}, {"text", "varchar"}})}});
  const auto whole = cut(*source, {});
  ASSERT_EQ(whole.size(), 2U);  // one a file that has records
  const auto expected = read(*source, whole);
  ASSERT_EQ(expected.size(), 43U);
  for (std::uint64_t records = 1; records < 20; ++records) {
    const auto slices = cut(*source, {.records_max = records});
    EXPECT_EQ(read(*source, slices), expected) << records;
  }
  for (std::uint64_t bytes = 1; bytes < 200; bytes += 7) {
    const auto slices = cut(*source, {.bytes_max = bytes});
    ASSERT_EQ(read(*source, slices), expected) << bytes;
    for (const auto& slice : slices) {
      EXPECT_EQ(source->digest(slice).value(), slice.digest);
    }
  }
}

TEST_F(CsvConnector, GoesOnBehindAnySliceAsIfItHadNeverStopped) {
  put("a.csv", "n\n1\n\"2\n2\"\n3\n4\n");
  put("b.csv", "n\n5\n6\n");
  const auto source =
      open({{"csv", Node::scalar("*.csv")}, {"columns", columns_of({{"n", "varchar"}})}});
  const auto slices = cut(*source, {.records_max = 1});
  ASSERT_EQ(slices.size(), 6U);
  for (std::size_t i = 0; i < slices.size(); ++i) {
    const auto rest = cut(*source, {.records_max = 1}, &slices[i]);
    EXPECT_EQ(rest, std::vector<Slice>(slices.begin() + static_cast<std::ptrdiff_t>(i) + 1,
                                       slices.end()));
  }
}

TEST_F(CsvConnector, AnEmptyLineIsARecordOnlyWhereTheOnlyColumnMayBeEmpty) {
  put("a.csv", "n\n1\n\n3\n");
  const auto source =
      open({{"csv", Node::scalar("a.csv")}, {"columns", columns_of({{"n", "integer"}})}});
  EXPECT_EQ(read(*source, cut(*source, {})),
            (std::vector<std::string>{"a.csv:2@2 1|", "a.csv:3@4 |", "a.csv:4@5 3|"}));
  Node required = Node::map();
  required.set("type", Node::scalar("integer"));
  required.set("null", Node::scalar("error"));
  Node columns = Node::map();
  columns.set("n", required);
  const auto strict = open({{"csv", Node::scalar("a.csv")}, {"columns", columns}});
  EXPECT_EQ(cut(*strict, {}).at(0).records, 2U);
}

TEST_F(CsvConnector, GuessesWhatIsNotDeclared) {
  std::string text = "id,price,day,at,zip,name,ok\n";
  for (int i = 0; i < 30000; ++i) {
    text += fmt::format("{},{}.5,2024-01-02,2024-01-02 03:04:05,0{:04},\"n, {}\",true\n", i, i,
                        i % 10000, i);
  }
  put("a.csv", text);
  const auto source = open({{"csv", Node::scalar("a.csv")}});
  EXPECT_EQ(to_string(*source->schema().value()),
            "id bigint, price double, day date, at timestamp, zip varchar, name varchar, "
            "ok boolean");
  put("b.csv", "1,x\n2,y\n");
  const auto bare = open({{"csv", Node::scalar("b.csv")}, {"header", Node::scalar("false")}});
  EXPECT_EQ(to_string(*bare->schema().value()), "column0 bigint, column1 varchar");
  EXPECT_EQ(cut(*bare, {}).at(0).records, 2U);
}

TEST_F(CsvConnector, GuessesFromTheWholeFileAndSaysThatItIsAGuess) {
  // A text of its own stands in the tail of the first file, and in the last of many files.
  std::string text = "a,b\n";
  for (int i = 0; i < 200000; ++i) text += fmt::format("{},{}\n", i, i);
  put("0.csv", text + "x,1\n");
  for (int i = 1; i < 40; ++i) put(fmt::format("{:02}.csv", i), "a,b\n1,2\n");
  put("99.csv", "a,b\n1,y\n");
  const auto source = open({{"csv", Node::scalar("*.csv")}});
  EXPECT_EQ(to_string(*source->schema().value()), "a varchar, b varchar");
  ASSERT_EQ(source->notes().size(), 1U);
  EXPECT_NE(source->notes()[0].find("guessed from a sample"), std::string::npos);
  const auto declared = open({{"csv", Node::scalar("0.csv")},
                              {"columns", columns_of({{"a", "varchar"}, {"b", "bigint"}})}});
  EXPECT_TRUE(declared->notes().empty());
}

TEST_F(CsvConnector, GuessesFromTheEndOfASmallFileToo) {
  std::string text = "n\n";
  for (int i = 0; i < 5000; ++i) text += "1\n";
  put("a.csv", text + "x\n");
  const auto source = open({{"csv", Node::scalar("a.csv")}});
  EXPECT_EQ(to_string(*source->schema().value()), "n varchar");
}

TEST_F(CsvConnector, AnEmptyFieldThatIsNotNullIsNoNumber) {
  put("a.csv", "n,m\n1,NA\n,2\n");
  const auto source = open({{"csv", Node::scalar("a.csv")}, {"null", Node::scalar("NA")}});
  EXPECT_EQ(to_string(*source->schema().value()), "n varchar, m bigint");
}

TEST_F(CsvConnector, RejectsWhatDoesNotFitAGuess) {
  std::string text = "n\n";
  for (int i = 0; i < 20000; ++i) text += fmt::format("{}\n", i);
  const std::size_t hidden = text.size();
  text += "hidden\n";
  for (int i = 0; i < 200000; ++i) text += "7\n";
  put("a.csv", text);
  const auto source = open({{"csv", Node::scalar("a.csv")}});
  ASSERT_EQ(to_string(*source->schema().value()), "n bigint");
  const auto lines = read(*source, cut(*source, {}));
  EXPECT_EQ(lines.at(20000), fmt::format("a.csv:20002@{} reject hidden", hidden));
}

TEST_F(CsvConnector, ReadsDatesByTheFormatsOfTheJob) {
  put("a.csv", "day;at\n31.01.2026;31.01.2026 12:30\n01.02.2026;\n");
  const Options options{
      {"csv", Node::scalar("a.csv")},
      {"delimiter", Node::scalar(";")},
      {"date_format", Node::scalar("%d.%m.%Y")},
      {"timestamp_format", Node::list({Node::scalar("%F %T"), Node::scalar("%d.%m.%Y %H:%M")})}};
  const auto source = open(options);
  EXPECT_EQ(to_string(*source->schema().value()), "day date, at timestamp");
  EXPECT_EQ(read(*source, cut(*source, {})),
            (std::vector<std::string>{"a.csv:2@7 2026-01-31|2026-01-31T12:30:00|",
                                      "a.csv:3@35 2026-02-01||"}));
}

TEST_F(CsvConnector, AFormatWithAZoneNeedsAColumnThatHasOne) {
  put("a.csv", "at\n2026-01-31 12:30 +02\n");
  Options options{{"csv", Node::scalar("a.csv")},
                  {"timestamp_format", Node::scalar("%F %H:%M %z")},
                  {"columns", columns_of({{"at", "timestamp"}})}};
  EXPECT_EQ(error_of(options),
            "timestamp_format \"%F %H:%M %z\" has a zone (%z), but column "
            "\"at\" is a timestamp, which has none; make it a timestamptz.");
  options[2].second = columns_of({{"at", "timestamptz"}});
  const auto source = open(options);
  EXPECT_EQ(read(*source, cut(*source, {})),
            (std::vector<std::string>{"a.csv:2@3 2026-01-31T10:30:00Z|"}));
}

TEST_F(CsvConnector, SaysWhereAFormatIsWrong) {
  Node node = Node::map();
  node.set("csv", Node::scalar("a.csv"));
  node.set("date_format",
           Node::list({Node::scalar("%F", {3, 20}), Node::scalar("%d.%q.%Y", {3, 26})}));
  Problems problems;
  check_options(node, connector_.read_options, "csv", problems);
  ASSERT_EQ(problems.size(), 1U);
  EXPECT_EQ(problems[0].mark.column, 26);
  EXPECT_TRUE(problems[0].message.starts_with(
      "Key \"date_format\" in csv: The format \"%d.%q.%Y\" has \"%q\" at character 4"))
      << problems[0].message;
}

TEST_F(CsvConnector, RefusesAFileWithoutRecordsWhenTold) {
  put("full.csv", "n\n1\n");
  put("header.csv", "n\n\n\n");
  const auto columns = columns_of({{"n", "integer"}, {"m", "integer"}});
  const auto error = [&](const char* pattern, const char* empty) {
    return error_of({{"csv", Node::scalar(pattern)},
                     {"columns", columns},
                     {"missing_columns", Node::scalar("null")},
                     {"comment", Node::scalar("#")},
                     {"empty", Node::scalar(empty)}});
  };
  EXPECT_EQ(error("*.csv", "ok"), "no error");
  EXPECT_EQ(error("full.csv", "fail"), "no error");
  put("comment.csv", "n\n#1\n");
  EXPECT_EQ(error("comment.csv", "fail"), "comment.csv has no records, and `empty: fail` is set.");
  put("nothing.csv", "");
  EXPECT_EQ(error("nothing.csv", "fail"), "nothing.csv has no records, and `empty: fail` is set.");
}

TEST_F(CsvConnector, SaysWhatIsWrongWithAHeader) {
  put("a.csv", "id,name\n1,x\n");
  put("b.csv", "id,nam\n1,x\n");
  EXPECT_EQ(error_of({{"csv", Node::scalar("b.csv")},
                      {"columns", columns_of({{"id", "integer"}, {"name", "varchar"}})}}),
            "The header of b.csv is not the expected one: it lacks \"name\", and it has \"nam\", "
            "which nobody declared (\"name\"?). Declare it in `columns:`, or say `extra_columns: "
            "undeclared`. For nulls in its place, say `missing_columns: null`.");
  EXPECT_NE(error_of({{"csv", Node::scalar("*.csv")}}).find("The header of b.csv"),
            std::string::npos);
  const auto source = open({{"csv", Node::scalar("*.csv")},
                            {"columns", columns_of({{"name", "varchar"}, {"id", "integer"}})},
                            {"extra_columns", Node::scalar("ignore")},
                            {"missing_columns", Node::scalar("null")}});
  EXPECT_EQ(read(*source, cut(*source, {})),
            (std::vector<std::string>{"a.csv:2@8 x|1|", "b.csv:2@7 |1|"}));
}

TEST_F(CsvConnector, SkipsUndeclaredColumnsAndStillCountsTheFieldsOfARecord) {
  put("a.csv", "id,other,name\n1,o,x\n2,o,y,z\n3,o,w\n");
  const auto source = open({{"csv", Node::scalar("a.csv")},
                            {"columns", columns_of({{"name", "varchar"}, {"id", "integer"}})},
                            {"extra_columns", Node::scalar("undeclared")}});
  EXPECT_EQ(read(*source, cut(*source, {})),
            (std::vector<std::string>{"a.csv:2@14 x|1|", "a.csv:3@20 reject 2,o,y,z",
                                      "a.csv:4@28 w|3|"}));
}

TEST_F(CsvConnector, RefusesWhatItCannotRead) {
  put("a.csv.gz", "x\n1\n");
  put("packed.csv", "\x1F\x8B\x08");
  put("wide.csv", "\xFF\xFEi\0d\0");
  put("empty.csv", "");
  EXPECT_NE(error_of({{"csv", Node::scalar("a.csv.gz")}}).find("compression: none"),
            std::string::npos);
  EXPECT_NE(error_of({{"csv", Node::scalar("packed.csv")}}).find("compression: gzip"),
            std::string::npos);
  EXPECT_NE(error_of({{"csv", Node::scalar("wide.csv")}}).find("encoding: utf-16"),
            std::string::npos);
  EXPECT_NE(error_of({{"csv", Node::scalar("none.csv")}}).find("No such file"), std::string::npos);
  EXPECT_NE(error_of({{"csv", Node::scalar("empty.csv")}}).find("is empty"), std::string::npos);
  EXPECT_NE(
      error_of({{"csv", Node::scalar("a.csv")}, {"delimiter", Node::scalar("\"")}}).find("quote"),
      std::string::npos);
  const Node twice = Node::list({Node::scalar("empty.csv"), Node::scalar("./empty.csv")});
  EXPECT_NE(error_of({{"csv", twice}}).find("twice"), std::string::npos);
}

TEST_F(CsvConnector, AnEmptyFileHasNoRecords) {
  put("empty.csv", "");
  put("header.csv", "n\n");
  const auto source =
      open({{"csv", Node::scalar("*.csv")}, {"columns", columns_of({{"n", "integer"}})}});
  EXPECT_TRUE(cut(*source, {}).empty());
}

TEST_F(CsvConnector, NoticesAFileThatShrinksOrChangesUnderIt) {
  put("a.csv", "n\n1\n2\n3\n");
  const auto source =
      open({{"csv", Node::scalar("a.csv")}, {"columns", columns_of({{"n", "integer"}})}});
  const auto slices = cut(*source, {});
  std::vector<Reject> rejects;
  put("a.csv", "n\n1\n2\n4\n");
  const auto changed = source->open(slices[0], worker_).value()->next(rejects);
  ASSERT_FALSE(changed);
  EXPECT_NE(changed.error().message.find("a.csv was changed"), std::string::npos);
  put("a.csv", "n\n1\n");
  const auto shorter = source->open(slices[0], worker_).value()->next(rejects);
  ASSERT_FALSE(shorter);
  EXPECT_NE(shorter.error().message.find("shorter"), std::string::npos);
  EXPECT_EQ(source->digest(slices[0]).value(), std::nullopt);
  const auto stream = source->divide(nullptr).value();
  EXPECT_FALSE(stream->next({}));
}

}  // namespace
}  // namespace tranche
