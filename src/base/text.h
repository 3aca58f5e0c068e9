// Text: sizes, durations, spelling suggestions, UTF-8, base64. Pure functions, thread-safe.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace tranche {

// "512MiB", "64 KB", "1GiB", "1000": bytes. KiB to TiB are powers of 1024, kB to TB of 1000.
std::optional<std::uint64_t> parse_size(std::string_view text);
std::string format_size(std::uint64_t bytes);  // "1.5 GiB"
// "500ms", "30s", "5m", "2h", "1d".
std::optional<std::chrono::milliseconds> parse_duration(std::string_view text);
std::string format_duration(std::chrono::nanoseconds duration);  // "950 ms", "12.3 s", "4 min 05 s"
std::string format_count(std::uint64_t count);                   // "3,000,000"

// The candidate nearest to `word` by edit distance (with transpositions), when near enough to be a
// slip of the fingers; nullopt else.
std::optional<std::string> nearest(std::string_view word, std::span<const std::string> candidates);

bool is_utf8(std::string_view bytes);
// The offset of the first byte that is not part of valid UTF-8; nullopt when all are.
std::optional<std::size_t> find_invalid_utf8(std::string_view bytes);
std::string base64(std::string_view bytes);
std::string hex(std::string_view bytes);
std::string join(std::span<const std::string> parts, std::string_view separator);
std::vector<std::string> split(std::string_view text, char separator);
std::string_view trim(std::string_view text);
std::string_view last_line(std::string_view text);  // that says something, trimmed
std::string to_lower(std::string_view text);
// `text` for a message on one line: control characters and bytes that are not UTF-8 escaped; at
// most `bytes_max` bytes of it, then "...".
std::string excerpt(std::string_view text, std::size_t bytes_max = 80);
// A URL without passwords (of http and https: without user and query); any other text as it is.
std::string url_without_password(std::string_view text);

}  // namespace tranche
