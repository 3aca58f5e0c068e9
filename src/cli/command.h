// What a command of `tranche` is: its words for a person, its options, and what it does.
//
// A command is data and one function; arguments.cpp parses by the data, help.cpp explains by it.
// Threads: the process has one thread. Lifetime: commands are made once and live for ever.
#pragma once

#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <tranche/api/job.h>

namespace tranche {

// Exit codes, as users may rely on them.
inline constexpr int exit_completed = 0;
inline constexpr int exit_failed = 1;   // resumable
inline constexpr int exit_usage = 2;    // found before the first batch was dispatched
inline constexpr int exit_stopped = 3;  // before the end, resumable
inline constexpr int exit_busy = 4;     // another run holds what this one needs

struct Flag {
  std::string name;   // "--state", "-p"
  std::string value;  // "DIR"; empty: takes none
  std::string doc;
  bool repeats = false;  // may be given several times
};

struct Example {
  std::string command;  // without the program's name
  std::string doc;
};

// What was typed, parsed by the command's data.
struct Invocation {
  std::string program;             // as the user calls it
  std::vector<std::string> words;  // all arguments, the command's name first
  std::vector<std::string> positionals;
  std::map<std::string, std::vector<std::string>> values;  // by name of the flag
  const JobSpec* own_job = nullptr;                        // of a program that is one job

  bool has(std::string_view flag) const { return values.contains(std::string(flag)); }
  std::string value(std::string_view flag, std::string_view fallback = {}) const;
  std::string called() const;  // the program without its folder, for help
};

enum class Operand {
  none,
  job,
  jobs,
  run,
  optional_run,
  topic,
  files,
  folder,
  shell,
  run_or_backup,  // a run, or a folder and a database
  database_and_folder,
  folder_and_database,
  two_databases,
};

struct Command {
  std::string name;
  std::string group;    // in the help: "Work", "Look", ...
  std::string summary;  // one line
  std::string detail;   // paragraphs, separated by newlines
  Operand operand = Operand::none;
  std::vector<Flag> flags;
  std::vector<Example> examples;
  int (*act)(const Invocation&) = nullptr;
};

Command run_command();
Command guess_command();
Command check_command();
Command plan_command();
Command preview_command();
Command test_command();
Command new_command();
Command runs_command();
Command status_command();
Command resume_command();
Command retry_rejects_command();
Command stop_command();
Command abandon_command();
Command rejects_command();
Command logs_command();
Command backup_command();
Command restore_command();
Command migrate_command();
Command verify_command();
Command report_command();
Command schema_command();
Command completion_command();
Command man_command();
Command windows_command();
Command schedule_command();
Command backfill_command();
Command forget_command();
Command version_command();
Command help_command();

// All of them, in the order of the help.
std::span<const Command> commands();
const Command* find_command(std::string_view name);

}  // namespace tranche
