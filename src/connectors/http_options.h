// What a source and a transform that call a web service may be told alike.
//
// Threads: pure functions.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include <tranche/core/options.h>
#include <tranche/core/policy.h>

namespace tranche {

// Rows of option tables.
Option http_headers_option();
Option http_timeout_option();
Option http_retry_option();

RetryPolicy read_http_retry(const OptionReader& options);

// `rate:`, as in 100/s, 600/m or 5000/h: calls a second. What is wrong with it, as a sentence;
// empty: nothing.
std::optional<double> parse_http_rate(std::string_view text);
std::string fault_of_http_rate(std::string_view text);

// Of `headers:`; nullptr: there are none.
void check_http_headers(const Node* headers, Problems& problems);

}  // namespace tranche
