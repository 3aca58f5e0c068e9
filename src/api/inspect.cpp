// Looks at runs from outside: history, live counts, rejects, and steering.
#include <tranche/api/inspect.h>

#include <cstdlib>
#include <set>

#include <fmt/format.h>

#include "api/assemble.h"
#include "api/job_run.h"
#include "api/reject_line.h"
#include "base/json.h"

namespace tranche {
namespace {

Result<RunInfo> info_of(Ledger& ledger, const RunRecord& record,
                        const std::filesystem::path& state) {
  RunInfo info;
  info.run = record.run;
  info.job = record.job;
  info.job_file = record.job_file;
  if (const auto parameters = Json::parse(record.parameters)) {
    for (const auto& [name, value] : parameters->entries()) {
      info.parameters.emplace_back(name, value.is_null() ? "" : value.text());
    }
  }
  info.state = record.state;
  // Runs of one job and parameters share a lock: it is this run's only while this one goes on.
  if (record.state == "running") {
    const auto lock = run_lock_path(state, record.job, record.parameters_digest);
    TRANCHE_ASSIGN(info.alive, FileLock::is_held(lock));
    if (!info.alive) info.state = "interrupted";
  }
  info.started_microseconds = record.started_microseconds;
  info.ended_microseconds = record.ended_microseconds;
  info.error = record.error;
  TRANCHE_ASSIGN(info.window, ledger.window_of(record.run));
  TRANCHE_ASSIGN(info.rejects_of, ledger.rejects_of(record.run));
  TRANCHE_ASSIGN(info.rejects_retried_by, ledger.rejects_retried_by(record.run));
  TRANCHE_ASSIGN(const auto live, ledger.live_progress(record.run));
  if (!live.empty()) {
    info.step = live.back().step;
    info.progress = live.back().progress;
  }
  if (!record.summary.empty()) {
    if (auto summary = RunSummary::from_json(record.summary)) info.summary = *std::move(summary);
  }
  return info;
}

}  // namespace

std::filesystem::path state_folder(const std::filesystem::path& given,
                                   const std::filesystem::path& job_base) {
  if (!given.empty()) return given;
  // Read once at the start of a command, before there are threads.
  if (const char* named = std::getenv("TRANCHE_STATE"); named != nullptr && *named != '\0') {
    return named;
  }
  return job_base.empty() ? std::filesystem::path(".tranche") : job_base / ".tranche";
}

Result<std::vector<RunInfo>> list_runs(const std::filesystem::path& state, std::size_t limit) {
  std::vector<RunInfo> infos;
  if (!Ledger::exists(state)) return infos;
  TRANCHE_ASSIGN(auto ledger, Ledger::open_existing_read_only(state));
  TRANCHE_ASSIGN(const auto records, ledger->list_runs(static_cast<std::uint32_t>(limit)));
  for (const auto& record : records) {
    TRANCHE_ASSIGN(auto info, info_of(*ledger, record, state));
    infos.push_back(std::move(info));
  }
  return infos;
}

Result<RunInfo> find_run(const std::filesystem::path& state, const std::string& name) {
  TRANCHE_ASSIGN(auto ledger, Ledger::open_existing_read_only(state));
  TRANCHE_ASSIGN(const auto record, ledger->find_run(name));
  return info_of(*ledger, record, state);
}

Result<std::uint64_t> for_each_reject(
    const std::filesystem::path& state, const std::string& run, bool published_only,
    const std::function<Result<void>(const std::string& json_line)>& take) {
  TRANCHE_ASSIGN(auto ledger, Ledger::open_existing_read_only(state));
  TRANCHE_ASSIGN(const auto record, ledger->find_run(run));
  std::uint64_t count = 0;
  const auto give = [&](const KeptReject& kept) -> Result<void> {
    ++count;
    return take(reject_line(kept));
  };
  TRANCHE_TRY(ledger->read_rejects(record.run, {}, KeptRejects::published, 0, give));
  if (!published_only) {
    TRANCHE_TRY(ledger->read_rejects(record.run, {}, KeptRejects::unpublished, 0, give));
  }
  return count;
}

Result<void> for_each_log(
    const std::filesystem::path& state, const std::string& run,
    const std::function<Result<void>(const std::string&, const std::string&)>& take) {
  std::set<std::string> names;
  std::error_code none;  // a run without programs has no such folder
  const auto folder = state / "runs" / run / "logs";
  for (const auto& file : std::filesystem::directory_iterator(folder, none))
    names.insert(file.path().stem().string());  // "load-0.log" or, older, "load-0.log.old"
  std::set<std::string> logs;
  for (const std::string& name : names)
    logs.insert(name.ends_with(".log") ? name.substr(0, name.size() - 4) : name);
  for (const std::string& name : logs) {
    for (const char* ending : {".log.old", ".log"}) {
      const auto text = read_file(folder / (name + ending));
      if (text) TRANCHE_TRY(take(name, *text));
    }
  }
  return {};
}

Result<void> stop_run(const std::filesystem::path& state, const std::string& run) {
  TRANCHE_ASSIGN(const auto info, find_run(state, run));
  if (!info.alive) {
    return make_error(ErrorKind::usage,
                      fmt::format("Run {} of job \"{}\" is not running: it is {}.",
                                  info.run.substr(0, 8), info.job, info.state));
  }
  TRANCHE_ASSIGN(auto ledger, Ledger::open(state));
  return ledger->request_stop(info.run);
}

Result<void> abandon_run(const std::filesystem::path& state, const std::string& run,
                         bool keep_committed) {
  if (!Ledger::exists(state)) {
    return make_error(ErrorKind::usage, fmt::format("There is no run in {}.", state.string()));
  }
  TRANCHE_ASSIGN(auto ledger, Ledger::open(state));
  TRANCHE_ASSIGN(auto record, ledger->find_run(run));
  const auto path = run_lock_path(state, record.job, record.parameters_digest);
  TRANCHE_ASSIGN(const auto lock, FileLock::try_take(path, "abandon"));
  // Looked at again with the lock held: the run may have ended in between.
  TRANCHE_ASSIGN(record, ledger->find_run(record.run));
  if (record.state == "completed" || record.state == "abandoned") {
    return make_error(ErrorKind::usage, fmt::format("Run {} is {}: there is nothing to give up.",
                                                    record.run.substr(0, 8), record.state));
  }
  if (!lock) {
    return make_error(ErrorKind::busy,
                      fmt::format("Run {} is going on; stop it first with `tranche stop {}`.",
                                  record.run.substr(0, 8), record.run.substr(0, 8)));
  }
  return abandon(*ledger, record, state, keep_committed);
}

}  // namespace tranche
