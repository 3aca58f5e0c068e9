// What pages bring along, so that they need no network: a style sheet and scripts.
// Threads: read by anybody.
#pragma once

#include <string>
#include <string_view>

namespace tranche::reporting {

struct Asset {
  std::string_view text;
  std::string_view sha256;  // hexadecimal
};

const Asset& page_style();
const Asset& table_script();  // tables that sort
const Asset& chart_script();  // draws what chart.h describes; behind the three of Vega
const Asset& vega_script();
const Asset& vega_lite_script();
const Asset& vega_interpreter_script();  // Vega's expressions without eval
std::string_view vega_license();

// "'sha256-...'": how a page's security policy names it.
std::string policy_source(const Asset& asset);

}  // namespace tranche::reporting
