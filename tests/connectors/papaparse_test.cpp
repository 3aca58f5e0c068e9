// The cases of PapaParse's parser (papaparse/cases.json), read with the options that say the same
// here. Where Tranche answers otherwise, the table below says what it answers, and why.
#include <cstdlib>
#include <map>
#include <set>

#include "base/json.h"
#include "connectors/csv_suite.h"

namespace tranche {
namespace {

using Rows = std::vector<std::string>;
using Options = std::vector<std::pair<std::string, std::string>>;

constexpr char strict_quotes[] = "a quote opens only at the start of a field, and closes only "
                                 "before a delimiter or a line end: else the record is rejected";
constexpr char last_line_end[] = "the line end at the end of a file begins no further record";
constexpr char no_guess[] = "delimiters are named, never guessed: here it is named";
constexpr char no_preview[] = "there is no such option: `tranche preview` shows the first records";
constexpr char declared_types[] = "types are declared, a column at a time";
constexpr char trimmed[] = "blanks behind a closing quote are an error, unless `trim` is set";
constexpr char blank_records[] = "a record of blank fields is a record";
constexpr char one_character[] = "lines of comment are known by one character";
constexpr char doubled_names[] = "a header that names a column twice is refused";
constexpr char no_functions[] = "values are changed by transforms, not by options";

const Options trim{{"trim", "true"}};
const Options guessed{{"columns", ""}};  // none are declared

struct Difference {
  const char* why;
  Options options = {};                  // given instead of those of the case
  std::optional<Rows> records = {};      // what is read; else what PapaParse reads
  std::string refusal = {};              // the beginning of the error
};

const std::map<std::string, Difference> differences{
    // Quotes.
    {"core: Unquoted field with quotes at end of field", {strict_quotes, {}, Rows{"reject"}}},
    {"core: Quoted field with whitespace around quotes", {strict_quotes, {}, Rows{"reject"}}},
    {"core: Misplaced quotes in data, not as opening quotes",
     {strict_quotes, {}, Rows{"reject"}}},
    {"parse: Misplaced quotes in data twice, not as opening quotes",
     {strict_quotes, {}, Rows{"reject", "reject"}}},
    {"core: Quoted field has no closing quote", {strict_quotes, {}, Rows{"reject", "reject"}}},
    {"core: Quoted field has invalid trailing quote after delimiter with a valid closer",
     {strict_quotes, {}, Rows{"reject", "reject"}}},
    {"core: Quoted field has invalid trailing quote after delimiter",
     {strict_quotes, {}, Rows{"reject", "reject"}}},
    {"core: Quoted field has invalid trailing quote before delimiter",
     {strict_quotes, {}, Rows{"reject", "reject"}}},
    {"core: Quoted field has invalid trailing quote after new line",
     {strict_quotes, {}, Rows{"reject", "reject"}}},
    {"parse: Quoted fields with spaces between closing quote and next delimiter",
     {trimmed, trim}},
    {"parse: Quoted fields with spaces between closing quote and next new line", {trimmed, trim}},
    {"parse: Quoted fields with spaces after closing quote", {trimmed, trim}},
    {"parse: Quoted fields with spaces between closing quote and next delimiter and contains "
     "delimiter", {trimmed, trim}},
    {"parse: Quoted fields with spaces between closing quote and newline and contains newline",
     {trimmed, trim}},

    // Lines.
    {"core: One column input with empty fields",
     {last_line_end, {}, Rows{"a", "b", "", "", "c", "d", "e"}}},
    {"core: Input with only a commented line and blank line after", {last_line_end, {}, Rows{}}},
    {"parse: Mixed slash n and slash r should choose first as precident",
     {"a CR by itself in a file with LF is a reject", {}, Rows{"a|b|c", "reject"}}},
    {"parse: Parsing with skipEmptyLines set to 'greedy'",
     {blank_records, {}, Rows{"a|b", "|", "c|d", " | ", "| ", "\t|\t", "reject"}}},
    {"parse: Parsing with skipEmptyLines set to 'greedy' with quotes and delimiters as content",
     {blank_records, {}, Rows{"a|b", "|", "c|d", " , |,", "\" \"|\"\""}}},

    // Options.
    {"core: Multi-character comment string",
     {one_character, {}, {}, "`comment` of csv is one character"}},
    {"core: Fast mode with comments",
     {one_character, {}, {}, "`comment` of csv is one character"}},
    {"core: Bad comments value specified",
     {"a comment is a character, 5 too", {{"comment", "5"}}, Rows{"a|b|c", "d|e|f"}}},
    {"parse: Bad delimiter (\\n)",
     {"what can't be meant is refused", {}, {}, "The delimiter has a line end in it"}},
    {"parse: Callback delimiter", {no_guess, {{"delimiter", "$ "}}}},
    {"parse: Pipe delimiter is guessed correctly when mixed with comas",
     {no_guess, {{"delimiter", "|"}}}},
    {"parse: Pipe delimiter is guessed correctly when first field are enclosed in quotes and "
     "contain delimiter characters", {no_guess, {{"delimiter", ";"}}}},
    {"parse: Pipe delimiter is guessed correctly when some fields are enclosed in quotes and "
     "contain delimiter characters and escaoped quotes", {no_guess, {{"delimiter", ";"}}}},
    {"parse: Delimiter is guessed correctly when a quoted field holds newlines and other "
     "delimiter characters", {no_guess, {{"delimiter", ";"}}}},
    {"core: Fast mode with preview", {no_preview, {}, Rows{"a|b|c", "d|e|f", "h|j|i"}}},
    {"parse: Preview 1 row", {no_preview, {}, Rows{"a|b|c", "d|e|f", "g|h|i"}}},
    {"parse: Preview 2 rows", {no_preview, {}, Rows{"a|b|c", "d|e|f", "g|h|i"}}},
    {"parse: Preview with header row", {no_preview, {}, Rows{"d|e|f", "g|h|i", "j|k|l"}}},

    // Headers.
    {"core: Simple duplicated header names",
     {doubled_names, {}, {}, "The header of data.csv names"}},
    {"core: Duplicated header names with headerTransform",
     {doubled_names, {}, {}, "The header of data.csv names"}},
    {"core: Duplicated header names existing column",
     {doubled_names, {}, {}, "The header of data.csv names"}},
    {"core: Duplicate header names with __proto__ field",
     {doubled_names, {}, {}, "The header of data.csv names"}},
    {"parse: Row with too few fields", {"a record lacks a column", guessed, Rows{"reject"}}},
    {"parse: Header rows are transformed when transformHeader function is provided",
     {"columns are found by name, in any case"}},
    {"parse: transformHeader accepts and optional index attribute",
     {"columns are found by name, in any case"}},

    // Values.
    {"parse: Dynamic typing converts numeric literals and maintains precision",
     {declared_types, {},
      Rows{"1|2.2|1e3", "-4|-4.5|-4e-5", "-|5a|5-2",
           "16142028098527942586|9007199254740991|-9007199254740992"}}},
    {"parse: Dynamic typing converts boolean literals",
     {declared_types, {}, Rows{"true|false|T|F|TRUE|FALSE|True|False"}}},
    {"parse: Dynamic typing applies to specific columns",
     {declared_types, {}, Rows{"1|2.2|1e3", "-4|-4.5|-4e-5"}}},
    {"parse: Dynamic typing applies to specific columns by index",
     {declared_types, {}, Rows{"1|2.2|1e3", "-4|-4.5|-4e-5", "-|5a|5-2"}}},
    {"parse: Dynamic typing can be applied to `__parsed_extra`",
     {declared_types, {}, Rows{"reject", "-4|-4.5|-4e-5"}}},
    {"parse: Dynamic typing by indices can be determined by function",
     {declared_types, {}, Rows{"001|002|003"}}},
    {"parse: Dynamic typing by headers can be determined by function",
     {declared_types, {}, Rows{"001|002|003"}}},
    {"parse: Dynamic typing converts empty values into NULL",
     {declared_types, {}, Rows{"1|2.2|1e3", "|NULL|", "-|5a|null"}}},
    {"parse: Dynamic typing converts ISO date strings to Dates",
     {declared_types, {},
      Rows{"ISO date|long date",
           "2018-05-04T21:08:03.269Z|Fri May 04 2018 14:08:03 GMT-0700 (PDT)",
           "2018-05-08T15:20:22.642Z|Tue May 08 2018 08:20:22 GMT-0700 (PDT)"}}},
    {"parse: Dynamic typing skips ISO date strings ocurring in other strings",
     {declared_types, {},
      Rows{"ISO date|String with ISO date",
           "2018-05-04T21:08:03.269Z|The date is 2018-05-04T21:08:03.269Z",
           "2018-05-08T15:20:22.642Z|The date is 2018-05-08T15:20:22.642Z"}}},
    {"parse: Custom transform function is applied to values",
     {no_functions, {}, Rows{"A|B|C", "d|e|f"}}},
    {"parse: Custom transform accepts column number also",
     {no_functions, {}, Rows{"A|B|C", "d|e|f"}}},
    {"parse: Custom transform accepts header name when using header",
     {no_functions, {}, Rows{"d|e|f"}}},
};

class PapaParse : public CsvSuite {
 protected:
  static std::string joined(const Json& row) {
    std::string line;
    const auto add = [&](const Json& value, bool is_first) {
      if (!is_first) line += '|';
      line += value.text();
    };
    if (row.is_array()) {
      for (std::size_t i = 0; i < row.items().size(); ++i) add(row.items()[i], i == 0);
    } else {
      for (std::size_t i = 0; i < row.entries().size(); ++i) add(row.entries()[i].second, i == 0);
    }
    return line;
  }

