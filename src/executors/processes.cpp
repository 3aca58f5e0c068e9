#include "executors/processes.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <string>
#include <utility>

#include <fmt/format.h>

#include "base/system_error.h"
#include "base/text.h"
#include "executors/progress_watch.h"
#include "executors/task_codec.h"

namespace tranche {
namespace {

using namespace std::chrono_literals;

constexpr unsigned trials_at_once = 2;
// One in work and one that waits in the channel, so that no worker idles while it is answered.
constexpr std::size_t tasks_a_worker = 2;
constexpr auto watch_interval = 50ms;
constexpr unsigned deaths_at_start_max = 3;
constexpr unsigned kills_at_start_max = 20;
constexpr auto patience_at_the_end = 2s;

std::string in_seconds(std::chrono::milliseconds duration) {
  return fmt::format("{:.3g} s", std::chrono::duration<double>(duration).count());
}

std::string too_much_memory(const ProcessLimits& limits) {
  return fmt::format("took more memory than the {} that a worker may have",
                     format_size(limits.memory_bytes));
}

std::string work_of(const Task& task) {
  return task.kind == Task::Kind::merge ? fmt::format("that merged group {}", task.group)
                                        : fmt::format("of batch {}", task.batch);
}

// Why a worker is being killed: the kind of the error, and how that is said.
struct Sentence {
  ErrorKind kind = ErrorKind::crash;
  std::string how;
  std::uint64_t task = 0;      // for which it is
  bool is_distrusted = false;  // what it says is not believed any more
};

}  // namespace

struct ProcessExecutor::Process {
  unsigned slot = 0;
  bool is_for_trials = false;
  std::uint32_t generation = 0;
  bool is_started = false;  // and its end is not yet known
  bool is_retired = false;  // gets no more tasks
  pid_t pid = 0;
  Channel channel;
  std::deque<Task> tasks;  // sent and not answered, in order
  std::optional<Sentence> sentence;
  std::uint64_t batches = 0;
  std::uint64_t last_batch = UINT64_MAX;
  ProgressWatch progress;
  std::chrono::nanoseconds cpu_before{0};  // when it last made progress
};

ProcessExecutor::ProcessExecutor(unsigned workers, unsigned first_slot, const ProcessLimits& limits,
                                 WorkerStarter& starter, BreadcrumbBoard& board)
    : workers_(workers),
      limits_(limits),
      starter_(starter),
      board_(board),
      processes_(workers + trials_at_once),
      wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  for (unsigned i = 0; i < processes_.size(); ++i) {
    processes_[i].slot = first_slot + i;
    processes_[i].is_for_trials = i >= workers;
  }
  if (wake_.number() < 0) {
    broken_ = system_error(ErrorKind::failed, "create", "an event counter", errno);
    return;
  }
  const SignalShield shield;  // signals are for the thread that runs the step
  keeper_ = std::thread([this] { keep(); });
}

ProcessExecutor::~ProcessExecutor() {
  if (!keeper_.joinable()) return;
  {
    const std::lock_guard lock(mutex_);
    closing_ = true;
  }
  ::eventfd_write(wake_.number(), 1);
  keeper_.join();
}

Result<void> ProcessExecutor::submit(Task task) {
  {
    const std::lock_guard lock(mutex_);
    if (broken_) return *broken_;
    (task.trial ? trials_ : tasks_).push_back(std::move(task));
  }
  ::eventfd_write(wake_.number(), 1);
  return {};
}

Result<std::optional<Outcome>> ProcessExecutor::next(std::chrono::milliseconds timeout) {
  std::unique_lock lock(mutex_);
  outcome_came_.wait_for(lock, timeout, [this] { return !outcomes_.empty() || broken_; });
  if (!outcomes_.empty()) {
    std::optional<Outcome> outcome(std::move(outcomes_.front()));
    outcomes_.pop_front();
    return outcome;
  }
  if (broken_) return *broken_;
  return std::optional<Outcome>();
}

void ProcessExecutor::keep() {
  while (true) {
    {
      const std::lock_guard lock(mutex_);
      if (closing_ || broken_) break;
    }
    const auto kept = keep_once();
    if (!kept) break_down(kept.error());
  }
  end_all();
}

