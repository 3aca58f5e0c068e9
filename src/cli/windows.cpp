#include "schedule/windows.h"

#include <algorithm>
#include <array>

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

std::size_t count_of(std::span<const WindowInfo> windows, std::string_view state) {
  return static_cast<std::size_t>(
      std::count_if(windows.begin(), windows.end(),
                    [&](const WindowInfo& window) { return window.state == state; }));
}

std::string counts_text(std::span<const WindowInfo> windows, const Look& look) {
  std::vector<std::string> counts;
  for (const auto& [state, colour] : window_states) {
    const std::size_t count = count_of(windows, state);
    if (count > 0)
      counts.push_back(paint(look, colour, fmt::format("{} {}", format_count(count), state)));
  }
  return format_number_of(windows.size(), "window", "windows") +
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

Json windows_json(const JobSpec& job, const Timetable& timetable,
                  std::span<const WindowInfo> windows) {
  Json list{Json::Array{}};
  for (const WindowInfo& window : windows) {
    Json one;
    one.set("window", window.name).set("state", window.state);
    const Type instant{TypeId::timestamptz};
    one.set("start", *timetable.value_text(window.times.begin, instant));
    one.set("end", *timetable.value_text(window.times.end, instant));
    one.set("run", window.run.empty() ? Json() : Json(window.run));
    one.set("error", window.error.empty() ? Json() : Json(window.error));
    list.push(std::move(one));
  }
  return Json().set("job", job.name).set("windows", std::move(list));
}

int act(const Invocation& invocation) {
  const auto job = take_job(invocation);
  if (!job) return exit_usage;
  if (!job->schedule) return fail(invocation, no_schedule("\"windows\"", job->name));
  const std::int64_t now = system_clock().now_microseconds();
  const Agenda agenda = agenda_of(*job);
  const auto range = take_range(invocation, agenda.timetable(), now);
  if (!range) return fail(invocation, range.error());
  const std::string only = invocation.value("--only");
  const bool is_state = std::any_of(window_states.begin(), window_states.end(),
                                    [&](const auto& one) { return one.first == only; });
  if (!only.empty() && !is_state)
    return fail(invocation,
                make_error(ErrorKind::usage,
                           fmt::format("--only {}: done, running, failed, stopped, interrupted, "
                                       "missing or skipped was expected",
                                       excerpt(only))));
  auto windows = list_windows(state_folder(invocation.value("--state"), job->base), *job,
                              range->begin, range->end, now);
  if (!windows) return fail(invocation, windows.error());
  const Look& look = data_look();
  const std::string counts = counts_text(*windows, look);
  if (!only.empty())
    std::erase_if(*windows, [&](const WindowInfo& window) { return window.state != only; });
  if (invocation.has("--json"))
    return finish_json(windows_json(*job, agenda.timetable(), *windows));
  const bool shows_all = invocation.has("--all") || windows->size() <= windows_shown;
  const std::span<const WindowInfo> all(*windows);
  std::string out;
  if (!shows_all)
    out += paint(look, Colour::dim,
                 fmt::format("... {} before them; --all shows them too\n",
                             format_count(all.size() - windows_shown)));
  if (!all.empty()) out += render_windows(shows_all ? all : all.last(windows_shown), look) + "\n";
  out += paint(look, Colour::bold, job->name) + "  " + counts + "\n";
  return finish(out + next_text(agenda.timetable(), agenda, now) + "\n");
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
  made.flags = flags_with(
      flags_with(range_flags(), {{"--only", "STATE", "those alone, as in --only missing"},
                                 {"--all", "", "all of them, not the latest 20"}}),
      job_flags());
  made.examples = {{"windows sales.yaml", "the latest windows, and how many there are"},
                   {"windows sales.yaml --only failed", "what went wrong"},
                   {"windows sales.yaml --from 2026-01-01 --to 2026-02-01 --json",
                    "those of January, for a program"}};
  made.act = act;
  return made;
}

}  // namespace tranche
