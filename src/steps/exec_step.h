// An exec step: a program that runs once in a run, for what it does and not for records.
//
// It is started without a shell, in the job's folder, with nothing on its standard input; what it
// writes to its standard output and standard error goes to the run's log. A run that dies
// while it works runs it again when it goes on, so it happens at least once; TRANCHE_RUN and
// TRANCHE_STEP in its environment are then the same. What it writes to the file that TRANCHE_OUTPUT
// names, later steps may use: text of at most step_output_bytes_max.
// Threads: one, which outlives the program.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include <tranche/core/policy.h>

#include "steps/batch_step.h"

namespace tranche {

inline constexpr std::uint64_t step_output_bytes_max = 64 << 10;
std::filesystem::path step_output_path(const std::filesystem::path& run_folder,
                                       const std::string& step);

struct ExecStep {
  std::string name;
  std::vector<std::string> program;      // and its arguments
  std::filesystem::path folder;          // where it works
  std::chrono::milliseconds timeout{0};  // 0: none
  std::vector<int> exit_codes{0};        // of success
  RetryPolicy retry;
};

// Returns how often it was tried again. Errors: config: there is no such program; stopped: a stop
// came, and the program was ended; failed: it ended with another exit code, by a signal or by
// `timeout`.
Result<std::uint32_t> run_exec_step(const ExecStep& step, const StepSurroundings& surroundings,
                                    const std::function<bool()>& stop_wanted);

}  // namespace tranche
