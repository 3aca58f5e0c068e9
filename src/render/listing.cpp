#include "render/listing.h"

#include <algorithm>

#include <fmt/format.h>

#include <tranche/core/value.h>

#include "base/clock.h"
#include "base/text.h"

namespace tranche {
namespace {

using Align = TextTable::Align;

constexpr std::size_t cell_columns = 40;
constexpr double microseconds_a_second = 1e6;

Colour state_colour(const std::string& state) {
  if (state == "completed") return Colour::green;
  if (state == "failed") return Colour::red;
  if (state == "running") return Colour::blue;
  return Colour::yellow;
}

// "2026-01-31 12:34:56"
std::string moment(std::int64_t microseconds) {
  std::string text = format_utc(microseconds);
  if (text.size() > 19) text.resize(19);
  std::replace(text.begin(), text.end(), 'T', ' ');
  return text;
}

double duration_seconds(const RunInfo& run, std::int64_t now_microseconds) {
  const std::int64_t end = run.ended_microseconds != 0 ? run.ended_microseconds : now_microseconds;
  return static_cast<double>(end - run.started_microseconds) / microseconds_a_second;
}

std::uint64_t written(const RunInfo& run) {
  if (!run.summary) return run.progress.records_committed;
  std::uint64_t sum = 0;
  for (const StepSummary& step : run.summary->steps) sum += step.counts.written;
  return sum;
}

std::uint64_t rejected(const RunInfo& run) {
  if (!run.summary) return run.progress.rejects;
  std::uint64_t sum = 0;
  for (const StepSummary& step : run.summary->steps) sum += step.counts.rejected();
  return sum;
}

std::string parameters_text(const RunInfo& run) {
  std::string out = run.window ? "window=" + run.window->name : "";
  for (const auto& [name, value] : run.parameters) {
    if (run.window && (name == "window_start" || name == "window_end")) continue;
    out += (out.empty() ? "" : " ") + name + "=" + value;
  }
  return out;
}

void fact(std::string& out, const Look& look, std::string_view name, std::string_view text) {
  out += "  " + paint(look, Colour::dim, pad_right(name, 12)) + std::string(text) + "\n";
}

std::string inputs_text(std::span<const Input> inputs) {
  std::uint64_t bytes = 0;
  for (const Input& input : inputs) bytes += input.bytes;
  return fmt::format("{}, {}", format_number_of(inputs.size(), "file", "files"),
                     format_size(bytes));
}

std::string division_text(const Division& division) {
  std::string out;
  if (division.rows > 0) out += format_number_of(division.rows, "row", "rows");
  if (division.bytes > 0)
    out += (out.empty() ? "" : " or ") + format_size(division.bytes) + " of input";
  return out.empty() ? "one batch" : "batches of " + out;
}

std::string live_figures(const RunInfo& run) {
  const Progress& now = run.progress;
  std::string out = format_number_of(now.records_committed, "row", "rows") + " committed";
  if (now.bytes_total > 0)
    out += fmt::format(", {}%", std::min<std::uint64_t>(100, now.bytes * 100 / now.bytes_total));
  if (now.batches_planned > 0)
    out += fmt::format(", {} of {}{} batches", format_count(now.batches_committed),
                       format_count(now.batches_planned), now.plan_complete ? "" : "+");
  if (now.rejects > 0) out += ", " + format_number_of(now.rejects, "reject", "rejects");
  return out;
}

}  // namespace

std::string render_runs(std::span<const RunInfo> runs, std::int64_t now_microseconds,
                        const Look& look) {
  if (runs.empty()) return "There are no runs here yet.\n";
  TextTable table({{"run", Align::left},
                   {"job", Align::left},
                   {"state", Align::left},
                   {"started (UTC)", Align::right, true},
                   {"time", Align::right, true},
                   {"rows", Align::right},
                   {"rejects", Align::right},
                   {"parameters", Align::left, true}});
  for (const RunInfo& run : runs) {
    const std::uint64_t rejects = rejected(run);
    table.add(
        {{run.run.substr(0, 8)},
         {run.job, Colour::bold},
         {run.state, state_colour(run.state)},
         {moment(run.started_microseconds), Colour::dim},
         {run.state == "interrupted" ? "-"
                                     : format_seconds(duration_seconds(run, now_microseconds))},
         {format_count(written(run))},
         {format_count(rejects), rejects > 0 ? Colour::yellow : Colour::none},
         {parameters_text(run), Colour::dim}});
  }
  return table.render(look, 0, cell_columns);
}

std::string render_status(const RunInfo& run, std::int64_t now_microseconds, const Look& look) {
  std::string out = paint(look, Colour::bold, run.job) + "  " +
                    paint(look, state_colour(run.state), run.state) + "\n";
  fact(out, look, "run", run.run);
  if (!run.job_file.empty()) fact(out, look, "job file", run.job_file);
  if (!run.parameters.empty()) fact(out, look, "parameters", parameters_text(run));
  if (!run.rejects_of.empty()) fact(out, look, "rejects of", run.rejects_of);
  if (!run.rejects_retried_by.empty())
    fact(out, look, "rejects", "processed again by run " + run.rejects_retried_by);
  fact(out, look, "started", moment(run.started_microseconds) + " UTC");
  if (run.ended_microseconds != 0)
    fact(out, look, "ended", moment(run.ended_microseconds) + " UTC");
  if (run.state != "interrupted")
    fact(out, look, "time", format_seconds(duration_seconds(run, now_microseconds)));
  if (!run.step.empty() && !run.summary) fact(out, look, "step", run.step);
  if (!run.summary) fact(out, look, "so far", live_figures(run));
  if (run.alive && run.progress.memory_bytes > 0)
    fact(out, look, "memory", format_size(run.progress.memory_bytes));
  if (!run.error.empty())  // its first line; the bad records it lists are in `tranche rejects`
    fact(out, look, "error",
         paint(look, Colour::red, wrap(run.error.substr(0, run.error.find('\n')), 80, 14)));
  if (run.state == "interrupted")
    fact(out, look, "next", "its process is gone; the next \"tranche run\" of the job goes on");
  if (!run.summary || run.summary->steps.empty()) return out;
  TextTable table({{"step", Align::left},
                   {"state", Align::left},
                   {"read", Align::right},
                   {"rejected", Align::right},
                   {"written", Align::right},
                   {"batches", Align::right},
                   {"time", Align::right}});
  for (const StepSummary& step : run.summary->steps)
    table.add({{step.name, Colour::bold},
               {step.state, state_colour(step.state)},
               {format_count(step.counts.read)},
               {format_count(step.counts.rejected())},
               {format_count(step.counts.written)},
               {format_count(step.batches)},
               {format_seconds(step.seconds)}});
  return out + "\n" + table.render(look, 2, cell_columns);
}

std::string render_checks(std::span<const CheckedStep> steps, const Look& look) {
  std::string out;
  for (const CheckedStep& step : steps) {
    if (!out.empty()) out += "\n";
    out += paint(look, Colour::bold, step.step) + "  " +
           paint(look, Colour::dim,
                 step.inputs.empty() && !step.errors.empty() ? "wrong"
                 : !step.deed.empty()                        ? step.deed
                                                             : inputs_text(step.inputs)) +
           "\n";
    for (const std::string& note : step.notes) out += "  " + wrap(note, 80, 2) + "\n";
    for (const auto& [stage, schema] : step.stages) {
      if (schema == nullptr) continue;
      TextTable table({{"", Align::left}, {"", Align::left}, {"", Align::left}});
      for (const Field& field : schema->fields)
        table.add({{field.name}, {to_string(field.type)}, {field.required ? "not null" : ""}});
      // A type is shown whole: it is what people copy into their job.
      out += "  " + paint(look, Colour::dim, stage) + "\n" + table.render(look, 4);
    }
  }
  return out;
}

std::string render_plan(std::span<const PlannedStep> steps, std::size_t batches_max,
                        const Look& look) {
  std::string out;
  for (const PlannedStep& step : steps) {
    std::uint64_t records = 0;
    std::uint64_t groups = 0;
    for (const BatchPlan& batch : step.batches) {
      records += batch.records();
      groups = std::max(groups, batch.group + 1);
    }
    if (!out.empty()) out += "\n";
    if (!step.deed.empty()) {
      out += paint(look, Colour::bold, step.step) + "  " + step.deed + "\n";
      continue;
    }
    out += paint(look, Colour::bold, step.step) + "  " + inputs_text(step.inputs) + ": " +
           format_number_of(records, "record", "records") + " in " +
           format_number_of(step.batches.size(), "batch", "batches") + " and " +
           format_number_of(groups, "group", "groups") + "  " +
           paint(look, Colour::dim, division_text(step.division)) + "\n";
    TextTable table({{"batch", Align::right},
                     {"group", Align::right},
                     {"records", Align::right},
                     {"input", Align::right},
                     {"chunks", Align::right},
                     {"from", Align::left}});
    for (const BatchPlan& batch : step.batches) {
      if (batch.number >= batches_max || batch.chunks.empty()) break;
      const Slice& first = batch.chunks.front();
      std::string from = first.input < step.inputs.size() ? step.inputs[first.input].name : "";
      from += first.first_line > 0 ? fmt::format(":{}", first.first_line)
                                   : fmt::format(" row {}", format_count(first.begin));
      table.add({{format_count(batch.number)},
                 {format_count(batch.group)},
                 {format_count(batch.records())},
                 {format_size(batch.bytes())},
                 {format_count(batch.chunks.size())},
                 {std::move(from), Colour::dim}});
    }
    if (!table.empty()) out += table.render(look, 2, 60);
    if (step.batches.size() > batches_max)
      out += paint(look, Colour::dim,
                   fmt::format("  and {} more; --json lists them all\n",
                               format_count(step.batches.size() - batches_max)));
  }
  return out;
}

std::string render_preview(std::span<const PreviewStage> stages, const Look& look) {
  std::string out;
  for (const PreviewStage& stage : stages) {
    if (!out.empty()) out += "\n";
    out += paint(look, Colour::bold, stage.stage) + "  ";
    const std::size_t rows = stage.page == nullptr ? 0 : stage.page->rows();
    out += paint(look, Colour::dim, format_number_of(rows, "row", "rows"));
    if (stage.rejects > 0)
      out +=
          "  " + paint(look, Colour::yellow, format_number_of(stage.rejects, "reject", "rejects"));
    out += "\n";
    if (stage.page == nullptr) continue;
    std::vector<TextTable::Heading> headings;
    for (const Field& field : stage.page->schema().fields)
      headings.push_back({field.name, is_numeric(field.type) ? Align::right : Align::left, true});
    TextTable table(std::move(headings));
    for (std::size_t row = 0; row < rows; ++row) {
      std::vector<TextTable::Cell> cells;
      for (std::size_t i = 0; i < stage.page->column_count(); ++i) {
        const Column& column = stage.page->column(i);
        std::string text;
        if (column.is_valid(row)) append_value_text(text, column, row);
        cells.push_back(column.is_valid(row) ? TextTable::Cell{std::move(text)}
                                             : TextTable::Cell{"null", Colour::dim});
      }
      table.add(std::move(cells));
    }
    out += table.render(look, 2, cell_columns);
  }
  return out;
}

std::string render_verified(std::span<const VerifiedStep> steps, const Look& look) {
  std::string out;
  for (const VerifiedStep& step : steps) {
    const bool is_good = step.differences.empty();
    out += paint(look, is_good ? Colour::green : Colour::red,
                 look.has_unicode ? (is_good ? "✓ " : "✗ ") : (is_good ? "ok  " : "BAD "));
    out += paint(look, Colour::bold, step.step) + "  " +
           (!step.deed.empty() ? step.deed : format_number_of(step.rows, "row", "rows"));
    out += is_good ? ", as the ledger has it\n" : "\n";
    if (is_good && !step.only_counted.empty())
      out += "    " + wrap(fmt::format("Only counted: {}.", step.only_counted), 80, 4) + "\n";
    for (const std::string& difference : step.differences)
      out += "    " + wrap(difference, 80, 4) + "\n";
  }
  return out;
}

}  // namespace tranche
