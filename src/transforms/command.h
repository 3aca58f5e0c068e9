// The `command` transform: a program of the user's that is sent records and answers each of them.
// docs/programs.md is the protocol.
//
// Each worker has a program for as long as the step runs. One that dies, falls silent or answers
// what is no answer is ended; the records that may be to blame are tried apart in fresh programs,
// and who fails alone is rejected. The others keep their answers.
//
// Threads and lifetime: as core/transform.h says.
// Errors of bind: config, with `place`. Of process: failed.
#pragma once

#include <chrono>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include <tranche/core/transform.h>

#include "transforms/answers.h"
#include "transforms/conversation.h"

namespace tranche {

struct CommandOptions {
  std::vector<std::string> arguments;  // the program first
  std::string place;                   // of the program: "job.yaml:12:9"
  std::filesystem::path base;          // where it works
  Schema columns;                      // that it adds
  ProgramFormat format = ProgramFormat::jsonl;
  ProgramTimes times;
  std::size_t programs_max = 0;  // at once, in this process; 0: one a worker
  std::vector<std::string> depends_on;
};

Result<std::unique_ptr<Transform>> make_command_transform(CommandOptions options);

}  // namespace tranche
