// Retention: what of a state folder nobody needs any more.
#include <algorithm>
#include <set>

#include <fmt/format.h>

#include <tranche/api/inspect.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/lock.h"
#include "ledger/ledger.h"

namespace tranche {
namespace {

constexpr std::int64_t day_nanoseconds = 86'400'000'000'000;

std::uint64_t bytes_of(const fs::path& folder) {
  std::uint64_t bytes = 0;
  std::error_code failed;
  for (fs::recursive_directory_iterator at(folder, failed), end; !failed && at != end;
       at.increment(failed)) {
    std::error_code gone;  // somebody else works here
    if (!at->is_regular_file(gone)) continue;
    const std::uint64_t more = at->file_size(gone);
    if (!gone) bytes += more;
  }
  return bytes;
}

bool is_older_than_a_day(const fs::path& path) {
  const auto status = file_status(path);
  return status &&
         status->modified_nanoseconds < system_clock().now_microseconds() * 1000 - day_nanoseconds;
}

class Forgetting {
 public:
  Forgetting(fs::path state, const ForgetOptions& options, Ledger& ledger)
      : state_(std::move(state)), options_(options), ledger_(ledger) {}

  Result<Forgotten> forget() {
    made_.bytes_before = bytes_of(state_);
    TRANCHE_ASSIGN(std::size_t count, forget_before(options_.ended_before_microseconds, SIZE_MAX));
    // A run that has processed rejects again can go once theirs has gone.
    while (count > 0 && !options_.dry_run) {
      TRANCHE_ASSIGN(count, forget_before(options_.ended_before_microseconds, SIZE_MAX));
    }
    if (!options_.dry_run) {
      TRANCHE_TRY(remove_leavings());
      TRANCHE_TRY(ledger_.shrink());
      TRANCHE_TRY(fit());
    }
    made_.bytes_after = bytes_of(state_);
    return std::move(made_);
  }

 private:
  bool may_forget(const OldRun& run) const {
    return !run.is_unfinished && (!run.has_rejects || options_.with_rejects);
  }

  // At most so many, the oldest first; gives how many.
  Result<std::size_t> forget_before(std::int64_t microseconds, std::size_t count_max) {
    TRANCHE_ASSIGN(const auto old, ledger_.old_runs(microseconds));
    made_.kept_unfinished = made_.kept_rejects = 0;
    std::size_t count = 0;
    for (const OldRun& run : old) {
      made_.kept_unfinished += run.is_unfinished ? 1 : 0;
      made_.kept_rejects += !run.is_unfinished && !may_forget(run) ? 1 : 0;
      if (!may_forget(run) || count >= count_max) continue;
      made_.runs.emplace_back(run.run, run.job);
      ++count;
      if (options_.dry_run) continue;
      TRANCHE_TRY(run.is_needed ? ledger_.forget_details(run.run) : ledger_.forget_run(run.run));
      TRANCHE_TRY(remove_tree(state_ / "runs" / run.run));
    }
    return count;
  }

  // Until the folder is as small as it is to be, or nothing is left to forget.
  Result<void> fit() {
    while (options_.state_bytes_max > 0 && bytes_of(state_) > options_.state_bytes_max) {
      TRANCHE_ASSIGN(const auto old, ledger_.old_runs(INT64_MAX));
      const auto left = static_cast<std::size_t>(std::count_if(
          old.begin(), old.end(), [&](const OldRun& run) { return may_forget(run); }));
      if (left == 0) return {};
      TRANCHE_TRY(forget_before(INT64_MAX, std::max<std::size_t>(1, left / 8)));
      TRANCHE_TRY(ledger_.shrink());
    }
    return {};
  }

  // Folders of runs that the ledger does not know, as a crash leaves them, and locks that nobody
  // holds: each window has one of its own.
  Result<void> remove_leavings() {
    TRANCHE_ASSIGN(const auto known, ledger_.list_runs(0));
    std::set<std::string> ids;
    for (const RunRecord& run : known) ids.insert(run.run);
    std::error_code none;
    for (const auto& folder : fs::directory_iterator(state_ / "runs", none)) {
      if (!ids.contains(folder.path().filename()) && is_older_than_a_day(folder.path()))
        TRANCHE_TRY(remove_tree(folder.path()));
    }
    for (const auto& file : fs::directory_iterator(state_ / "locks", none)) {
      if (!is_older_than_a_day(file.path())) continue;
      TRANCHE_ASSIGN(const auto lock, FileLock::try_take(file.path(), "forget"));
      if (lock) TRANCHE_TRY(remove_file(file.path()));
    }
    return {};
  }

  const fs::path state_;
  const ForgetOptions& options_;
  Ledger& ledger_;
  Forgotten made_;
};

}  // namespace

Result<Forgotten> forget_runs(const std::filesystem::path& state, const ForgetOptions& options) {
  if (!Ledger::exists(state)) {
    return make_error(ErrorKind::usage,
                      fmt::format("There is no ledger in {}: no job has been run with this state "
                                  "folder yet (--state names another).",
                                  state.string()));
  }
  TRANCHE_ASSIGN(auto ledger, Ledger::open(state));
  return Forgetting(state, options, *ledger).forget();
}

}  // namespace tranche
