#include "schedule/windows.h"

#include <algorithm>
#include <array>
#include <deque>
#include <map>
#include <utility>

#include <fmt/format.h>

#include <tranche/api/inspect.h>

#include "base/clock.h"
#include "base/text.h"
#include "cli/command.h"
#include "cli/operands.h"
#include "cli/output.h"
#include "cli/flag_values.h"

namespace tranche {
namespace {

constexpr std::size_t windows_shown = 20;
// Without --all: years of minutes are more than anybody waits for.
constexpr std::size_t windows_looked_at_max = 10'000;
constexpr std::size_t windows_a_table = 1'000;  // of --all, which is told as it is found
constexpr double microseconds_a_second = 1e6;

// In the order in which they are told.
constexpr std::array<std::pair<std::string_view, Colour>, 7> window_states{{
    {"done", Colour::green},
    {"running", Colour::blue},
    {"failed", Colour::red},
    {"stopped", Colour::yellow},
    {"interrupted", Colour::yellow},
    {"missing", Colour::yellow},
    {"skipped", Colour::dim},
}};

Colour colour_of(const std::string& state) {
  const auto found = std::find_if(window_states.begin(), window_states.end(),
                                  [&](const auto& one) { return one.first == state; });
  return found == window_states.end() ? Colour::none : found->second;
}

using StateCounts = std::map<std::string, std::size_t, std::less<>>;

std::string counts_text(const StateCounts& found, const Look& look) {
  std::vector<std::string> counts;
  std::size_t all = 0;
  for (const auto& [state, colour] : window_states) {
    const auto count = found.find(state);
    if (count == found.end()) continue;
    all += count->second;
    counts.push_back(paint(look, colour, fmt::format("{} {}", format_count(count->second), state)));
  }
  return format_number_of(all, "window", "windows") +
         (counts.empty() ? "" : ": " + join(counts, ", "));
}

std::string next_text(const Timetable& timetable, const Agenda& agenda, std::int64_t now) {
  const auto latest = timetable.latest_due(now);
  const TimeWindow next = latest ? timetable.behind(*latest) : timetable.first();
  const auto when = timetable.value_text(agenda.next_due(now), Type{TypeId::varchar});
  return fmt::format("The next window, {}, is run at {}.", timetable.name_of(next), *when);
}

std::string render_windows(std::span<const WindowInfo> shown, const Look& look) {
  TextTable table({{"window", TextTable::Align::left},
                   {"state", TextTable::Align::left},
                   {"run", TextTable::Align::left},
                   {"time", TextTable::Align::right, true},
                   {"error", TextTable::Align::left, true}});
  for (const WindowInfo& window : shown) {
    const bool has_ended = window.ended_microseconds != 0;
    table.add({{window.name, Colour::bold},
               {window.state, colour_of(window.state)},
               {window.run.empty() ? "-" : window.run.substr(0, 8)},
               {has_ended ? format_seconds(static_cast<double>(window.ended_microseconds -
                                                               window.started_microseconds) /
                                           microseconds_a_second)
                          : "-",
                Colour::dim},
               {window.error.substr(0, window.error.find('\n')), Colour::dim}});
  }
  return table.render(look, 0, 60);
}

Json window_json(const Timetable& timetable, const WindowInfo& window) {
  Json one;
  one.set("window", window.name).set("state", window.state);
  const Type instant{TypeId::timestamptz};
  one.set("start", *timetable.value_text(window.times.begin, instant));
  one.set("end", *timetable.value_text(window.times.end, instant));
  one.set("run", window.run.empty() ? Json() : Json(window.run));
  one.set("error", window.error.empty() ? Json() : Json(window.error));
  return one;
}

// What of the windows is looked at, and told of.
struct Wanted {
  TimeWindow range;
  std::string earlier;  // the name of the first that is looked at, where there are others before it
  std::string only;     // a state; empty: all
  bool all = false;
  std::int64_t now = 0;