Result<void> ProcessExecutor::keep_once() {
  hand_out();
  TRANCHE_TRY(wait_for_news());
  TRANCHE_TRY(take_notices());
  for (Process& process : processes_) {
    if (process.is_started) take_answers(process);
  }
  watch();
  return {};
}

// Fills up the workers, those with the least to do first, and starts what is missing.
void ProcessExecutor::hand_out() {
  for (std::size_t load = 0; load < tasks_a_worker; ++load) {
    for (Process& process : processes_) {
      if (process.is_retired || process.tasks.size() != load) continue;
      if (process.is_for_trials && (load > 0 || process.is_started)) continue;
      auto task = take_task(process.is_for_trials);
      if (!task) continue;
      Result<void> given;
      if (!process.is_started) given = start(process);
      if (given) given = give(process, *std::move(task));
      if (!given) return break_down(given.error());
    }
  }
}

std::optional<Task> ProcessExecutor::take_task(bool trial) {
  const std::lock_guard lock(mutex_);
  auto& from = trial ? trials_ : tasks_;
  if (from.empty()) return std::nullopt;
  std::optional<Task> task(std::move(from.front()));
  from.pop_front();
  return task;
}

Result<void> ProcessExecutor::start(Process& process) {
  TRANCHE_ASSIGN(auto ends, Channel::create());
  const Process before = std::exchange(process, Process{});
  process.slot = before.slot;
  process.is_for_trials = before.is_for_trials;
  process.generation = before.generation + 1;
  process.channel = std::move(ends.first);
  Breadcrumb& breadcrumb = board_.slots[process.slot];
  breadcrumb.end_task();
  breadcrumb.generation.store(process.generation);
  TRANCHE_TRY(starter_.start(process.slot, process.generation, limits_.memory_bytes,
                             std::move(ends.second)));
  process.is_started = true;
  return {};
}

Result<void> ProcessExecutor::give(Process& process, Task task) {
  auto frame = std::make_shared<OutgoingFrame>(encode_task(task));
  process.tasks.push_back(std::move(task));
  // A worker that is gone does not take it; its end brings the task back.
  const auto posted = process.channel.post(frame->bytes, frame->descriptors, frame);
  return posted || posted.error().kind == ErrorKind::failed ? Result<void>() : posted;
}

Result<void> ProcessExecutor::wait_for_news() {
  std::vector<pollfd> waits{{wake_.number(), POLLIN, 0}, {starter_.descriptor(), POLLIN, 0}};
  for (const Process& process : processes_) {
    if (!process.is_started || process.channel.descriptor() < 0) continue;
    const short wanted = static_cast<short>(POLLIN | (process.channel.has_unsent() ? POLLOUT : 0));
    waits.push_back({process.channel.descriptor(), wanted, 0});
  }
  const bool watches = std::any_of(processes_.begin(), processes_.end(),
                                   [](const Process& process) { return process.is_started; });
  const int timeout = watches ? static_cast<int>(watch_interval / 1ms) : -1;
  if (::poll(waits.data(), waits.size(), timeout) < 0 && errno != EINTR)
    return system_error(ErrorKind::failed, "wait for", "workers", errno);
  eventfd_t count = 0;
  ::eventfd_read(wake_.number(), &count);
  return {};
}

Result<void> ProcessExecutor::take_notices() {
  TRANCHE_ASSIGN(const auto notices, starter_.notices());
  for (const auto& notice : notices) {
    for (Process& process : processes_) {
      if (process.slot != notice.slot || process.generation != notice.generation) continue;
      if (!notice.error.empty()) return make_error(ErrorKind::failed, notice.error);
      if (notice.exit)
        take_end(process, notice);
      else
        process.pid = notice.pid;
    }
  }
  return {};
}

void ProcessExecutor::take_answers(Process& process) {
  if (process.channel.descriptor() < 0) return;
  static_cast<void>(process.channel.flush());  // to one that is gone: its end is about to be told
  bool closed = false;
  auto frames = process.channel.receive_available(closed);
  if (!frames) return distrust(process, "sent something that is no answer");
  for (Frame& frame : *frames) take_answer(process, std::move(frame));
  // Nothing more will come; the notice of its end is on its way.
  if (closed) process.channel.close();
}

