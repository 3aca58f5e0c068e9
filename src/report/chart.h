// Charts as Vega-Lite describes them.
// Threads: pure functions.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <tranche/base/result.h>
#include <tranche/core/page.h>

namespace tranche::reporting {

// A chart of more rows says nothing; those behind them are left out, and that is said.
inline constexpr std::uint64_t chart_rows_max = 5000;

// What a job says of a chart.
struct ChartWish {
  std::string type;            // one of chart_types(); empty: `vega_lite` says it all
  std::string x;               // a column
  std::vector<std::string> y;  // columns of numbers, each a series where there are several
  std::string color;           // a column that tells the series; empty: none
  std::string vega_lite;       // a specification of Vega-Lite, as JSON, without data
};
const std::vector<std::string>& chart_types();
// What is wrong with it whatever the columns are. Errors: config.
Result<void> check_chart(const ChartWish& wish);

struct Chart {
  std::string vega_lite;  // JSON, without data
  std::string summary;    // "Bar chart of revenue by store": for those who don't see it
};
// Errors: config: a column is missing, or of a type that can't be drawn.
Result<Chart> make_chart(const ChartWish& wish, const Schema& schema);

// A value as the data of a chart has it, in JSON: numbers as such; timestamps in UTC.
void append_chart_value(std::string& out, const Column& column, std::size_t row);

}  // namespace tranche::reporting
