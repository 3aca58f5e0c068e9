// Failed system calls as errors: one sentence with what was tried, on what, and why it failed.
// Threads: pure functions, thread-safe.
#pragma once

#include <string>
#include <string_view>

#include <tranche/base/result.h>

namespace tranche {

// "No space left on device": the kernel's reason in English, whatever the locale.
std::string reason(int error_number);

// "Can't write out/x.csv: No space left on device." `subject` may be empty ("Can't fork: ...").
Error system_error(ErrorKind kind, std::string_view verb, std::string_view subject,
                   int error_number);

}  // namespace tranche