void ProcessExecutor::take_answer(Process& process, Frame frame) {
  if (process.is_retired) return;  // another one does what it was told last
  if (process.sentence && process.sentence->is_distrusted) return;
  auto answer = decode_answer(std::move(frame));
  if (!answer) return distrust(process, "sent something that is no answer");
  if (answer->task == 0 && !answer->result) return break_down(answer->result.error());
  if (process.tasks.empty() || process.tasks.front().id != answer->task)
    return distrust(process, "answered what it was not asked");
  const Task task = std::move(process.tasks.front());
  process.tasks.pop_front();
  deaths_at_start_ = kills_at_start_ = 0;
  if (task.batch != process.last_batch) ++process.batches;
  process.last_batch = task.batch;
  Outcome outcome;
  outcome.task = task.id;
  outcome.group = task.group;
  outcome.is_merge = task.kind == Task::Kind::merge;
  outcome.result = std::move(answer->result);
  outcome.death = std::move(answer->death);
  outcome.worker = process.slot;
  outcome.time = answer->time;
  retire_when_due(process, answer->wants_replacement);
  deliver(std::move(outcome));
}

// A worker that leaks, or has done enough, is replaced between two tasks.
void ProcessExecutor::retire_when_due(Process& process, bool wants_replacement) {
  bool due = wants_replacement || process.is_for_trials;
  due |= limits_.recycle_batches > 0 && process.batches >= limits_.recycle_batches;
  due |= limits_.memory_bytes > 0 && process.pid > 0 &&
         private_resident_bytes(process.pid) > limits_.memory_bytes / 4 * 3;
  if (!due) return;
  process.is_retired = true;
  // What waits in its channel goes to another one.
  give_back(std::exchange(process.tasks, {}));
  static_cast<void>(starter_.kill(process.slot, process.generation));
}

void ProcessExecutor::take_end(Process& process, const WorkerStarter::Notice& notice) {
  const Exit& exit = *notice.exit;
  if (process.channel.descriptor() >= 0) take_answers(process);  // that it gave before its end
  const Breadcrumb& breadcrumb = board_.slots[process.slot];
  const std::uint64_t in_work = breadcrumb.task.load();
  std::deque<Task> tasks = std::exchange(process.tasks, {});
  if (notice.is_out_of_memory && !process.sentence)
    process.sentence = Sentence{ErrorKind::memory, too_much_memory(limits_), in_work, false};
  process.is_started = false;
  const bool was_retired = std::exchange(process.is_retired, false);
  process.channel.close();
  // Who was slow to hear its sentence may have gone on to another task, which is not to blame.
  const auto& sentence = process.sentence;
  const bool is_executed = sentence && (sentence->is_distrusted || sentence->task == in_work);
  const bool outside = !is_executed && (sentence || is_from_outside(exit));
  const std::string how = is_executed ? sentence->how : describe(exit);
  const std::uint64_t blamed = is_executed ? sentence->task : in_work;
  const auto victim =
      std::find_if(tasks.begin(), tasks.end(), [&](const Task& task) { return task.id == blamed; });
  if (victim != tasks.end()) {
    deaths_at_start_ = kills_at_start_ = 0;
    Outcome outcome;
    outcome.task = victim->id;
    outcome.group = victim->group;
    outcome.is_merge = victim->kind == Task::Kind::merge;
    outcome.worker = process.slot;
    Death death = death_of(breadcrumb, is_executed ? sentence->kind : ErrorKind::crash, how);
    death.task = victim->records();
    if (blamed != in_work) death.in_hand.reset();  // it had put it down already
    death.signal = is_executed ? 0 : exit.signal;
    death.is_suspicious = !outside;
    outcome.result =
        make_error(death.kind, fmt::format("The worker process {} {}.", work_of(*victim), how));
    outcome.death = std::move(death);
    tasks.erase(victim);
    deliver(std::move(outcome));
  } else if (in_work == 0 && !was_retired && (!outside || !tasks.empty())) {
    count_death_at_start(how, outside);
  }
  give_back(std::move(tasks));
}

