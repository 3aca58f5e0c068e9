// Backup, restore and migration: planned, run as a job, compared.
//
// Threads: REQUIRES a process with one thread. Lifetime: a Move holds the state of the source that
// it reads. Errors: usage, config: found before anything was begun; those of run_supervised.
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

class Move {
 public:
  // Plans it, or takes up the one that was begun. `fresh` gives that one up, and what it made.
  static Result<Move> prepare(MoveOrder order, RunOptions options);

  const MoveOrder& order() const { return order_; }
  const MovePlan& plan() const { return plan_; }
  const JobSpec& job() const { return job_; }
  bool is_resumed() const { return is_resumed_; }
  const std::filesystem::path& state() const { return state_; }
  Result<RunSummary> run(Observer* observer);
  // Behind the run: what is there now. Of a backup the manifest is written.
  Result<std::vector<ComparedTable>> compare(const RunSummary& summary);

 private:
  Move(MoveOrder order, RunOptions options)
      : order_(std::move(order)), options_(std::move(options)) {}

  Result<void> look_at_earlier();
  Result<void> go_on();
  Result<void> empty_tables_in_work();
  Result<void> plan_anew();
  Result<Json> hold_source();
  Result<void> read_source();
  Result<void> check_folder() const;
  Result<void> give_up_earlier();
  void choose_tables();
  Result<void> write_scripts();
  Result<void> take_files();
  void fill_tables(const TargetScript& script, const std::vector<CatalogName>& names);
  void fill_scripts(const TargetScript& script);
  bool is_since(const CatalogTable& table) const;
  std::filesystem::path plan_path() const;

  MoveOrder order_;
  RunOptions options_;
  std::filesystem::path state_;
  MovePlan plan_;
  JobSpec job_;
  bool is_resumed_ = false;
  bool is_done_ = false;           // all but the comparison
  std::optional<MovePlan> begun_;  // that an earlier process planned
  std::string last_run_;           // of the job; empty: there is none
  std::string last_state_;
  bool has_rows_left_ = true;  // a table of the last run is not done
  std::optional<Holder> holder_;
};

}  // namespace tranche
