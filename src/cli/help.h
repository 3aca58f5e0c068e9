// Help that teaches by examples. Threads: pure functions.
#pragma once

#include <string>

#include "cli/command.h"
#include "render/look.h"

namespace tranche {

// All commands on one screen; without the job argument for a program that is one job.
std::string overview(const std::string& program, bool has_own_job, const Look& look);
std::string command_page(const Command& command, const std::string& program, bool has_own_job,
                         const Look& look);

}  // namespace tranche
