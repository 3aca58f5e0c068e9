#include <algorithm>

#include <fmt/format.h>

#include "base/file.h"
#include "base/process.h"
#include "base/text.h"
#include "cli/command.h"
#include "cli/new_project.h"
#include "cli/operands.h"
#include "cli/output.h"

namespace tranche {
namespace {

// Where the headers for plugins are, if not where compilers look anyway: in the prefix of this
// command, or beside the folder that it was built in. Empty: the former.
fs::path include_folder() {
  const fs::path program = fs::path(executable_path()).parent_path();
  for (const fs::path& folder : {program / "../include", program / "../../include"}) {
    const fs::path found = folder.lexically_normal();
    if (found == "/usr/include" || found == "/usr/local/include") return {};
    if (file_exists(found / "tranche" / "plugin_function.h")) return found;
  }
  return {};
}

std::string compile_line() {
  const fs::path include = include_folder();
  return fmt::format("c++ -std=c++20 -O2 -fPIC -shared{} score.cpp -o score.so",
                     include.empty() ? "" : " -I" + quote_for_shell(include.string()));
}

Result<void> write_files(const NewProject& project, const fs::path& folder) {
  for (const NewFile& file : project.files) {
    const fs::path path = folder / file.name;
    TRANCHE_TRY(create_folders(path.parent_path()));
    std::string text(file.text);
    if (const std::size_t at = text.find(compile_placeholder); at != std::string::npos)
      text.replace(at, compile_placeholder.size(), compile_line());
    TRANCHE_TRY(create_file_durably(path, text));
  }
  return {};
}

std::string words_of(const Invocation& invocation, const NewProject& project,
                     const std::string& folder, bool is_plugin) {
  std::string out;
  for (const NewFile& file : project.files)
    if (!file.doc.empty())
      out += fmt::format("  {} {}\n", pad_right(fmt::format("{}/{}", folder, file.name), 50),
                         paint(data_look(), Colour::dim, file.doc));
  out += fmt::format("\nNext:\n  cd {}\n", quote_for_shell(folder));
  if (is_plugin) out += fmt::format("  {}\n", compile_line());
  const std::string called = invocation.called();
  for (const auto& [command, doc] :
       {std::pair<std::string, std::string>("check", "every mistake in it"),
        {"preview", "the first records, before and after"},
        {"run", "runs it"},
        {"test", "runs its case"}})
    out += "  " + pad_right(fmt::format("{} {} {}", called, command, project.job), 50) + " " +
           paint(data_look(), Colour::dim, doc) + "\n";
  return out;
}

int act(const Invocation& invocation) {
  std::vector<std::string> words = invocation.positionals;
  const bool is_plugin = words.size() == 2 && words.front() == "plugin";
  if (is_plugin) words.erase(words.begin());
  if (words.size() != 1 || (words.front() == "plugin" && !is_plugin)) {
    return fail(invocation,
                make_error(ErrorKind::usage,
                           fmt::format("Name the folder to make, as in {0} new shop, or {0} new "
                                       "plugin shop",
                                       invocation.called())));
  }
  std::string folder = words.front();
  while (folder.size() > 1 && folder.ends_with('/')) folder.pop_back();
  std::error_code ignored;
  if (fs::exists(folder, ignored) && !fs::is_empty(folder, ignored)) {
    return fail(invocation,
                make_error(ErrorKind::usage, fmt::format("{} is there already, and is not written "
                                                         "over; name a new folder.",
                                                         folder)));
  }
  const NewProject& project = is_plugin ? new_plugin_project() : new_job_project();
  if (const auto written = write_files(project, folder); !written)
    return fail(invocation, written.error());
  return finish(words_of(invocation, project, folder, is_plugin));
}

}  // namespace

Command new_command() {
  Command made;
  made.name = "new";
  made.group = "Prepare";
  made.summary = "starts a project: a job, its data, and a test of it";
  made.detail =
      "\"new plugin FOLDER\" starts one whose logic is a function in C++, built into a shared "
      "object by the line that is printed.";
  made.operand = Operand::folder;
  made.examples = {{"new shop", "a job that runs, in shop/"},
                   {"new plugin shop", "one with a plugin in C++"}};
  made.act = act;
  return made;
}

}  // namespace tranche
