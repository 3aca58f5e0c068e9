// Admission by memory: work in flight and finished work that waits for its commit stay within a
// budget.
//
// Estimates come from the plan (what a chunk takes as Pages) and from the steps (what an embedded
// database may take); finished segments count with the bytes they really hold.
// Threads: the engine's one thread.
#pragma once

#include <cstdint>

namespace tranche::engine {

class Budget {
 public:
  explicit Budget(std::uint64_t bytes_max) : bytes_max_(bytes_max) {}

  // `reserved`: the oldest unfinished group may always have one task, so that it can be redone
  // whatever younger work holds.
  bool admits(std::uint64_t bytes, bool reserved) const {
    return reserved || working_ + held_ + bytes <= bytes_max_;
  }
  // From here on finished segments go to files: two fifths are for what waits.
  bool should_spill(std::uint64_t bytes) const { return held_ + bytes > bytes_max_ / 5 * 2; }

  // Whether finished work of so many bytes may wait for more before its commit.
  bool may_hold_back(std::uint64_t bytes) const { return bytes <= bytes_max_ / 5; }

  void begin_work(std::uint64_t bytes) { working_ += bytes; }
  void end_work(std::uint64_t bytes) { working_ -= bytes; }
  void hold(std::uint64_t bytes) { held_ += bytes; }
  void release(std::uint64_t bytes) { held_ -= bytes; }

  std::uint64_t working_bytes() const { return working_; }
  std::uint64_t held_bytes() const { return held_; }

 private:
  std::uint64_t bytes_max_;
  std::uint64_t working_ = 0;
  std::uint64_t held_ = 0;
};

}  // namespace tranche::engine
