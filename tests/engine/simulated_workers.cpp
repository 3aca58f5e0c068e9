#include "simulated_workers.h"

#include <algorithm>

#include "core/reject_segment.h"

namespace tranche::simulation {
namespace {

Error error_of(const Death& death) {
  return make_error(ErrorKind::crash, "A worker " + death.how + ".");
}

Death crash_of(const Task& task) {
  Death death;
  death.how = "was killed by signal 11 (SIGSEGV)";
  death.signal = 11;
  death.task = task.records();
  return death;
}

Death kill_of(const Task& task) {
  Death death;
  death.how = "was killed by signal 9 (SIGKILL)";
  death.signal = 9;
  death.is_suspicious = false;
  death.task = task.records();
  return death;
}

const Culprit* culprit_of(const Task& task, std::uint64_t record) {
  const auto found = std::find_if(task.culprits.begin(), task.culprits.end(),
                                  [&](const Culprit& culprit) { return culprit.record == record; });
  return found == task.culprits.end() ? nullptr : &*found;
}

// What the records of one task come to.
struct Written {
  std::string bytes;
  std::vector<Reject> rejects;
  std::vector<std::uint64_t> records;

  void reject(Reject reject, std::uint64_t record) {
    reject.record = record;
    rejects.push_back(std::move(reject));
  }
  void write(std::uint64_t record) {
    bytes.append(reinterpret_cast<const char*>(&record), sizeof record);
    records.push_back(record);
  }
  ChunkResult result() const {
    ChunkResult result;
    result.counts.read = records.size();
    result.counts.read_rejects = rejects.size();
    result.rejects = encode_rejects(rejects);
    result.counts.offered = records.size();
    result.counts.encoded = records.size();
    result.segments.push_back(Segment::make(bytes, records.size()));
    return result;
  }
};

}  // namespace

Result<void> SimulatedWorkers::submit(Task task) {
  records_submitted_ += task.records().count();
  tasks_.push_back(std::move(task));
  return {};
}

Result<std::optional<Outcome>> SimulatedWorkers::next(std::chrono::milliseconds timeout) {
  if (tasks_.empty()) return std::optional<Outcome>();
  const bool is_half_idle = tasks_.size() < job_.workers && records_submitted_ < job_.records;
  if (timeout.count() == 0 && job_.take_time) return std::optional<Outcome>();
  if (is_half_idle && timeout.count() > 0) ++world_.waits_half_idle;
  const auto index = random_() % tasks_.size();
  const Task task = tasks_[index];
  tasks_.erase(tasks_.begin() + static_cast<std::ptrdiff_t>(index));
  if (!task.trial) {
    for (const auto& chunk : task.chunks) bytes_read_ += chunk.bytes;
  } else {
    ++world_.trials_done;
  }
  Outcome outcome;
  outcome.task = task.id;
  outcome.group = task.group;
  outcome.is_merge = task.kind == Task::Kind::merge;
  std::tie(outcome.result, outcome.death) = work(task);
  if (outcome.death && kind_ == Kind::threads) {
    kill_engine(*std::move(outcome.death));
    return make_error(ErrorKind::failed, "The engine died with its worker.");
  }
  if (const auto alive = fault_.step([] {}); !alive) {
    outcome.death.reset();
    outcome.result = alive.error();
  }
  return std::optional<Outcome>(std::move(outcome));
}

// Others have records in their hands too, of which none does harm.
void SimulatedWorkers::kill_engine(Death death) {
  fault_.dead = true;
  world_.suspects.push_back({0, std::move(death)});
  for (const Task& task : tasks_) {
    if (world_.suspects.size() == job_.workers) break;
    Death other = crash_of(task);
    const RecordRange records = task.records();
    if (job_.killers.are_named && records.count() > 0) {
      const std::uint64_t record = records.first + random_() % records.count();
      other.in_hand = RecordRange{record, record + 1};
      world_.have_killed.insert(record);  // who kills once may have done it just then
    }
    world_.suspects.push_back({0, std::move(other)});
  }
}

bool SimulatedWorkers::is_deadly(std::uint64_t record, const std::vector<std::uint64_t>& before) {
  const Killers& killers = job_.killers;
  if (killers.always.contains(record)) return true;
  if (killers.once.contains(record)) return world_.have_killed.insert(record).second;
  const auto company = killers.in_company.find(record);
  return company != killers.in_company.end() &&
         std::find(before.begin(), before.end(), company->second) != before.end();
}

bool SimulatedWorkers::dies_of_reading(const Task& task) const {
  for (const auto& chunk : task.chunks) {
    const RecordRange read{chunk.begin, chunk.end};
    const bool is_skipped = task.trial && task.trial->count() > 0 &&
                            (read.first >= task.trial->end || read.end <= task.trial->first);
    if (is_skipped) continue;
    for (const auto record : job_.killers.by_being_read) {
      if (read.contains(record)) return true;
    }
  }
  return false;
}

SimulatedWorkers::Work SimulatedWorkers::merge(const Task& task) {
  if (world_.merges_died < job_.killers.merges) {
    ++world_.merges_died;
    Death death = job_.killers.merges_from_outside ? kill_of(task) : crash_of(task);
    return {error_of(death), death};
  }
  std::string bytes;
  for (const auto& segment : task.segments) bytes += *segment.data;
  ChunkResult result;
  result.counts.encoded = bytes.size() / sizeof(std::uint64_t);
  result.segments.push_back(Segment::make(bytes, result.counts.encoded));
  return {result, std::nullopt};
}

SimulatedWorkers::Work SimulatedWorkers::work(const Task& task) {
  if (kind_ == Kind::processes && random_() % 100 < job_.killers.outside_percent) {
    return {error_of(kill_of(task)), kill_of(task)};
  }
  if (task.trial && world_.trials_failed < job_.killers.trials_fail) {
    ++world_.trials_failed;
    return {make_error(ErrorKind::transient, "The service is away."), std::nullopt};
  }
  if (task.kind == Task::Kind::merge) return merge(task);
  if (dies_of_reading(task)) return {error_of(crash_of(task)), crash_of(task)};
  Written written;
  for (const auto& chunk : task.chunks) {
    for (std::uint64_t record = chunk.begin; record < chunk.end; ++record) {
      if (task.trial && !task.trial->contains(record)) continue;
      if (const Culprit* const culprit = culprit_of(task, record)) {
        Reject reject(culprit->error);
        reject.phase = culprit->phase;
        reject.signal = culprit->signal;
        reject.attempts = culprit->attempts;
        written.reject(std::move(reject), record);
      } else if (job_.bad_every != 0 && record % job_.bad_every == 0) {
        written.reject(Reject("bad"), record);
        if (written.rejects.size() < job_.rejects_enough) continue;
        ChunkResult result;
        result.rejects_incomplete = true;
        result.rejects = encode_rejects(written.rejects);
        return {result, std::nullopt};
      } else if (is_deadly(record, written.records)) {
        Death death = crash_of(task);
        if (job_.killers.are_named) death.in_hand = RecordRange{record, record + 1};
        return {error_of(death), death};
      } else {
        written.write(record);
      }
    }
  }
  return {written.result(), std::nullopt};
}

}  // namespace tranche::simulation
