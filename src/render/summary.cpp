#include "render/summary.h"

#include <fmt/format.h>

#include "base/json.h"
#include "base/text.h"

namespace tranche {
namespace {

using Align = TextTable::Align;

struct Headline {
  std::string_view sign;
  std::string_view verb;
  Colour colour;
};

Headline headline(RunState state) {
  switch (state) {
    case RunState::completed:
      return {"✓ ", "completed in", Colour::green};
    case RunState::failed:
      return {"✗ ", "failed after", Colour::red};
    case RunState::stopped:
      return {"■ ", "stopped after", Colour::yellow};
    case RunState::abandoned:
      return {"■ ", "was abandoned after", Colour::yellow};
    case RunState::running:
      return {"", "runs for", Colour::none};
  }
  return {"", "", Colour::none};
}

bool counts_filtered(const StepSummary& step) {
  for (const StageCounts& stage : step.counts.stages)
    if (stage.counts_filtered) return true;
  return step.filtered > 0;
}

std::string batches_text(const StepSummary& step) {
  std::string out = format_count(step.batches);
  if (step.batches_resumed > 0)
    out += fmt::format(" ({} earlier)", format_count(step.batches_resumed));
  return out;
}

// Only where all was done in this process: the rate of a resumed step is not known.
std::string rate_text(const StepSummary& step) {
  if (step.batches_resumed > 0 || step.seconds < 0.001 || step.counts.read == 0) return {};
  const double rate = static_cast<double>(step.counts.read) / step.seconds;
  return format_count(static_cast<std::uint64_t>(rate)) + " rows/s";
}

std::string steps_table(const RunSummary& summary, const Look& look) {
  const bool has_filtered =
      std::any_of(summary.steps.begin(), summary.steps.end(), counts_filtered);
  std::vector<TextTable::Heading> headings{
      {"step", Align::left}, {"state", Align::left, true}, {"read", Align::right}};
  if (has_filtered) headings.push_back({"filtered", Align::right, true});
  headings.push_back({"rejected", Align::right});
  headings.push_back({"written", Align::right});
  for (const char* name : {"batches", "time", "rate"})
    headings.push_back({name, Align::right, true});
  TextTable table(std::move(headings));
  for (const StepSummary& step : summary.steps) {
    const std::uint64_t rejected = step.counts.rejected();
    const Colour state = step.state == "completed" ? Colour::green
                         : step.state == "failed"  ? Colour::red
                                                   : Colour::yellow;
    std::vector<TextTable::Cell> row{
        {step.name, Colour::bold}, {step.state, state}, {format_count(step.counts.read)}};
    if (has_filtered)
      row.push_back({counts_filtered(step) ? format_count(step.filtered) : std::string("-")});
    row.push_back({format_count(rejected), rejected > 0 ? Colour::yellow : Colour::none});
    row.push_back({format_count(step.counts.written)});
    row.push_back({batches_text(step)});
    row.push_back({format_seconds(step.seconds)});
    row.push_back({rate_text(step)});
    table.add(std::move(row));
  }
  return table.render(look, 2);
}

void append_fact(std::string& out, const Look& look, std::string_view name, std::string_view text) {
  out += "  " + paint(look, Colour::dim, pad_right(name, 12));
  out += std::string(text) + "\n";
}

std::uint64_t total_rejects(const RunSummary& summary) {
  std::uint64_t total = 0;
  for (const StepSummary& step : summary.steps) total += step.counts.rejected();
  return total;
}

std::string facts(const RunSummary& summary, const SummaryContext& context, const Look& look) {
  std::string out;
  if (summary.state == RunState::completed) {
    for (const auto& [step, path] : context.outputs)
      append_fact(out, look, "output",
                  context.outputs.size() > 1 ? fmt::format("{}  ({})", path, step) : path);
  }
  const std::uint64_t rejects = total_rejects(summary);
  if (rejects > 0 && !summary.rejects_path.empty())
    append_fact(out, look, "rejects", summary.rejects_path);
  if (rejects + context.bad_records.size() > 0 && !context.rejects_command.empty())
    append_fact(out, look, "see them", context.rejects_command);
  for (const StepSummary& step : summary.steps) {
    if (step.worker_count == 0) continue;
    std::string text = fmt::format("{} {}", step.worker_count, step.worker_kind);
    if (!step.worker_why.empty()) text += " (" + step.worker_why + ")";
    append_fact(out, look, "workers", text);
    break;  // the steps share the machine; the JSON object has each of them
  }
  if (summary.peak_memory_bytes > 0)
    append_fact(out, look, "peak memory", format_size(summary.peak_memory_bytes));
  append_fact(out, look, "run", summary.run);
  return out;
}

std::string first_line(const std::string& text) { return text.substr(0, text.find('\n')); }

std::string bad_records(const SummaryContext& context, const Look& look) {
  if (context.bad_records.empty()) return {};
  const std::uint64_t count =
      std::max<std::uint64_t>(context.bad_records_count, context.bad_records.size());
  std::string title =
      count == 1 ? "The bad record:"
      : count == context.bad_records.size()
          ? fmt::format("The {} bad records:", count)
          : fmt::format("The first {} of {} bad records:", context.bad_records.size(),
                        format_count(count));
  std::string out = "\n  " + paint(look, Colour::bold, title) + "\n";
  for (const std::string& line : context.bad_records) out += render_reject(line, look, 4);
  return out;
}

}  // namespace

std::string render_error(const Error& error, const Look& look) {
  std::string text = error.message;
  if (!error.where.empty()) text = error.where + ": " + text;
  const bool is_sentence = text.find('\n') == std::string::npos;  // below it may be records
  if (is_sentence && !text.empty() && text.find_last_of(".?!") != text.size() - 1) text += ".";
  constexpr std::size_t indent_width = 7;  // of "Error: "
  std::string out = paint(look, Colour::red, "Error:") + " ";
  if (!look.is_terminal) return out + text + "\n";
  const std::vector<std::string> lines = split(text, '\n');
  out += wrap(lines[0], look.columns - 1, indent_width) + "\n";
  for (std::size_t i = 1; i < lines.size(); ++i)
    out += fit(look, lines[i], look.columns - 1) + "\n";
  return out;
}

std::string render_reject(const std::string& json_line, const Look& look, std::size_t indent) {
  const std::string margin(indent, ' ');
  auto parsed = Json::parse(json_line);
  if (!parsed) return margin + fit(look, json_line, 200) + "\n";
  const Json& reject = *parsed;
  std::string place = reject["source"].text();
  if (const std::uint64_t line = reject["line"].natural(); line > 0)
    place += fmt::format(":{}", line);
  if (reject["offset"].natural(UINT64_MAX) != UINT64_MAX)
    place += fmt::format(" (byte {})", format_count(reject["offset"].natural()));
  if (place.empty()) place = fmt::format("record {}", format_count(reject["record"].natural()));
  const std::size_t width =
      look.is_terminal && look.columns > indent + 24 ? look.columns - indent - 4 : 160;
  std::string out = margin + paint(look, Colour::bold, place) + "  " +
                    excerpt(reject["error"].text(), 400) + "\n";
  const Json& raw = reject["raw"].is_null() ? reject["raw_base64"] : reject["raw"];
  if (!raw.text().empty())
    out += margin + "  " + paint(look, Colour::dim, fit(look, excerpt(raw.text(), width), width)) +
           "\n";
  return out;
}

std::string render_summary(const RunSummary& summary, const SummaryContext& context,
                           const Look& look) {
  std::string out = "\n";
  if (summary.already_loaded && !summary.window.empty()) {
    out += paint(look, Colour::green, look.has_unicode ? "✓ " : "") +
           fmt::format("Window {} of {} is done{}; nothing was done now.\n", summary.window,
                       paint(look, Colour::bold, summary.job),
                       summary.run.empty() ? "" : " by run " + summary.run);
    return out + "  To run it again, give --again.\n";
  }
  if (summary.already_loaded) {
    out += paint(look, Colour::green, look.has_unicode ? "✓ " : "") +
           fmt::format(
               "{} was already loaded by run {}, and nothing has changed since; nothing "
               "was done.\n",
               paint(look, Colour::bold, summary.job), summary.run);
    return out + "  To load it again, give --again.\n";
  }
  const Headline head = headline(summary.state);
  out += paint(look, head.colour, look.has_unicode ? head.sign : "") +
         paint(look, Colour::bold, summary.job) + " " + paint(look, head.colour, head.verb) + " " +
         format_seconds(summary.seconds) + "\n";
  if (summary.error) {
    Error error = *summary.error;
    // The error lists the bad records itself, for those who have nothing but its text.
    if (!context.bad_records.empty()) error.message = first_line(error.message);
    out += render_error(error, look);
  }
  for (const std::string& warning : summary.warnings)
    out += paint(look, Colour::yellow, "Warning:") + " " +
           (look.is_terminal ? wrap(warning, look.columns - 1, 9) : warning) + "\n";
  if (const std::uint64_t rejects = total_rejects(summary);
      summary.state == RunState::completed && rejects > 0)
    out += paint(look, Colour::yellow, "Warning:") + " " +
           format_number_of(rejects, "record was", "records were") +
           " rejected, within the limit.\n";
  out += bad_records(context, look);
  if (!summary.steps.empty()) out += "\n" + steps_table(summary, look);
  out += "\n" + facts(summary, context, look);
  if (!context.resume_command.empty() && summary.state != RunState::completed)
    out += "\n  To go on from the last committed batch:\n    " +
           paint(look, Colour::bold, context.resume_command) + "\n";
  return out;
}

}  // namespace tranche