// A worker that can't even begin is not started for ever.
void ProcessExecutor::count_death_at_start(const std::string& how, bool outside) {
  unsigned& deaths = outside ? kills_at_start_ : deaths_at_start_;
  if (++deaths < (outside ? kills_at_start_max : deaths_at_start_max)) return;
  break_down(make_error(ErrorKind::failed,
                        fmt::format("A worker process {} before it began to work, {} times in a "
                                    "row.",
                                    how, deaths)));
}

void ProcessExecutor::watch() {
  const auto now = Clock::now();
  if (now < next_watch_) return;
  next_watch_ = now + watch_interval;
  for (Process& process : processes_) {
    if (process.is_started && process.pid > 0 && !process.is_retired) watch(process);
  }
}

void ProcessExecutor::watch(Process& process) {
  const auto now = Clock::now();
  if (process.progress.look(board_.slots[process.slot], now) && limits_.cpu_time > 0ms) {
    process.cpu_before = cpu_time_of(process.pid);
  }
  if (process.sentence) return;
  if (limits_.memory_bytes > 0 && private_resident_bytes(process.pid) > limits_.memory_bytes)
    return condemn(process, ErrorKind::memory, too_much_memory(limits_));
  const auto still = process.progress.still(now);
  if (still == 0ns) return;
  if (limits_.timeout > 0ms && still > limits_.timeout)
    return condemn(process, ErrorKind::timeout,
                   fmt::format("made no progress for {}", in_seconds(limits_.timeout)));
  if (limits_.cpu_time > 0ms && cpu_time_of(process.pid) - process.cpu_before > limits_.cpu_time)
    condemn(process, ErrorKind::timeout,
            fmt::format("computed for {} without progress", in_seconds(limits_.cpu_time)));
}

void ProcessExecutor::condemn(Process& process, ErrorKind kind, std::string how) {
  if (process.sentence) return;
  process.sentence = Sentence{kind, std::move(how), board_.slots[process.slot].task.load(), false};
  const auto killed = starter_.kill(process.slot, process.generation);
  if (!killed) break_down(killed.error());
}

// The task that is not answered yet is to blame, whether or not it was ended by now.
void ProcessExecutor::distrust(Process& process, std::string how) {
  process.channel.close();
  condemn(process, ErrorKind::crash, std::move(how));
  process.sentence->is_distrusted = true;
  if (!process.tasks.empty()) process.sentence->task = process.tasks.front().id;
}

// Ends those that idle by closing their channels, the others by force, and waits for all.
void ProcessExecutor::end_all() {
  for (Process& process : processes_) {
    if (!process.is_started) continue;
    if (process.tasks.empty())
      process.channel.close();
    else
      static_cast<void>(starter_.kill(process.slot, process.generation));
    process.is_retired = true;
  }
  const auto kill_at = Clock::now() + patience_at_the_end;
  bool has_killed = false;
  while (std::any_of(processes_.begin(), processes_.end(),
                     [](const Process& process) { return process.is_started; })) {
    pollfd wait{starter_.descriptor(), POLLIN, 0};
    if (::poll(&wait, 1, static_cast<int>(watch_interval / 1ms)) < 0 && errno != EINTR) return;
    if (!take_notices()) return;  // whoever could end them is gone, and they with it
    if (has_killed || Clock::now() < kill_at) continue;
    has_killed = true;
    for (Process& process : processes_) {
      if (process.is_started) static_cast<void>(starter_.kill(process.slot, process.generation));
    }
  }
}

void ProcessExecutor::deliver(Outcome outcome) {
  {
    const std::lock_guard lock(mutex_);
    outcomes_.push_back(std::move(outcome));
  }
  outcome_came_.notify_one();
}

// To the front, in order: they were taken before those that still wait.
void ProcessExecutor::give_back(std::deque<Task> tasks) {
  const std::lock_guard lock(mutex_);
  for (; !tasks.empty(); tasks.pop_back()) {
    auto& to = tasks.back().trial ? trials_ : tasks_;
    to.push_front(std::move(tasks.back()));
  }
}

void ProcessExecutor::break_down(Error error) {
  {
    const std::lock_guard lock(mutex_);
    if (!broken_) broken_ = std::move(error);
  }
  outcome_came_.notify_all();
}

}  // namespace tranche
