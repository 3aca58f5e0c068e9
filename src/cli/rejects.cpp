#include <array>

#include <fmt/format.h>

#include <tranche/api/inspect.h>

#include "base/text.h"
#include "cli/command.h"
#include "cli/operands.h"
#include "cli/output.h"

namespace tranche {
namespace {

constexpr std::array reject_columns{"run",    "step",   "batch",     "record", "source",
                                    "line",   "offset", "phase",     "error",  "attempts",
                                    "signal", "raw",    "raw_base64"};

void append_csv_field(std::string& out, const std::string& text) {
  if (text.find_first_of("\",\r\n") == std::string::npos) {
    out += text;
    return;
  }
  out += '"';
  for (const char c : text) {
    if (c == '"') out += '"';
    out += c;
  }
  out += '"';
}

Result<std::string> as_csv(const std::string& json_line) {
  TRANCHE_ASSIGN(const Json reject, Json::parse(json_line));
  std::string out;
  for (const char* column : reject_columns) {
    if (column != reject_columns.front()) out += ',';
    const Json& value = reject[column];
    if (!value.is_null()) append_csv_field(out, value.is_string() ? value.text() : value.dump());
  }
  return out + "\n";
}

std::string csv_header() {
  std::string out;
  for (const char* column : reject_columns) out += (out.empty() ? "" : ",") + std::string(column);
  return out + "\n";
}

int act(const Invocation& invocation) {
  const std::string format = invocation.value("--format", "jsonl");
  if (format != "jsonl" && format != "csv")
    return fail(invocation,
                make_error(ErrorKind::usage,
                           fmt::format("--format {}: jsonl or csv was expected", excerpt(format))));
  const auto named = take_run(invocation);
  if (!named) return fail(invocation, named.error());
  const bool is_csv = format == "csv";
  if (is_csv) {
    if (const int code = finish(csv_header()); code != 0) return code;
  }
  const auto take = [is_csv](const std::string& line) -> Result<void> {
    if (!is_csv) return write_data(line + "\n");
    TRANCHE_ASSIGN(const std::string row, as_csv(line));
    return write_data(row);
  };
  const auto count =
      for_each_reject(named->state, named->info.run, invocation.has("--published"), take);
  if (count) return exit_completed;
  if (count.error().kind == ErrorKind::stopped) return exit_completed;  // `| head` is no failure
  return fail(invocation, count.error());
}

}  // namespace

Command rejects_command() {
  Command made;
  made.name = "rejects";
  made.group = "Look";
  made.summary = "prints the bad records of a run, with place and reason";
  made.detail =
      "One JSON object a line: run, step, batch, record, source, line, offset, phase, error, "
      "attempts, signal, raw (raw_base64 where the bytes are not UTF-8). Those of the attempt "
      "that ended a failed run come last.";
  made.operand = Operand::optional_run;
  made.flags = {{"--format", "FORMAT", "jsonl (the default) or csv"},
                {"--published", "", "only those of committed batches"},
                run_flags().front()};
  made.examples = {{"rejects last | head -3", "the first ones of the latest run"},
                   {"rejects last --format csv > rejects.csv", "for a spreadsheet"},
                   {"rejects last | jq -r .raw", "the records as they stood in the input"}};
  made.act = act;
  return made;
}

}  // namespace tranche
