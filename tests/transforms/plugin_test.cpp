#include "transforms/plugin.h"

#include <gtest/gtest.h>

#include <cstdlib>

#include <tranche/core/value.h>

#include "formats/jsonl_row.h"

namespace tranche {
namespace {

constexpr std::uint64_t first_record = 100;  // of the page, in its step

SchemaPtr numbers() {
  return std::make_shared<const Schema>(Schema{{{"n", Type{TypeId::bigint}, false}}});
}

// Plugins of tests/plugins, called as a step would call them.
class PluginTest : public testing::Test {
 protected:
  static PluginUse use(const std::string& plugin, const std::string& function) {
    PluginUse made;
    const char* const build = std::getenv("TRANCHE_BUILD_DIR");
    made.base = std::filesystem::path(build != nullptr ? build : "..") / "plugins";
    made.file_text = plugin + ".so";
    made.file = std::filesystem::absolute(made.base / made.file_text);
    made.function = function;
    made.place = "job.yaml:5:17";
    made.function_place = "job.yaml:6:19";
    made.options_place = "job.yaml:7:18";
    return made;
  }

  static std::unique_ptr<Page> page_of(const SchemaPtr& schema,
                                       const std::vector<std::string>& rows) {
    auto page = std::make_unique<Page>(schema, rows.size() + 1);
    JsonlRow reader(schema, {});
    page->base.record = first_record;
    for (std::size_t row = 0; row < rows.size(); ++row) {
      EXPECT_TRUE(reader.read(copy_to_read(rows[row], page->arena), *page, row)) << reader.error();
      page->origins.push_back(Origin{.record = static_cast<std::uint32_t>(row)});
      page->set_rows(row + 1);
    }
    return page;
  }
  static std::unique_ptr<Page> page_of_numbers(std::initializer_list<const char*> values) {
    std::vector<std::string> rows;
    for (const char* value : values) rows.push_back(fmt::format("{{\"n\":{}}}", value));
    return page_of(numbers(), rows);
  }

  // The rows that come of the page, each behind the number of its record; those that were rejected
  // are in `rejects`.
  Result<std::vector<std::string>> run(PluginUse of, std::unique_ptr<Page> page) {
    TRANCHE_ASSIGN(const auto transform, make_plugin_transform(std::move(of)));
    WorkerScope worker(0, 0, "");
    TRANCHE_TRY(transform->bind(page->schema_ptr(), worker));
    TRANCHE_ASSIGN(const auto instance, transform->instance(worker));
    std::vector<std::unique_ptr<Page>> pages;
    pages.push_back(std::move(page));
    std::vector<std::string> made;
    const auto consume = [&](std::unique_ptr<Page> given) -> Result<void> {
      for (std::size_t row = 0; row < given->rows(); ++row) {
        made.push_back(fmt::format("{} {}", given->origins[row].record, row_as_json(*given, row)));
      }
      return {};
    };
    std::vector<Reject> given_rejects;
    TRANCHE_TRY(instance->process(pages, consume, given_rejects, counts));
    EXPECT_EQ(worker.breadcrumb().records.load(), 0U);
    for (const Reject& reject : given_rejects) {
      EXPECT_EQ(reject.phase, "plugin");
      rejects.push_back(fmt::format("{} {}", reject.record - first_record, reject.error));
    }
    return made;
  }
  std::string refusal(PluginUse of, std::unique_ptr<Page> page) {
    const auto made = run(std::move(of), std::move(page));
    if (made) return "it was not refused";
    return fmt::format("{}: {}", made.error().where, made.error().message);
  }

