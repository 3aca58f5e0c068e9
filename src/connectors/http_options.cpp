#include "connectors/http_options.h"

#include <algorithm>
#include <charconv>

#include <fmt/format.h>

#include "base/text.h"

namespace tranche {
namespace {

constexpr double rate_max = 1e6;

// RFC 9110: a token.
bool is_header_name(std::string_view text) {
  constexpr std::string_view others = "!#$%&'*+-.^_`|~";
  return !text.empty() && std::all_of(text.begin(), text.end(), [&](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           others.find(c) != std::string_view::npos;
  });
}

const OptionTable& retry_options() {
  static const OptionTable table = {
      Option{.name = "attempts",
             .kind = OptionKind::count,
             .doc = "How often a call is made at most, the first time included.",
             .default_text = "5"},
      Option{.name = "backoff",
             .kind = OptionKind::duration,
             .doc = "How long to wait before the second time; twice as long before each further "
                    "one, and less by chance.",
             .default_text = "500ms"},
      Option{.name = "max_backoff",
             .kind = OptionKind::duration,
             .doc = "How long to wait at most.",
             .default_text = "30s"},
  };
  return table;
}

}  // namespace

Option http_headers_option() {
  return {.name = "headers",
          .kind = OptionKind::any,
          .doc =
              "Headers: names and texts. Secrets come from the environment, and are seen "
              "nowhere.",
          .example = "{ Authorization: \"Bearer ${env:TOKEN}\" }"};
}

Option http_timeout_option() {
  return {.name = "timeout",
          .kind = OptionKind::duration,
          .doc = "How long a call may take.",
          .default_text = "30s"};
}

Option http_retry_option() {
  return {.name = "retry",
          .kind = OptionKind::map,
          .doc =
              "How a call is repeated that gets no answer, or 408, 425, 429 or 5xx. "
              "Retry-After is heeded.",
          .children = retry_options(),
          .example = "{ attempts: 5, backoff: 500ms, max_backoff: 30s }"};
}

RetryPolicy read_http_retry(const OptionReader& options) {
  const Node none = Node::map();
  const Node* const given = options.node("retry");
  const OptionReader retry(given != nullptr ? *given : none, retry_options());
  RetryPolicy made;
  made.attempts =
      static_cast<std::uint32_t>(std::clamp<std::uint64_t>(retry.count("attempts"), 1, 1000));
  made.backoff = retry.duration("backoff");
  made.backoff_max = retry.duration("max_backoff");
  return made;
}

std::optional<double> parse_http_rate(std::string_view text) {
  const std::size_t slash = text.find('/');
  if (slash == std::string_view::npos) return std::nullopt;
  const std::string_view digits = trim(text.substr(0, slash));
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  if (error != std::errc() || end != digits.data() + digits.size()) return std::nullopt;
  const std::string_view unit = trim(text.substr(slash + 1));
  const double seconds = unit == "s" ? 1 : unit == "m" ? 60 : unit == "h" ? 3600 : 0;
  if (number == 0 || seconds == 0) return std::nullopt;
  const double rate = static_cast<double>(number) / seconds;
  return rate <= rate_max ? std::optional(rate) : std::nullopt;
}

std::string fault_of_http_rate(std::string_view text) {
  if (parse_http_rate(text)) return {};
  return fmt::format(
      "\"{}\" is no rate; expected a number of calls for a second, a minute or an "
      "hour, for example 100/s.",
      excerpt(text));
}

void check_http_headers(const Node* headers, Problems& problems) {
  if (headers == nullptr) return;
  const auto add = [&](Mark mark, std::string message) {
    Problem& problem = problems.emplace_back();
    problem.mark = mark;
    problem.message = std::move(message);
  };
  if (headers->kind != Node::Kind::map) {
    add(headers->mark,
        "\"headers\" was expected to be a map, as in headers: { X-Key: \"${env:KEY}\" }.");
    return;
  }
  for (const Node::Entry& entry : headers->entries) {
    const std::string name = excerpt(entry.key);
    if (!is_header_name(entry.key))
      add(entry.mark, fmt::format("\"{}\" can't be the name of a header.", name));
    if (entry.value.kind != Node::Kind::scalar)
      add(entry.mark, fmt::format("Header \"{}\" was expected to be a text.", name));
  }
}

}  // namespace tranche
