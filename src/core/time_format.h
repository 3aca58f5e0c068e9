// Dates and times in a form that a person gives, by the letters of strptime and strftime: compiled
// once, then used for every value, without allocations and without a locale.
//
// Reading is strict: the whole text is consumed, a blank is a blank, %d takes two digits where %-d
// takes one or two, and the day must exist in the calendar. Names of months and days are English.
//   %Y year  %y its last two digits (69 to 99: 19xx)   %m month  %b %B its name   %d day
//   %j day of the year   %a %A name of the weekday  %u its number, Monday is 1
//   %H hour  %I hour of twelve, with %p AM or PM   %M minute  %S second
//   %f fraction of the second, one to six digits   %g milliseconds   %z zone: Z, +hh, +hhmm, +hh:mm
//   %-d %-m %-H %-I %-M %-S %-j without zeros in front   %F is %Y-%m-%d, %T is %H:%M:%S   %% is %
//
// Threads: immutable once made. Lifetime: owns its text.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <tranche/core/value.h>

namespace tranche {

class TimeFormat {
 public:
  enum class Use { read_date, read_timestamp, write_date, write_timestamp };
  // What reads must say which day it is, without a doubt; what writes may leave parts out. A format
  // of dates has no letters of time. Errors: config, with the character at which it is wrong.
  static Result<TimeFormat> compile(std::string_view text, Use use);

  const std::string& text() const { return text_; }
  bool has_zone() const { return has_zone_; }

  // REQUIRES that it was compiled to read dates. Sets `days` when ok.
  ParseStatus parse(std::string_view text, std::int32_t& days) const;
  // REQUIRES that it was compiled to read timestamps. What the format leaves out is 0; a zone is
  // subtracted, so that it is UTC.
  ParseStatus parse(std::string_view text, std::int64_t& microseconds) const;

  static constexpr std::size_t text_bytes_max = 64;
  static constexpr std::size_t written_bytes_max = 512;
  // Writes a value that is finite; returns the end. REQUIRES written_bytes_max bytes of room, and
  // that it was compiled to write such values. A zone is that of UTC.
  char* write_date(char* out, std::int32_t days) const;
  char* write_timestamp(char* out, std::int64_t microseconds) const;

 private:
  enum class Part : std::uint8_t {
    literal, year, year_of_century, month, month_name, month_short, day, day_of_year, weekday,
    weekday_name, weekday_short, hour, hour_of_twelve, half_of_day, minute, second, microsecond,
    millisecond, zone,
  };
  struct Moment;
  struct Letter;
  class Compiler;
  struct Item {
    Part part = Part::literal;
    bool padded = true;        // exactly `digits` digits
    std::uint8_t digits = 0;   // of a number, at most
    std::uint8_t begin = 0;    // of literal text, in literals_
    std::uint8_t length = 0;
  };
  TimeFormat() = default;
  ParseStatus read(std::string_view text, Moment& moment) const;
  char* write(char* out, const Moment& moment) const;

  std::string text_;
  std::string literals_;
  std::vector<Item> items_;
  bool has_zone_ = false;
};

// Tries the formats in their order; `infinity` and `-infinity` are taken by any. When none fits,
// the status says most about the nearest. T: std::int32_t for days, std::int64_t for microseconds.
template <class T>
ParseStatus parse_time_by(std::span<const TimeFormat> formats, std::string_view text, T& out) {
  ParseStatus worst = ParseStatus::malformed;
  for (const TimeFormat& format : formats) {
    const ParseStatus status = format.parse(text, out);
    if (status == ParseStatus::ok) return status;
    if (worst == ParseStatus::malformed) worst = status;
  }
  if (text == "infinity") return out = std::numeric_limits<T>::max(), ParseStatus::ok;
  if (text == "-infinity") return out = -std::numeric_limits<T>::max(), ParseStatus::ok;
  return worst;
}

// What a writer writes dates and timestamps by; where there is no format, as ISO 8601.
struct TimeFormats {
  std::optional<TimeFormat> date;
  std::optional<TimeFormat> timestamp;  // of timestamptz too
  bool empty() const { return !date && !timestamp; }
  const TimeFormat* of(Type type) const;  // nullptr: none
};

// Errors: config, when a format has a zone and a column of `type` has none. `key`: of the format.
Result<void> check_zone(const TimeFormat& format, const Field& field, std::string_view key);

// Writes the value of a date, timestamp or timestamptz column by the format; infinities as words.
char* write_time_by(const TimeFormat& format, char* out, Type type, const void* value);

}  // namespace tranche
