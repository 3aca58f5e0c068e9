#include "cli/flag_values.h"

#include <algorithm>
#include <charconv>

#include <fmt/format.h>

#include "base/text.h"

namespace tranche {

std::vector<Flag> range_flags() {
  return {{"--from", "TIME", "windows that begin then or later; default: all of the schedule's"},
          {"--to", "TIME",
           "windows that are over by then, as in 2026-02-01 for January; default: "
           "now"}};
}

Result<TimeWindow> take_range(const Invocation& invocation, const Timetable& timetable,
                              std::int64_t now) {
  const auto latest = timetable.latest_due(now);
  TimeWindow range{timetable.first().begin, latest ? latest->end : timetable.first().begin};
  if (invocation.has("--from")) {
    TRANCHE_ASSIGN(const std::int64_t from, timetable.instant_of(invocation.value("--from")));
    range.begin = std::max(range.begin, from);
  }
  if (invocation.has("--to")) {
    TRANCHE_ASSIGN(const std::int64_t to, timetable.instant_of(invocation.value("--to")));
    range.end = std::min(range.end, to);
    if (to <= range.begin)
      return make_error(
          ErrorKind::usage,
          fmt::format("--to {} is not behind the beginning, {}; --to says by when the "
                      "windows are over, so January ends with --to 2026-02-01",
                      excerpt(invocation.value("--to")),
                      *timetable.value_text(range.begin, Type{TypeId::varchar})));
  }
  return range;
}

Result<std::size_t> take_number(const Invocation& invocation, const std::string& flag,
                                std::size_t otherwise) {
  if (!invocation.has(flag)) return otherwise;
  const std::string text = invocation.value(flag);
  std::size_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error == std::errc() && end == text.data() + text.size() && number > 0) return number;
  return make_error(ErrorKind::usage,
                    fmt::format("{} {}: a number from 1 on was expected", flag, excerpt(text)));
}

}  // namespace tranche
