// What `backup`, `restore` and `migrate` share: their options, and how they go.
// Threads: the process has one thread, since the supervisor forks.
#pragma once

#include <vector>

#include "api/move_plan.h"
#include "cli/command.h"

namespace tranche {

std::vector<Flag> move_flags(MoveKind kind);
// Returns the exit code.
int move_rows(const Invocation& invocation, MoveKind kind);

}  // namespace tranche
