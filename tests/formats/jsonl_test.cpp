#include <cmath>
#include <limits>
#include <random>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <tranche/core/value.h>

#include "base/json_syntax.h"
#include "base/temporary_folder.h"
#include "base/text.h"
#include "formats/jsonl_cursor.h"
#include "formats/jsonl_guess.h"
#include "formats/jsonl_reader.h"
#include "formats/jsonl_writer.h"

namespace tranche {
namespace {

Schema schema_of(std::initializer_list<std::pair<const char*, const char*>> columns) {
  Schema schema;
  for (const auto& [name, type] : columns) {
    schema.fields.push_back({name, parse_type(type).value(), false});
  }
  return schema;
}

using Rows = std::vector<std::string>;

class JsonlFile : public TemporaryFolder {
 protected:
  void read(const std::string& text, const Schema& schema) {
    put("data.jsonl", text);
    Slice slice;
    slice.begin = place(text).begin;
    slice.end = text.size();
    slice.first_line = place(text).line;
    slice.records = 1;
    JsonlReader reader(File::open_read(at("data.jsonl")).value(),
                       std::make_shared<const std::string>("data.jsonl"), dialect_, place(text),
                       std::make_shared<const Schema>(schema), slice);
    rows_.clear();
    rejects_.clear();
    pages_.clear();
    while (auto page = reader.next(rejects_).value()) {
      for (std::size_t row = 0; row < page->rows(); ++row) {
        std::string line;
        for (std::size_t i = 0; i < page->column_count(); ++i) {
          if (i > 0) line += '|';
          if (!page->column(i).is_valid(row)) line += "<null>";
          append_value_text(line, page->column(i), row);
        }
        rows_.push_back(line);
      }
      pages_.push_back(std::move(page));
    }
  }

  JsonPlace place(const std::string& text) {
    const TextFile file = File::open_read(at("data.jsonl")).value();
    return find_json_place(file, "data.jsonl", text.size(), dialect_).value();
  }

  Rows errors() const {
    Rows errors;
    for (const auto& reject : rejects_) errors.push_back(reject.error);
    return errors;
  }

  std::string written() {
    JsonlWriter writer(pages_.at(0)->schema_ptr(), {});
    for (const auto& page : pages_) EXPECT_TRUE(writer.add(*page));
    return writer.take();
  }

