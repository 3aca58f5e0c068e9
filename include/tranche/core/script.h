// The port of scripts: SQL of the user's that a step has a database execute, once in a run.
//
// Threads: one at a time. Lifetime: each call opens the database anew and closes it.
// Errors: config: the database can't be used as it was named; transient: nothing was done, try
// again; in_doubt: is_executed tells; failed: the database refused it, and nothing was done where
// the script is a transaction.
#pragma once

#include <tranche/core/sink.h>

namespace tranche {

class Script {
 public:
  virtual ~Script() = default;
  // Opens the database, and executes nothing.
  virtual Result<void> examine() = 0;
  // Executes it, together with the row in the database's record of commits that says so. What the
  // run has executed already is not executed again.
  virtual Result<void> execute(const SinkRun& run) = 0;
  // Whether the record of commits says that the run has executed it.
  virtual Result<bool> is_executed(const SinkRun& run) = 0;
};

}  // namespace tranche
