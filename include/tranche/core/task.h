// The port of executors: tasks go to workers, outcomes come back.
// Threads: submit and next are called by the engine's one thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <tranche/core/breadcrumb.h>
#include <tranche/core/counts.h>
#include <tranche/core/plan.h>
#include <tranche/core/reject.h>
#include <tranche/core/segment.h>

namespace tranche {

// What one worker does in one go: chunks of one batch, or the merge of a group's segments.
struct Task {
  enum class Kind { process, merge };
  std::uint64_t id = 0;
  Kind kind = Kind::process;
  std::uint64_t group = 0;
  std::uint64_t batch = 0;
  std::uint32_t first_chunk = 0;
  std::uint32_t attempt = 1;
  std::vector<Slice> chunks;      // process
  std::vector<Segment> segments;  // merge: of the whole group, in order
  bool spill = false;             // hand over segments, and rejects, in files rather than in memory
  std::vector<Culprit> culprits;  // of its records, in order: to be rejected unseen
  // Of its records, in order: only these go through, the others were processed by an earlier run.
  std::optional<std::vector<std::uint64_t>> only;
  // Only these records go through, alone in a fresh process, to see who kills it: whatever comes of
  // it is dropped. None of them: all are read, and nobody goes through.
  std::optional<RecordRange> trial;

  // All that its chunks hold; none of a merge.
  RecordRange records() const {
    if (chunks.empty()) return {};
    return {chunks.front().first_record, chunks.back().first_record + chunks.back().records};
  }
};

struct ChunkResult {
  Counts counts;
  std::vector<Segment> segments;
  std::vector<Segment> rejects;  // encoded (core/reject_segment.h), in record order
  // Only the first rejects were looked for (WorkerScope::rejects_enough) and nothing was encoded of
  // what a transform gave: it must not be committed.
  bool rejects_incomplete = false;
};

// How a worker died, or why what it did must be tried again in isolation.
struct Death {
  ErrorKind kind = ErrorKind::crash;     // or memory, or timeout
  std::string how;                       // "was killed by signal 11 (SIGSEGV)"
  int signal = 0;
  // Whether the records it had can be to blame. Nobody is to blame for a kill from outside.
  bool is_suspicious = true;
  RecordRange task;                      // all that it had to do
  std::optional<RecordRange> in_hand;    // of the business logic; nullopt: not known
  std::uint32_t stage = 0;               // the transform that had them
  bool operator==(const Death&) const = default;
};

// Of the worker of this slot, whose task is not ended: what it had in hand.
inline Death death_of(const Breadcrumb& breadcrumb, ErrorKind kind, std::string how) {
  Death death;
  death.kind = kind;
  death.how = std::move(how);
  death.stage = breadcrumb.stage.load();
  death.task = {breadcrumb.task_first.load(), breadcrumb.task_end.load()};
  const std::uint64_t records = breadcrumb.records.load();
  const std::uint64_t first = breadcrumb.first.load();
  if (records > 0) death.in_hand = RecordRange{first, first + records};
  return death;
}

// When a worker did a task, for people.
struct WorkTime {
  std::int64_t began_microseconds = 0;  // since the epoch
  std::int64_t took_microseconds = 0;
};

struct Outcome {
  std::uint64_t task = 0;
  std::uint64_t group = 0;
  bool is_merge = false;
  Result<ChunkResult> result = ChunkResult{};
  unsigned worker = 0;
  WorkTime time;
  std::optional<Death> death;  // with an error of kind crash, memory or timeout
};

// Does tasks, one after the other; made and used by one worker.
class Worker {
 public:
  virtual ~Worker() = default;
  virtual Result<ChunkResult> work(const Task& task) = 0;
};
using WorkerFactory = std::function<Result<std::unique_ptr<Worker>>(unsigned number)>;

class Executor {
 public:
  virtual ~Executor() = default;
  virtual Result<void> submit(Task task) = 0;
  // Waits up to `timeout` for an outcome; nullopt when none came.
  virtual Result<std::optional<Outcome>> next(std::chrono::milliseconds timeout) = 0;
  virtual unsigned workers() const = 0;
  // How many threads or processes are at the business logic now, which may be more.
  virtual unsigned at_once() const { return workers(); }
};

}  // namespace tranche
