#include <tranche/core/policy.h>

#include <algorithm>
#include <optional>

#include <fmt/format.h>

#include <tranche/core/type.h>
#include "base/text.h"
#include "core/option_value.h"

namespace tranche {
namespace {

constexpr std::uint64_t millionths_of_all = 1'000'000;
constexpr std::size_t share_digits_max = 4;  // behind the point of a percentage

// "0.1" (per cent): 1000 millionths; nullopt when it is no number of 0 to 100.
std::optional<std::uint64_t> parse_millionths(std::string_view text) {
  const std::size_t point = text.find('.');
  const std::optional<std::uint64_t> whole = option_value::parse_count(text.substr(0, point));
  if (!whole || *whole > 100) return std::nullopt;
  std::uint64_t fraction = 0;
  if (point != std::string_view::npos) {
    std::string digits(text.substr(point + 1));
    if (digits.empty() || digits.size() > share_digits_max) return std::nullopt;
    digits.resize(share_digits_max, '0');
    const std::optional<std::uint64_t> parsed = option_value::parse_count(digits);
    if (!parsed) return std::nullopt;
    fraction = *parsed;
  }
  const std::uint64_t millionths = *whole * 10'000 + fraction;
  if (millionths > millionths_of_all) return std::nullopt;
  return millionths;
}

// The error without what differs from record to record.
std::string shape_of(std::string_view error) {
  std::string shape;
  char quote = '\0';
  for (const char c : error) {
    if (quote != '\0') {
      if (c == quote) quote = '\0';
    } else if (c == '"' || c == '\'') {
      quote = c;
      shape += c;
    } else if (c < '0' || c > '9') {
      shape += c;
    } else if (!shape.ends_with('0')) {
      shape += '0';
    }
  }
  return shape;
}

// rejected / records <= millionths / 1,000,000, exactly.
bool within_share(std::uint64_t rejected, std::uint64_t records, std::uint64_t millionths) {
  return Int128{rejected} * millionths_of_all <= Int128{millionths} * records;
}

}  // namespace

bool RetryPolicy::is_transient(const Error& error) const {
  if (error.kind == ErrorKind::transient || error.kind == ErrorKind::busy) return true;
  if (error.kind != ErrorKind::failed) return false;
  const std::string message = to_lower(error.message);
  return std::any_of(transient.begin(), transient.end(), [&](const std::string& words) {
    return message.find(to_lower(words)) != std::string::npos;
  });
}

std::chrono::milliseconds RetryPolicy::wait_after(std::uint32_t attempt, std::uint64_t salt) const {
  auto wait = backoff;
  for (std::uint32_t i = 1; i < attempt && wait < backoff_max; ++i) wait *= 2;
  wait = std::min(wait, backoff_max);
  // Steele, Lea and Flood's SplitMix64 (2014), for a number that looks like chance.
  std::uint64_t mixed = salt + attempt * 0x9e3779b97f4a7c15ULL;
  mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9ULL;
  mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111ebULL;
  mixed ^= mixed >> 31;
  const auto half = wait / 2;
  return half +
         std::chrono::milliseconds(mixed % (static_cast<std::uint64_t>((wait - half).count()) + 1));
}

Result<RejectLimit> parse_reject_limit(std::string_view text) {
  std::string_view digits = trim(text);
  const bool is_share = digits.ends_with('%');
  if (is_share) digits = trim(digits.substr(0, digits.size() - 1));
  const std::optional<std::uint64_t> value =
      is_share ? parse_millionths(digits) : option_value::parse_count(digits);
  if (!value)
    return make_error(
        ErrorKind::config,
        fmt::format("\"{}\" is not a limit for rejects; expected a number of records "
                    "such as 1000, or a percentage of 0 to 100 with up to four digits "
                    "after the point such as 0.1%.",
                    excerpt(text)));
  if (!is_share) return RejectLimit{false, *value, 0};
  // None of them is a number: the run need not read 10,000 records to find one too many.
  if (*value == 0) return RejectLimit{};
  return RejectLimit{true, 0, *value};
}

std::string to_string(const RejectLimit& limit) {
  if (!limit.is_share) return fmt::format("{}", limit.number);
  std::string text = fmt::format("{}.{:04}", limit.millionths / 10'000, limit.millionths % 10'000);
  while (text.back() == '0') text.pop_back();
  if (text.back() == '.') text.pop_back();
  return text + '%';
}

// The verdict depends on the records alone, never on how they were grouped: at record 10,000 with
// the rejects among the first 10,000, after that at each reject, since between two rejects a share
// only falls.
bool RejectJudge::admit(std::uint64_t record) {
  const bool was_within = reach(record);
  ++rejected_;
  records_ = std::max(records_, record + 1);
  if (!limit_.is_share) return rejected_ <= limit_.number;
  const std::uint64_t done = record + 1;
  if (done < share_judged_from_record) return true;
  return was_within && within_share(rejected_, done, limit_.millionths);
}

bool RejectJudge::reach(std::uint64_t records) {
  const bool crosses = records_ < share_judged_from_record && records >= share_judged_from_record;
  records_ = std::max(records_, records);
  if (!limit_.is_share) return rejected_ <= limit_.number;
  return !crosses || within_share(rejected_, share_judged_from_record, limit_.millionths);
}

bool RejectJudge::finish(std::uint64_t records) const {
  if (!limit_.is_share) return rejected_ <= limit_.number;
  return within_share(rejected_, records, limit_.millionths);
}

bool FailureStreak::admit(std::uint64_t record, std::string_view phase, std::string_view error) {
  if (!goes_on_) return true;
  const std::string shape = fmt::format("{}: {}", phase, shape_of(error));
  goes_on_ = record == records_ && (shape_.empty() || shape == shape_);
  shape_ = shape;
  ++records_;
  return !goes_on_ || records_ < same_max_;
}

}  // namespace tranche
