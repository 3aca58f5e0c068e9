#include "report/chart.h"

#include <gtest/gtest.h>

#include "base/json.h"

namespace tranche::reporting {
namespace {

Schema columns() {
  return Schema{{{"day", Type{TypeId::date}, false},
                 {"store", Type{TypeId::varchar}, false},
                 {"a.b[0]", decimal_type(12, 2), false},
                 {"pieces", Type{TypeId::bigint}, false}}};
}

Json spec(const ChartWish& wish) {
  const auto chart = make_chart(wish, columns());
  EXPECT_TRUE(chart) << chart.error().message;
  return chart ? Json::parse(chart->vega_lite).value() : Json();
}

std::string mistake(const ChartWish& wish) {
  const auto chart = make_chart(wish, columns());
  EXPECT_FALSE(chart);
  return chart ? "" : chart.error().message;
}

TEST(Chart, HasBarsInTheOrderOfTheQuery) {
  const Json bar = spec({"bar", "store", {"pieces"}, "", ""});
  EXPECT_EQ(bar["mark"]["type"].text(), "bar");
  EXPECT_EQ(bar["encoding"]["x"]["type"].text(), "nominal");
  EXPECT_TRUE(bar["encoding"]["x"]["sort"].is_null());
  EXPECT_EQ(bar["encoding"]["y"]["field"].text(), "pieces");
}

TEST(Chart, TakesTheNameOfAColumnForNoPath) {
  const Json bar = spec({"bar", "store", {"a.b[0]"}, "", ""});
  EXPECT_EQ(bar["encoding"]["y"]["field"].text(), "a\\.b\\[0\\]");
  EXPECT_EQ(bar["encoding"]["y"]["title"].text(), "a.b[0]");
}

TEST(Chart, HasDaysOfNobodysTimeZone) {
  const Json line = spec({"line", "day", {"pieces"}, "store", ""});
  EXPECT_EQ(line["encoding"]["x"]["type"].text(), "temporal");
  EXPECT_EQ(line["encoding"]["x"]["scale"]["type"].text(), "utc");
  EXPECT_EQ(line["encoding"]["color"]["field"].text(), "store");
}

TEST(Chart, HasASeriesForEachOfSeveralColumns) {
  const Json bar = spec({"bar", "store", {"pieces", "a.b[0]"}, "", ""});
  EXPECT_EQ(bar["transform"].items().at(0)["fold"].items().size(), 2U);
  EXPECT_EQ(bar["encoding"]["xOffset"]["field"].text(), "series");
}

TEST(Chart, SaysInWordsWhatItShows) {
  EXPECT_EQ(
      make_chart({"horizontal_bar", "store", {"pieces", "a.b[0]"}, "", ""}, columns())->summary,
      "Bar chart of pieces and a.b[0] by store");
  EXPECT_EQ(make_chart({"line", "day", {"pieces"}, "store", ""}, columns())->summary,
            "Line chart of pieces by day, for each store");
}

TEST(Chart, OfWhatIsNotThereSaysWhatThereIs) {
  EXPECT_NE(mistake({"bar", "stor", {"pieces"}, "", ""}).find("did you mean \"store\"?"),
            std::string::npos);
  EXPECT_NE(mistake({"bar", "day", {"store"}, "", ""}).find("\"store\" is a varchar"),
            std::string::npos);
  EXPECT_NE(mistake({"pie", "store", {"pieces", "day"}, "", ""}).find("has one"),
            std::string::npos);
  EXPECT_NE(mistake({"bar", "store", {"pieces"}, "", "{}"}).find("not by both"), std::string::npos);
  EXPECT_NE(mistake({"", "", {}, "", "{\"data\":{\"url\":\"a\"}}"}).find("leave \"data\" out"),
            std::string::npos);
}

}  // namespace
}  // namespace tranche::reporting
