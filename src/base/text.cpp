#include "base/text.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <limits>
#include <utility>

#include <fmt/format.h>

namespace tranche {
namespace {

struct Unit {
  std::string_view name;  // in lower case
  std::uint64_t factor;
};

constexpr std::uint64_t binary_units = 1024;
constexpr std::uint64_t decimal_units = 1000;
constexpr std::array size_units{
    Unit{"", 1},
    Unit{"b", 1},
    Unit{"kib", binary_units},
    Unit{"mib", binary_units* binary_units},
    Unit{"gib", binary_units* binary_units* binary_units},
    Unit{"tib", binary_units* binary_units* binary_units* binary_units},
    Unit{"kb", decimal_units},
    Unit{"mb", decimal_units* decimal_units},
    Unit{"gb", decimal_units* decimal_units* decimal_units},
    Unit{"tb", decimal_units* decimal_units* decimal_units* decimal_units},
};
constexpr std::array duration_units{
    Unit{"ms", 1}, Unit{"s", 1000}, Unit{"m", 60'000}, Unit{"h", 3'600'000}, Unit{"d", 86'400'000},
};

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_space(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }
char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

// "1.5 GiB": a number, perhaps with a fraction, and one of `units`, in whole units of factor 1.
std::optional<std::uint64_t> parse_quantity(std::string_view text, std::span<const Unit> units) {
  constexpr std::uint64_t fraction_max = 1'000'000;  // six digits: times a TiB they fit 64 bits
  text = trim(text);
  std::size_t at = 0;
  std::uint64_t whole = 0;
  for (; at < text.size() && is_digit(text[at]); ++at) {
    if (__builtin_mul_overflow(whole, std::uint64_t{10}, &whole)) return std::nullopt;
    const auto digit = static_cast<std::uint64_t>(text[at] - '0');
    if (__builtin_add_overflow(whole, digit, &whole)) return std::nullopt;
  }
  if (at == 0) return std::nullopt;
  std::uint64_t fraction = 0;
  std::uint64_t scale = 1;
  if (at < text.size() && text[at] == '.') {
    const std::size_t point = at++;
    for (; at < text.size() && is_digit(text[at]); ++at) {
      if (scale == fraction_max) return std::nullopt;
      fraction = fraction * 10 + static_cast<std::uint64_t>(text[at] - '0');
      scale *= 10;
    }
    if (at == point + 1) return std::nullopt;
  }
  const std::string name = to_lower(trim(text.substr(at)));
  const auto unit = std::find_if(units.begin(), units.end(),
                                 [&](const Unit& candidate) { return candidate.name == name; });
  std::uint64_t result = 0;
  if (unit == units.end() || __builtin_mul_overflow(whole, unit->factor, &result) ||
      __builtin_add_overflow(result, fraction * unit->factor / scale, &result))
    return std::nullopt;
  return result;
}

// Optimal string alignment: insertions, deletions, substitutions and swaps of neighbours.
std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> before_last(b.size() + 1);
  std::vector<std::size_t> last(b.size() + 1);
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) last[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t substituted = last[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      row[j] = std::min({last[j] + 1, row[j - 1] + 1, substituted});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
        row[j] = std::min(row[j], before_last[j - 2] + 1);
    }
    std::swap(before_last, last);
    std::swap(last, row);
  }
  return last[b.size()];
}

// The length of the UTF-8 character at the start of `bytes`, 0 when there is none.
std::size_t utf8_length(std::string_view bytes) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(bytes[i]); };
  const auto follows = [&](std::size_t i, unsigned low, unsigned high) {
    return i < bytes.size() && byte(i) >= low && byte(i) <= high;
  };
  const unsigned first = byte(0);
  if (first < 0x80) return 1;
  if (first < 0xC2) return 0;
  if (first < 0xE0) return follows(1, 0x80, 0xBF) ? 2 : 0;
  if (first < 0xF0) {  // neither overlong nor a surrogate
    const unsigned low = first == 0xE0 ? 0xA0 : 0x80;
    const unsigned high = first == 0xED ? 0x9F : 0xBF;
    return follows(1, low, high) && follows(2, 0x80, 0xBF) ? 3 : 0;
  }
  if (first < 0xF5) {  // neither overlong nor beyond U+10FFFF
    const unsigned low = first == 0xF0 ? 0x90 : 0x80;
    const unsigned high = first == 0xF4 ? 0x8F : 0xBF;
    return follows(1, low, high) && follows(2, 0x80, 0xBF) && follows(3, 0x80, 0xBF) ? 4 : 0;
  }
  return 0;
}

