#include "cli/move.h"

#include <algorithm>

#include <fmt/format.h>

#include "api/move.h"
#include "base/file.h"
#include "base/text.h"
#include "cli/operands.h"
#include "cli/output.h"
#include "cli/run_job.h"
#include "jobfile/write_job.h"
#include "render/moved.h"
#include "render/progress.h"
#include "render/summary.h"

namespace tranche {
namespace {

Error missing_operand(const Invocation& invocation, const char* operands, const char* example) {
  return make_error(ErrorKind::usage, fmt::format("\"{0}\" needs {1}, as in \"tranche {0} {2}\"",
                                                  invocation.words.front(), operands, example));
}

std::vector<std::string> values_of(const Invocation& invocation, const std::string& flag) {
  const auto found = invocation.values.find(flag);
  return found == invocation.values.end() ? std::vector<std::string>() : found->second;
}

Result<void> read_places(const Invocation& invocation, MoveOrder& order) {
  const auto& words = invocation.positionals;
  const auto folder = [](const std::string& word) { return fs::absolute(word).lexically_normal(); };
  switch (order.kind) {
    case MoveKind::backup: {
      if (words.size() < 2)
        return missing_operand(invocation, "a database and a folder", "sqlite:shop.db backup/");
      TRANCHE_ASSIGN(order.source, parse_database(words[0]));
      order.folder = folder(words[1]);
      return {};
    }
    case MoveKind::restore: {
      if (words.size() < 2)
        return missing_operand(invocation, "a folder and a database", "backup/ sqlite:shop.db");
      order.folder = folder(words[0]);
      TRANCHE_ASSIGN(order.target, parse_database(words[1]));
      return {};
    }
    case MoveKind::migrate:
      break;
  }
  if (words.size() < 2)
    return missing_operand(invocation, "two databases", "sqlite:shop.db duckdb:shop.duckdb");
  TRANCHE_ASSIGN(order.source, parse_database(words[0]));
  TRANCHE_ASSIGN(order.target, parse_database(words[1]));
  if (order.source.system == order.target.system && order.source.url == order.target.url)
    return make_error(ErrorKind::usage, "Source and target are the same database.");
  return {};
}

Result<MoveOrder> read_order(const Invocation& invocation, MoveKind kind) {
  MoveOrder order;
  order.kind = kind;
  TRANCHE_TRY(read_places(invocation, order));
  order.tables = values_of(invocation, "--tables");
  order.exclude = values_of(invocation, "--exclude");
  order.has_data = !invocation.has("--schema-only");
  order.has_schema = !invocation.has("--data-only");
  order.since = invocation.value("--since");
  if (!order.has_data && !order.has_schema)
    return make_error(ErrorKind::usage, "--schema-only and --data-only leave nothing; give one.");
  if (invocation.has("--cast")) {
    const std::string file = invocation.value("--cast");
    TRANCHE_ASSIGN(const std::string text, read_file(file));
    TRANCHE_ASSIGN(order.casts, parse_casts(text, file));
  }
  return order;
}

// What was typed, without passwords.
std::vector<std::string> shown_words(const Invocation& invocation) {
  std::vector<std::string> words;
  for (const std::string& word : invocation.words)
    words.push_back(quote_for_shell(url_without_password(word)));
  return words;
}

// That without what would begin anew.
std::string command_that_goes_on(const Invocation& invocation) {
  std::vector<std::string> words = shown_words(invocation);
  std::erase(words, "--fresh");
  return quote_for_shell(invocation.program) + " " + join(words, " ");
}

int write_job_file(const Invocation& invocation, const Move& move) {
  const fs::path file = invocation.value("--write-job");
  std::string head =
      fmt::format("Made of: {} {}", invocation.called(), join(shown_words(invocation), " "));
  if (!move.order().source.is_file())
    head += fmt::format("\n{} names the source.", source_variable);
  if (!move.order().target.is_file())
    head += fmt::format("\n{} names the target.", target_variable);
  const auto text = write_job(move.job(), head);
  if (!text) return fail(invocation, text.error());
  const auto written = write_file_durably(file, *text);
  if (!written) return fail(invocation, written.error());
  write_message(fmt::format("{} is written; tranche run {} does the same.\n", file.string(),
                            quote_for_shell(file.string())));
  return exit_completed;
}

// What is listed below a sentence, without what the sentence itself says already.
std::string said_once(const std::string& message) {
  const std::vector<std::string> lines = split(message, '\n');
  std::string text = lines.front();
  for (std::size_t at = 1; at < lines.size(); ++at)
    if (!lines.front().starts_with(trim(lines[at]))) text += "\n" + lines[at];
  return text;
}

// The exit code of a run that did not complete.
int say_unfinished(const Invocation& invocation, RunSummary summary) {
  if (summary.error) summary.error->message = said_once(summary.error->message);
  SummaryContext context;
  context.resume_command = command_that_goes_on(invocation);
  write_message(render_summary(summary, context, message_look()));
  const int code = summary.state == RunState::stopped ? exit_stopped : exit_failed;
  return invocation.has("--json") ? finish(summary.to_json() + "\n", code) : code;
}

int say_end(const Invocation& invocation, const Move& move, const RunSummary& summary,
            const std::vector<ComparedTable>& tables) {
  const bool is_good = are_equal(tables);
  const int code = is_good ? exit_completed : exit_failed;
  for (const std::string& warning : summary.warnings)
    write_message(paint(message_look(), Colour::yellow, "Warning: ") + warning + "\n");
  if (invocation.has("--json")) {
    Json json = move_plan_json(move);
    json.set("run", summary.run)
        .set("seconds", summary.seconds)
        .set("peak_memory_bytes", summary.peak_memory_bytes)
        .set("equal", is_good)
        .set("compared", compared_json(tables));
    return finish_json(json, code);
  }
  if (!move.order().has_data) {
    return finish(
        fmt::format("{}: the definitions of {}\n", paint(data_look(), Colour::green, "done"),
                    format_number_of(move.plan().catalog.tables.size(), "table", "tables")),
        code);
  }
  std::string out = "\n" + render_compared(tables, data_look());
  std::uint64_t rows = 0;
  for (const ComparedTable& table : tables) rows += table.rows_found;
  const std::string moved = fmt::format("{} of {}", format_number_of(rows, "row", "rows"),
                                        format_number_of(tables.size(), "table", "tables"));
  if (move.is_done_before()) {
    out += fmt::format("\n{}: {}, by run {}\n", paint(data_look(), Colour::green, "done before"),
                       moved, summary.run.substr(0, 8));
  } else {
    out += fmt::format("\n{}: {} in {}\n",
                       is_good ? paint(data_look(), Colour::green, "done")
                               : paint(data_look(), Colour::red, "not what was read"),
                       moved, format_seconds(summary.seconds));
  }
  return finish(out, code);
}

}  // namespace

std::vector<Flag> move_flags(MoveKind kind) {
  std::vector<Flag> flags{
      {"--tables", "GLOB", "only these tables, as in 'shop.*'; may be given several times", true},
      {"--exclude", "GLOB", "not these tables; may be given several times", true},
      {"--schema-only", "", "the definitions, without rows"},
      {"--data-only", "", "the rows, into tables that are there and empty"},
      {"--cast", "FILE", "other types: a line \"table.column: type\" each"},
      {"--dry-run", "", "shows what would be done, and does nothing"},
      {"--fresh", "", "gives up the unfinished one, takes back what it made, starts anew"},
      {"--workers", "W", "auto, a number, '{ threads: 4 }' or '{ processes: 4 }'"},
      {"--memory", "SIZE", "what it may hold, as in 512MiB"},
      {"--json", "", "prints one JSON object on standard output"},
  };
  if (kind == MoveKind::backup) {
    std::erase_if(flags, [](const Flag& flag) { return flag.name == "--data-only"; });
    flags.insert(flags.begin() + 3,
                 {"--since", "COLUMN",
                  "tables that have it: the next backup adds what is behind its last value"});
  } else {
    flags.push_back({"--state", "DIR",
                     "keeps its state in DIR; default: TRANCHE_STATE, or "
                     "./.tranche"});
  }
  if (kind != MoveKind::restore)
    flags.insert(flags.end() - 1,
                 {"--accept", "snapshot", "goes on although the source was written to since"});
  if (kind == MoveKind::migrate)
    flags.insert(flags.end() - 1, {"--write-job", "FILE",
                                   "writes the job file that does the same, and does nothing"});
  return flags;
}

int move_rows(const Invocation& invocation, MoveKind kind) {
  const auto options = read_run_options(invocation);
  if (!options) return fail(invocation, options.error());
  auto order = read_order(invocation, kind);
  if (!order) return fail(invocation, order.error());
  auto move = Move::prepare(*std::move(order), *options);
  if (!move) return fail(invocation, move.error());
  const bool is_dry = invocation.has("--dry-run");
  if (is_dry && invocation.has("--json")) return finish_json(move_plan_json(*move));
  if (is_dry) return finish(render_move_plan(*move, true, data_look()));
  if (invocation.has("--write-job")) return write_job_file(invocation, *move);
  write_message(render_move_plan(*move, false, message_look()));
  auto view = make_progress_view(write_message, [] { return message_look(); });
  const auto ended = move->run(view.get());
  view.reset();
  if (!ended) return fail(invocation, ended.error());
  if (ended->state != RunState::completed) return say_unfinished(invocation, *ended);
  const auto compared = move->compare(*ended);
  if (!compared) return fail(invocation, compared.error());
  return say_end(invocation, *move, *ended, *compared);
}

}  // namespace tranche
