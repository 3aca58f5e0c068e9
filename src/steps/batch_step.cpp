#include "steps/batch_step.h"

#include <algorithm>

#include <fmt/format.h>

#include "executors/threads.h"
#include "pipeline/pipeline.h"
#include "plan/planner.h"

namespace tranche {
namespace {

Pipeline make_pipeline(const BatchStep& step, const StepSurroundings& surroundings,
                       bool with_sink) {
  Pipeline pipeline;
  pipeline.source = step.source.get();
  for (const auto& transform : step.transforms) pipeline.transforms.push_back(transform.get());
  pipeline.sink = with_sink ? step.sink.get() : nullptr;
  pipeline.database_memory_bytes = surroundings.database_memory_bytes;
  pipeline.spill_folder = surroundings.spill_folder;
  return pipeline;
}

bool uses_database(const BatchStep& step) {
  return step.source->uses_database() || step.sink->uses_database() ||
         std::any_of(step.transforms.begin(), step.transforms.end(),
                     [](const auto& transform) { return transform->uses_database(); });
}

const Slice* last_slice(const std::vector<BatchPlan>& batches) {
  for (auto batch = batches.rbegin(); batch != batches.rend(); ++batch) {
    if (!batch->chunks.empty()) return &batch->chunks.back();
  }
  return nullptr;
}

engine::StepEnd failed(Error error) {
  engine::StepEnd end;
  end.error = std::move(error);
  return end;
}

}  // namespace

std::uint64_t database_memory_for(std::uint64_t memory_bytes_max) {
  constexpr std::uint64_t least = 32ULL << 20;
  constexpr std::uint64_t most = 1ULL << 30;
  const std::uint64_t work = memory_bytes_max - std::min(memory_bytes_max, process_memory_bytes);
  return std::clamp(work / 3, least, most);
}

Result<void> bind_step(BatchStep& step, const std::vector<Input>* inputs,
                       const StepSurroundings& surroundings) {
  if (inputs != nullptr) {
    step.inputs = *inputs;
  } else {
    TRANCHE_ASSIGN(step.inputs, step.source->inputs());
  }
  TRANCHE_TRY(step.source->use_inputs(step.inputs));
  TRANCHE_ASSIGN(auto schema, step.source->schema());
  step.schemas.clear();
  step.schemas.emplace_back("read", schema);
  WorkerScope scope(0, surroundings.database_memory_bytes, surroundings.spill_folder);
  for (auto& transform : step.transforms) {
    TRANCHE_ASSIGN(schema, transform->bind(schema, scope));
    step.schemas.emplace_back(transform->name(), schema);
  }
  return step.sink->examine(schema);
}

Division full_division(const BatchStep& step) {
  return choose_division(step.division, step.source->default_division(),
                         step.sink->default_group_bytes());
}

Result<std::vector<BatchPlan>> plan_batches(const BatchStep& step) {
  TRANCHE_ASSIGN(auto stream, step.source->divide(nullptr));
  Planner planner(*stream, full_division(step));
  std::vector<BatchPlan> batches;
  while (true) {
    TRANCHE_ASSIGN(auto batch, planner.next());
    if (!batch) return batches;
    batches.push_back(*std::move(batch));
  }
}

Result<StepState> recover_batch_step(const BatchStep& step, StepLedger& ledger,
                                     const StepSurroundings& surroundings) {
  engine::StepWork work;
  work.run = surroundings.run;
  work.run.step = step.name;
  work.schema = step.output_schema();
  work.sink = step.sink.get();
  work.ledger = &ledger;
  return engine::recover_commits(work);
}

engine::StepEnd run_batch_step(const BatchStep& step, const Division& division, StepLedger& ledger,
                               const StepSurroundings& surroundings) {
  const Pipeline pipeline = make_pipeline(step, surroundings, true);
  ThreadExecutor executor(step.workers,
                          [&](unsigned number) { return make_worker(pipeline, number); });
  engine::StepWork work;
  work.run = surroundings.run;
  work.run.step = step.name;
  work.schema = step.output_schema();
  work.sink = step.sink.get();
  work.ledger = &ledger;
  work.executor = &executor;
  work.clock = surroundings.clock;
  work.observer = surroundings.observer;
  work.reject_limit = step.reject_limit;
  work.retry = step.retry;
  work.whole_batches = pipeline.whole_batches();
  work.memory_bytes_max =
      surroundings.memory_bytes_max - std::min(surroundings.memory_bytes_max, process_memory_bytes);
  work.task_memory_bytes = uses_database(step) ? surroundings.database_memory_bytes : 0;
  // Pages of the source, of each transform, and the encoded bytes.
  const auto stages = static_cast<double>(step.transforms.size());
  work.memory_per_record_byte = work.whole_batches ? 1.5 + 0.5 * stages : 1.5;
  for (const auto& input : step.inputs) work.input_bytes_total += input.bytes;
  work.stop = surroundings.stop;
  work.sample_memory = surroundings.sample_memory;

  auto recovered = recover_batch_step(step, ledger, surroundings);
  if (!recovered) return failed(std::move(recovered).error());
  std::unique_ptr<SliceStream> stream;
  std::optional<Planner> planner;
  if (!recovered->plan_complete) {
    auto made = step.source->divide(last_slice(recovered->batches));
    if (!made) return failed(std::move(made).error());
    stream = *std::move(made);
    std::optional<std::uint64_t> committed;
    if (!recovered->committed.empty()) committed = recovered->committed.back().receipt.group;
    planner.emplace(*stream, division, position_behind(recovered->batches, division, committed));
  }
  work.next_batch = [&]() -> Result<std::optional<BatchPlan>> {
    if (!planner) return std::optional<BatchPlan>();
    return planner->next();
  };
  return engine::run_step(work, *std::move(recovered));
}

Result<Counts> check_batches(const BatchStep& step, const StepSurroundings& surroundings,
                             const std::function<Result<void>(const Reject&)>& take) {
  const Pipeline pipeline = make_pipeline(step, surroundings, false);
  TRANCHE_ASSIGN(auto worker, make_worker(pipeline, 0));
  TRANCHE_ASSIGN(auto stream, step.source->divide(nullptr));
  Planner planner(*stream, full_division(step));
  Counts counts;
  while (true) {
    TRANCHE_ASSIGN(auto batch, planner.next());
    if (!batch) return counts;
    Task task;
    task.batch = batch->number;
    task.chunks = batch->chunks;
    TRANCHE_ASSIGN(const auto result, worker->work(task));
    counts.planned += batch->records();
    counts.add(result.counts);
    for (const auto& reject : result.rejects) TRANCHE_TRY(take(reject));
  }
}

Result<void> compare_committed(const BatchStep& step, const StepState& state,
                               const std::vector<Input>& before) {
  std::uint32_t inputs_passed = 0;
  for (const auto& batch : state.batches) {
    if (batch.group >= state.committed.size()) return {};
    for (const auto& chunk : batch.chunks) {
      for (; inputs_passed < chunk.input; ++inputs_passed) {
        const Input& now = step.inputs.at(inputs_passed);
        if (now.bytes == before.at(inputs_passed).bytes) continue;
        return make_error(
            ErrorKind::config,
            fmt::format("{} had {} bytes and has {} now, but batch {}, of a later file, is "
                        "committed already, so what changed would not be read. Restore the "
                        "input, or start again with --fresh.",
                        now.name, before[inputs_passed].bytes, now.bytes, batch.number));
      }
      TRANCHE_ASSIGN(const auto digest, step.source->digest(chunk));
      if (digest && *digest == chunk.digest) continue;
      return make_error(
          ErrorKind::config,
          fmt::format("The input of batch {} is not what it was when the batch was "
                      "committed{}, so the committed batches can't be kept. Restore "
                      "the input, or start again with --fresh.",
                      batch.number,
                      chunk.first_line > 0
                          ? fmt::format(" (lines {} to {})", chunk.first_line, chunk.end_line)
                          : std::string()));
    }
  }
  return {};
}

}  // namespace tranche
