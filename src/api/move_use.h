// Steps with `backup:` and `restore:`: from the job's description to a move.
// Threads: one. Errors: config, with the place in the job file.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include <tranche/api/job.h>
#include "api/move_plan.h"

namespace tranche {

// What the step is told; nullptr: it moves no tables.
const Node* move_options(const StepSpec& spec);

// What the option table can't say of it: which database, what its types are.
void check_move(std::string_view kind, const Node& options, Problems& problems);

// REQUIRES options that were checked, of a step that moves tables.
Result<MoveOrder> move_order(const JobSpec& job, const StepSpec& spec);
// The same of what the ledger has kept; `kind`: backup or restore.
Result<MoveOrder> move_order(std::string_view kind, const Node& options,
                             const std::filesystem::path& base);

// Where the state of a move that is a step of a run lies.
std::filesystem::path move_state(const std::filesystem::path& run_folder, const std::string& step);

// Whether it could be begun now. Errors: failed, where the backup to be restored is not there.
Result<void> examine_move(const JobSpec& job, const StepSpec& spec);

}  // namespace tranche
