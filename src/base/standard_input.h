// Standard input as a file: spooled to disk, so that it can be read at any place, again, and by
// other processes.
//
// The file has no name; it belongs to the process that called keep_standard_input, and lives as
// long as that. Its children find it there, whatever descriptors they have.
// Threads: keep_standard_input before there are any, the others by one thread at a time.
#pragma once

#include <filesystem>

#include <tranche/base/result.h>

namespace tranche {

// Makes room for it in `folder`. Called once, by a process that outlives all that read it.
Result<void> keep_standard_input(const std::filesystem::path& folder);
// Reads all of standard input, unless that was done; the path under which it is found.
// Errors: config, when there is nothing to read (a terminal) or the one who was reading it died;
// stopped, by a signal.
Result<std::filesystem::path> spool_standard_input();
// The path of what is, or will be, spooled.
std::filesystem::path standard_input_path();

}  // namespace tranche