// What excerpt shows for the character `character` (one byte when it is not valid UTF-8).
std::string visible(std::string_view character, bool valid) {
  const auto first = static_cast<unsigned char>(character[0]);
  if (character == "\n") return "\\n";
  if (character == "\r") return "\\r";
  if (character == "\t") return "\\t";
  if (!valid || first < 0x20 || first == 0x7F) return fmt::format("\\x{:02x}", first);
  // U+0080 to U+009F: control characters too, some terminals obey them.
  if (first == 0xC2 && static_cast<unsigned char>(character[1]) < 0xA0)
    return fmt::format("\\u{:04x}", static_cast<unsigned char>(character[1]));
  return std::string(character);
}

}  // namespace

std::optional<std::uint64_t> parse_size(std::string_view text) {
  return parse_quantity(text, size_units);
}

std::string format_size(std::uint64_t bytes) {
  constexpr std::array<std::string_view, 7> names{"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
  if (bytes < binary_units) return fmt::format("{} B", bytes);
  auto value = static_cast<double>(bytes);
  std::size_t unit = 0;
  // 1023.95 would be shown as 1024.0: that is the next unit's 1.
  for (; value >= 1023.95 && unit + 1 < names.size(); ++unit) value /= 1024;
  std::string digits = fmt::format("{:.1f}", value);
  if (digits.ends_with(".0")) digits.resize(digits.size() - 2);
  return fmt::format("{} {}", digits, names[unit]);
}

std::optional<std::chrono::milliseconds> parse_duration(std::string_view text) {
  const std::optional<std::uint64_t> count = parse_quantity(text, duration_units);
  if (!count || !std::in_range<std::int64_t>(*count)) return std::nullopt;
  return std::chrono::milliseconds(static_cast<std::int64_t>(*count));
}

// Each range ends where rounding would show the next one's first value ("1000 ms", "60.0 s").
std::string format_duration(std::chrono::nanoseconds duration) {
  const std::int64_t ns = duration.count();
  if (ns < 0) {
    // The most negative count has no positive one: a nanosecond less is shown the same.
    const std::int64_t positive = ns == std::numeric_limits<std::int64_t>::min() ? -(ns + 1) : -ns;
    return fmt::format("-{}", format_duration(std::chrono::nanoseconds(positive)));
  }
  if (ns == 0) return "0 ms";
  if (ns < 1'000'000) return fmt::format("{} us", std::max<std::int64_t>(ns / 1000, 1));
  if (ns < 999'500'000) return fmt::format("{} ms", (ns + 500'000) / 1'000'000);
  if (ns < 59'950'000'000) return fmt::format("{:.1f} s", static_cast<double>(ns) / 1e9);
  const std::int64_t seconds = ns / 1'000'000'000 + (ns % 1'000'000'000 >= 500'000'000 ? 1 : 0);
  if (seconds < 3600) return fmt::format("{} min {:02} s", seconds / 60, seconds % 60);
  const std::int64_t minutes = seconds / 60;
  if (minutes < 1440) return fmt::format("{} h {:02} min", minutes / 60, minutes % 60);
  const std::int64_t hours = minutes / 60;
  return fmt::format("{} d {:02} h", hours / 24, hours % 24);
}

std::string format_count(std::uint64_t count) {
  std::string digits = fmt::format("{}", count);
  for (std::size_t at = digits.size(); at > 3; at -= 3) digits.insert(at - 3, 1, ',');
  return digits;
}

std::optional<std::string> nearest(std::string_view word, std::span<const std::string> candidates) {
  const std::string wanted = to_lower(word);
  const std::string* best = nullptr;
  std::size_t best_distance = std::numeric_limits<std::size_t>::max();
  for (const std::string& candidate : candidates) {
    const std::size_t distance = edit_distance(wanted, to_lower(candidate));
    // A third of the letters may be wrong, but never all of them.
    const std::size_t longest = std::max(wanted.size(), candidate.size());
    const bool is_near = distance <= std::max<std::size_t>(longest / 3, 1) &&
                         distance < std::min(wanted.size(), candidate.size());
    if (!is_near || distance >= best_distance) continue;
    best = &candidate;
    best_distance = distance;
  }
  return best != nullptr ? std::optional(*best) : std::nullopt;
}

bool is_utf8(std::string_view bytes) { return !find_invalid_utf8(bytes); }

std::optional<std::size_t> find_invalid_utf8(std::string_view bytes) {
  constexpr std::uint64_t high_bits = 0x8080808080808080;
  std::size_t at = 0;
  while (at < bytes.size()) {
    std::uint64_t eight = 0;
    if (at + sizeof eight <= bytes.size()) {
      std::memcpy(&eight, bytes.data() + at, sizeof eight);
      if ((eight & high_bits) == 0) {  // most text is ASCII
        at += sizeof eight;
        continue;
      }
    }
    const std::size_t length = utf8_length(bytes.substr(at));
    if (length == 0) return at;
    at += length;
  }
  return std::nullopt;
}

std::string base64(std::string_view bytes) {
  constexpr std::string_view digits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  out.reserve((bytes.size() + 2) / 3 * 4);
  for (std::size_t at = 0; at < bytes.size(); at += 3) {
    const std::size_t count = std::min<std::size_t>(bytes.size() - at, 3);
    std::uint32_t bits = 0;
    for (std::size_t i = 0; i < 3; ++i)
      bits = bits << 8 | (i < count ? static_cast<unsigned char>(bytes[at + i]) : 0u);
    for (std::size_t i = 0; i < 4; ++i) out += i <= count ? digits[bits >> (18 - 6 * i) & 63] : '=';
  }
  return out;
}

std::string hex(std::string_view bytes) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string out;
  out.reserve(bytes.size() * 2);
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    out += digits[byte >> 4];
    out += digits[byte & 15];
  }
  return out;
}

std::string join(std::span<const std::string> parts, std::string_view separator) {
  std::string out;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    if (i > 0) out += separator;
    out += parts[i];
  }
  return out;
}

