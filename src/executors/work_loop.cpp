#include "executors/work_loop.h"

#include <exception>
#include <new>

#include <fmt/format.h>

#include "base/clock.h"
#include "base/process.h"
#include "executors/task_codec.h"

namespace tranche {
namespace {

// Descriptors that a worker's own work opens and keeps: a database, a window or two.
constexpr int descriptors_kept_max = 64;

TaskAnswer answer_of(std::unique_ptr<Worker>& worker, const WorkerFactory& factory,
                     unsigned number, const Task& task, Breadcrumb& breadcrumb) {
  TaskAnswer answer;
  answer.task = task.id;
  breadcrumb.begin_task(task.id, task.records());
  const WorkWatch watch;
  answer.result = work_safely(worker, factory, number, task);
  answer.time = watch.elapsed();
  if (!answer.result && answer.result.error().kind == ErrorKind::memory) {
    answer.death = death_of(breadcrumb, ErrorKind::memory, "ran out of memory");
    worker.reset();
  }
  return answer;
}

// What an answer needs to be handed over may be what the business logic has used up.
OutgoingFrame frame_of(TaskAnswer answer, RecordRange records) {
  const std::uint64_t task = answer.task;
  auto frame = encode_answer(std::move(answer));
  if (frame) return *std::move(frame);
  TaskAnswer failure;
  failure.task = task;
  failure.result = make_error(
      ErrorKind::crash, fmt::format("A worker could not hand over its result. {}",
                                    frame.error().message));
  failure.death = Death{};
  failure.death->task = records;
  failure.death->how = "left nothing to hand over its result with";
  failure.wants_replacement = true;
  return *encode_answer(std::move(failure));
}

}  // namespace

WorkWatch::WorkWatch()
    : began_microseconds_(system_clock().now_microseconds()), began_(system_clock().monotonic()) {}

WorkTime WorkWatch::elapsed() const {
  const auto took = system_clock().monotonic() - began_;
  return {began_microseconds_,
          std::chrono::duration_cast<std::chrono::microseconds>(took).count()};
}

Result<ChunkResult> work_safely(std::unique_ptr<Worker>& worker, const WorkerFactory& factory,
                                unsigned number, const Task& task) {
  try {
    if (!worker) {
      TRANCHE_ASSIGN(worker, factory(number));
    }
    return worker->work(task);
  } catch (const std::bad_alloc&) {
    return make_error(ErrorKind::memory,
                      fmt::format("A worker ran out of memory in batch {}. Give the job more "
                                  "`memory:`, or make its batches smaller.",
                                  task.batch));
  } catch (const std::exception& problem) {
    return make_error(ErrorKind::bug, fmt::format("An exception left the work on batch {}: {}",
                                                  task.batch, problem.what()));
  } catch (...) {
    return make_error(ErrorKind::bug,
                      fmt::format("An unknown exception left the work on batch {}.", task.batch));
  }
}

int work_for_engine(Channel channel, Breadcrumb& breadcrumb, const WorkerFactory& factory,
                    unsigned number) {
  std::unique_ptr<Worker> worker;
  const int free_at_start = lowest_free_descriptor();
  while (true) {
    auto frame = channel.receive();
    if (!frame) return 1;
    if (!*frame) return 0;  // the engine has no more work
    const auto task = decode_task(**std::move(frame));
    if (!task) return refuse_work(std::move(channel), task.error());
    TaskAnswer answer = answer_of(worker, factory, number, *task, breadcrumb);
    const int free = lowest_free_descriptor();
    answer.wants_replacement = answer.death || free < 0 ||
                               free > free_at_start + descriptors_kept_max;
    const OutgoingFrame sent = frame_of(std::move(answer), task->records());
    breadcrumb.end_task();
    if (!channel.send(sent.bytes, sent.descriptors)) return 1;
  }
}

int refuse_work(Channel channel, const Error& error) {
  TaskAnswer answer;
  answer.result = error;
  const auto frame = encode_answer(std::move(answer));
  return frame && channel.send(frame->bytes) ? 0 : 1;
}

}  // namespace tranche
