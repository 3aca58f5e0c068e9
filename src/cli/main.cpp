#include <algorithm>
#include <filesystem>

#include <fmt/format.h>

#include <tranche/tranche.h>

#include "base/process.h"
#include "base/text.h"
#include "cli/arguments.h"
#include "cli/command.h"
#include "cli/help.h"
#include "cli/output.h"

namespace tranche {
namespace {

bool asks_for_help(std::span<const std::string> words) {
  return std::any_of(words.begin(), words.end(),
                     [](const std::string& word) { return word == "--help" || word == "-h"; });
}

// As the user calls it: by its name where it was found on the path, else as it was typed.
std::string program_name(const char* typed) {
  const std::string name = typed == nullptr ? "tranche" : typed;
  return name.empty() ? "tranche" : name;
}

int unknown_command(const Invocation& invocation, const std::string& word) {
  if (word[0] == '-')
    return fail(invocation,
                make_error(ErrorKind::usage,
                           fmt::format("A command was expected before {}, as in \"{} run\"",
                                       excerpt(word), invocation.program)));
  std::vector<std::string> names;
  for (const Command& command : commands()) names.push_back(command.name);
  const auto near = nearest(word, names);
  std::string message =
      near ? fmt::format("There is no command \"{}\"; did you mean \"{}\"?", excerpt(word), *near)
           : fmt::format("There is no command \"{}\"; \"{} help\" lists the commands",
                         excerpt(word), invocation.program);
  if (!near && (word.ends_with(".yaml") || word.ends_with(".yml")))
    message = fmt::format("A command was expected before the job file, as in \"{} run {}\"",
                          invocation.program, excerpt(word));
  return fail(invocation, make_error(ErrorKind::usage, std::move(message)));
}

int dispatch(int argc, char** argv, const JobSpec* own_job) {
  Invocation start;
  start.program = program_name(argc > 0 ? argv[0] : nullptr);
  start.own_job = own_job;
  const std::vector<std::string> words(argv + std::min(argc, 1), argv + argc);
  if (words.empty()) {
    write_message(overview(start.called(), own_job != nullptr, message_look()));
    return exit_usage;
  }
  if (words[0] == "--help" || words[0] == "-h")
    return finish(overview(start.called(), own_job != nullptr, data_look()));
  const std::string name = words[0] == "--version" ? "version" : words[0];
  const Command* command = find_command(name);
  if (command == nullptr) return unknown_command(start, words[0]);
  if (asks_for_help(words))
    return finish(command_page(*command, start.called(), own_job != nullptr, data_look()));
  auto parsed = parse_arguments(*command, words);
  if (!parsed) {
    if (std::find(words.begin(), words.end(), "--json") != words.end())
      start.values.emplace("--json", std::vector<std::string>{});
    return fail(start, parsed.error());
  }
  parsed->program = start.program;
  parsed->own_job = own_job;
  if (own_job != nullptr && command->operand == Operand::job && !parsed->positionals.empty())
    return fail(*parsed, make_error(ErrorKind::usage,
                                    fmt::format("This program is the job; \"{}\" is one argument "
                                                "too many",
                                                excerpt(parsed->positionals[0]))));
  if (own_job == nullptr && command->operand == Operand::run && parsed->positionals.empty())
    return fail(*parsed, make_error(ErrorKind::usage,
                                    fmt::format("\"{0}\" needs a run, as in \"{1} {0} last\"",
                                                command->name, start.program)));
  return command->act(*parsed);
}

}  // namespace

int main(int argc, char** argv) {
  let_refused_writes_return();
  return dispatch(argc, argv, nullptr);
}

int main(int argc, char** argv, const JobSpec& job) {
  let_refused_writes_return();
  return dispatch(argc, argv, &job);
}

}  // namespace tranche
