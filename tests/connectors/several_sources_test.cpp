// Sources in one form: what fits, what is refused, and that slices and pages keep their way.
#include "connectors/several_sources.h"

#include "connectors/csv.h"
#include "connectors/jsonl.h"
#include "connectors/page_form.h"
#include "table_source_fixture.h"

namespace tranche {
namespace {

Type type_of(const char* name) { return parse_type(name).value(); }

TEST(PageFormTest, WidensWhatLosesNothing) {
  const std::vector<std::pair<const char*, const char*>> fitting = {
      {"smallint", "integer"},      {"integer", "bigint"},         {"utinyint", "smallint"},
      {"bigint", "decimal(19,0)"},  {"integer", "decimal(12,2)"},  {"decimal(6,2)", "decimal(7,3)"},
      {"real", "double"},           {"date", "timestamp"},         {"varchar[]", "varchar[]"}};
  for (const auto& [from, to] : fitting) {
    EXPECT_TRUE(widens(type_of(from), type_of(to))) << from << " to " << to;
    EXPECT_EQ(from == std::string(to), widens(type_of(to), type_of(from))) << to << " to " << from;
  }
  const std::vector<std::pair<const char*, const char*>> others = {
      {"integer", "varchar"},       {"varchar", "json"},           {"tinyint", "utinyint"},
      {"ubigint", "bigint"},        {"bigint", "double"},          {"bigint", "decimal(18,0)"},
      {"integer", "decimal(11,2)"}, {"decimal(6,2)", "decimal(6,3)"}, {"date", "timestamptz"}};
  for (const auto& [from, to] : others)
    EXPECT_FALSE(widens(type_of(from), type_of(to))) << from << " to " << to;
}

TEST(PageFormTest, HandsColumnsOnAndWidensTheOthers) {
  const auto own = std::make_shared<const Schema>(Schema{
      {{"Name", type_of("varchar")}, {"at", type_of("date")}, {"n", type_of("smallint")}}});
  const auto form = std::make_shared<const Schema>(
      Schema{{{"n", type_of("decimal(9,2)")}, {"name", type_of("varchar")},
              {"more", type_of("struct(a integer)")}, {"at", type_of("timestamp")}}});
  auto made = PageForm::make({"b", own, true, false}, {.name = "a", .schema = form}, "_source");
  ASSERT_TRUE(made) << made.error().message;
  made->use_schema(PageForm::schema_with(*form, "_source").value());
  auto page = std::make_unique<Page>(own);
  page->set_rows(3);
  page->base.source = std::make_shared<const std::string>("a rather long name.csv");
  const char* const long_text = page->arena.copy("a text that is not inline").data();
  for (std::size_t row = 0; row < 3; ++row) {
    page->origins.push_back(Origin{.record = static_cast<std::uint32_t>(row)});
    page->column(0).values<StringRef>()[row] = StringRef::make({long_text, 25});
    page->column(1).values<std::int32_t>()[row] = row == 1 ? INT32_MAX : -1;
    page->column(2).values<std::int16_t>()[row] = static_cast<std::int16_t>(-7 * row);
  }
  page->column(2).set_null(0);
  std::vector<Reject> rejects;
  const auto shaped = made->shape(std::move(page), rejects);
  ASSERT_EQ(rejects.size(), 1U);
  EXPECT_EQ(rejects[0].record, 1U);
  EXPECT_EQ(shaped->rows(), 2U);
  std::string text;
  for (std::size_t row = 0; row < shaped->rows(); ++row) text += row_as_json(*shaped, row) + "\n";
  EXPECT_EQ(text,
            R"({"n":null,"name":"a text that is not inline","more":null,)"
            R"("at":"1969-12-31T00:00:00","_source":"a rather long name.csv"})"
            "\n"
            R"({"n":-14.00,"name":"a text that is not inline","more":null,)"
            R"("at":"1969-12-31T00:00:00","_source":"a rather long name.csv"})"
            "\n");
}

TEST(PageFormTest, LeavesTheValuesOfEqualTypesWhereTheyAre) {
  const auto own = std::make_shared<const Schema>(
      Schema{{{"b", type_of("bigint")}, {"a", type_of("bigint")}}});
  const auto form = std::make_shared<const Schema>(Schema{{own->fields[1], own->fields[0]}});
  auto made = PageForm::make({"b", own}, {.name = "a", .schema = form}, "");
  ASSERT_TRUE(made) << made.error().message;
  made->use_schema(form);
  EXPECT_TRUE(made->changes(*own));
  EXPECT_FALSE(made->changes(*form));
  auto page = std::make_unique<Page>(own);
  page->set_rows(1);
  const char* const values = page->column(0).bytes();
  std::vector<Reject> rejects;
  EXPECT_EQ(made->shape(std::move(page), rejects)->column(1).bytes(), values);
}

class SeveralSourcesTest : public TableSourceTest {
 protected:
  std::unique_ptr<Source> make_two() {
    put("a.csv", "id,v\n1,a\n2,b\n3,c\n");
    put("b.jsonl", "{\"v\":\"d\",\"id\":4}\n{\"v\":\"e\",\"id\":5}\n");
    std::vector<SourceItem> items(2);
    items[0] = {"csv a.csv", make(csv_connector(), {{"csv", "a.csv"}}).value()};
    items[1] = {"jsonl b.jsonl", make(jsonl_connector(), {{"jsonl", "b.jsonl"}}).value()};
    return make_several_sources(std::move(items), "");
  }
  static Result<void> use(Source& source, std::vector<Input> inputs) {
    TRANCHE_TRY(source.use_inputs(std::move(inputs)));
    TRANCHE_TRY(source.schema());
    return source.use_division({});
  }
};

TEST_F(SeveralSourcesTest, SaysOfEachInputWhoseItIs) {
  const auto inputs = make_two()->inputs();
  ASSERT_TRUE(inputs) << inputs.error().message;
  ASSERT_EQ(inputs->size(), 2U);
  EXPECT_EQ((*inputs)[0].source, 0U);
  EXPECT_EQ((*inputs)[1].source, 1U);
  auto strange = *inputs;
  strange[1].source = 2;
  EXPECT_FALSE(use(*make_two(), strange));
}

TEST_F(SeveralSourcesTest, GoesOnBehindAnySlice) {
  const auto source = make_two();
  ASSERT_TRUE(use(*source, source->inputs().value()));
  std::vector<Slice> slices;
  const auto stream = source->divide(nullptr).value();
  while (auto slice = stream->next({.records_max = 2}).value()) slices.push_back(*slice);
  ASSERT_EQ(slices.size(), 3U);
  EXPECT_EQ(slices[2].input, 1U);
  for (std::size_t i = 0; i < slices.size(); ++i) {
    const auto rest = source->divide(&slices[i]).value();
    const auto next = rest->next({.records_max = 2}).value();
    ASSERT_EQ(next.has_value(), i + 1 < slices.size());
    if (next) { EXPECT_EQ(next->digest, slices[i + 1].digest); }
    EXPECT_EQ(source->digest(slices[i]).value(), slices[i].digest);
  }
  Drained drained;
  WorkerScope worker(0, 0, "");
  for (const Slice& slice : slices) read(*source, slice, worker, drained);
  EXPECT_EQ(drained.rows, (std::vector<std::string>{"1|a", "2|b", "3|c", "4|d", "5|e"}));
}

}  // namespace
}  // namespace tranche
