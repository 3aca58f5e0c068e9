// The command line as a person typed it, parsed by the data of a command.
// Threads: a pure function. Errors: usage, with a suggestion where a word is nearly right.
#pragma once

#include <span>
#include <string>

#include <tranche/base/result.h>

#include "cli/command.h"

namespace tranche {

// As usages name it: "JOB"; "" for none.
std::string operand_name(Operand operand);
// `words` begin with the command's name.
Result<Invocation> parse_arguments(const Command& command, std::span<const std::string> words);

}  // namespace tranche
