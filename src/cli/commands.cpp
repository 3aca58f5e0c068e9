#include "cli/command.h"

#include <filesystem>

namespace tranche {

std::string Invocation::value(std::string_view flag, std::string_view fallback) const {
  const auto found = values.find(std::string(flag));
  if (found == values.end() || found->second.empty()) return std::string(fallback);
  return found->second.back();
}

std::string Invocation::called() const {
  return std::filesystem::path(program).filename().string();
}

std::span<const Command> commands() {
  static const std::vector<Command> table{
      run_command(),           new_command(),        guess_command(),    check_command(),
      plan_command(),          preview_command(),    test_command(),     runs_command(),
      status_command(),        resume_command(),     schedule_command(), backfill_command(),
      stop_command(),          abandon_command(),    forget_command(),   rejects_command(),
      retry_rejects_command(), backup_command(),     restore_command(),  migrate_command(),
      verify_command(),        report_command(),     logs_command(),     windows_command(),
      schema_command(),        completion_command(), man_command(),      version_command(),
      help_command(),
  };
  return table;
}

const Command* find_command(std::string_view name) {
  for (const Command& command : commands())
    if (command.name == name) return &command;
  return nullptr;
}

}  // namespace tranche
