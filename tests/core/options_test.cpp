#include <tranche/core/options.h>

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace tranche {
namespace {

using namespace std::chrono_literals;

Option option(std::string name, OptionKind kind, std::string default_text = {}) {
  Option made;
  made.name = std::move(name);
  made.kind = kind;
  made.default_text = std::move(default_text);
  return made;
}

OptionTable csv_table() {
  OptionTable table{
      option("csv", OptionKind::texts),
      option("header", OptionKind::boolean, "true"),
      option("delimiter", OptionKind::text, ","),
      option("max_record", OptionKind::size, "1MiB"),
      option("skip_lines", OptionKind::count, "0"),
      option("wait", OptionKind::duration, "1s"),
      option("extra_columns", OptionKind::choice, "error"),
      option("columns", OptionKind::columns),
      option("retry", OptionKind::map),
      option("anything", OptionKind::any),
      option("null", OptionKind::texts),
  };
  table[0].required = true;
  table[0].example = "data/*.csv";
  table[6].choices = {"error", "ignore"};
  table[8].children = {option("attempts", OptionKind::count, "3")};
  return table;
}

Node::Entry entry(std::string key, Node value, Mark mark = {}) {
  return {std::move(key), std::move(value), mark};
}

Node with(std::vector<Node::Entry> entries) {
  entries.insert(entries.begin(), entry("csv", Node::scalar("in.csv")));
  return Node::map(std::move(entries), Mark{1, 1});
}

std::vector<std::string> complaints(const Node& node, const OptionTable& table = csv_table()) {
  Problems problems;
  check_options(node, table, "csv", problems);
  std::vector<std::string> messages;
  for (const Problem& problem : problems) messages.push_back(problem.message);
  return messages;
}

std::string complaint(std::string key, Node value) {
  const std::vector<std::string> all = complaints(with({entry(std::move(key), std::move(value))}));
  return all.size() == 1 ? all.front() : std::to_string(all.size()) + " complaints";
}

TEST(CheckOptions, AcceptsWhatTheTableSays) {
  const Node node = with({
      entry("header", Node::scalar("false")),
      entry("delimiter", Node::scalar("")),
      entry("max_record", Node::scalar("64 KiB")),
      entry("skip_lines", Node::scalar("12")),
      entry("wait", Node::scalar("500ms")),
      entry("extra_columns", Node::scalar("ignore")),
      entry("columns",
            Node::map({entry("id", Node::scalar("bigint")),
                       entry("name", Node::map({entry("type", Node::scalar("text")),
                                                entry("null", Node::scalar("error"))}))})),
      entry("retry", Node::map({entry("attempts", Node::scalar("5"))})),
      entry("anything", Node::list({})),
      entry("null", Node::list({Node::scalar(""), Node::scalar("NA")})),
  });
  EXPECT_EQ(complaints(node), std::vector<std::string>{});
}

TEST(CheckOptions, SuggestsTheKeyThatWasMeant) {
  EXPECT_EQ(complaint("delimeter", Node::scalar(";")),
            "Unknown key \"delimeter\" in csv; did you mean \"delimiter\"?");
}

TEST(CheckOptions, ListsTheKeysWhenNoneIsNear) {
  EXPECT_EQ(
      complaint("colour", Node::scalar("red")),
      "Unknown key \"colour\" in csv; it takes csv, header, delimiter, max_record, skip_lines, "
      "wait, extra_columns, columns, retry, anything, null.");
}

TEST(CheckOptions, NamesAKeyThatIsGivenTwice) {
  const Node node = with({entry("header", Node::scalar("true"), {2, 1}),
                          entry("header", Node::scalar("false"), {7, 3})});
  Problems problems;
  check_options(node, csv_table(), "csv", problems);
  ASSERT_EQ(problems.size(), 1U);
  EXPECT_EQ(problems[0].message, "Key \"header\" is given twice in csv; keep one of them.");
  EXPECT_EQ(problems[0].mark.line, 7);
}

TEST(CheckOptions, NamesAMissingKeyWithAnExample) {
  EXPECT_EQ(complaints(Node::map()),
            std::vector<std::string>{"Key \"csv\" is missing in csv; expected a value or a list of "
                                     "values, for example csv: data/*.csv."});
  EXPECT_EQ(complaints(Node()).size(), 1U) << "an empty value is an empty map";
}

TEST(CheckOptions, SaysWhatWasWrittenAndWhatWasExpected) {
  EXPECT_EQ(
      complaint("header", Node::scalar("maybe")),
      "Key \"header\" in csv is \"maybe\"; expected true or false, for example header: true.");
  EXPECT_EQ(
      complaint("skip_lines", Node::scalar("-1")),
      "Key \"skip_lines\" in csv is \"-1\"; expected a whole number that is not negative, for "
      "example skip_lines: 0.");
  EXPECT_EQ(complaint("max_record", Node::scalar("large")),
            "Key \"max_record\" in csv is \"large\"; expected a size in bytes with a unit, for "
            "example max_record: 1MiB.");
  EXPECT_EQ(
      complaint("wait", Node::scalar("soon")),
      "Key \"wait\" in csv is \"soon\"; expected a duration with a unit (ms, s, m, h, d), for "
      "example wait: 1s.");
  EXPECT_EQ(
      complaint("delimiter", Node::list({Node::scalar("a")})),
      "Key \"delimiter\" in csv is a list; expected a single value, for example delimiter: ,.");
  EXPECT_EQ(complaint("retry", Node::scalar("3")),
            "Key \"retry\" in csv is \"3\"; expected a map, for example retry: { attempts: 3 }.");
  EXPECT_EQ(
      complaint("delimiter", Node()),
      "Key \"delimiter\" in csv is empty; expected a single value, for example delimiter: ,.");
  EXPECT_EQ(
      complaint("null", Node::list({})),
      "Key \"null\" in csv is a list without entries; expected a value or a list of values, for "
      "example null: [a, b].");
}

TEST(CheckOptions, SuggestsAChoice) {
  EXPECT_EQ(
      complaint("extra_columns", Node::scalar("ignroe")),
      "Key \"extra_columns\" in csv is \"ignroe\"; expected one of error, ignore; did you mean "
      "\"ignore\"?");
  EXPECT_EQ(complaint("extra_columns", Node::scalar("x")),
            "Key \"extra_columns\" in csv is \"x\"; expected one of error, ignore, for example "
            "extra_columns: error.");
}

TEST(CheckOptions, ChecksTheKeysOfAnInnerMap) {
  EXPECT_EQ(complaint("retry", Node::map({entry("atempts", Node::scalar("3"))})),
            "Unknown key \"atempts\" in retry of csv; did you mean \"attempts\"?");
}

TEST(CheckOptions, RefusesAScalarInsteadOfAMap) {
  const std::vector<std::string> all = complaints(Node::scalar("in.csv"));
  ASSERT_EQ(all.size(), 1U);
  EXPECT_NE(all[0].find("Expected a map of options for csv, found \"in.csv\""), std::string::npos);
}

TEST(CheckOptions, ChecksTheTypesOfColumns) {
  const auto column = [](Node value) {
    return complaint("columns", Node::map({entry("id", std::move(value))}));
  };
  EXPECT_EQ(column(Node::scalar("intger")),
            "Column \"id\": \"intger\" is not a type; did you mean \"integer\"?");
  EXPECT_EQ(
      column(Node()),
      "Column \"id\" has no type; write it like id: bigint, or id: { type: bigint, null: error }.");
  EXPECT_EQ(column(Node::map({entry("null", Node::scalar("error"))})),
            "Key \"type\" is missing in column \"id\"; expected a single value, for example type: "
            "decimal(12,2).");
  EXPECT_EQ(column(Node::map(
                {entry("type", Node::scalar("bigint")), entry("nul", Node::scalar("error"))})),
            "Unknown key \"nul\" in column \"id\"; did you mean \"null\"?");
  EXPECT_EQ(
      column(
          Node::map({entry("type", Node::scalar("bigint")), entry("null", Node::scalar("never"))})),
      "Key \"null\" in column \"id\" is \"never\"; expected one of ok, error, for example null: "
      "error.");
  EXPECT_EQ(column(Node::map({entry("type", Node::scalar("intger"))})),
            "Column \"id\": \"intger\" is not a type; did you mean \"integer\"?");
}

TEST(CheckOptions, RefusesColumnsThatSqlCanNotTellApart) {
  EXPECT_EQ(complaint("columns", Node::map({entry("id", Node::scalar("bigint")),
                                            entry("ID", Node::scalar("bigint"))})),
            "Column \"ID\" is given twice in csv; keep one of them.");
  EXPECT_NE(complaint("columns", Node::map()).find("is a map without entries"), std::string::npos);
}

TEST(CheckOptions, FindsEveryProblemAtItsPlace) {
  const Node node = Node::map(
      {entry("header", Node::scalar("maybe", {3, 11}), {3, 3}),
       entry("delimeter", Node::scalar(";", {4, 14}), {4, 3}), entry("skip_lines", Node(), {5, 3})},
      {2, 3});
  Problems problems;
  check_options(node, csv_table(), "csv", problems);
  ASSERT_EQ(problems.size(), 4U);
  EXPECT_EQ(problems[0].mark.column, 11) << "a wrong value, at the value";
  EXPECT_EQ(problems[1].mark.column, 3) << "a wrong key, at the key";
  EXPECT_EQ(problems[2].mark.line, 5) << "an empty value has no place but its key's";
  EXPECT_EQ(problems[3].mark.line, 2) << "a missing key, at the map";
}

TEST(OptionReader, GivesWhatIsWrittenElseTheDefault) {
  const OptionTable table = csv_table();
  const Node given =
      with({entry("header", Node::scalar("false")),
            entry("max_record", Node::scalar("2KiB", {4, 9})), entry("wait", Node::scalar("2m")),
            entry("null", Node::list({Node::scalar(""), Node::scalar("NA")}))});
  const OptionReader reader(given, table);
  EXPECT_FALSE(reader.boolean("header"));
  EXPECT_EQ(reader.size("max_record"), 2048U);
  EXPECT_EQ(reader.duration("wait"), 2min);
  EXPECT_EQ(reader.texts("null"), (std::vector<std::string>{"", "NA"}));
  EXPECT_EQ(reader.texts("csv"), std::vector<std::string>{"in.csv"});
  EXPECT_EQ(reader.text("delimiter"), ",");
  EXPECT_EQ(reader.count("skip_lines"), 0U);
  EXPECT_TRUE(reader.has("header"));
  EXPECT_FALSE(reader.has("delimiter"));
  EXPECT_EQ(reader.mark("max_record").line, 4);
  EXPECT_EQ(reader.mark("delimiter").line, 1) << "what is not given is at the map";
}

TEST(OptionReader, MakesFieldsOfColumnsInTheirOrder) {
  const OptionTable table = csv_table();
  const Node given = with({entry(
      "columns", Node::map({entry("price", Node::scalar("decimal(12,2)")),
                            entry("id", Node::map({entry("type", Node::scalar("bigint")),
                                                   entry("null", Node::scalar("error"))}))}))});
  EXPECT_EQ(to_string(OptionReader(given, table).columns("columns")),
            "price decimal(12,2), id bigint not null");
  EXPECT_TRUE(OptionReader(Node(), table).columns("columns").fields.empty());
}

TEST(OptionReader, TakesANullForTheWordNullOnlyWhereThatIsAChoice) {
  OptionTable table = csv_table();
  const Node given = with({entry("extra_columns", Node())});
  EXPECT_EQ(complaints(given, table).size(), 1U);
  table[6].choices = {"error", "null"};
  EXPECT_TRUE(complaints(given, table).empty());
  EXPECT_EQ(OptionReader(given, table).text("extra_columns"), "null");
  EXPECT_EQ(OptionReader(with({}), table).text("extra_columns"), "error");
}

TEST(Node, ReplacesAKeyThatIsSetAgain) {
  Node node;
  node.set("a", Node::scalar("1")).set("b", Node::scalar("2")).set("a", Node::scalar("3"));
  EXPECT_EQ(node.kind, Node::Kind::map);
  EXPECT_EQ(canonical_text(node), "{\"a\":\"3\",\"b\":\"2\"}");
  EXPECT_EQ(node.find("c"), nullptr);
}

TEST(Node, HasOneTextForEqualContent) {
  Node quoted = Node::scalar("a\nb", {3, 4});
  quoted.quoted = true;
  EXPECT_EQ(canonical_text(quoted), canonical_text(Node::scalar("a\nb")));
  EXPECT_EQ(canonical_text(Node::list({Node::scalar("1"), Node()})), "[\"1\",null]");
  EXPECT_NE(canonical_text(Node::scalar("null")), canonical_text(Node()));
  Node secret = Node::scalar("hush");
  secret.unresolved = "${env:WORD}";
  EXPECT_EQ(canonical_text(secret), "\"${env:WORD}\"");
  secret.text = "postgresql://ann:hush@db/shop";
  EXPECT_EQ(canonical_text(secret), "\"postgresql://ann@db/shop\"");
}

}  // namespace
}  // namespace tranche
