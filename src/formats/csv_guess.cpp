#include "formats/csv_guess.h"

#include <algorithm>

#include <tranche/core/value.h>

namespace tranche {
namespace {

bool has_leading_zero(std::string_view text) {
  if (!text.empty() && (text[0] == '-' || text[0] == '+')) text.remove_prefix(1);
  return text.size() > 1 && text[0] == '0' && value_detail::digit(text[1]) <= 9;
}

bool has_digit(std::string_view text) {
  return std::any_of(text.begin(), text.end(), [](char c) { return value_detail::digit(c) <= 9; });
}

bool is_truth_word(std::string_view text) {
  std::uint8_t value = 0;
  return text.size() >= 4 && parse_boolean(text, value) == ParseStatus::ok;
}

}  // namespace

TypeGuess::TypeGuess(std::span<const TimeFormat> date_formats,
                     std::span<const TimeFormat> timestamp_formats)
    : date_formats_(date_formats), timestamp_formats_(timestamp_formats) {}

bool TypeGuess::is_date(std::string_view text) const {
  std::int32_t days = 0;
  return (date_formats_.empty() ? parse_date(text, days)
                                : parse_time_by(date_formats_, text, days)) == ParseStatus::ok;
}

bool TypeGuess::is_timestamp(std::string_view text) const {
  std::int64_t microseconds = 0;
  if (timestamp_formats_.empty()) return parse_timestamp(text, microseconds) == ParseStatus::ok;
  const bool has_zone = std::any_of(timestamp_formats_.begin(), timestamp_formats_.end(),
                                    [](const TimeFormat& format) { return format.has_zone(); });
  return !has_zone && parse_time_by(timestamp_formats_, text, microseconds) == ParseStatus::ok;
}

// With a zone: without one it would be a guess that it is UTC.
bool TypeGuess::is_timestamptz(std::string_view text) const {
  std::int64_t microseconds = 0;
  if (timestamp_formats_.empty()) {
    return parse_timestamptz(text, microseconds) == ParseStatus::ok && !is_timestamp(text);
  }
  return std::any_of(timestamp_formats_.begin(), timestamp_formats_.end(),
                     [&](const TimeFormat& format) {
                       return format.has_zone() &&
                              format.parse(text, microseconds) == ParseStatus::ok;
                     });
}

void TypeGuess::add(std::string_view text, bool quoted) {
  if (text.empty() && quoted) possible_ = 0;  // an empty string is no number
  seen_ = true;
  if (possible_ == 0) return;
  std::int64_t integer = 0;
  double number = 0;
  const ParseStatus as_integer = parse_integer(text, integer);
  // A double would lose digits of them.
  const bool damaged = has_leading_zero(text) || as_integer == ParseStatus::out_of_range;
  const auto refute = [this](Kind kind, bool good) {
    if (!good) possible_ = static_cast<std::uint8_t>(possible_ & ~kind);
  };
  refute(boolean, is_truth_word(text));
  refute(bigint, !damaged && as_integer == ParseStatus::ok);
  refute(double_,
         !damaged && has_digit(text) && parse_float(text, number) == ParseStatus::ok);
  refute(date, is_date(text));
  refute(timestamp, is_timestamp(text));
  refute(timestamptz, is_timestamptz(text));
}

Type TypeGuess::type() const {
  if (!seen_) return Type{TypeId::varchar};
  // 20260131 is a number too, but somebody said that dates look like that.
  if (!date_formats_.empty() && (possible_ & date) != 0) return Type{TypeId::date};
  if (!timestamp_formats_.empty()) {
    if ((possible_ & timestamp) != 0) return Type{TypeId::timestamp};
    if ((possible_ & timestamptz) != 0) return Type{TypeId::timestamptz};
  }
  if ((possible_ & boolean) != 0) return Type{TypeId::boolean};
  if ((possible_ & bigint) != 0) return Type{TypeId::bigint};
  if ((possible_ & double_) != 0) return Type{TypeId::double_};
  if ((possible_ & date) != 0) return Type{TypeId::date};
  if ((possible_ & timestamp) != 0) return Type{TypeId::timestamp};
  if ((possible_ & timestamptz) != 0) return Type{TypeId::timestamptz};
  return Type{TypeId::varchar};
}

}  // namespace tranche
