#include <fmt/format.h>

#include "base/text.h"
#include "cli/command.h"
#include "cli/help.h"
#include "cli/output.h"

namespace tranche {
namespace {

// Text as troff takes it (man(7)): no line is a request, no letter an escape.
std::string troff(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (c == '\\') {
      out += "\\e";
    } else if (c == '-') {
      out += "\\-";
    } else if ((c == '.' || c == '\'') && (out.empty() || out.back() == '\n')) {
      out += fmt::format("\\&{}", c);
    } else {
      out += c;
    }
  }
  return out;
}

std::string sentence(std::string text) {
  if (text[0] >= 'a' && text[0] <= 'z') text[0] = static_cast<char>(text[0] - 32);
  return text + ".";
}

// Paragraphs; lines that are indented are shown as they are.
std::string paragraphs(const std::string& text) {
  std::string out;
  for (const std::string& line : split(text, '\n')) {
    out += line.starts_with("  ") ? fmt::format(".PP\n.nf\n{}\n.fi\n", troff(line))
                                  : fmt::format(".PP\n{}\n", troff(line));
  }
  return out;
}

std::string section_of(const Command& command, const std::string& program) {
  std::string out =
      fmt::format(".SS \"{} {}{}\"\n{}\n", program, command.name,
                  troff(operand_text(command, false)), troff(sentence(command.summary)));
  if (!command.detail.empty()) out += paragraphs(command.detail);
  for (const Flag& flag : command.flags) {
    out += fmt::format(".TP\n\\fB{}\\fR{}\n{}\n", troff(flag.name),
                       flag.value.empty() ? "" : " \\fI" + troff(flag.value) + "\\fR",
                       troff(flag.doc));
  }
  for (const Example& example : command.examples) {
    out += fmt::format(".PP\n.RS\n.nf\n{} {}\n.fi\n.RE\n", program, troff(example.command));
    if (!example.doc.empty()) out += troff(example.doc) + "\n";
  }
  return out;
}

int act(const Invocation&) {
  const std::string program = "tranche";
  std::string out = fmt::format(
      ".TH TRANCHE 1 \"\" \"Tranche {}\" \"User Commands\"\n.SH NAME\ntranche \\- runs batch jobs "
      "over "
      "data that is too large to process at once\n.SH SYNOPSIS\n.B tranche\n.I COMMAND\n[OPTIONS]\n"
      ".SH DESCRIPTION\n",
      TRANCHE_VERSION);
  out += troff(
      "Divides large data into batches, commits every batch exactly once, keeps bad records apart, "
      "and goes on where it was interrupted. JOB is a job file (YAML). RUN is the id of a run or "
      "its "
      "beginning, a job's name (its latest run), a job file, or \"last\".\n");
  out += ".SH COMMANDS\n";
  for (const Command& command : commands()) out += section_of(command, program);
  out += ".SH EXIT STATUS\n";
  for (const auto& [code, meaning] : exit_codes())
    out += fmt::format(".TP\n.B {}\n{}\n", code, meaning);
  return finish(out);
}

}  // namespace

Command man_command() {
  Command made;
  made.name = "man";
  made.group = "Help";
  made.summary = "prints the manual page, for man";
  made.examples = {{"man | man -l -", "reads it"}};
  made.act = act;
  return made;
}

}  // namespace tranche
