// YAML text -> Node, with places: the only door to the YAML library.
//
// Threads: pure functions. Errors: never an exception; every finding is a Problem with line and
// column, counted from 1 in characters. Any bytes may be given; sizes and depths are limited.
#pragma once

#include <optional>
#include <string_view>

#include <tranche/core/options.h>

namespace tranche {

inline constexpr std::size_t yaml_bytes_max = 1 << 20;
inline constexpr std::size_t yaml_depth_max = 64;
inline constexpr std::size_t yaml_nodes_max = 100'000;  // aliases expanded

// The one document of `text`; nullopt when it can't be read (then there is a problem that says
// why). Anchors, aliases and merge keys (<<) are resolved. Doubled keys stay: check_options finds
// them.
std::optional<Node> parse_yaml(std::string_view text, Problems& problems);

}  // namespace tranche
