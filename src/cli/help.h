// Help that teaches by examples. Threads: pure functions.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cli/command.h"
#include "render/look.h"

namespace tranche {

// All commands on one screen; without the job argument for a program that is one job.
std::string overview(const std::string& program, bool has_own_job, const Look& look);
std::string command_page(const Command& command, const std::string& program, bool has_own_job,
                         const Look& look);

// What `help` explains: commands, systems, transforms.
std::vector<std::string> help_topics();
// What stands behind the command's name in its usage: " JOB".
std::string operand_text(const Command& command, bool has_own_job);
std::span<const std::pair<int, std::string_view>> exit_codes();

}  // namespace tranche
