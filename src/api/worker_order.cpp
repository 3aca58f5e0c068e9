#include "api/worker_order.h"

#include <signal.h>
#include <unistd.h>

#include <utility>

#include "api/assemble.h"
#include "api/query_result.h"
#include "base/frame.h"
#include "base/process.h"
#include "executors/work_loop.h"

namespace tranche {
namespace {

Result<BatchStep> bound_as_ordered(const JobSpec& job, const RunOptions& options,
                                   const WorkerOrder& order, const StepSurroundings& surroundings) {
  if (order.step >= job.steps.size())
    return make_error(ErrorKind::bug, "A worker was started for a step that the job has not.");
  StepSpec spec = with_step_values(job.steps[order.step], order.values);
  spec = reading_result(spec, query_result_path(order.run.run_folder, spec));
  TRANCHE_ASSIGN(auto step, order.is_for_rejects ? assemble_for_rejects(job, spec, options)
                                                 : assemble(job, spec, options));
  keep_fetched(step, order.fetching_run_folder);
  TRANCHE_TRY(bind_worker(step, order.inputs, surroundings));
  TRANCHE_ASSIGN(const std::string found, binding_fingerprint(step));
  if (found != order.fingerprint) {
    return make_error(
        ErrorKind::failed,
        "What the step reads changed while it ran: a worker that was just started found other "
        "columns, or other lookup tables, than the run began with. Run it again.");
  }
  return step;
}

}  // namespace

std::string encode_order(const WorkerOrder& order) {
  FrameWriter frame;
  frame.put(order.step);
  frame.put_text(order.run.run_id);
  frame.put_text(order.run.step);
  frame.put_text(order.run.run_folder);
  frame.put_text(order.run.job);
  frame.put(order.memory_bytes_max);
  frame.put(order.database_memory_bytes);
  frame.put_text(order.spill_folder);
  frame.put(order.inputs.size());
  for (const Input& input : order.inputs) {
    frame.put_text(input.name);
    frame.put(input.bytes);
    frame.put(static_cast<std::uint64_t>(input.modified_nanoseconds));
    for (const std::string* text : {&input.snapshot, &input.from, &input.until, &input.digest})
      frame.put_text(*text);
    frame.put(input.source);
  }
  frame.put(order.values.size());
  for (const auto& [name, value] : order.values) {
    frame.put_text(name);
    frame.put_text(value);
  }
  frame.put(order.is_for_rejects ? 1 : 0);
  frame.put_text(order.fetching_run_folder);
  frame.put_text(order.fingerprint);
  return frame.bytes();
}

Result<WorkerOrder> decode_order(const std::string& bytes) {
  FrameReader reader(bytes);
  WorkerOrder order;
  order.step = static_cast<std::uint32_t>(reader.take());
  order.run.run_id = reader.take_text();
  order.run.step = reader.take_text();
  order.run.run_folder = reader.take_text();
  order.run.job = reader.take_text();
  order.memory_bytes_max = reader.take();
  order.database_memory_bytes = reader.take();
  order.spill_folder = reader.take_text();
  order.inputs.resize(reader.take_count(8 * sizeof(std::uint64_t)));
  for (Input& input : order.inputs) {
    input.name = reader.take_text();
    input.bytes = reader.take();
    input.modified_nanoseconds = static_cast<std::int64_t>(reader.take());
    for (std::string* text : {&input.snapshot, &input.from, &input.until, &input.digest})
      *text = reader.take_text();
    input.source = static_cast<std::uint32_t>(reader.take());
  }
  for (std::size_t count = reader.take_count(2 * sizeof(std::uint64_t)); count > 0; --count) {
    std::string name = reader.take_text();
    order.values[std::move(name)] = reader.take_text();
  }
  order.is_for_rejects = reader.take() != 0;
  order.fetching_run_folder = reader.take_text();
  order.fingerprint = reader.take_text();
  if (!reader.ok() || !reader.at_end())
    return make_error(ErrorKind::bug, "A worker was started with something that is no order.");
  return order;
}

// The program itself can't differ: a worker is forked from it.
Result<std::string> binding_fingerprint(const BatchStep& step) {
  std::string text;
  for (const auto& [stage, schema] : step.schemas) text += stage + " " + to_string(*schema) + "\n";
  for (const auto& transform : step.transforms) {
    if (!transform->uses_database()) continue;
    TRANCHE_ASSIGN(const std::string print, transform->fingerprint());
    text += print;
  }
  return text;
}

int run_worker(const JobSpec& job, const RunOptions& options, const WorkerRequest& request,
               Channel channel, BreadcrumbBoard& board, const MemoryGroup* group) {
  close_descriptors_but(channel.descriptor());
  ::dup2(STDERR_FILENO, STDOUT_FILENO);  // standard output is for the summary
  for (const int signal : {SIGINT, SIGTERM, SIGCHLD}) ::signal(signal, SIG_DFL);
  let_refused_writes_return();
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  limit_free_memory();
  // A worker that is watched is ended when it uses too much; this keeps it from growing faster than
  // anybody can look, and lets it reserve what it does not use.
  if (request.memory_bytes > 0) limit_own_memory(request.memory_bytes / 2 * 3);

  const auto order = decode_order(request.order);
  if (!order) return refuse_work(std::move(channel), order.error());
  // That leaves out what it shares, and what it starts; results that wait for their commit are
  // shared, and are bounded by what the run may have.
  if (request.memory_bytes > 0 && group != nullptr)
    static_cast<void>(group->join(request.memory_bytes / 2 * 3 + order->memory_bytes_max));
  StepSurroundings surroundings;
  surroundings.run = order->run;
  surroundings.memory_bytes_max = order->memory_bytes_max;
  surroundings.database_memory_bytes = order->database_memory_bytes;
  surroundings.spill_folder = order->spill_folder;
  surroundings.board = &board;
  auto step = bound_as_ordered(job, options, *order, surroundings);
  if (!step) return refuse_work(std::move(channel), step.error());
  return work_on_step(*step, surroundings, std::move(channel), request.slot);
}

}  // namespace tranche
