#include "cli/help.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "base/text.h"
#include "cli/arguments.h"
#include "cli/output.h"
#include "render/reference.h"

namespace tranche {
namespace {

constexpr std::size_t page_columns = 80;
// Each kind of transform, by its key in a job file.
struct TransformTopic {
  std::string_view name;
  const OptionTable& (*options)();
};
constexpr std::array<TransformTopic, 4> transform_topics{{{"sql", sql_options},
                                                          {"command", command_options},
                                                          {"plugin", plugin_options},
                                                          {"http", http_options}}};
constexpr std::array<std::string_view, 5> command_groups{"Prepare", "Work", "Move", "Look", "Help"};

// An example of a program that is one job goes without the job file.
std::string example_text(std::string text, bool has_own_job) {
  const std::size_t at = text.find(" sales.yaml");
  if (has_own_job && at != std::string::npos) text.erase(at, 11);
  return text;
}

std::string paragraphs(const std::string& text) {
  std::string out;
  for (const std::string& line : split(text, '\n'))
    out += (line.starts_with("  ") ? line : wrap(line, page_columns, 0)) + "\n";
  return out;
}

int act(const Invocation& invocation) {
  const bool has_own_job = invocation.own_job != nullptr;
  if (invocation.positionals.empty())
    return finish(overview(invocation.called(), has_own_job, data_look()));
  const std::string& topic = invocation.positionals.front();
  if (const Command* command = find_command(topic))
    return finish(command_page(*command, invocation.called(), has_own_job, data_look()));
  std::string page;  // of a system, of a transform, or of what is both
  if (const Connector* connector = find_connector(topic))
    page = render_connector(*connector, data_look());
  for (const TransformTopic& transform : transform_topics) {
    if (topic != transform.name) continue;
    if (!page.empty()) page += '\n';
    page +=
        paint(data_look(), Colour::bold, fmt::format("process: [{{ {}: ... }}]", transform.name)) +
        "\n" + render_options(transform.options(), data_look());
  }
  if (!page.empty()) return finish(page);
  const std::vector<std::string> known = help_topics();
  const auto near = nearest(topic, known);
  return fail(invocation,
              make_error(ErrorKind::usage,
                         near ? fmt::format("There is no help on \"{}\"; did you mean \"{}\"?",
                                            excerpt(topic), *near)
                              : fmt::format("There is no help on \"{}\"; there is on {}",
                                            excerpt(topic), join(known, ", "))));
}

}  // namespace

std::string operand_text(const Command& command, bool has_own_job) {
  const std::string name = operand_name(command.operand);
  const bool may_be_left_out =
      command.operand == Operand::optional_run || command.operand == Operand::run_or_backup ||
      command.operand == Operand::topic || (command.operand == Operand::run && has_own_job);
  const bool is_job = command.operand == Operand::job || command.operand == Operand::jobs;
  if (name.empty() || (is_job && has_own_job)) return "";
  return may_be_left_out ? " [" + name + "]" : " " + name;
}

std::vector<std::string> help_topics() {
  std::vector<std::string> names;
  for (const Command& command : commands()) names.push_back(command.name);
  for (const Connector& connector : connectors()) names.push_back(connector.name);
  for (const TransformTopic& transform : transform_topics)
    if (find_connector(transform.name) == nullptr) names.emplace_back(transform.name);
  return names;
}

std::span<const std::pair<int, std::string_view>> exit_codes() {
  static constexpr std::array<std::pair<int, std::string_view>, 5> codes{{
      {exit_completed, "completed"},
      {exit_failed, "failed"},
      {exit_usage, "usage, or not begun"},
      {exit_stopped, "stopped"},
      {exit_busy, "busy"},
  }};
  return codes;
}

std::string overview(const std::string& program, bool has_own_job, const Look& look) {
  const std::string job = has_own_job ? "" : " JOB";
  std::string out = has_own_job
                        ? fmt::format("{} is a batch job made with Tranche.\n\n", program)
                        : std::string(
                              "Tranche runs batch jobs: it divides large data, commits every "
                              "batch exactly\nonce, keeps bad records apart, and goes on where "
                              "it was interrupted.\n\n");
  out += paint(look, Colour::bold, "Usage") + fmt::format("  {} COMMAND [OPTIONS]\n", program);
  for (const std::string_view group : command_groups) {
    if (has_own_job && group == "Move") continue;  // which is no business of a job
    out += "\n" + paint(look, Colour::bold, group) + "\n";
    for (const Command& command : commands()) {
      if (command.group != group) continue;
      const std::string usage = command.name + operand_text(command, has_own_job);
      const std::string gap = usage.size() < 21 ? "" : " ";
      out += "  " + pad_right(usage, 21) + gap + wrap(command.summary, page_columns, 23) + "\n";
    }
  }
  out += "\n" + paint(look, Colour::bold, "Examples") + "\n";
  const std::string file = has_own_job ? "" : " sales.yaml";
  for (const auto& [command, doc] :
       {std::pair<std::string, std::string>("check" + file, "every error in it, at once"),
        {"run" + file, "runs it; the same again goes on after a failure"},
        {"status", "how far it is"},
        {"rejects last", "its bad records, with place and reason"}})
    out += "  " + pad_right(program + " " + command, 28) + paint(look, Colour::dim, doc) + "\n";
  if (!has_own_job)
    out +=
        "\nJOB is a job file (YAML). RUN is the id of a run or its beginning, a job's name\n"
        "(its latest run), a job file, or \"last\". SOURCE and TARGET are databases:\n"
        "postgresql://user@host/database, sqlite:file, duckdb:file.\n";
  out += wrap(fmt::format("\"{0} help run\" explains a command, \"{0} help csv\" the options of "
                          "a system.",
                          program),
              page_columns, 0) +
         "\n";
  std::vector<std::string> codes;
  for (const auto& [code, meaning] : exit_codes())
    codes.push_back(fmt::format("{} {}", code, meaning));
  out += "\nExit codes: " + join(codes, ", ") + ".\n";
  return out;
}

std::string command_page(const Command& command, const std::string& program, bool has_own_job,
                         const Look& look) {
  std::string out =
      paint(look, Colour::bold, "Usage") + fmt::format("  {} {}{}{}\n\n", program, command.name,
                                                       operand_text(command, has_own_job),
                                                       command.flags.empty() ? "" : " [OPTIONS]");
  std::string summary = command.summary;
  if (summary[0] >= 'a' && summary[0] <= 'z') summary[0] = static_cast<char>(summary[0] - 32);
  out += wrap(summary + ".", page_columns, 0) + "\n";
  if (!command.detail.empty()) out += "\n" + paragraphs(command.detail);
  if (!command.flags.empty()) {
    out += "\n" + paint(look, Colour::bold, "Options") + "\n";
    for (const Flag& flag : command.flags) {
      const std::string usage = flag.value.empty() ? flag.name : flag.name + " " + flag.value;
      out += "  " + pad_right(usage, 20) + wrap(flag.doc, page_columns, 22) + "\n";
    }
  }
  out += "\n" + paint(look, Colour::bold, "Examples") + "\n";
  for (const Example& example : command.examples) {
    out += "  " + program + " " + example_text(example.command, has_own_job) + "\n";
    if (!example.doc.empty()) out += "      " + paint(look, Colour::dim, example.doc) + "\n";
  }
  return out;
}

Command help_command() {
  Command made;
  made.name = "help";
  made.group = "Help";
  made.summary = "explains a command, or the options of a system such as csv";
  made.operand = Operand::topic;
  made.examples = {{"help run", "a command"},
                   {"help csv", "a system to read from or write to"},
                   {"help sql", "the SQL transform"},
                   {"help command", "programs as business logic"},
                   {"help plugin", "functions of shared objects"}};
  made.act = act;
  return made;
}

}  // namespace tranche
