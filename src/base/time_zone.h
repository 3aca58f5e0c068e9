// Time zones of the system's database (/usr/share/zoneinfo): what a local clock shows at an
// instant. Nothing is downloaded.
//
// The files are read here (RFC 8536), since of the libraries at hand none reads their last line,
// the rule for all time behind the changes that a file lists: daylight saving would end with 2037,
// or years ago where the files are the short ones.
//
// Threads: immutable, thread-safe. Lifetime: a value type.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include <tranche/base/result.h>

namespace tranche {

class TimeZone {
 public:
  // By its name in the database, as in "Europe/Berlin"; empty: UTC. Errors: config, with the
  // nearest name where there is one.
  static Result<TimeZone> find(std::string_view name);

  // Seconds since 1970-01-01 00:00:00 UTC, half-open, in which local clocks are `offset_seconds`
  // ahead of UTC. The span beside it may have the same offset.
  struct Span {
    std::int64_t begin_seconds = INT64_MIN;
    std::int64_t end_seconds = INT64_MAX;
    std::int64_t offset_seconds = 0;
  };
  // REQUIRES an instant in the years -9999 to 19999.
  Span span_at(std::int64_t utc_seconds) const;
  // The first instant at which a local clock shows these seconds since 1970-01-01 00:00:00, or
  // later ones where it never shows them; the first of two where it shows them twice.
  std::int64_t first_instant(std::int64_t local_seconds) const;
  const std::string& name() const { return name_; }

 private:
  struct Rules;
  std::string name_;
  std::shared_ptr<const Rules> rules_;  // nullptr: UTC
};

}  // namespace tranche