std::vector<std::string> split(std::string_view text, char separator) {
  std::vector<std::string> parts;
  for (;;) {
    const std::size_t end = text.find(separator);
    parts.emplace_back(text.substr(0, end));
    if (end == std::string_view::npos) return parts;
    text.remove_prefix(end + 1);
  }
}

std::string_view trim(std::string_view text) {
  while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
  return text;
}

std::string_view last_line(std::string_view text) {
  text = trim(text);
  const std::size_t before = text.rfind('\n');
  return before == std::string_view::npos ? text : trim(text.substr(before + 1));
}

std::string to_lower(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(), lower);
  return out;
}

std::string excerpt(std::string_view text, std::size_t bytes_max) {
  std::string out;
  while (!text.empty()) {
    const std::size_t length = utf8_length(text);
    const std::string_view character = text.substr(0, std::max<std::size_t>(length, 1));
    const std::string shown = visible(character, length > 0);
    if (out.size() + shown.size() > bytes_max) return out + "...";
    out += shown;
    text.remove_prefix(character.size());
  }
  return out;
}

namespace {

// Neither user nor query: the one may be a token, the other a signature.
std::string web_url_without_secrets(std::string_view url, std::size_t host) {
  std::string out(url.substr(0, url.find_first_of("?#", host)));
  const std::size_t slash = std::min(out.find('/', host), out.size());
  const std::size_t colon = out.rfind(':', slash - 1);
  // A password that was not escaped may hold a slash: then what precedes it is no port.
  const bool is_whole = colon == std::string::npos || colon < host ||
                        out.find_first_not_of("0123456789", colon + 1) >= slash ||
                        out.find(']', colon) < slash;
  const std::size_t at = out.rfind('@', is_whole ? slash : out.size());
  if (at != std::string::npos && at >= host) out.erase(host, at + 1 - host);
  return out;
}

}  // namespace

std::string url_without_password(std::string_view text) {
  const std::size_t scheme = text.find("://");
  const auto is_of_scheme = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '+' ||
           c == '-' || c == '.';
  };
  if (scheme == std::string_view::npos || scheme == 0 ||
      !std::all_of(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(scheme), is_of_scheme))
    return std::string(text);
  if (text.starts_with("http://") || text.starts_with("https://"))
    return web_url_without_secrets(text, scheme + 3);
  const std::string_view address = text.substr(0, text.find('?', scheme));
  std::string out(address);
  // The last @, since a password that was not escaped may hold one, or a slash.
  const std::size_t at = address.rfind('@');
  const std::size_t colon = address.find(':', scheme + 3);
  if (at != std::string_view::npos && colon < at) out.erase(colon, at - colon);
  if (address.size() == text.size()) return out;
  std::vector<std::string> options = split(text.substr(address.size() + 1), '&');
  std::erase_if(options, [](const std::string& option) {
    return to_lower(option.substr(0, option.find('='))).find("password") != std::string::npos;
  });
  return options.empty() ? out : out + "?" + join(options, "&");
}

}  // namespace tranche
