// Where the command writes: data to standard output, everything else to standard error.
//
// Threads: one. Errors: a reader that went away (a broken pipe) ends the output silently: the write
// says stopped; a full disk is failed.
#pragma once

#include <string>
#include <string_view>

#include <tranche/base/result.h>
#include <tranche/core/options.h>

#include "base/file.h"
#include "base/json.h"
#include "cli/command.h"
#include "render/look.h"

namespace tranche {

inline constexpr int standard_output = 1;
inline constexpr int standard_error = 2;

Result<void> write_data(std::string_view text);  // to standard output
void write_message(std::string_view text);       // to standard error; what can't be said is lost

const Look& message_look();  // of standard error, as it is now
const Look& data_look();     // of standard output

// The exit code that tells an error's kind.
int exit_code(const Error& error);

// Says the error and returns its exit code. With --json the object {"error": ...} goes to standard
// output too.
int fail(const Invocation& invocation, const Error& error);
int fail(const Invocation& invocation, const Error& error, const fs::path& file,
         const Problems& problems);

// Writes data and returns `code`, or that of the failure to write.
int finish(std::string_view text, int code = exit_completed);
int finish_json(const Json& object, int code = exit_completed);  // on one line

}  // namespace tranche
