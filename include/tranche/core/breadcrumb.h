// Breadcrumbs: what each worker is at, in memory that outlives it.
//
// A worker writes which task it has, and which record is in the hands of the business logic; who
// finds it dead, or without progress, reads there whom to suspect. The supervisor maps the board
// before it starts anything, so that it survives the engine and every worker process.
//
// Threads: a slot is written by one worker and read by anybody, also in another process; what is
// read is a guess until the worker is dead. Lifetime: the mapping's, or that of the local board.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

namespace tranche {

// Records by their ordinals in the step: [first, end).
struct RecordRange {
  std::uint64_t first = 0;
  std::uint64_t end = 0;
  std::uint64_t count() const { return end - first; }
  bool contains(std::uint64_t record) const { return record >= first && record < end; }
  bool operator==(const RecordRange&) const = default;
};

struct alignas(64) Breadcrumb {
  std::atomic<std::uint64_t> task{0};         // in work, by its id in this engine; 0: none
  std::atomic<std::uint64_t> task_first{0};   // the records of the task
  std::atomic<std::uint64_t> task_end{0};
  std::atomic<std::uint64_t> first{0};        // the first record in hand
  std::atomic<std::uint64_t> records{0};      // so many are in hand; 0: none (it reads, encodes)
  std::atomic<std::uint64_t> beats{0};   // grows with every page, and result of SQL
  std::atomic<std::uint32_t> stage{0};   // the transform that has them in hand, from 0
  std::atomic<std::uint32_t> generation{0};  // of the worker in this slot
  std::atomic<std::uint64_t> calls{0};       // of functions that this thread has made, in all

  void begin_task(std::uint64_t id, RecordRange of) {
    records.store(0, std::memory_order_relaxed);
    task_first.store(of.first, std::memory_order_relaxed);
    task_end.store(of.end, std::memory_order_relaxed);
    task.store(id, std::memory_order_release);
  }
  void end_task() {
    records.store(0, std::memory_order_relaxed);
    task.store(0, std::memory_order_release);
  }
  void take(std::uint32_t of_stage, std::uint64_t first_record, std::uint64_t count) {
    stage.store(of_stage, std::memory_order_relaxed);
    first.store(first_record, std::memory_order_relaxed);
    records.store(count, std::memory_order_release);
  }
  // For each record of a stage that takes them one by one: take() said that one is in hand.
  void at(std::uint64_t record) { first.store(record, std::memory_order_relaxed); }
  // Behind each call of a function; only this slot's thread writes, so nothing is locked.
  void called() {
    calls.store(calls.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  }
  void beat() { beats.fetch_add(1, std::memory_order_relaxed); }
};
static_assert(sizeof(Breadcrumb) == 64);
static_assert(std::atomic<std::uint64_t>::is_always_lock_free);

// Slots, and what whoever watches them must know. Plain memory, all zero at the beginning.
struct BreadcrumbBoard {
  static constexpr std::size_t slots_max = 2048;

  std::atomic<std::uint32_t> step{0};                  // position in the job, of what is in work
  std::atomic<std::uint32_t> slots_used{0};            // from the first one on
  std::atomic<std::uint64_t> timeout_milliseconds{0};  // without progress in a slot; 0: none
  std::atomic<std::uint64_t> memory_bytes_hard{0};     // of the engine; 0: unlimited
  Breadcrumb slots[slots_max];

  // The watcher of a new engine, or step, must not judge it by what the one before left.
  void clear() {
    slots_used.store(0);
    timeout_milliseconds.store(0);
    memory_bytes_hard.store(0);
    for (Breadcrumb& slot : slots) {
      slot.end_task();
      slot.beats.store(0);
      slot.calls.store(0);
      slot.generation.store(0);
    }
  }
};

}  // namespace tranche
