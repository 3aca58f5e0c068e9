#include "steps/batch_step.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/process.h"
#include "core/reject_segment.h"
#include "executors/lane_pool.h"
#include "executors/threads.h"
#include "executors/work_loop.h"
#include "pipeline/pipeline.h"
#include "plan/planner.h"
#include "steps/batch_ahead.h"
#include "steps/step_memory.h"

namespace tranche {
namespace {

// Slots of the board behind those of threads and worker processes: for trials.
constexpr unsigned trial_slots_begin = BreadcrumbBoard::slots_max - 64;
// Behind which nobody needs more: as many as may be asked for.
constexpr unsigned threads_at_once_max = 1024;
// Of a compressed input, in each worker process: it reads on from where it was.
constexpr std::uint64_t decoded_bytes_a_process = 8ULL << 20;

// Of what transforms keep until the step is done; empty: there is no run.
std::string kept_folder(const BatchStep& step, const StepSurroundings& surroundings) {
  const std::string& run = surroundings.run.run_folder;
  return run.empty() ? std::string() : run + "/kept/" + step.name;
}

Pipeline make_pipeline(const BatchStep& step, const StepSurroundings& surroundings,
                       bool with_sink) {
  Pipeline pipeline;
  pipeline.source = step.source.get();
  for (const auto& transform : step.transforms) {
    transform->work_for(surroundings.run.run_id, step.name, kept_folder(step, surroundings));
    pipeline.transforms.push_back(transform.get());
  }
  pipeline.sink = with_sink ? step.sink.get() : nullptr;
  // A few more than are too many, so that the first ones can be shown; a share has no bound, as the
  // records to come may make up for it.
  const RejectLimit& limit = step.reject_limit;
  if (with_sink && !limit.is_share)
    pipeline.rejects_enough = limit.number + std::min<std::uint64_t>(10, UINT64_MAX - limit.number);
  pipeline.database_memory_bytes = surroundings.database_memory_bytes;
  pipeline.spill_folder = surroundings.spill_folder;
  if (!surroundings.run.run_folder.empty())
    pipeline.log_prefix = surroundings.run.run_folder + "/logs/" + step.name;
  pipeline.board = surroundings.board;
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

std::string no_more_fit(unsigned wanted) {
  return fmt::format("of {}: no more fit into the memory budget", wanted);
}

engine::StepEnd failed(Error error) {
  engine::StepEnd end;
  end.error = std::move(error);
  return end;
}

// Of the databases that the engine itself has open.
std::uint64_t engine_bytes(const BatchStep& step) {
  return step.source->planner_bytes() + step.sink->committer_bytes();
}

std::ptrdiff_t transforms_of_batches(const BatchStep& step) {
  return std::count_if(step.transforms.begin(), step.transforms.end(), [](const auto& transform) {
    return transform->scope() == Transform::Scope::batch;
  });
}

// Also tells the source how much of the memory is its own.
Result<StepMemory> memory_of(const BatchStep& step, const StepSurroundings& surroundings) {
  const auto of_batches = transforms_of_batches(step);
  TRANCHE_ASSIGN(const auto decoder_bytes, step.source->decoder_bytes());
  std::uint64_t source_bytes = 0;
  if (decoder_bytes) {
    source_bytes = *decoder_bytes + decoded_text_for(surroundings.memory_bytes_max);
    step.source->keep_decoded(decoded_text_for(surroundings.memory_bytes_max));
  }
  std::uint64_t process_bytes = 0;
  if (step.workers.kind == WorkersSpec::Kind::processes) {
    process_bytes = worker_process_bytes;
    if (decoder_bytes) process_bytes += *decoder_bytes + decoded_bytes_a_process;
  }
  return StepMemory(surroundings.memory_bytes_max,
                    uses_database(step) ? surroundings.database_memory_bytes : 0,
                    static_cast<std::size_t>(of_batches), source_bytes + engine_bytes(step),
                    step.sink->encoder_bytes(), process_bytes);
}

// Lets the source go on from the checkpoints of earlier starts, and says so where it can't.
Result<void> use_checkpoints(const BatchStep& step, const StepState& recovered, StepLedger& ledger,
                             const StepSurroundings& surroundings) {
  // The first that is read again; else the last one, behind which the plan goes on.
  const Slice* slice = recovered.plan_complete ? nullptr : last_slice(recovered.batches);
  for (const auto& batch : recovered.batches) {
    if (batch.group < recovered.committed.size() || batch.chunks.empty()) continue;
    slice = &batch.chunks.front();
    break;
  }
  std::vector<Checkpoint> checkpoints;
  if (slice != nullptr) {
    TRANCHE_ASSIGN(checkpoints, ledger.load_checkpoints(slice->input, slice->begin));
  }
  step.source->use_checkpoints(std::move(checkpoints));
  if (slice == nullptr) return {};
  const auto notice = step.source->seek_notice(*slice);
  if (!notice || surroundings.observer == nullptr) return {};
  Event event;
  event.kind = Event::Kind::warning;
  event.run = surroundings.run.run_id;
  event.step = step.name;
  event.message = *notice;
  surroundings.observer->on_event(event);
  return {};
}

bool is_cut_alike(const BatchPlan& batch, const BatchPlan& other) {
  return std::equal(batch.chunks.begin(), batch.chunks.end(), other.chunks.begin(),
                    other.chunks.end(), [](const Slice& chunk, const Slice& earlier) {
                      return chunk.first_record == earlier.first_record &&
                             chunk.records == earlier.records;
                    });
}

// The batches behind those that the ledger has. None is planned that can't be worked on.
class BatchFeed {
 public:
  BatchFeed(const BatchStep& step, const Division& division, const StepMemory& memory)
      : step_(step), division_(division), memory_(memory) {}

  // Goes to where the plan of `recovered` ends; the largest task among what is planned already.
  Result<std::uint64_t> begin(const StepState& recovered) {
    std::uint64_t task_bytes = 0;
    for (const auto& batch : recovered.batches) {
      if (batch.group < recovered.committed.size()) continue;
      TRANCHE_TRY(memory_.check(batch, division_));
      task_bytes = std::max(task_bytes, memory_.task_bytes(batch));
    }
    if (recovered.plan_complete) return task_bytes;
    const bool has_work = task_bytes > 0;
    TRANCHE_ASSIGN(stream_, step_.source->divide(last_slice(recovered.batches)));
    std::optional<std::uint64_t> committed;
    if (!recovered.committed.empty()) committed = recovered.committed.back().receipt.group;
    planner_.emplace(*stream_, division_, position_behind(recovered.batches, division_, committed));
    if (!recovered.batches.empty()) {
      next_batch_ = recovered.batches.back().number + 1;
      next_group_ = recovered.batches.back().group + 1;
      const Slice& last = recovered.batches.back().chunks.back();
      end_record_ = last.first_record + last.records;
    }
    if (has_work) return task_bytes;  // first things first: a source may have to decode them
    if (step_.source->is_fetched()) return usual_task_bytes();
    TRANCHE_ASSIGN(first_, next());
    if (first_) task_bytes = std::max(task_bytes, memory_.task_bytes(*first_));
    return task_bytes;
  }

  // By another thread: next() ends soon where the source waits for others.
  void interrupt() {
    if (stream_) stream_->interrupt();
  }

  Result<std::optional<BatchPlan>> next() {
    if (first_) return std::exchange(first_, std::nullopt);
    if (!planner_) return std::optional<BatchPlan>();
    TRANCHE_ASSIGN(auto batch, step_.rewritten ? next_rewritten(*step_.rewritten)
                               : step_.only    ? next_wanted(*step_.only)
                                               : planner_->next());
    if (batch) TRANCHE_TRY(memory_.check(*batch, division_));
    return batch;
  }

 private:
  // Of a source that is fetched: what comes is not waited for, but is about as large as its chunks.
  std::uint64_t usual_task_bytes() const {
    BatchPlan batch;
    batch.chunks.emplace_back();
    batch.chunks.front().bytes = division_.chunk_bytes;
    batch.chunks.front().memory_bytes = 2 * division_.chunk_bytes;
    return memory_.task_bytes(batch);
  }

  // The next batch that holds a record to be processed again, as a group of its own.
  Result<std::optional<BatchPlan>> next_wanted(const std::vector<std::uint64_t>& only) {
    while (true) {
      TRANCHE_ASSIGN(auto batch, planner_->next());
      if (!batch && !only.empty() && only.back() >= end_record_) {
        return make_error(ErrorKind::failed,
                          fmt::format("The input has {} records; record {} was to be processed "
                                      "again.",
                                      end_record_, only.back()));
      }
      if (!batch) return batch;
      const std::uint64_t first = batch->chunks.front().first_record;
      end_record_ = first + batch->records();
      const auto wanted = std::lower_bound(only.begin(), only.end(), first);
      if (wanted == only.end()) return std::optional<BatchPlan>();
      if (*wanted >= first + batch->records()) continue;
      batch->number = next_batch_++;
      batch->group = next_group_++;
      return batch;
    }
  }

  // The next batch, which must hold the records that it held in the earlier run.
  Result<std::optional<BatchPlan>> next_rewritten(const std::vector<BatchPlan>& rewritten) {
    TRANCHE_ASSIGN(auto batch, planner_->next());
    const std::uint64_t number = batch ? batch->number : next_batch_;
    next_batch_ = number + 1;
    const bool is_same = batch ? number < rewritten.size() && batch->group == number &&
                                     is_cut_alike(*batch, rewritten[number])
                               : number == rewritten.size();
    if (is_same) return batch;
    return make_error(
        ErrorKind::failed,
        fmt::format("Batch {} does not hold the records any more that it held in the earlier run, "
                    "so nobody knows their places in the output: `batch:`, or the lengths of the "
                    "records, changed. Give the run up, and try it without --in-place, which adds "
                    "the records at the end.",
                    number));
  }

  const BatchStep& step_;
  const Division& division_;
  const StepMemory& memory_;
  std::unique_ptr<SliceStream> stream_;
  std::optional<Planner> planner_;
  std::uint64_t next_batch_ = 0;  // of those that hold records to be processed again
  std::uint64_t next_group_ = 0;
  std::uint64_t end_record_ = 0;    // behind the last one that was planned
  std::optional<BatchPlan> first_;  // planned to see how much memory a batch takes
};

// Whether the source may be divided by another thread while this one commits: what is fetched, and
// files that need no decoding. What is decoded must not run away from its readers, and a database
// is read in turn.
bool may_plan_ahead(const BatchStep& step) {
  const auto decoder_bytes = step.source->decoder_bytes();
  const bool has_database = step.source->planner_bytes() > 0 && !step.source->is_fetched();
  return decoder_bytes && !*decoder_bytes && !has_database &&
         std::all_of(step.inputs.begin(), step.inputs.end(),
                     [](const Input& input) { return input.snapshot.empty(); });
}

// Who does the work of a step.
struct Crew {
  unsigned workers = 0;
  unsigned lanes_most = 0;
  std::string why;                  // so many workers
  std::unique_ptr<LanePool> lanes;  // outlives the workers
  std::unique_ptr<Executor> executor;
  std::unique_ptr<Executor> trials;  // where the workers are threads

  Executor* isolator() const {
    if (trials) return trials.get();
    return is_isolated ? executor.get() : nullptr;
  }
  bool is_isolated = false;
};

// Workers that are threads, and lanes where functions may have to wait: a chunk is far too much
// for one thread then, so that each core has one in work, and the rest helps.
void gather_threads(Crew& crew, const BatchStep& step, const Pipeline& pipeline,
                    const StepMemory& memory, std::uint64_t task_bytes, BreadcrumbBoard& board) {
  const unsigned cores = core_count();
  const unsigned asked = step.workers.count;
  const bool has_functions =
      std::any_of(step.transforms.begin(), step.transforms.end(),
                  [](const auto& transform) { return transform->uses_lanes(); });
  const unsigned wanted = asked == 0 || (has_functions && asked > cores) ? cores : asked;
  crew.workers = memory.workers(wanted, task_bytes);
  crew.why = asked > 0 ? "as asked" : "one for each core";
  if (has_functions && (asked == 0 || asked > cores)) {
    const unsigned most = asked > 0 ? asked : threads_at_once_max;
    crew.lanes_most = memory.lanes(most - std::min(most, crew.workers), crew.workers);
    const unsigned carried = crew.workers + crew.lanes_most;
    crew.lanes = asked > 0
                     ? std::make_unique<LanePool>(crew.workers, carried, board)
                     : std::make_unique<LanePool>(AutoWorkers(crew.workers, cores, carried), board);
  }
  const unsigned wanted_in_all = asked > 0 ? asked : cores;
  if (crew.workers + (asked > 0 ? crew.lanes_most : 0) < wanted_in_all)
    crew.why = no_more_fit(wanted_in_all);
  crew.executor = std::make_unique<ThreadExecutor>(
      crew.workers,
      [&pipeline, lanes = crew.lanes.get()](unsigned number) {
        if (lanes != nullptr) lanes->meet_worker(number);
        return make_worker(pipeline, number, lanes);
      },
      board, crew.lanes.get());
}

Result<Crew> make_crew(const BatchStep& step, const Pipeline& pipeline,
                       const StepSurroundings& surroundings, const StepMemory& memory,
                       std::uint64_t task_bytes) {
  const WorkersSpec& asked = step.workers;
  const bool is_processes = asked.kind == WorkersSpec::Kind::processes;
  if (is_processes && surroundings.starter == nullptr) {
    return make_error(
        ErrorKind::config,
        "`workers: { processes: }` needs a supervisor that was started while the program had one "
        "thread: use tranche::main or tranche::run_supervised, or threads.");
  }
  BreadcrumbBoard& board = *surroundings.board;
  board.clear();
  Crew crew;
  crew.is_isolated = is_processes;
  ProcessLimits limits;
  limits.timeout = asked.timeout;
  limits.cpu_time = asked.cpu_time;
  limits.recycle_batches = asked.recycle_batches;
  if (is_processes) {
    if (asked.memory_bytes > 0) {
      limits.memory_bytes = asked.memory_bytes;
      TRANCHE_ASSIGN(crew.workers, memory.processes(asked.count, asked.memory_bytes, task_bytes));
    } else {
      crew.workers = memory.workers(asked.count, task_bytes);
      limits.memory_bytes = memory.process_bytes(crew.workers);
    }
    crew.why = crew.workers < asked.count ? no_more_fit(asked.count) : "as asked";
    crew.executor =
        std::make_unique<ProcessExecutor>(crew.workers, 0, limits, *surroundings.starter, board);
    return crew;
  }
  board.timeout_milliseconds.store(static_cast<std::uint64_t>(asked.timeout.count()));
  // Far beyond the budget something runs away; the engine's own estimates are not as wrong as that.
  board.memory_bytes_hard.store(surroundings.run_memory_bytes_max / 2 * 3);
  gather_threads(crew, step, pipeline, memory, task_bytes, board);
  if (surroundings.starter != nullptr) {
    limits.memory_bytes = memory.bytes_left(0);
    crew.trials = std::make_unique<ProcessExecutor>(0, trial_slots_begin, limits,
                                                    *surroundings.starter, board);
  }
  return crew;
}

// Near the budget, what the allocator keeps for later is given back: estimates don't know of it.
std::uint64_t sample_within(const StepSurroundings& surroundings) {
  const std::uint64_t bytes = surroundings.sample_memory();
  if (bytes > surroundings.run_memory_bytes_max / 4 * 3) return_free_memory();
  return bytes;
}

// A step that waits for itself would wait for ever.
Result<void> check_target_is_free(const BatchStep& step) {
  std::vector<std::string> all_kept = step.source->keeps_from_writing();
  for (const auto& transform : step.transforms) {
    for (std::string& kept : transform->keeps_from_writing()) all_kept.push_back(std::move(kept));
  }
  for (const std::string& kept : all_kept) {
    for (const std::string& target : step.sink->targets()) {
      if (!target.starts_with(kept)) continue;
      return make_error(
          ErrorKind::config,
          fmt::format("The step reads from and writes into one database ({}), to which nobody can "
                      "write while it is read. Write into another one, or go by way of a file in "
                      "two steps.",
                      kept.substr(0, kept.size() - 1)));
    }
  }
  return {};
}

// Source and transforms, from the inputs to the schema that is written.
Result<void> bind_reading(BatchStep& step, const std::vector<Input>* inputs,
                          const StepSurroundings& surroundings) {
  if (inputs != nullptr) {
    step.inputs = *inputs;
  } else {
    TRANCHE_ASSIGN(step.inputs, step.source->inputs());
  }
  TRANCHE_TRY(step.source->use_inputs(step.inputs));
  TRANCHE_ASSIGN(auto schema, step.source->schema());
  TRANCHE_TRY(step.source->use_division(step.division));
  TRANCHE_TRY(check_target_is_free(step));
  step.schemas.clear();
  step.schemas.emplace_back("read", schema);
  WorkerScope scope(0, surroundings.database_memory_bytes, surroundings.spill_folder);
  for (auto& transform : step.transforms) {
    TRANCHE_ASSIGN(schema, transform->bind(schema, scope));
    step.schemas.emplace_back(transform->name(), schema);
  }
  return {};
}

// Of the step, and with the watermark of what it reads.
SinkRun sink_run_of(const BatchStep& step, const StepSurroundings& surroundings) {
  SinkRun run = surroundings.run;
  run.step = step.name;
  if (!step.increment.empty()) {
    run.watermark = Watermark{step.increment, step.inputs.front().until};
  }
  return run;
}

}  // namespace

Result<void> bind_step(BatchStep& step, const std::vector<Input>* inputs,
                       const StepSurroundings& surroundings) {
  TRANCHE_TRY(bind_reading(step, inputs, surroundings));
  return step.sink->examine(step.output_schema());
}

void keep_fetched(const BatchStep& step, const std::filesystem::path& run_folder) {
  step.source->keep_fetched(run_folder.filename().string(),
                            fetched_folder(run_folder, step.name).string());
}

std::filesystem::path fetched_folder(const std::filesystem::path& run_folder,
                                     const std::string& step) {
  return run_folder / "fetched" / step;
}

Division full_division(const BatchStep& step) {
  Division division = choose_division(step.division, step.source->default_division(),
                                      step.sink->default_group_bytes());
  for (const auto& transform : step.transforms) {
    const std::uint64_t most = transform->text_chunk_bytes();
    if (most != 0) division.chunk_bytes = std::min(division.chunk_bytes, most);
  }
  return division;
}

Result<void> check_memory(const BatchStep& step, const StepSurroundings& surroundings) {
  TRANCHE_ASSIGN(const StepMemory memory, memory_of(step, surroundings));
  if (step.source->is_fetched()) return {};  // nothing is kept yet
  Division division = full_division(step);
  const bool is_by_chunks =
      transforms_of_batches(step) == 0 && !division.window && division.chunk_bytes > 0;
  if (is_by_chunks) {  // the first of them tells as much as a batch does, and is found sooner
    const std::uint64_t batch_bytes = std::exchange(division.bytes, division.chunk_bytes);
    if (BatchFeed(step, division, memory).begin(StepState{})) return {};
    division.bytes = batch_bytes;
  }
  const auto fits = BatchFeed(step, division, memory).begin(StepState{});
  return fits ? Result<void>() : Result<void>(fits.error());
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
  work.run = sink_run_of(step, surroundings);
  work.schema = step.output_schema();
  work.sink = step.sink.get();
  work.ledger = &ledger;
  return engine::recover_commits(work);
}

engine::StepEnd run_batch_step(const BatchStep& step, const Division& division, StepLedger& ledger,
                               const StepSurroundings& surroundings) {
  const Pipeline pipeline = make_pipeline(step, surroundings, true);
  auto recovered = recover_batch_step(step, ledger, surroundings);
  if (!recovered) return failed(std::move(recovered).error());
  const auto memory = memory_of(step, surroundings);
  if (!memory) return failed(memory.error());
  const auto used = use_checkpoints(step, *recovered, ledger, surroundings);
  if (!used) return failed(used.error());
  BatchFeed feed(step, division, *memory);
  const auto task_bytes = feed.begin(*recovered);
  if (!task_bytes) return failed(task_bytes.error());
  const auto crew = make_crew(step, pipeline, surroundings, *memory, *task_bytes);
  if (!crew) return failed(crew.error());

  engine::StepWork work;
  work.run = sink_run_of(step, surroundings);
  work.schema = step.output_schema();
  std::optional<BatchAhead> ahead;
  if (may_plan_ahead(step)) ahead.emplace([&] { return feed.next(); }, [&] { feed.interrupt(); });
  if (ahead)
    work.batch_is_ready = [&](std::chrono::milliseconds longest) {
      return ahead->is_ready(longest);
    };
  work.next_batch = [&] { return ahead ? ahead->next() : feed.next(); };
  work.take_checkpoints = [&] { return step.source->take_checkpoints(); };
  work.sink = step.sink.get();
  work.ledger = &ledger;
  work.executor = crew->executor.get();
  work.isolator = crew->isolator();
  work.suspects = surroundings.suspects;
  for (const auto& transform : step.transforms) work.stages.push_back(transform->name());
  work.clock = surroundings.clock;
  work.observer = surroundings.observer;
  if (step.only) work.only = &*step.only;
  work.rewrites = step.rewritten.has_value();
  work.reject_limit = step.reject_limit;
  work.same_failures_max = step.same_failures_max;
  work.retry = step.retry;
  work.whole_batches = pipeline.whole_batches();
  work.memory_bytes_max = memory->bytes_left(crew->workers, crew->lanes_most);
  work.memory_per_record_byte = memory->bytes_per_record_byte();
  if (memory->source_bytes() > engine_bytes(step)) {  // what is decoded waits to be read
    work.unread_bytes_max = unread_text_for(surroundings.memory_bytes_max);
  }
  for (const auto& input : step.inputs) work.input_bytes_total += input.bytes;
  work.stop = surroundings.stop;
  if (surroundings.sample_memory) {
    work.sample_memory = [&] { return sample_within(surroundings); };
  }
  auto end = engine::run_step(work, *std::move(recovered));
  if (end.state == engine::StepEnd::State::completed)
    static_cast<void>(remove_tree(kept_folder(step, surroundings)));  // it is only in the way
  end.workers = crew->lanes ? crew->lanes->chosen() : crew->workers;
  const std::string why = crew->lanes ? crew->lanes->why() : std::string();
  end.workers_why = why.empty() || end.workers < core_count() ? crew->why : why;
  return end;
}

Result<void> bind_worker(BatchStep& step, const std::vector<Input>& inputs,
                         const StepSurroundings& surroundings) {
  TRANCHE_TRY(bind_reading(step, &inputs, surroundings));
  // The engine has the target in hand already, maybe for itself alone.
  if (step.sink->encoders_need_target()) TRANCHE_TRY(step.sink->examine(step.output_schema()));
  step.source->keep_decoded(decoded_bytes_a_process);
  step.sink->bind_encoders(surroundings.run, step.output_schema());
  return {};
}

int work_on_step(const BatchStep& step, const StepSurroundings& surroundings, Channel channel,
                 unsigned slot) {
  const Pipeline pipeline = make_pipeline(step, surroundings, true);
  return work_for_engine(
      std::move(channel), surroundings.board->slots[slot],
      [&](unsigned number) { return make_worker(pipeline, number); }, slot);
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
    TRANCHE_ASSIGN(auto result, worker->work(task));
    counts.planned += batch->records();
    counts.add(result.counts);
    RejectReader rejects({std::move(result.rejects)});
    while (true) {
      TRANCHE_ASSIGN(const Reject* const reject, rejects.next());
      if (reject == nullptr) break;
      TRANCHE_TRY(take(*reject));
    }
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
        if (!now.snapshot.empty() || now.bytes == before.at(inputs_passed).bytes) continue;
        return make_error(
            ErrorKind::config,
            fmt::format("{} had {} bytes and has {} now, but batch {}, of a later file, is "
                        "committed already, so what changed would not be read. Restore the "
                        "input, or start again with --fresh.",
                        now.name, before[inputs_passed].bytes, now.bytes, batch.number));
      }
      // Of a database the snapshot says what was read; whether another will do is decided.
      if (!step.inputs.at(chunk.input).snapshot.empty()) continue;
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
