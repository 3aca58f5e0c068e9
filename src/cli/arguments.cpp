#include "cli/arguments.h"

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

#include <fmt/format.h>

#include "base/text.h"

namespace tranche {
namespace {

Error unknown_option(const Command& command, const std::string& word) {
  const std::string name = word.substr(0, word.find('='));
  std::vector<std::string> known{"--help"};
  for (const Flag& flag : command.flags) known.push_back(flag.name);
  const auto near = nearest(name, known);
  return make_error(ErrorKind::usage,
                    near ? fmt::format("\"{}\" has no option {}; did you mean {}?", command.name,
                                       excerpt(name), *near)
                         : fmt::format("\"{}\" has no option {}; \"tranche help {}\" lists its "
                                       "options",
                                       command.name, excerpt(name), command.name));
}

Error needs_value(const Flag& flag) {
  return make_error(ErrorKind::usage, fmt::format("The option {0} needs a value, as in {0} {1}",
                                                  flag.name, flag.value));
}

// The library names the option in its message; a person needs to hear what the option takes.
Error explain(const Command& command, const CLI::ParseError& error) {
  const std::string said = error.what();
  for (const Flag& flag : command.flags) {
    if (said.find(flag.name) == std::string::npos) continue;
    if (!flag.value.empty()) return needs_value(flag);
    return make_error(ErrorKind::usage, fmt::format("The option {} takes no value", flag.name));
  }
  return make_error(ErrorKind::usage, excerpt(said, 200));
}

std::size_t operands_max(Operand operand) {
  switch (operand) {
    case Operand::files:
    case Operand::jobs:
      return SIZE_MAX;
    case Operand::none:
      return 0;
    case Operand::folder:  // a kind before it
    case Operand::run_or_backup:
    case Operand::database_and_folder:
    case Operand::folder_and_database:
    case Operand::two_databases:
      return 2;
    default:
      return 1;
  }
}

Result<void> check_operands(const Command& command, const Invocation& made) {
  for (const std::string& word : made.positionals)
    if (word.size() > 1 && word[0] == '-') return unknown_option(command, word);
  if (made.positionals.size() > operands_max(command.operand)) {
    const std::string& extra = made.positionals[operands_max(command.operand)];
    return make_error(ErrorKind::usage,
                      command.operand == Operand::none
                          ? fmt::format("\"{}\" takes no argument, and \"{}\" was given",
                                        command.name, excerpt(extra))
                          : fmt::format("\"{}\" takes {}{}, and \"{}\" was given too", command.name,
                                        operands_max(command.operand) == 1 ? "one " : "",
                                        operand_name(command.operand), excerpt(extra)));
  }
  return {};
}

}  // namespace

std::string operand_name(Operand operand) {
  switch (operand) {
    case Operand::job:
      return "JOB";
    case Operand::jobs:
      return "JOB...";
    case Operand::run:
    case Operand::optional_run:
      return "RUN";
    case Operand::topic:
      return "TOPIC";
    case Operand::files:
      return "FILE...";
    case Operand::folder:
      return "FOLDER";
    case Operand::shell:
      return "SHELL";
    case Operand::run_or_backup:
      return "RUN | DIR";
    case Operand::database_and_folder:
      return "SOURCE DIR";
    case Operand::folder_and_database:
      return "DIR TARGET";
    case Operand::two_databases:
      return "SOURCE TARGET";
    case Operand::none:
      break;
  }
  return "";
}

Result<Invocation> parse_arguments(const Command& command, std::span<const std::string> words) {
  Invocation made;
  made.words.assign(words.begin(), words.end());
  try {
    CLI::App app;
    app.set_help_flag();
    app.allow_extras();
    std::map<std::string, std::vector<std::string>> values;
    std::map<std::string, bool> switches;
    for (const Flag& flag : command.flags) {
      if (flag.value.empty()) {
        app.add_flag(flag.name, switches[flag.name]);
        continue;
      }
      CLI::Option* option = app.add_option(flag.name, values[flag.name]);
      option->type_size(1)->expected(1)->allow_extra_args(false);
      option->multi_option_policy(flag.repeats ? CLI::MultiOptionPolicy::TakeAll
                                               : CLI::MultiOptionPolicy::TakeLast);
    }
    // The library takes them from the end.
    std::vector<std::string> reversed(words.rbegin(), words.rend());
    if (!reversed.empty()) reversed.pop_back();
    app.parse(std::move(reversed));
    made.positionals = app.remaining();
    for (const Flag& flag : command.flags) {
      const auto given = values.find(flag.name);
      if (given == values.end() || given->second.empty()) continue;
      if (std::count(given->second.begin(), given->second.end(), "") > 0) return needs_value(flag);
      made.values.emplace(flag.name, std::move(given->second));
    }
    for (const auto& [name, is_on] : switches)
      if (is_on) made.values.emplace(name, std::vector<std::string>{});
  } catch (const CLI::ParseError& error) {
    return explain(command, error);
  } catch (const std::exception& error) {
    return make_error(ErrorKind::usage, excerpt(error.what(), 200));
  }
  TRANCHE_TRY(check_operands(command, made));
  return made;
}

}  // namespace tranche