  bool shows(const WindowInfo& window) const { return only.empty() || window.state == only; }
};

Result<void> tell_json(const JobSpec& job, const fs::path& state, const Timetable& timetable,
                       const Wanted& wanted) {
  Json head = Json().set("job", job.name);
  if (!wanted.earlier.empty()) head.set("looked_at_from", wanted.earlier);
  std::string text = head.dump();
  text.back() = ',';
  TRANCHE_TRY(write_data(text + "\"windows\":["));
  bool is_first = true;
  TRANCHE_TRY(for_each_window(state, job, wanted.range.begin, wanted.range.end, wanted.now,
                              [&](const WindowInfo& window) -> Result<void> {
                                if (!wanted.shows(window)) return {};
                                const char* const comma = std::exchange(is_first, false) ? "" : ",";
                                return write_data(comma + window_json(timetable, window).dump());
                              }));
  return write_data("]}\n");
}

Result<void> tell_table(const JobSpec& job, const fs::path& state, const Wanted& wanted) {
  const Look& look = data_look();
  StateCounts counts;
  std::deque<WindowInfo> shown;  // --all: those that are not told yet, else the latest
  std::size_t left_out = 0;
  const auto tell = [&]() -> Result<void> {
    const std::vector<WindowInfo> rows(shown.begin(), shown.end());
    shown.clear();
    return rows.empty() ? Result<void>() : write_data(render_windows(rows, look) + "\n");
  };
  TRANCHE_TRY(for_each_window(state, job, wanted.range.begin, wanted.range.end, wanted.now,
                              [&](WindowInfo window) -> Result<void> {
                                ++counts[window.state];
                                if (!wanted.shows(window)) return {};
                                shown.push_back(std::move(window));
                                if (wanted.all)
                                  return shown.size() < windows_a_table ? Result<void>() : tell();
                                if (shown.size() <= windows_shown) return {};
                                shown.pop_front();
                                ++left_out;
                                return {};
                              }));
  if (!wanted.earlier.empty())
    TRANCHE_TRY(write_data(paint(
        look, Colour::dim,
        fmt::format("... those before {} were not looked at; --all does, or --from and --to\n",
                    wanted.earlier))));
  if (left_out > 0)
    TRANCHE_TRY(write_data(
        paint(look, Colour::dim,
              fmt::format("... {} before them; --all shows them too\n", format_count(left_out)))));
  TRANCHE_TRY(tell());
  return write_data(paint(look, Colour::bold, job.name) + "  " + counts_text(counts, look) + "\n");
}

int act(const Invocation& invocation) {
  const auto job = take_job(invocation);
  if (!job) return exit_usage;
  if (!job->schedule) return fail(invocation, no_schedule("\"windows\"", job->name));
  Wanted wanted;
  wanted.now = system_clock().now_microseconds();
  const Agenda agenda = agenda_of(*job);
  const Timetable& timetable = agenda.timetable();
  const auto range = take_range(invocation, timetable, wanted.now);
  if (!range) return fail(invocation, range.error());
  wanted.range = *range;
  wanted.only = invocation.value("--only");
  wanted.all = invocation.has("--all");
  const bool is_state = std::any_of(window_states.begin(), window_states.end(),
                                    [&](const auto& one) { return one.first == wanted.only; });
  if (!wanted.only.empty() && !is_state)
    return fail(invocation,
                make_error(ErrorKind::usage,
                           fmt::format("--only {}: done, running, failed, stopped, interrupted, "
                                       "missing or skipped was expected",
                                       excerpt(wanted.only))));
  const std::int64_t begin =
      wanted.all ? range->begin
                 : begin_of_latest(timetable, range->begin, range->end, windows_looked_at_max);
  if (begin > range->begin) {
    wanted.range.begin = begin;
    wanted.earlier = timetable.name_of(timetable.window_of(begin));
  }
  const fs::path state = state_folder(invocation.value("--state"), job->base);
  const auto told = invocation.has("--json") ? tell_json(*job, state, timetable, wanted)
                                             : tell_table(*job, state, wanted);
  if (!told && told.error().kind == ErrorKind::stopped) return exit_completed;  // `| head`
  if (!told) return fail(invocation, told.error());
  if (invocation.has("--json")) return exit_completed;
  return finish(next_text(timetable, agenda, wanted.now) + "\n");
}

}  // namespace

Command windows_command() {
  Command made;
  made.name = "windows";
  made.group = "Look";
  made.summary = "shows which windows of a scheduled job are done, missing or failed";
  made.detail =
      "Those that are due by now, the latest last. \"missing\" has not been run, or was given up; "
      "\"interrupted\" is gone on with by the next run; \"skipped\" was missed, and the schedule's "
      "catch_up leaves it out.";
  made.operand = Operand::job;
  made.flags =
      flags_with(flags_with(range_flags(),
                            {{"--only", "STATE", "those alone, as in --only missing"},
                             {"--all", "", "all of them, not the latest 20 of the latest 10,000"}}),
                 job_flags());
  made.examples = {{"windows sales.yaml", "the latest windows, and how many there are"},
                   {"windows sales.yaml --only failed", "what went wrong"},
                   {"windows sales.yaml --from 2026-01-01 --to 2026-02-01 --json",
                    "those of January, for a program"}};
  made.act = act;
  return made;
}

}  // namespace tranche