  std::vector<std::string> rejects;
  StageCounts counts;
};

using Lines = std::vector<std::string>;

TEST_F(PluginTest, InCMakesManyRowsOfOneRecordAndNoneOfAnother) {
  PluginUse times = use("deeds", "times");
  times.options = {{"factor", "10"}};
  const auto made = run(times, page_of_numbers({"1", "0", "3", "null"}));
  ASSERT_TRUE(made) << made.error().message;
  EXPECT_EQ(*made, (Lines{"0 {\"product\":10}", "2 {\"product\":30}", "2 {\"product\":30}",
                          "2 {\"product\":30}"}));
  EXPECT_EQ(rejects, Lines{"3 n is null."});
  EXPECT_EQ(counts.in, 4U);
  EXPECT_EQ(counts.out, 4U);
  EXPECT_EQ(counts.filtered, 1U);
  EXPECT_EQ(counts.rejected, 1U);
}

TEST_F(PluginTest, KeepsTheColumnsOfTheRecordWhereTheJobSaysSo) {
  PluginUse times = use("deeds", "times");
  times.keep_columns = true;
  const auto made = run(times, page_of_numbers({"2", "0", "1"}));
  ASSERT_TRUE(made) << made.error().message;
  EXPECT_EQ(*made, (Lines{"0 {\"n\":2,\"product\":2}", "0 {\"n\":2,\"product\":2}",
                          "2 {\"n\":1,\"product\":1}"}));
}

TEST_F(PluginTest, InCppFiltersAndRejectsAsFunctionsOfJobsDo) {
  const auto made =
      run(use("records", "deeds"), page_of_numbers({"1", "2", "3", "4", "5", "null", "6"}));
  ASSERT_TRUE(made) << made.error().message;
  EXPECT_EQ(*made, (Lines{"4 {\"n\":5,\"name\":\"number 5 of many\",\"half\":null,\"even\":false}",
                          "6 {\"n\":6,\"name\":\"number 6 of many\",\"half\":\"number 3 of many\","
                          "\"even\":true}"}));
  EXPECT_EQ(rejects,
            (Lines{"1 2 is refused", "2 The function threw an exception: 3 is thrown",
                   "3 The function threw something that is no std::exception.",
                   "5 Field \"n\" is null; make it std::optional where nulls are meant."}));
  EXPECT_EQ(counts.filtered, 1U);
}

TEST_F(PluginTest, InCppMakesManyOfOneRecord) {
  const auto made = run(use("records", "many"), page_of_numbers({"2", "0", "1"}));
  ASSERT_TRUE(made) << made.error().message;
  const std::string two =
      "0 {\"n\":2,\"name\":\"number 2 of many\",\"half\":\"number 1 of many\",\"even\":true}";
  EXPECT_EQ(*made, (Lines{two, two,
                          "2 {\"n\":1,\"name\":\"number 1 of many\",\"half\":null,"
                          "\"even\":false}"}));
}

TEST_F(PluginTest, KeepsTheValuesOfEveryTypeThatFieldsHave) {
  const std::vector<std::pair<const char*, const char*>> fields{
      {"yes boolean", "true"},
      {"tiny tinyint", "-128"},
      {"small smallint", "-32768"},
      {"number integer", "-2147483648"},
      {"big bigint", "-9223372036854775808"},
      {"utiny utinyint", "255"},
      {"usmall usmallint", "65535"},
      {"unumber uinteger", "4294967295"},
      {"ubig ubigint", "18446744073709551615"},
      {"real real", "1.5"},
      {"precise double", "-2.25"},
      {"d4 decimal(4,1)", "-999.9"},
      {"d9 decimal(9,2)", "9999999.99"},
      {"d18 decimal(18,3)", "-999999999999999.999"},
      {"d38 decimal(38,4)", "-9999999999999999999999999999999999.9999"},
      {"day date", "\"2026-11-26\""},
      {"time time", "\"23:59:59.999999\""},
      {"at timestamp", "\"1969-12-31T23:59:59.500\""},
      {"at_utc timestamptz", "\"2026-01-31T12:00:00Z\""},
      {"text varchar", "\"more than twelve bytes\""},
      {"maybe_yes boolean", "false"},
      {"maybe_big bigint", "1"},
      {"maybe_d9 decimal(9,2)", "1.00"},
      {"maybe_text varchar", "\"\""}};
  Schema schema;
  std::string full;
  std::string with_nulls;
  for (const auto& [field, value] : fields) {
    const std::string text = field;
    const std::string name = text.substr(0, text.find(' '));
    schema.fields.push_back({name, parse_type(text.substr(text.find(' ') + 1)).value(), false});
    full += fmt::format(",\"{}\":{}", name, value);
    with_nulls += fmt::format(",\"{}\":{}", name, name.starts_with("maybe") ? "null" : value);
  }
  full[0] = with_nulls[0] = '{';
  Lines given;
  Lines wanted;
  for (std::size_t row = 0; row < 20; ++row) {
    given.push_back((row % 3 == 1 ? with_nulls : full) + "}");
    wanted.push_back(fmt::format("{} {}", row, given.back()));
  }
  const auto made =
      run(use("records", "same"), page_of(std::make_shared<const Schema>(schema), given));
  ASSERT_TRUE(made) << made.error().message;
  EXPECT_EQ(*made, wanted);
}

TEST_F(PluginTest, IsToldTheOptionsOfTheJob) {
  PluginUse plus = use("records", "plus");
  plus.options = {{"more", "5"}, {"scale", "0.5"}};
  const auto made = run(plus, page_of_numbers({"1"}));
  ASSERT_TRUE(made) << made.error().message;
  EXPECT_EQ(*made, Lines{"0 {\"sum\":3}"});
}

TEST_F(PluginTest, RefusesOptionsThatAreMissingWrongOrUnknown) {
  PluginUse plus = use("records", "plus");
  EXPECT_EQ(refusal(plus, page_of_numbers({"1"})),
            "job.yaml:6:19: Function \"plus\" of records.so refuses: the option \"more\" is "
            "missing.");
  plus.options = {{"more", "5x"}};
  EXPECT_EQ(refusal(plus, page_of_numbers({"1"})),
            "job.yaml:7:18: Function \"plus\" of records.so refuses: the option \"more\" is "
            "\"5x\", and a whole number was expected.");
  plus.options = {{"more", "5"}, {"moer", "6"}};
  EXPECT_EQ(refusal(plus, page_of_numbers({"1"})),
            "job.yaml:7:18: Function \"plus\" of records.so refuses: there is no option "
            "\"moer\"; it takes more, scale.");
  PluginUse deeds = use("deeds", "deeds");
  deeds.options = {{"more", "5"}};
  EXPECT_EQ(refusal(deeds, page_of(std::make_shared<const Schema>(
                                       Schema{{{"id", Type{TypeId::bigint}, false},
                                               {"deed", Type{TypeId::varchar}, false}}}),
                                   {})),
            "job.yaml:7:18: Function \"deeds\" of deeds.so takes no options.");
}

TEST_F(PluginTest, SaysWhichColumnsDoNotMatch) {
  const auto columns = [](const char* name, TypeId type) {
    return page_of(std::make_shared<const Schema>(Schema{{{name, Type{type}, false}}}), {});
  };
  EXPECT_EQ(refusal(use("deeds", "times"), columns("number", TypeId::bigint)),
            "job.yaml:6:19: Function \"times\" of deeds.so takes a column \"n\", and there is "
            "none; the columns are number bigint.");
  EXPECT_EQ(refusal(use("deeds", "times"), columns("n", TypeId::varchar)),
            "job.yaml:6:19: Function \"times\" of deeds.so takes column \"n\" as bigint, and it "
            "is varchar. Declare it as bigint, cast it in SQL before, or change the function.");
}

TEST_F(PluginTest, SaysWhyAFileIsNoPlugin) {
  EXPECT_EQ(refusal(use("none", ""), page_of_numbers({})),
            "job.yaml:5:17: There is no plugin none.so.");
  EXPECT_EQ(refusal(use("stranger", ""), page_of_numbers({})),
            "job.yaml:5:17: stranger.so is a shared object, but no plugin: it has no symbol "
            "tranche_plugin (<tranche/plugin_function.h> makes it in C++).");
  EXPECT_EQ(refusal(use("newer", ""), page_of_numbers({})),
            "job.yaml:5:17: newer.so was built for version 2 of the interface of plugins, and "
            "this Tranche has version 1; build it again with its headers.");
  EXPECT_EQ(refusal(use("deeds", "tiems"), page_of_numbers({})),
            "job.yaml:6:19: The plugin deeds.so has no function \"tiems\"; did you mean "
            "\"times\"?");
  EXPECT_EQ(refusal(use("deeds", ""), page_of_numbers({})),
            "job.yaml:6:19: The plugin deeds.so has several functions; say which one by "
            "\"function\": times, deeds, quiet_deeds, too_many.");
}

TEST_F(PluginTest, FailsTheRunWhereItSaysSoOrGivesWhatIsNoResult) {
  EXPECT_EQ(refusal(use("deeds", "times"), page_of_numbers({"1", "999"})),
            "job.yaml:5:17: Function \"times\" of deeds.so failed: 999 is the end.");
  EXPECT_EQ(refusal(use("deeds", "too_many"), page_of_numbers({"1", "2"})),
            "job.yaml:5:17: Function \"too_many\" of deeds.so gave a wrong result: 1 rows for 2 "
            "records, and output_rows does not say whose they are.");
  const auto again = run(use("records", "transient"), page_of_numbers({"1"}));
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().kind, ErrorKind::transient);
}

TEST_F(PluginTest, RejectsRecordsWhoseRowsHoldNoValues) {
  const auto made = run(use("records", "broken_text"), page_of_numbers({"1", "2"}));
  ASSERT_TRUE(made) << made.error().message;
  EXPECT_EQ(*made, Lines{});
  EXPECT_EQ(rejects, (Lines{"0 Column \"text\": a text is not UTF-8.",
                            "1 Column \"text\": a text is not UTF-8."}));
}

TEST_F(PluginTest, IsPartOfTheFingerprint) {
  const auto transform = make_plugin_transform(use("deeds", "times"));
  ASSERT_TRUE(transform);
  const auto print = (*transform)->fingerprint();
  ASSERT_TRUE(print) << print.error().message;
  EXPECT_TRUE(print->starts_with("file deeds.so, content ")) << *print;
}

}  // namespace
}  // namespace tranche
