// A group on its way from plan to commit: its tasks, their results, its attempts.
// Threads: the engine's one thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <tranche/core/ledger.h>
#include <tranche/core/task.h>

#include "engine/inquest.h"

namespace tranche::engine {

struct TaskState {
  enum class Phase { waiting, submitted, on_trial, done };
  Task task;
  Phase phase = Phase::waiting;
  std::uint64_t memory_bytes = 0;          // what it was admitted with
  std::chrono::nanoseconds not_before{0};  // backoff of a retry, on the monotonic clock
  ChunkResult result;                      // when done
  unsigned worker = 0;                     // that did it
  WorkTime time;                           // it took
  std::optional<Inquest> inquest;          // when on trial
  std::map<std::uint64_t, std::uint32_t> trials;  // of each record that was tried alone
  std::uint32_t failed_trials = 0;         // by errors that may pass, in a row
  std::uint32_t outside_kills = 0;         // of its workers, by somebody else, in a row
  std::uint32_t unexplained_deaths = 0;
  std::string last_error;                  // of a worker's death
};

class Group {
 public:
  explicit Group(std::uint64_t number) : number_(number) {}

  std::uint64_t number() const { return number_; }
  const std::vector<BatchPlan>& batches() const { return batches_; }
  // Adds a batch: as one task for the whole of it, or one for each of its chunks. `only`: the
  // records that are processed, nullptr: all. `culprits`: all
  // that are known.
  void add(BatchPlan batch, bool whole, const std::vector<std::uint64_t>* only,
           const std::vector<Culprit>& culprits);
  // Adds a batch of which nothing is processed: what an earlier run wrote of it stays.
  void carry_over(BatchPlan batch);
  bool is_carried_over() const { return is_carried_over_; }
  void close() { closed_ = true; }
  bool closed() const { return closed_; }

  std::vector<TaskState>& tasks() { return tasks_; }
  const std::vector<TaskState>& tasks() const { return tasks_; }
  TaskState* find(std::uint64_t task_id);
  bool all_done() const;
  bool ready(bool merges) const { return closed_ && all_done() && (!merges || merged_); }
  bool wants_merge(bool merges) const { return merges && closed_ && all_done() && !merge_asked_; }

  // The task that merges the group's segments; the results share them until merged.
  Task make_merge();
  void merged(ChunkResult result);
  void merge_failed() { merge_asked_ = false; }
  // In order of chunks: what the committer takes, and what the group's tasks counted and rejected.
  std::vector<Segment> segments() const;
  Counts counts() const;
  std::vector<BatchWork> work() const;  // who did it, one entry for each batch and worker
  std::vector<Segment> rejects() const;
  bool rejects_incomplete(std::uint64_t batch) const;
  std::uint64_t held_bytes() const;
  std::uint64_t shared_bytes() const;  // of them, in shared memory: no process counts those
  std::uint64_t records() const;
  std::uint64_t file_bytes() const;  // of input, for progress
  std::uint64_t end_record() const;  // ordinal behind its last record

  std::uint32_t attempt = 1;
  std::uint32_t merge_deaths = 0;
  std::uint32_t merge_outside_kills = 0;
  std::string reject_id;         // of this attempt; empty: nobody has begun with it
  std::optional<Error> failure;  // it can't be done; known when it is the oldest
  std::string last_failure;      // of an attempt that was followed by another
  std::chrono::nanoseconds not_before{0};

 private:
  std::uint64_t number_;
  std::vector<BatchPlan> batches_;
  std::vector<TaskState> tasks_;
  bool closed_ = false;
  bool is_carried_over_ = false;
  bool merge_asked_ = false;
  bool merged_ = false;
  ChunkResult merge_result_;
};

}  // namespace tranche::engine
