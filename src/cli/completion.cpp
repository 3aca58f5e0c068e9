#include <array>
#include <string_view>

#include <fmt/format.h>

#include "base/text.h"
#include "cli/command.h"
#include "cli/help.h"
#include "cli/output.h"

namespace tranche {
namespace {

std::string names_of_commands() {
  std::vector<std::string> names;
  for (const Command& command : commands()) names.push_back(command.name);
  return join(names, " ");
}

std::string names_of_flags(const Command& command) {
  std::vector<std::string> names;
  for (const Flag& flag : command.flags) names.push_back(flag.name);
  return join(names, " ");
}

// The words that can stand where a command takes an operand; empty: files.
std::string operands_of(const Command& command) {
  switch (command.operand) {
    case Operand::topic:
      return join(help_topics(), " ");
    case Operand::folder:
      return "plugin";
    case Operand::shell:
      return "bash zsh fish";
    case Operand::run:
    case Operand::optional_run:
    case Operand::run_or_backup:
      return "last";
    default:
      return "";
  }
}

bool takes_files(const Command& command) {
  return command.operand == Operand::job || command.operand == Operand::jobs ||
         command.operand == Operand::files || command.operand == Operand::run ||
         command.operand == Operand::optional_run || command.operand == Operand::run_or_backup ||
         command.operand == Operand::database_and_folder ||
         command.operand == Operand::folder_and_database ||
         command.operand == Operand::two_databases;
}

// In single quotes of a shell.
std::string quoted(const std::string& text) {
  std::string out = "'";
  for (const char c : text) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return out + "'";
}

std::string bash_script(const std::string& program) {
  std::string cases;
  for (const Command& command : commands()) {
    cases += fmt::format("    {}) flags={} words={} files={} ;;\n", command.name,
                         quoted(names_of_flags(command)), quoted(operands_of(command)),
                         takes_files(command) ? 1 : 0);
  }
  return fmt::format(R"(# bash completion of {0}: source <({0} completion bash)
_{0}_completion() {{
  local current=${{COMP_WORDS[COMP_CWORD]}} flags words files=0
  COMPREPLY=()
  if ((COMP_CWORD == 1)); then
    mapfile -t COMPREPLY < <(compgen -W {1} -- "$current")
    return
  fi
  case ${{COMP_WORDS[1]}} in
{2}    *) return ;;
  esac
  if [[ $current == -* ]]; then
    mapfile -t COMPREPLY < <(compgen -W "$flags" -- "$current")
    return
  fi
  mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current"; ((files)) && compgen -f -- "$current")
}}
complete -o filenames -F _{0}_completion {0}
)",
                     program, quoted(names_of_commands()), cases);
}

// Within the brackets of zsh's _arguments.
std::string zsh_words(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (c == ':') out += '\\';
    out += c == '[' ? '(' : c == ']' ? ')' : c;
  }
  return out;
}

std::string zsh_script(const std::string& program) {
  std::string described;
  std::string cases;
  for (const Command& command : commands()) {
    described += fmt::format("    {}\n", quoted(command.name + ":" + zsh_words(command.summary)));
    cases += fmt::format("    {})\n      _arguments", command.name);
    for (const Flag& flag : command.flags) {
      cases +=
          " \\\n        " +
          quoted(fmt::format("{}{}[{}]{}", flag.repeats ? "*" : "", flag.name, zsh_words(flag.doc),
                             flag.value.empty() ? "" : ":" + flag.value + ":_files"));
    }
    const std::string words = operands_of(command);
    if (!words.empty() && !takes_files(command))
      cases += " \\\n        " + quoted("1:word:(" + words + ")");
    if (takes_files(command)) cases += " \\\n        '*:file:_files'";
    cases += "\n      ;;\n";
  }
  return fmt::format(R"(#compdef {0}
# zsh completion of {0}: {0} completion zsh > ~/.zfunc/_{0}
_{0}() {{
  local -a commands
  commands=(
{1}  )
  if ((CURRENT == 2)); then
    _describe command commands
    return
  fi
  shift words
  ((CURRENT--))
  case $words[1] in
{2}  esac
}}
compdef _{0} {0}
)",
                     program, described, cases);
}

std::string fish_script(const std::string& program) {
  std::string text = fmt::format(
      "# fish completion of {0}: {0} completion fish > ~/.config/fish/completions/{0}.fish\n"
      "complete -c {0} -f\n",
      program);
  for (const Command& command : commands()) {
    text += fmt::format("complete -c {} -n __fish_use_subcommand -a {} -d {}\n", program,
                        command.name, quoted(command.summary));
    const std::string here =
        fmt::format("complete -c {} -n '__fish_seen_subcommand_from {}'", program, command.name);
    for (const Flag& flag : command.flags) {
      const bool is_long = flag.name.starts_with("--");
      text += fmt::format("{} -{} {}{} -d {}\n", here, is_long ? "l" : "s",
                          flag.name.substr(is_long ? 2 : 1), flag.value.empty() ? "" : " -r -F",
                          quoted(flag.doc));
    }
    if (const std::string words = operands_of(command); !words.empty())
      text += fmt::format("{} -a {}\n", here, quoted(words));
    if (takes_files(command)) text += here + " -F\n";
  }
  return text;
}

int act(const Invocation& invocation) {
  const std::string shell =
      invocation.positionals.empty() ? std::string() : invocation.positionals.front();
  const std::string program = invocation.called();
  if (shell == "bash") return finish(bash_script(program));
  if (shell == "zsh") return finish(zsh_script(program));
  if (shell == "fish") return finish(fish_script(program));
  return fail(invocation,
              make_error(ErrorKind::usage,
                         shell.empty()
                             ? std::string("Name the shell: bash, zsh or fish.")
                             : fmt::format("There is no completion for \"{}\"; there is for bash, "
                                           "zsh and fish.",
                                           excerpt(shell))));
}

}  // namespace

Command completion_command() {
  Command made;
  made.name = "completion";
  made.group = "Help";
  made.summary = "prints what a shell needs to complete commands and options";
  made.operand = Operand::shell;
  made.examples = {{"completion bash", "source <(tranche completion bash)"},
                   {"completion zsh", "into a file _tranche of a folder in $fpath"},
                   {"completion fish", "into ~/.config/fish/completions/tranche.fish"}};
  made.act = act;
  return made;
}

}  // namespace tranche
