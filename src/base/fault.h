// Faults on demand, for the tests of the promises that only a fault can test.
//
// They are built in, not compiled in by a flag, because what is proved must be what is shipped: the
// accounting (every record is written, filtered or rejected) is proved by breaking it, that is by
// losing a record and seeing the run fail; recovery is proved by dying between two steps that no
// test could hit from outside. Without TRANCHE_FAULT a call costs a load and a branch.
//
//   TRANCHE_FAULT=drop:<stage>     one record is lost in the stage: parse, sql, encode or sink
//   TRANCHE_FAULT=kill:<point>     the process dies by SIGKILL when it first passes the point
//   TRANCHE_FAULT=kill:<point>:<N> ... when it passes the point for the N-th time, from 1
//
// Counts are of one process; a child made by fork goes on from its parent's.
// Threads: thread-safe; the variable is read once, at the first call.
#pragma once

#include <string_view>

namespace tranche {

// True once per process for the stage that TRANCHE_FAULT drops a record in: the caller then loses
// one. REQUIRES to be called once a page that has a record, never once a record.
bool fault_drops_record(std::string_view stage);

// Kills the process here when TRANCHE_FAULT says so.
void fault_point(std::string_view name);

}  // namespace tranche