  JsonlDialect dialect_;
  Rows rows_;
  std::vector<Reject> rejects_;
  std::vector<std::unique_ptr<Page>> pages_;
};

TEST_F(JsonlFile, TakesKeysInAnyOrderAndMissingOnesAsNull) {
  read("{\"a\":1,\"b\":\"x\"}\n { \"b\" : \"y\" , \"a\" : 2 } \r\n{\"b\":null}\n{}\n"
       "{\"\\u0061\":5,\"b\":\"a long text that does not fit into the value \\\"itself\\\"\"}",
       schema_of({{"a", "integer"}, {"b", "varchar"}}));
  EXPECT_EQ(rows_, (Rows{"1|x", "2|y", "<null>|<null>", "<null>|<null>",
                         "5|a long text that does not fit into the value \"itself\""}));
  EXPECT_EQ(errors(), Rows{});
}

TEST_F(JsonlFile, KeepsValuesOfANeighbourOfARejectApart) {
  read("{\"a\":null,\"b\":\"x\"}\n{\"b\":null,\"a\":\"bad\"}\n{\"a\":3,\"b\":\"z\"}\n",
       schema_of({{"a", "integer"}, {"b", "varchar"}}));
  EXPECT_EQ(rows_, (Rows{"<null>|x", "3|z"}));
  ASSERT_EQ(rejects_.size(), 1U);
  EXPECT_EQ(rejects_[0].line, 2U);
  EXPECT_EQ(rejects_[0].record, 1U);
  EXPECT_EQ(rejects_[0].offset, 19U);
  EXPECT_EQ(rejects_[0].phase, "read");
  EXPECT_EQ(rejects_[0].raw, "{\"b\":null,\"a\":\"bad\"}");
}

TEST_F(JsonlFile, NamesColumnValueAndTypeOfWhatDoesNotFit) {
  Schema schema = schema_of({{"n", "integer"}, {"d", "decimal(6,2)"}, {"t", "timestamp"},
                             {"k", "boolean"}});
  schema.fields[0].required = true;
  read("{\"n\":\"1\"}\n{\"n\":1.5}\n{\"n\":99999999999}\n{\"n\":null}\n{\"k\":true}\n"
       "{\"n\":1,\"d\":1.005}\n{\"n\":1,\"t\":20240101}\n{\"n\":1,\"t\":\"2024-02-30 00:00:00\"}\n"
       "{\"n\":1,\"k\":1}\n{\"n\":1,\"n\":1}\n{\"n\":1,\"N\":1}\n{\"n\":[1]}\n",
       schema);
  EXPECT_EQ(rows_, Rows{});
  EXPECT_EQ(errors(), (Rows{
      "Column \"n\": a number was expected for integer, and it is a string: 1.",
      "Column \"n\": \"1.5\" is not an integer.",
      "Column \"n\": \"99999999999\" is out of range of integer.",
      "Column \"n\" is null, but a value is required.",
      "Column \"n\" is missing, but a value is required.",
      "Column \"d\": \"1.005\" has more than 2 digits after the point: decimal(6,2).",
      "Column \"t\": a string was expected for timestamp, and it is a number: 20240101.",
      "Column \"t\": \"2024-02-30 00:00:00\" is not a timestamp.",
      "Column \"k\": true or false was expected for boolean, and it is a number: 1.",
      "The key \"n\" comes twice.",
      "The key \"N\" is no column (\"n\"?); to skip such keys, say `unknown_keys: ignore`.",
      "Column \"n\": a number was expected for integer, and it is an array: [1].",
  }));
}

TEST_F(JsonlFile, SkipsUnknownKeysWhenToldAndStillJudgesTheirValues) {
  dialect_.rules.unknown_keys_ignored = true;
  read("{\"x\":{\"a\":[1,{\"a\":2}]},\"a\":1,\"y\":\"\\n\"}\n{\"x\":[1}],\"a\":2}\n"
       "{\"x\":01,\"a\":3}\n{\"x\":[tru],\"a\":3}\n{\"x\\ud800\":1,\"a\":4}\n"
       "{\"a\":5,\"z\":null}\n",
       schema_of({{"a", "integer"}}));
  EXPECT_EQ(rows_, (Rows{"1", "5"}));
  EXPECT_EQ(rejects_.size(), 4U);
}

TEST_F(JsonlFile, TakesNumbersFromTheirOwnDigits) {
  const auto schema = schema_of({{"h", "hugeint"}, {"d", "decimal(38,10)"}, {"u", "ubigint"},
                                 {"f", "double"}});
  read("{\"h\":170141183460469231731687303715884105727,"
       "\"d\":1234567890123456789012345678.0123456789,"
       "\"u\":18446744073709551615,\"f\":0.1}\n"
       "{\"h\":-9,\"d\":\"-12.50\",\"f\":\"-inf\"}\n{\"d\":1.25E2,\"f\":1e-3}\n"
       "{\"d\":-125e-4,\"f\":\"nan\"}\n{\"d\":0e99999999999}\n{\"d\":1e30}\n{\"d\":1e-11}\n"
       "{\"d\":1e-99999999999}\n{\"f\":\"1\"}\n{\"f\":1e400}\n{\"h\":1e3}\n{\"u\":-1}\n",
       schema);
  EXPECT_EQ(rows_, (Rows{
      "170141183460469231731687303715884105727|1234567890123456789012345678.0123456789|"
      "18446744073709551615|0.1",
      "-9|-12.5000000000|<null>|-inf", "<null>|125.0000000000|<null>|0.001",
      "<null>|-0.0125000000|<null>|nan", "<null>|0.0000000000|<null>|<null>"}));
  EXPECT_EQ(rejects_.size(), 7U);
}

TEST_F(JsonlFile, KeepsNestedValuesAndOthersAsTheyAreWrittenInAVarchar) {
  read("{\"v\": { \"a\" : [1, \"x\\n\"] } }\n{\"v\":[]}\n{\"v\":1.50}\n{\"v\":false}\n",
       schema_of({{"v", "varchar"}}));
  EXPECT_EQ(rows_, (Rows{"{ \"a\" : [1, \"x\\n\"] }", "[]", "1.50", "false"}));
}

TEST_F(JsonlFile, FillsListsAndStructsInEachOther) {
  const auto schema = schema_of({{"t", "varchar[]"},
                                 {"p", "struct(x integer, y struct(z decimal(6,2)[]))"},
                                 {"l", "struct(k varchar, n smallint)[]"},
                                 {"j", "json"}});
  read("{\"t\":[\"a\",null,\"\\u0062\"],\"p\":{\"y\":{\"z\":[1.5, 2]},\"x\":1},\"l\":[ ],"
       "\"j\": {\"b\" : [1, 2]} }\n"
       "{\"l\":[{\"n\":1},null,{\"k\":\"two\",\"n\":2}],\"p\":null,\"t\":null,\"j\":null}\n"
       "{\"p\":{}, \"t\":[],\"j\":\"s\"}\n",
       schema);
  EXPECT_EQ(errors(), Rows{});
  EXPECT_EQ(rows_, (Rows{
      "[\"a\",null,\"b\"]|{\"x\":1,\"y\":{\"z\":[1.50,2.00]}}|[]|{\"b\" : [1, 2]}",
      "<null>|<null>|[{\"k\":null,\"n\":1},null,{\"k\":\"two\",\"n\":2}]|<null>",
      "[]|{\"x\":null,\"y\":null}|<null>|\"s\""}));
  const std::string text = written();
  read(text, schema);
  EXPECT_EQ(written(), text);
}

TEST_F(JsonlFile, RejectsARecordOverWhatIsWrongDeepInIt) {
  read("{\"l\":[{\"n\":1},{\"n\":40000}]}\n{\"l\":[{\"n\":1,\"n\":2}]}\n{\"l\":[{\"m\":1}]}\n"
       "{\"l\":{}}\n{\"l\":[1]}\n{\"l\":[{\"n\":1}}\n{\"l\":[{\"n\":7}]}\n",
       schema_of({{"l", "struct(n smallint)[]"}}));
  EXPECT_EQ(rows_, Rows{"[{\"n\":7}]"});
  EXPECT_EQ(errors(), (Rows{
      "Column \"l[].n\": \"40000\" is out of range of smallint.",
      "The key \"l[].n\" comes twice.",
      "The key \"m\" is no column; to skip such keys, say `unknown_keys: ignore`.",
      "Column \"l\": an array was expected for struct(n smallint)[], and it is an object: {}.",
      "Column \"l[]\": an object was expected for struct(n smallint), and it is a number: 1.",
      "The line is no JSON object: a comma or the end of an object or array is missing "
      "(byte 98)."}));
}

TEST_F(JsonlFile, TakesAnyValueForTheOnlyColumnWhenToldSo) {
  dialect_.rules.is_any_value = true;
  read("1\n[1,2]\n\"x\"\nnull\n {\"a\":1} \nx\n1 2\n", schema_of({{"v", "json"}}));
  EXPECT_EQ(rows_, (Rows{"1", "[1,2]", "\"x\"", "<null>", "{\"a\":1}"}));
  EXPECT_EQ(errors(), (Rows{"The line is no JSON value: a value is none of JSON's (byte 27).",
                            "The line is no JSON value: something follows the value (byte 31)."}));
  read("1\n2.5\n\"x\"\n", schema_of({{"v", "double"}}));
  EXPECT_EQ(rows_, (Rows{"1", "2.5"}));
}

TEST_F(JsonlFile, ReadsAnArrayAndChecksWhatIsBehindIt) {
  const auto schema = schema_of({{"k", "integer"}});
  read("\n [ {\"k\":1}\n,\n{\"k\":\n2}, {\"k\":tru}, 3 ]\n", schema);
  EXPECT_EQ(rows_, (Rows{"1", "2"}));
  EXPECT_EQ(errors(), (Rows{
      "The element is no JSON object: a value is none of JSON's (byte 29).",
      "The element is no JSON object: it is no object, as in {\"key\": 1} (byte 35)."}));
  EXPECT_EQ(rejects_[0].line, 5U);
  read("[{\"k\":1},{\"k\":2},]", schema);
  EXPECT_EQ(errors(), (Rows{"The element is no JSON object: a value is missing (byte 17)."}));
  read("[{\"k\":1}]\n{\"k\":2}\n", schema);
  EXPECT_EQ(rows_, Rows{"1"});
  EXPECT_EQ(errors(),
            Rows{"Something follows the end of the array (byte 9); a file holds one array."});
  read("[{\"k\":1},\n{\"k\":2}\n", schema);
  EXPECT_EQ(rows_, Rows{"1"});
  EXPECT_EQ(errors(), Rows{"The array is not closed at the end of the file (byte 18): is it cut "
                           "off?"});
}

TEST_F(JsonlFile, BlankLinesAreNoRecordsAndALoneReturnIsABlank) {
  read("\n \t\r\n{\"a\":\r1}\r\n\n{\"a\":2}\n   ", schema_of({{"a", "integer"}}));
  EXPECT_EQ(rows_, (Rows{"1", "2"}));
  EXPECT_EQ(errors(), Rows{});
  EXPECT_EQ(pages_.at(0)->base.line + pages_.at(0)->origins[1].line, 5U);
}

TEST_F(JsonlFile, RejectsALineThatIsLongerThanMaxRecordAndReadsOn) {
  dialect_.max_record_bytes = 20;
  const std::string fits = "{\"a\":\"" + std::string(12, 'x') + "\"}";
  ASSERT_EQ(fits.size(), 20U);
  read(fits + "\r\n" + fits + " \n" + std::string(30, ' ') + "\n{\"a\":\"y\"}\n",
       schema_of({{"a", "varchar"}}));
  EXPECT_EQ(rows_, (Rows{std::string(12, 'x'), "y"}));
  EXPECT_EQ(errors(), (Rows{"The record of 21 bytes is longer than max_record (20 B).",
                            "The record of 30 bytes is longer than max_record (20 B)."}));
}

// Each in the manner of JSONTestSuite, as the value of a key.
const Rows valid_values{
    "[]", "[[]]", "[\"\"]", "[1 ,2]", "[1,null,null,2]", "[ ]", "{}", "{\"a\":{\"a\":[{}]}}",
    "{\"\":0}", "{\"a\":1,\"a\":1}", "0", "-0", "-0.0", "0e1", "0e+1", "1E22", "1E-2", "123.456e78",
    "-123123123123123123123123123123", "1e400", "true", "false", "null", "\"\"", "\"\\u0060\"",
    "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\uD801\\udc37\"", "\"\\u0000\"", "\"\\\\u0000\"",
    "\"\x7f\"", "\"\xE2\x82\xAC\"", "\"\xF4\x8F\xBF\xBF\"", "\"\\uFFFF\"", "\"\xE2\x80\xA8\"",
    "[\"\\uD834\\uDD1E\"]", "[1e1,0.1,-1]", "\"a\\\"\"", " [ ] ", "[\"a\\\\\"]",
};
const Rows invalid_values{
    "", "[1 true]", "[1,]", "[,1]", "[1,,2]", "[\"\",]", "[", "]", "[1", "[1}", "{]", "[1]]",
    "{\"a\"}", "{\"a\":}", "{\"a\" 1}", "{\"a\":1,}", "{a:1}", "{1:1}",
    "{\"a\":1 \"b\":2}", "{'a':0}",
    "{\"a\":1,,\"b\":2}", "{\"a\":[}", "+1", "01", "-01", "-", "1.", ".5", "1.e1", "1e", "1e+",
    "1eE2",
    "0x1", "1_000", "1a", "- 1", "NaN", "Infinity", "-Infinity", "nan", "tru", "True", "truex",
    "nul", "nulll", "fals", "undefined", "\"a", "\"\\\"", "\"\\x00\"", "\"\\u00\"", "\"\\u00G0\"",
    "\"\\uD800\"", "\"\\uD800\\u\"", "\"\\uD800\\u0041\"", "\"\\uDC00\"", "\"\\uD800\\uD800\"",
    "\"\\a\"", "\"\\\"", "\"\t\"", "\"a\" \"b\"", "\"a\"b", "\"a\",", "1 2", "1,", "'a'", "//",
    "1 // x", "/* x */ 1", "\"\xE9\"", "\"\xC0\xAF\"", "\"\xED\xA0\x80\"", "\"\xF4\x90\x80\x80\"",
    "[\"\xFF\"]", "[\"\\uD800\"]", "[\"\t\"]", "[\"a]", "[1e]", "[-]", "[\"\\x\"]",
    "\xEF\xBB\xBF""1",
    "[\x0C]", "\x01", "{\"\\uD800\":1}", "[][]", "{}{}", "1}", "1}}", "1}{", "1},{\"k\":1",
};

TEST_F(JsonlFile, TakesEveryValidLineAsOneRecord) {
  for (const auto& value : valid_values) {
    read("{\"k\":" + value + "}\n{\"k\":\"next\"}\n", schema_of({{"k", "varchar"}}));
    EXPECT_EQ(rows_.size(), 2U) << value;
    EXPECT_EQ(errors(), Rows{}) << value;
    EXPECT_EQ(find_json_fault(value).what, nullptr) << value;
  }
}

TEST_F(JsonlFile, RejectsEveryInvalidLineAndTakesTheNextOne) {
  for (const char* key : {"k", "other"}) {  // of a column, and one that is skipped
    dialect_.rules.unknown_keys_ignored = true;
    for (const auto& value : invalid_values) {
      const std::string line = fmt::format("{{\"{}\":{}}}", key, value);
      read(line + "\n{\"k\":\"next\"}\n" + line + "\n{\"k\":\"last\"}",
           schema_of({{"k", "varchar"}}));
      EXPECT_EQ(rows_, (Rows{"next", "last"})) << line;
      ASSERT_EQ(rejects_.size(), 2U) << line;
      EXPECT_EQ(rejects_[0].raw, line);
      EXPECT_TRUE(rejects_[0].error.starts_with("The line is no JSON object: ")) << line;
    }
  }
  dialect_.layout = JsonLayout::lines;  // else a file that begins with a bracket is an array
  const Rows lines{"[]", "1", "\"a\"", "null", "x", "{", "}", "{\"k\":1", "{\"k\":1}}",
                   "{\"k\":1}{}",
                   "{\"k\":1} x", "{\"k\":1},", "{\"k\":1,}", "{,\"k\":1}", "{\"k\",1}", "\"k\":1",
                   "{k:1}", "{\"k\":1]", "[{\"k\":1}]", "{\"k\" \"k\":1}", "{\"\\uD800\":1}",
                   std::string("{\"k\":\0}", 7), std::string("\0", 1), "{\"k\":1}\\", "{\"k\":1}#"};
  for (const auto& line : lines) {
    read(line + "\n{\"k\":\"next\"}\n", schema_of({{"k", "varchar"}}));
    EXPECT_EQ(rows_, Rows{"next"}) << line;
    EXPECT_EQ(rejects_.size(), 1U) << line;
  }
}

TEST_F(JsonlFile, TellsWhereInTheFileJsonEnds) {
  read("{\"k\":1}\n{\"k\":tru}\n{\"k\":\"\xFF\"}\n[]\n{\"k\":1} x\n",
       schema_of({{"k", "integer"}}));
  EXPECT_EQ(errors(), (Rows{"The line is no JSON object: a value is none of JSON's (byte 13).",
                            "The line is no JSON object: it is not UTF-8 (byte 24).",
                            "The line is no JSON object: it is no object, as in {\"key\": 1} "
                            "(byte 28).",
                            "The line is no JSON object: something follows the value (byte 39)."}));
}

TEST_F(JsonlFile, NeverTakesWhatASlowCheckOfTheGrammarRefuses) {
  std::mt19937 random(20240229);
  const std::string_view letters = "{}[]\",:\\ud8Dc01e.-+tnl x\t\r\xE2\x82\xAC";
  const std::string good = R"({"k":[1,{"a":"\u00e9\\"},-1.5e3,null],"b":"x\ud834\udd1e"})";
  dialect_.rules.unknown_keys_ignored = true;
  std::vector<std::string> lines;
  std::string text;
  for (int i = 0; i < 20000; ++i) {
    std::string line = good;
    for (auto left = random() % 3; left < 3; ++left) {
      const std::size_t at = random() % line.size();
      const char letter = letters[random() % letters.size()];
      switch (random() % 3) {
        case 0: line[at] = letter; break;
        case 1: line.insert(at, 1, letter); break;
        default: line.erase(at, 1); break;
      }
    }
    text += line + "\n{\"k\":\"next\"}\n";
    lines.push_back(line);
  }
  read(text, schema_of({{"k", "varchar"}}));
  EXPECT_EQ(rows_.size() + rejects_.size(), 2 * lines.size());
  std::vector<const Reject*> reject_of(2 * lines.size(), nullptr);
  for (const auto& reject : rejects_) reject_of.at(reject.record) = &reject;
  std::size_t taken = 0;
  for (std::size_t i = 0; i < lines.size(); ++i) {
    const Reject* const reject = reject_of[2 * i];
    EXPECT_EQ(reject_of[2 * i + 1], nullptr) << "behind " << lines[i];
    taken += reject == nullptr ? 1 : 0;
    if (reject != nullptr && reject->error == "The key \"k\" comes twice.") continue;
    if (!is_utf8(lines[i])) {
      EXPECT_NE(reject, nullptr) << lines[i];
      continue;
    }
    const bool is_valid = find_json_fault(lines[i]).what == nullptr;
    EXPECT_EQ(reject == nullptr, is_valid) << lines[i];
  }
  EXPECT_GT(taken, 500U);
}

// ---- Cutting.

struct Line {
  std::uint64_t offset, bytes, line;
  bool too_long;
  bool operator==(const Line&) const = default;
};

// The slow and obvious one.
std::vector<Line> lines_of(const std::string& text, std::uint64_t max_record_bytes) {
  std::vector<Line> lines;
  std::uint64_t number = 0;
  for (std::size_t at = 0; at < text.size(); ++number) {
    const std::size_t feed = text.find('\n', at);
    const std::size_t end = feed == std::string::npos ? text.size() : feed;
    std::string line = text.substr(at, end - at);
    if (feed != std::string::npos && line.ends_with('\r')) line.pop_back();
    const bool too_long = line.size() > max_record_bytes;
    if (too_long || line.find_first_not_of(" \t\r") != std::string::npos) {
      lines.push_back({at, line.size(), number, too_long});
    }
    at = end + 1;
  }
  return lines;
}

TEST_F(JsonlFile, CutsAtLinesAloneInWindowsOfAnySizeAndFromAnyLineOn) {
  std::mt19937 random(7);
  for (int round = 0; round < 60; ++round) {
    std::string text;
    for (auto length = random() % 400; length > 0; --length) {
      text += "{\"a ,\n\n\n\r\r\n"[random() % 11];
    }
    const std::uint64_t limit = 1 + random() % 12;
    put("cut.jsonl", text);
    const TextFile file = File::open_read(at("cut.jsonl")).value();
    const auto expected = lines_of(text, limit);
    for (const std::size_t window : {1U, 3U, 17U, 64U, 1000U}) {
      for (std::size_t begin = 0; begin <= text.size(); ++begin) {
        if (begin > 0 && text[begin - 1] != '\n') continue;
        Digest digest;
        RecordCursor::Use use{.begin = begin, .end = text.size(), .window_bytes = window,
                              .block_records = 1 + round % 5U, .digest = &digest};
        JsonlCursor cursor(file, "cut.jsonl", limit, use);
        std::vector<Line> found;
        const auto before = static_cast<std::uint64_t>(
            std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(begin), '\n'));
        while (true) {
          const auto block = cursor.next().value();
          if (block.empty()) break;
          for (const auto& record : block) {
            found.push_back({record.offset, record.bytes, before + record.line,
                             record.fault == RecordFault::too_long});
          }
        }
        std::vector<Line> rest;
        for (const auto& line : expected) {
          if (line.offset >= begin) rest.push_back(line);
        }
        ASSERT_EQ(found, rest) << "window " << window << " from " << begin << " of " << text;
        ASSERT_EQ(digest.value(), digest64(std::string_view(text).substr(begin)));
      }
    }
  }
}

// ---- Writing.

TEST_F(JsonlFile, WritesEveryTypeSoThatItReadsBack) {
  const auto schema = schema_of(
      {{"b", "boolean"}, {"i1", "tinyint"}, {"i8", "bigint"}, {"u8", "ubigint"}, {"h", "hugeint"},
       {"f", "real"}, {"d", "double"}, {"m", "decimal(12,2)"}, {"day", "date"}, {"t", "time"},
       {"ts", "timestamp"}, {"tz", "timestamptz"}, {"v \"q\"", "varchar"}, {"x", "blob"},
       {"id", "uuid"}});
  const std::string text =
      "{\"b\":true,\"i1\":-128,\"i8\":-9223372036854775808,\"u8\":18446744073709551615,"
      "\"h\":-170141183460469231731687303715884105728,\"f\":0.1,\"d\":5e-324,\"m\":-0.05,"
      "\"day\":\"2024-02-29\",\"t\":\"23:59:59.000001\",\"ts\":\"2026-01-31T12:34:56.789\","
      "\"tz\":\"1969-12-31T23:59:59Z\",\"v \\\"q\\\"\":\"a\\\"\\\\\\n\\u0001\xE2\x82\xAC/\x7f\","
      "\"x\":\"00ff0a\",\"id\":\"00000000-0000-4000-8000-0000000000ff\"}\n"
      "{\"b\":null,\"i1\":null,\"i8\":null,\"u8\":null,\"h\":null,\"f\":\"nan\",\"d\":\"-inf\","
      "\"m\":null,\"day\":null,\"t\":null,\"ts\":null,\"tz\":null,\"v \\\"q\\\"\":\"\",\"x\":\"\","
      "\"id\":null}\n";
  read(text, schema);
  EXPECT_EQ(errors(), Rows{});
  ASSERT_EQ(pages_.size(), 1U);
  EXPECT_EQ(written(), text);
}

TEST_F(JsonlFile, WritesFloatsThatReadBackToTheBit) {
  std::mt19937_64 random(42);
  auto schema = std::make_shared<Schema>();
  schema->fields.push_back({"d", Type{TypeId::double_}, false});
  Page page(schema);
  std::vector<double> values;
  while (values.size() < page.capacity()) {
    const std::uint64_t bits = random();
    double value = 0;
    std::memcpy(&value, &bits, sizeof value);
    if (std::isnan(value)) continue;
    page.column(0).values<double>()[values.size()] = value;
    values.push_back(value);
  }
  page.set_rows(values.size());
  JsonlWriter writer(schema, {});
  ASSERT_TRUE(writer.add(page));
  read(writer.take(), *schema);
  ASSERT_EQ(rows_.size(), values.size());
  EXPECT_EQ(std::memcmp(pages_[0]->column(0).bytes(), values.data(), values.size() * 8), 0);
}

TEST_F(JsonlFile, OmitsNullsWhenToldAndKeepsARecordOnItsLine) {
  const auto schema = schema_of({{"a", "integer"}, {"b", "struct(x integer, y varchar)"},
                                 {"c", "integer[]"}, {"d", "json"}});
  read("[{\"b\":{\"y\":\"l\\nl\"},\"c\":[null,1]},{},"
       "{\"a\":1,\"b\":{},\"d\":{\n  \"e\": \"\\n\"\r\n}}]",
       schema);
  ASSERT_EQ(errors(), Rows{});
  JsonlWriter writer(pages_.at(0)->schema_ptr(), {.omit_nulls = true});
  ASSERT_TRUE(writer.add(*pages_.at(0)));
  const std::string text = writer.take();
  EXPECT_EQ(text, "{\"b\":{\"y\":\"l\\nl\"},\"c\":[null,1]}\n{}\n"
                  "{\"a\":1,\"b\":{},\"d\":{   \"e\": \"\\n\"  }}\n");
  const Rows before = rows_;
  read(text, schema);
  EXPECT_EQ(rows_.size(), before.size());
  EXPECT_EQ(rows_[0], before[0]);
  EXPECT_EQ(rows_[1], before[1]);
}

TEST_F(JsonlFile, RefusesToWriteAJsonThatIsNone) {
  auto schema = std::make_shared<Schema>();
  schema->fields.push_back({"v", Type{TypeId::json}, false});
  Page page(schema);
  page.column(0).values<StringRef>()[0] = StringRef::make("{\"a\":");
  page.set_rows(1);
  const auto added = JsonlWriter(schema, {}).add(page);
  ASSERT_FALSE(added);
  EXPECT_NE(added.error().message.find("holds a json that is none"), std::string::npos);
}

TEST_F(JsonlFile, RefusesToWriteTextThatIsNotUtf8) {
  auto schema = std::make_shared<Schema>();
  schema->fields.push_back({"v", Type{TypeId::varchar}, false});
  Page page(schema);
  page.column(0).values<StringRef>()[0] = StringRef::make("good");
  page.column(0).values<StringRef>()[1] = StringRef::make("b\xE9");
  page.set_rows(2);
  JsonlWriter writer(schema, {});
  const auto added = writer.add(page);
  ASSERT_FALSE(added);
  EXPECT_NE(added.error().message.find("Column \"v\" holds text that is not UTF-8"),
            std::string::npos) << added.error().message;
  EXPECT_EQ(writer.rows(), 1U);
  EXPECT_EQ(writer.take(), "{\"v\":\"good\"}\n");
}

// ---- Guessing.

std::string guess_of(const Rows& lines) {
  JsonlGuess guess;
  for (const auto& line : lines) {
    std::string padded = line + std::string(64, '\0');
    guess.add({padded.data(), line.size()});
  }
  return to_string(guess.schema());
}

TEST(JsonlTypes, AreGuessedSoThatNothingIsLost) {
  EXPECT_EQ(guess_of({R"({"a":1,"b":1.5,"c":true,"d":"2024-01-31","e":"x","f":null})",
                      R"({"a":-2,"b":2,"c":false,"d":"2024-02-29","e":"1","g":{"x":1}})"}),
            "a bigint, b double, c boolean, d date, e varchar, f varchar, g struct(x bigint)");
  EXPECT_EQ(guess_of({R"({"a":1,"b":"1","c":"true","d":"2024-01-31 01:02:03","e":1})",
                      R"({"a":"x","b":"2","c":"false","d":"2024-01-31T01:02:03.5","e":[]})"}),
            "a varchar, b varchar, c varchar, d timestamp, e json");
  EXPECT_EQ(guess_of({R"({"a":99999999999999999999,"b":"00501","c":"2024-01-31","d":true})",
                      R"({"a":1,"c":"soon","d":1})"}),
            "a varchar, b varchar, c varchar, d varchar");
  EXPECT_EQ(guess_of({R"({"a":1})", R"({"a":"x","z":1)", "[1]", R"({"a":1,"a":"x"}})"}),
            "a bigint");
  EXPECT_EQ(guess_of({"[1]", "x"}), "");
}

TEST(JsonlTimes, AreWrittenByFormatsWhereThereAreSome) {
  auto schema = std::make_shared<Schema>();
  schema->fields = {{"day", Type{TypeId::date}, false}, {"at", Type{TypeId::timestamptz}, false}};
  Page page(schema);
  page.column(0).values<std::int32_t>()[0] = 20484;
  page.column(1).values<std::int64_t>()[0] = 20484LL * 86'400'000'000 + 1'500'000;
  page.set_rows(1);
  JsonlOutput output;
  TimeFormats& formats = output.time_formats;
  formats.date = TimeFormat::compile("\"%-d\"\t%B", TimeFormat::Use::write_date).value();
  JsonlWriter some(schema, output);
  ASSERT_TRUE(some.add(page));
  EXPECT_EQ(some.take(),
            "{\"day\":\"\\\"31\\\"\\tJanuary\",\"at\":\"2026-01-31T00:00:01.500Z\"}\n");
  formats.timestamp = TimeFormat::compile("%T.%g %z", TimeFormat::Use::write_timestamp).value();
  JsonlWriter both(schema, output);
  ASSERT_TRUE(both.add(page));
  EXPECT_EQ(both.take(),
            "{\"day\":\"\\\"31\\\"\\tJanuary\",\"at\":\"00:00:01.500 +00:00\"}\n");
}

TEST(JsonlTypes, AreGuessedOfNestedValuesAsFarAsTheyAgree) {
  EXPECT_EQ(guess_of({R"({"a":[1,2],"b":{"x":1,"y":"u"},"c":[{"k":1}],"d":[],"e":{},)"
                      R"("f":[[1.5],null]})",
                      R"({"a":[],"b":{"z":[true]},"c":[{"k":2.5,"m":null}],"d":null,"e":{}})"}),
            "a bigint[], b struct(x bigint, y varchar, z boolean[]), c struct(k double, m "
            "varchar)[], d json, e json, f double[][]");
  EXPECT_EQ(guess_of({R"({"a":[1,"x"],"b":{"k":1,"K":2},"c":[{"x":1},2],"d":{"x":{"y":[[]]}}})",
                      R"({"a":[1],"c":5,"d":{"x":null,"":1}})"}),
            "a json, b json, c json, d json");
  std::string wide = "{\"a\":{";
  for (int i = 0; i < 200; ++i) wide += fmt::format("{}\"k{}\":{}", i == 0 ? "" : ",", i, i);
  EXPECT_EQ(guess_of({wide + "}}"}), "a json");
}

}  // namespace
}  // namespace tranche