  // The names of the columns: those of the header, or one for each field of the first record.
  static std::vector<std::string> names_of(const Json& test, bool header) {
    const auto& rows = test["data"].items();
    std::vector<std::string> names;
    if (rows.empty()) return header ? std::vector<std::string>() : std::vector<std::string>{"a"};
    if (header && rows[0].is_object()) {
      for (const auto& [name, value] : rows[0].entries()) {
        if (name != "__parsed_extra") names.push_back(name);
      }
      return names;
    }
    std::size_t width = 0;  // of the first line that is not empty
    for (const Json& row : rows) {
      width = row.items().size();
      if (joined(row) != "") break;
    }
    for (std::size_t i = 0; i < width; ++i) names.push_back(fmt::format("column{}", i));
    return names;
  }

  // Our options for a configuration.
  static Node options_of(const Json& test, const Difference* difference) {
    const Json& config = test["config"];
    const bool header = config["header"].boolean();
    Node options = Node::map();
    options.set("header", Node::scalar(header ? "true" : "false"));
    const auto text = [&](const char* key, const char* name) {
      if (config[key].is_string()) options.set(name, Node::scalar(config[key].text()));
    };
    text("delimiter", "delimiter");
    text("quoteChar", "quote");
    text("escapeChar", "escape");
    text("comments", "comment");
    if (config["comments"].boolean()) options.set("comment", Node::scalar("#"));
    if (const auto lines = config["skipFirstNLines"].integer(); lines > 0) {
      options.set("skip_lines", Node::scalar(std::to_string(lines)));
    }
    if (difference != nullptr) {
      for (const auto& [name, value] : difference->options) options.set(name, Node::scalar(value));
    }
    const auto names = names_of(test, header);
    if (options.find("columns") != nullptr) options.set("columns", Node());
    else if (!names.empty()) options.set("columns", varchar_columns(names));
    return options;
  }

