#include "engine/group.h"

#include <algorithm>
#include <iterator>

namespace tranche::engine {

void Group::add(BatchPlan batch, bool whole, const std::vector<std::uint64_t>* only,
                const std::vector<Culprit>& culprits) {
  auto make = [&](std::size_t first, std::size_t count) {
    TaskState state;
    state.task.group = number_;
    state.task.batch = batch.number;
    state.task.first_chunk = static_cast<std::uint32_t>(first);
    const auto begin = batch.chunks.begin() + static_cast<std::ptrdiff_t>(first);
    state.task.chunks.assign(begin, begin + static_cast<std::ptrdiff_t>(count));
    if (only != nullptr) {
      const RecordRange records = state.task.records();
      state.task.only.emplace(std::lower_bound(only->begin(), only->end(), records.first),
                              std::lower_bound(only->begin(), only->end(), records.end));
    }
    for (const Culprit& culprit : culprits) {
      if (state.task.records().contains(culprit.record)) state.task.culprits.push_back(culprit);
    }
    tasks_.push_back(std::move(state));
  };
  if (whole) {
    make(0, batch.chunks.size());
  } else {
    for (std::size_t i = 0; i < batch.chunks.size(); ++i) make(i, 1);
  }
  batches_.push_back(std::move(batch));
}

void Group::carry_over(BatchPlan batch) {
  is_carried_over_ = true;
  batches_.push_back(std::move(batch));
}

TaskState* Group::find(std::uint64_t task_id) {
  auto found = std::find_if(tasks_.begin(), tasks_.end(), [&](const TaskState& state) {
    return state.phase == TaskState::Phase::submitted && state.task.id == task_id;
  });
  return found == tasks_.end() ? nullptr : &*found;
}

bool Group::all_done() const {
  return std::all_of(tasks_.begin(), tasks_.end(),
                     [](const TaskState& state) { return state.phase == TaskState::Phase::done; });
}

Task Group::make_merge() {
  merge_asked_ = true;
  Task task;
  task.kind = Task::Kind::merge;
  task.group = number_;
  task.attempt = attempt;
  task.segments = segments();
  return task;
}

void Group::merged(ChunkResult result) {
  merged_ = true;
  merge_result_ = std::move(result);
  for (auto& state : tasks_) state.result.segments.clear();
}

std::vector<Segment> Group::segments() const {
  if (merged_) return merge_result_.segments;
  std::vector<Segment> all;
  for (const auto& state : tasks_) {
    all.insert(all.end(), state.result.segments.begin(), state.result.segments.end());
  }
  return all;
}

Counts Group::counts() const {
  Counts counts;
  for (const auto& state : tasks_) counts.add(state.result.counts);
  counts.planned = records();
  if (is_carried_over_) counts.skipped = counts.planned;
  if (merged_) {  // a merge writes every record once more, and counts what it wrote
    counts.encoded = std::min(counts.encoded, merge_result_.counts.encoded);
  }
  return counts;
}

std::vector<BatchWork> Group::work() const {
  std::vector<BatchWork> all;
  for (const auto& state : tasks_) {
    const std::int64_t began = state.time.began_microseconds;
    const std::int64_t took = state.time.took_microseconds;
    const auto same = std::find_if(all.begin(), all.end(), [&](const BatchWork& known) {
      return known.batch == state.task.batch && known.worker == state.worker;
    });
    if (same == all.end()) {
      all.push_back({state.task.batch, state.worker, began, began + took, took});
      continue;
    }
    same->began_microseconds = std::min(same->began_microseconds, began);
    same->ended_microseconds = std::max(same->ended_microseconds, began + took);
    same->busy_microseconds += took;
  }
  return all;
}

std::vector<Segment> Group::rejects() const {
  std::vector<Segment> all;
  for (const auto& state : tasks_) {
    all.insert(all.end(), state.result.rejects.begin(), state.result.rejects.end());
  }
  return all;
}

bool Group::rejects_incomplete(std::uint64_t batch) const {
  return std::any_of(tasks_.begin(), tasks_.end(), [&](const TaskState& state) {
    return state.task.batch == batch && state.result.rejects_incomplete;
  });
}

std::uint64_t Group::held_bytes() const {
  std::uint64_t bytes = 0;
  for (const auto& state : tasks_) {
    for (const auto& segment : state.result.segments) bytes += segment.memory_bytes();
    for (const auto& segment : state.result.rejects) bytes += segment.memory_bytes();
  }
  return bytes;
}

std::uint64_t Group::shared_bytes() const {
  std::uint64_t bytes = 0;
  const auto add = [&](const std::vector<Segment>& segments) {
    for (const auto& segment : segments) {
      if (segment.file && segment.file->is_in_memory()) bytes += segment.bytes;
    }
  };
  for (const auto& state : tasks_) {
    add(state.result.segments);
    add(state.result.rejects);
  }
  return bytes;
}

std::uint64_t Group::records() const {
  std::uint64_t records = 0;
  for (const auto& batch : batches_) records += batch.records();
  return records;
}

std::uint64_t Group::file_bytes() const {
  std::uint64_t bytes = 0;
  for (const auto& batch : batches_) bytes += batch.file_bytes();
  return bytes;
}

std::uint64_t Group::end_record() const {
  for (auto batch = batches_.rbegin(); batch != batches_.rend(); ++batch) {
    if (!batch->chunks.empty()) {
      return batch->chunks.back().first_record + batch->chunks.back().records;
    }
  }
  return 0;
}

}  // namespace tranche::engine
