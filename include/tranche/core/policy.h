// `on_error:` of a step: how many rejects it may have, and how it tries again.
// Threads: value types.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <tranche/base/result.h>

namespace tranche {

// A number of records, or a share of them in millionths ("0.1%" = 1000), judged in record order.
struct RejectLimit {
  bool is_share = false;
  std::uint64_t number = 0;
  std::uint64_t millionths = 0;
  bool operator==(const RejectLimit&) const = default;
};
// "1000" or "0.1%"; up to four digits after the point. Errors: config.
Result<RejectLimit> parse_reject_limit(std::string_view text);
std::string to_string(const RejectLimit& limit);

struct RetryPolicy {
  std::uint32_t attempts = 3;
  std::chrono::milliseconds backoff{1000};
  std::chrono::milliseconds backoff_max{30000};
  // Words of messages that tell of more trouble that passes: "53300", "disk quota".
  std::vector<std::string> transient;

  // Whether to try again after an error, besides what the system calls transient.
  bool is_transient(const Error& error) const;
  // How long to wait after the attempt of this number, from 1: doubled each time, and then some
  // part of its second half, so that many who failed at once don't come back at once. `salt`: whose
  // attempt it is; equal ones wait equally long.
  std::chrono::milliseconds wait_after(std::uint32_t attempt, std::uint64_t salt) const;
};

// `workers:` of a step. What is 0 is left to Tranche, or not limited.
struct WorkersSpec {
  enum class Kind { automatic, threads, processes };
  Kind kind = Kind::automatic;
  std::uint32_t count = 0;                   // automatic: 0
  std::uint64_t memory_bytes = 0;            // processes: of each
  std::chrono::milliseconds timeout{0};      // without progress, in a record or in SQL
  std::chrono::milliseconds cpu_time{0};     // processes: computed without progress
  std::uint64_t recycle_batches = 0;         // processes: after so many each is replaced
  bool operator==(const WorkersSpec&) const = default;
};

// Judges rejects one by one in record order, exactly and whatever the number of workers.
// A share is judged from record 10,000 on, and at the end.
class RejectJudge {
 public:
  RejectJudge(RejectLimit limit, std::uint64_t rejected_before, std::uint64_t records_before)
      : limit_(limit), rejected_(rejected_before), records_(records_before) {}
  // A reject at `record` (ordinal from 0; not less than the one before). False: one too many.
  bool admit(std::uint64_t record);
  // All records before `records` are done. False: too many by now.
  bool reach(std::uint64_t records);
  // No more records. False: too many in the whole step.
  bool finish(std::uint64_t records) const;
  std::uint64_t rejected() const { return rejected_; }

 private:
  RejectLimit limit_;
  std::uint64_t rejected_;
  std::uint64_t records_;
};
inline constexpr std::uint64_t share_judged_from_record = 10'000;

// Finds out that a step does nothing but fail: its records, from the first one on, are all rejected
// in the same way, which is the job's fault rather than theirs. Errors are the same when they
// differ in numbers and quoted words only.
class FailureStreak {
 public:
  // `same_max` 0: any number. Before: what earlier processes did; it goes on where they did nothing
  // but reject.
  FailureStreak(std::uint64_t same_max, std::uint64_t records_before,
                std::uint64_t rejected_before)
      : same_max_(same_max),
        goes_on_(same_max > 0 && records_before == rejected_before),
        records_(records_before) {}
  // In record order. False: it is the record that makes it `same_max`.
  bool admit(std::uint64_t record, std::string_view phase, std::string_view error);

 private:
  std::uint64_t same_max_;
  bool goes_on_;
  std::uint64_t records_;
  std::string shape_;  // empty: of none yet, in this process
};
inline constexpr std::uint64_t same_failures_max_default = 500;

}  // namespace tranche