  // What PapaParse reads, where all records have the width of the first: others are rejected here.
  // Empty lines are no records, unless there is one column only.
  static Rows expected_of(const Json& test) {
    Rows rows;
    const std::size_t width = names_of(test, test["config"]["header"].boolean()).size();
    for (const Json& row : test["data"].items()) {
      const bool is_empty_line = row.is_array() && row.items().size() == 1 && joined(row).empty();
      if (is_empty_line && width != 1) continue;
      const std::size_t found = row.is_array() ? row.items().size() : row.entries().size();
      rows.push_back(found == width ? joined(row) : "reject");
    }
    return rows;
  }
};

TEST_F(PapaParse, EveryCaseIsReadAsItSaysOrAsTheTableSays) {
  const char* const sources = std::getenv("TRANCHE_SOURCE_DIR");
  ASSERT_NE(sources, nullptr) << "run it by ctest, or set TRANCHE_SOURCE_DIR";
  const auto bytes = read_file(fs::path(sources) / "tests/connectors/papaparse/cases.json").value();
  const Json suite = Json::parse(bytes).value();
  std::size_t cases = 0;
  std::set<std::string> different;
  for (const Json& test : suite["cases"].items()) {
    ++cases;
    const std::string name = test["suite"].text() + ": " + test["description"].text();
    const auto found = differences.find(name);
    const Difference* const difference = found == differences.end() ? nullptr : &found->second;
    SCOPED_TRACE(name + (difference != nullptr ? std::string("; ") + difference->why : ""));
    const Answer answer = read(test["input"].text(), options_of(test, difference));
    if (difference == nullptr || difference->refusal.empty()) {
      EXPECT_EQ(answer.refusal, "");
    } else {
      EXPECT_TRUE(answer.refusal.starts_with(difference->refusal)) << answer.refusal;
    }
    Rows expected = expected_of(test);
    if (difference != nullptr) {
      different.insert(name);
      if (difference->records) expected = *difference->records;
      if (!difference->refusal.empty()) expected.clear();
    }
    Rows records = answer.records;
    for (std::string& record : records) {
      if (record.starts_with("reject: ")) record = "reject";
    }
    EXPECT_EQ(records, expected);
  }
  EXPECT_EQ(cases, 161U);
  EXPECT_EQ(different.size(), differences.size());  // all of the table is in the suite
}

}  // namespace
}  // namespace tranche
