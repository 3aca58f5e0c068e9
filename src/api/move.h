// Backup, restore and migration: planned, run as a job, compared.
//
// Threads: one; a command's REQUIRES a process with no other, since it opens databases in children
// and runs its job under a supervisor. As a step of a run it does both in the engine's process.
// Lifetime: a Move holds the state of the source that it reads. Errors: usage, config: found before
// anything was begun; those of run_supervised.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <tranche/api/run.h>

#include "api/aside.h"
#include "api/move_compare.h"
#include "api/move_plan.h"
#include "api/move_target.h"

namespace tranche {

// The run that a move is a step of.
struct MoveOwner {
  std::string run;              // only what this one has begun is gone on with
  std::filesystem::path state;  // of the move's own job; that of a backup is in its folder
};

class Move {
 public:
  // Plans it, or takes up the one that was begun. `fresh` gives that one up, and what it made.
  static Result<Move> prepare(MoveOrder order, RunOptions options);
  // The same as a step of a run. The plan stays when all is done, so that the run may ask again.
  static Result<Move> prepare_in_run(MoveOrder order, RunOptions options, MoveOwner owner);
  // Whether it could be begun now, in this process; does nothing.
  static Result<void> examine(MoveOrder order, std::filesystem::path state);

  const MoveOrder& order() const { return order_; }
  const MovePlan& plan() const { return plan_; }
  const JobSpec& job() const { return job_; }
  bool is_resumed() const { return is_resumed_; }
  // An earlier process did all of it, and found it equal, as it still is.
  bool is_done_before() const { return is_done_before_; }
  const std::filesystem::path& state() const { return state_; }
  Result<RunSummary> run(Observer* observer);
  // Behind the run: what is there now. Of a backup the manifest is written.
  Result<std::vector<ComparedTable>> compare(const RunSummary& summary);

 private:
  Move(MoveOrder order, RunOptions options, std::optional<MoveOwner> owner);

  std::string owner() const { return owner_ ? owner_->run : std::string(); }
  Result<void> begin_or_go_on();
  Result<void> look_at_earlier();
  Result<bool> find_done();
  Result<bool> has_backup_of_plan() const;
  Result<bool> go_on();
  Result<void> empty_tables_in_work();
  Result<void> plan_anew();
  Result<Json> hold_source();
  Result<void> read_source();
  Result<void> check_folder() const;
  Result<void> give_up_earlier();
  Result<std::vector<ComparedTable>> compare_with(const std::string& run);
  void choose_tables();
  Result<void> write_scripts();
  Result<void> take_files();
  void fill_tables(const TargetScript& script, const std::vector<CatalogName>& names);
  void fill_scripts(const TargetScript& script);
  bool is_since(const CatalogTable& table) const;
  std::filesystem::path plan_path() const { return move_plan_path(order_, state_); }

  MoveOrder order_;
  RunOptions options_;
  std::filesystem::path state_;
  std::optional<MoveOwner> owner_;  // nullopt: a command of its own
  Asking ask_;
  MovePlan plan_;
  JobSpec job_;
  bool is_resumed_ = false;
  bool is_done_ = false;  // all but the comparison
  bool is_done_before_ = false;
  std::vector<ComparedTable> compared_;  // of one that was done before
  std::optional<MovePlan> begun_;        // that an earlier process planned
  std::string last_run_;                 // of the job; empty: there is none
  std::string last_state_;
  bool has_rows_left_ = true;  // a table of the last run is not done
  std::optional<Holder> holder_;
};

// Takes back what a restore has made that its run gives up: the tables, and only those.
Result<void> give_up_restore(const MoveOrder& order, const std::filesystem::path& state);

}  // namespace tranche
