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

#include <tranche/core/counts.h>
#include <tranche/core/plan.h>
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
};

struct ChunkResult {
  Counts counts;
  std::vector<Segment> segments;
  std::vector<Segment> rejects;  // encoded (core/reject_segment.h), in record order
  // Only the first rejects were looked for (WorkerScope::rejects_enough) and nothing was encoded of
  // what a transform gave: it must not be committed.
  bool rejects_incomplete = false;
};

struct Outcome {
  std::uint64_t task = 0;
  std::uint64_t group = 0;
  bool is_merge = false;
  Result<ChunkResult> result;
  std::chrono::nanoseconds wall{0};
  std::chrono::nanoseconds cpu{0};
  unsigned worker = 0;
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
};

}  // namespace tranche
