// What a run tells while it goes on: the engine emits, observers (a terminal, a log, a program)
// take.
// Threads: observers are called by one thread at a time. They must not block for long.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace tranche {

struct Progress {
  std::uint64_t records = 0;         // read, rejects included; committed or in work
  std::uint64_t records_committed = 0;
  std::uint64_t bytes = 0;           // of input, committed
  std::uint64_t bytes_total = 0;     // of all inputs; 0: unknown
  std::uint64_t batches_committed = 0;
  std::uint64_t batches_planned = 0;
  bool plan_complete = false;
  std::uint64_t rejects = 0;
  std::uint64_t quarantined = 0;     // of them, that killed their workers; committed or not
  std::uint64_t memory_bytes = 0;    // proportional set size of the process tree
  std::uint32_t retries = 0;
  unsigned workers = 0;              // that are at the business logic
  double seconds = 0;                // since the step began in this process
  std::uint64_t bytes_resumed = 0;   // committed by earlier processes: not part of the rate
  std::uint64_t records_resumed = 0;
};

struct Event {
  enum class Kind {
    run_started,     // message: "new", "resumed"
    step_started,    // message says what is resumed
    step_skipped,    // completed earlier
    progress,        // at most a few a second
    group_committed,
    retry,           // message: why, and when
    warning,
    note,            // what a step without records does
    sealing,
    step_completed,
    step_failed,     // while others go on; message: why
    run_ended,       // message: the summary as JSON
  };
  Kind kind = Kind::progress;
  std::string run;
  std::string step;
  std::string message;
  std::uint64_t group = 0;
  Progress progress;
};

class Observer {
 public:
  virtual ~Observer() = default;
  virtual void on_event(const Event& event) = 0;
};

}  // namespace tranche
