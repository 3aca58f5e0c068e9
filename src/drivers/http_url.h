// URLs of web services: where a link leads, and what is asked for in the query.
//
// Threads: pure functions.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include <tranche/base/result.h>

namespace tranche {

// Where a link leads that stands in what `base` answered: "/orders?page=2", "?page=2", or a whole
// URL. Errors: bad_record, as a sentence part: "is no URL ...".
Result<std::string> resolve_url(const std::string& base, const std::string& link);
// Whether scheme, host and port are the same, so that what may be sent to one may be sent to both.
bool is_same_server(const std::string& url, const std::string& other);
// The URL with this parameter in its query, in the place of those of the name; without a fragment.
std::string with_parameter(const std::string& url, std::string_view name, std::string_view value);
// The target of the first link of this relation in a Link header (RFC 8288).
std::optional<std::string> find_link(std::string_view header, std::string_view relation);

}  // namespace tranche
