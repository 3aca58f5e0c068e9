#include "jobfile/schedule.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/text.h"
#include "core/option_value.h"
#include "jobfile/tables.h"

namespace tranche {
namespace {

// "02:00": since midnight.
std::optional<std::chrono::minutes> time_of_day(std::string_view text) {
  const std::size_t colon = text.find(':');
  if (colon == std::string_view::npos || text.size() - colon != 3) return std::nullopt;
  const auto hours = option_value::parse_count(text.substr(0, colon));
  const auto minutes = option_value::parse_count(text.substr(colon + 1));
  if (!hours || !minutes || *hours > 23 || *minutes > 59) return std::nullopt;
  return std::chrono::minutes(*hours * 60 + *minutes);
}

class ScheduleReader {
 public:
  ScheduleReader(const Node& node, Problems& problems)
      : node_(node), options_(node, schedule_options()), problems_(problems) {}

  ScheduleSpec read() {
    ScheduleSpec made;
    made.every = options_.text("every");
    made.cron = options_.text("cron");
    made.timezone = options_.text("timezone");
    made.from = options_.text("from");
    made.delay = options_.duration("delay");
    made.failures_max = static_cast<std::uint32_t>(
        std::min<std::uint64_t>(options_.count("failures_max"), UINT32_MAX));
    made.retry_delay = options_.duration("retry_delay");
    made.on_failure = options_.texts("on_failure");
    if (options_.has("at")) {
      made.at = time_of_day(options_.text("at"));
      if (!made.at) problem("at", "is no time of day; expected hours and minutes, as in \"02:00\"");
    }
    catch_up(made);
    return made;
  }

  // The key that the timetable's error is about, as far as it is one alone.
  void misfit(const ScheduleSpec& made, const Error& error) {
    std::string_view key;
    if (!check_timezone(made.timezone))
      key = "timezone";
    else if (!made.cron.empty() && made.every.empty() && !made.at)
      key = "cron";
    else if (made.cron.empty() && !made.every.empty() && !parse_period(made.every))
      key = "every";
    if (error.kind == ErrorKind::usage) key = "from";
    const Node* const given = node_.find(key);
    problems_.push_back({given == nullptr ? node_.mark : given->mark, error.message});
  }

 private:
  void catch_up(ScheduleSpec& made) {
    const std::string text = options_.text("catch_up");
    if (text == "true") return;
    made.catch_up = text == "false" ? 1 : option_value::parse_count(text);
    if (!made.catch_up || *made.catch_up == 0)
      problem("catch_up",
              "was expected to be true, false, or how many of the latest windows are run");
  }
  void problem(std::string_view key, std::string_view what) {
    problems_.push_back(
        {options_.mark(key), fmt::format("\"{}: {}\" {}", key, options_.text(key), what)});
  }

  const Node& node_;
  OptionReader options_;
  Problems& problems_;
};

}  // namespace

std::optional<ReadSchedule> read_schedule(const Node& node, Problems& problems) {
  Problems found;
  check_options(node, schedule_options(), "schedule", found);
  if (!found.empty()) return std::nullopt;
  ScheduleReader reader(node, found);
  ScheduleSpec spec = reader.read();
  if (found.empty()) {
    auto timetable = Timetable::make(spec);
    if (timetable) return ReadSchedule{std::move(spec), *std::move(timetable)};
    reader.misfit(spec, timetable.error());
  }
  problems.insert(problems.end(), found.begin(), found.end());
  return std::nullopt;
}

}  // namespace tranche
