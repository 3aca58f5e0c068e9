// The supervisor: holds the run's lock, runs the engine in a child, and starts a new one when it
// dies without having said how it ended. It never opens DuckDB or SQLite itself.
#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <map>
#include <optional>

#include <fmt/format.h>

#include <tranche/api/inspect.h>
#include <tranche/api/run.h>
#include "api/job_run.h"
#include "api/summary.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/process.h"
#include "ledger/codec.h"

namespace tranche {
namespace {

using namespace std::chrono_literals;

// A crash that repeats without a commit in between is not cured by another start.
constexpr int starts_without_progress_max = 3;

std::atomic<bool> stop_asked{false};  // of the engine's process: set by its signal handler only

void ask_for_stop(int) { stop_asked.store(true, std::memory_order_relaxed); }

std::string event_frame(const Event& event) {
  Json json;
  json.set("frame", "event");
  json.set("kind", static_cast<int>(event.kind));
  json.set("run", event.run);
  json.set("step", event.step);
  json.set("message", event.message);
  json.set("group", event.group);
  json.set("progress", ledger::encode_progress(event.progress));
  return json.dump();
}

class PipeObserver final : public Observer {
 public:
  explicit PipeObserver(FramePipe& pipe) : pipe_(pipe) {}
  void on_event(const Event& event) override {
    // A supervisor that is gone takes the engine with it; a lost frame changes nothing.
    const auto sent = pipe_.write(event_frame(event));
    static_cast<void>(sent);
  }

 private:
  FramePipe& pipe_;
};

// What the frames of one engine told.
struct EngineEnd {
  std::optional<Result<RunSummary>> said;          // how the run ended; nullopt: it died
  std::string run;                                 // that it took up; empty: it died before
  std::map<std::string, std::uint64_t> committed;  // batches of each step, as it last said
};

int run_engine(const JobSpec& job, RunOptions options, const std::filesystem::path& state,
               FramePipe& pipe, int supervisor) {
  limit_free_memory();
  pipe.keep_writer();
  struct sigaction action = {};
  action.sa_handler = ask_for_stop;
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
  signal(SIGPIPE, SIG_IGN);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  options.stop = &stop_asked;
  PipeObserver observer(pipe);
  const auto ended = JobRun(job, options, state, &observer, supervisor).run();
  Json json;
  json.set("frame", "end");
  if (ended)
    json.set("summary", ended->to_json());
  else
    json.set("error", error_to_json(ended.error()));
  return pipe.write(json.dump()) ? 0 : 1;
}

void take_frame(const std::string& frame, Observer* observer, EngineEnd& end) {
  const auto json = Json::parse(frame);
  if (!json) return;
  if ((*json)["frame"].text() == "end") {
    if (!(*json)["error"].is_null())
      end.said = error_from_json((*json)["error"].text());
    else
      end.said = RunSummary::from_json((*json)["summary"].text());
    return;
  }
  Event event;
  event.kind = static_cast<Event::Kind>((*json)["kind"].integer());
  event.run = (*json)["run"].text();
  event.step = (*json)["step"].text();
  event.message = (*json)["message"].text();
  event.group = (*json)["group"].natural();
  auto progress = ledger::decode_progress((*json)["progress"].text());
  if (!progress) return;
  event.progress = *std::move(progress);
  if (event.kind == Event::Kind::run_started) end.run = event.run;
  auto& committed = end.committed[event.step];
  committed = std::max(committed, event.progress.batches_committed);
  if (observer != nullptr) observer->on_event(event);
}

// SIGINT and SIGTERM as something to poll, for as long as it lives.
class SignalQueue {
 public:
  SignalQueue() {
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    sigprocmask(SIG_BLOCK, &signals, &before_);
    descriptor_ = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
  }
  ~SignalQueue() {
    if (descriptor_ >= 0) close(descriptor_);
    sigprocmask(SIG_SETMASK, &before_, nullptr);
  }
  SignalQueue(const SignalQueue&) = delete;
  SignalQueue& operator=(const SignalQueue&) = delete;
  int descriptor() const { return descriptor_; }
  int take_all() const {
    int count = 0;
    signalfd_siginfo info;
    while (read(descriptor_, &info, sizeof info) == static_cast<ssize_t>(sizeof info)) ++count;
    return count;
  }

 private:
  sigset_t before_;
  int descriptor_ = -1;
};

class Supervisor {
 public:
  Supervisor(const JobSpec& job, const RunOptions& options, Observer* observer)
      : job_(job),
        options_(options),
        observer_(observer),
        state_(state_folder(options.state, job.base)) {}

  Result<RunSummary> supervise() {
    const auto stop_wanted = [&] { return signals_.take_all() > 0; };
    TRANCHE_ASSIGN(const auto lock, take_run_lock(job_, options_, state_, stop_wanted));
    RunOptions options = options_;
    int starts_without_progress = 0;
    while (true) {
      TRANCHE_ASSIGN(auto end, run_once(options));
      if (end.said) return *std::move(end.said);
      if (stops_asked_ > 0) {
        return make_error(ErrorKind::stopped,
                          "The run was ended before the batch in work was done; "
                          "run it again and it goes on after the last commit.");
      }
      starts_without_progress = progressed(end) ? 1 : starts_without_progress + 1;
      if (starts_without_progress >= starts_without_progress_max) return record_crash();
      // What was begun is resumed now, not begun again, even if it was completed before the death.
      if (!end.run.empty()) {
        options.fresh = false;
        options.again = false;
        options.resume_run = end.run;
      }
      warn(fmt::format("The engine {}; it is started again after the last commit.",
                       describe(last_exit_)));
    }
  }

 private:
  // Whether more is committed than any engine before this one knew of. What an engine committed
  // just before it died, its successor tells.
  bool progressed(const EngineEnd& end) {
    bool more = false;
    for (const auto& [step, batches] : end.committed) {
      more |= batches > committed_[step];
      committed_[step] = std::max(committed_[step], batches);
    }
    return more;
  }

  Result<EngineEnd> run_once(const RunOptions& options) {
    TRANCHE_ASSIGN(auto pipe, FramePipe::create());
    const int supervisor = getpid();
    TRANCHE_ASSIGN(auto engine, Child::fork([&] {
                     return run_engine(job_, options, state_, pipe, supervisor);
                   }));
    pipe.keep_reader();
    EngineEnd end;
    bool closed = false;
    while (!closed) {
      pollfd waits[] = {{pipe.read_descriptor(), POLLIN, 0}, {signals_.descriptor(), POLLIN, 0}};
      if (poll(waits, 2, -1) < 0 && errno != EINTR) break;
      const int asked = signals_.take_all();
      if (asked > 0) pass_on_stop(engine, asked);
      if (waits[0].revents != 0) {
        TRANCHE_ASSIGN(const auto frames, pipe.read_available(closed));
        for (const auto& frame : frames) take_frame(frame, observer_, end);
      }
    }
    TRANCHE_ASSIGN(const auto exit, engine.wait(std::nullopt));
    last_exit_ = *exit;
    return end;
  }

  // The first request ends the run at a group boundary, a second one at once: either way it
  // resumes.
  void pass_on_stop(const Child& engine, int asked) {
    const bool again = stops_asked_ > 0;
    stops_asked_ += asked;
    engine.kill(again ? SIGKILL : SIGTERM);
    if (!again) warn("Stopping at the next batch boundary; a second Ctrl-C ends it at once.");
  }

  void warn(const std::string& sentence) {
    if (observer_ == nullptr) return;
    Event event;
    event.kind = Event::Kind::warning;
    event.message = sentence;
    observer_->on_event(event);
  }

  // Only the ledger says how a run ended; it is opened in a child, as always.
  Result<RunSummary> record_crash() {
    const auto sentence = fmt::format(
        "The engine {} {} times without a commit in between. Run it again after the cause is "
        "mended; "
        "what is committed is kept.",
        describe(last_exit_), starts_without_progress_max);
    TRANCHE_ASSIGN(auto recorder, Child::fork([&] {
                     auto ledger = Ledger::open(state_);
                     if (!ledger) return 1;
                     auto last = (*ledger)->latest_run(job_.name, parameters_digest(job_));
                     if (!last || !*last) return 1;
                     // It died before it began a run: the one before that ended as it says.
                     if ((*last)->state != "running") return 0;
                     return (*ledger)->set_run_state((*last)->run, "failed", sentence) ? 0 : 1;
                   }));
    TRANCHE_TRY(recorder.wait(std::nullopt));
    return make_error(ErrorKind::crash, sentence);
  }

  const JobSpec& job_;
  const RunOptions& options_;
  Observer* observer_;
  std::filesystem::path state_;
  SignalQueue signals_;
  int stops_asked_ = 0;
  std::map<std::string, std::uint64_t> committed_;  // batches of each step, as far as is known
  Exit last_exit_;
};

}  // namespace

Result<RunSummary> run_supervised(const JobSpec& job, const RunOptions& options,
                                  Observer* observer) {
  if (thread_count() > 1) {
    return make_error(ErrorKind::usage,
                      "A supervised run must begin while the process has one thread; "
                      "call it first thing in main, or use tranche::run.");
  }
  return Supervisor(job, options, observer).supervise();
}

}  // namespace tranche
