// The supervisor: holds the run's lock, runs the engine in a child, and starts a new one when it
// dies without having said how it ended. It never opens DuckDB or SQLite itself.
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <deque>
#include <map>
#include <new>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include <tranche/api/inspect.h>
#include <tranche/api/run.h>
#include "api/assemble.h"
#include "api/engine_watch.h"
#include "api/job_run.h"
#include "api/summary.h"
#include "api/supervisor_link.h"
#include "api/worker_keeper.h"
#include "base/clock.h"
#include "base/data_output.h"
#include "base/json.h"
#include "base/process.h"
#include "base/standard_input.h"
#include "base/system_error.h"
#include "ledger/codec.h"

namespace tranche {
namespace {

using namespace std::chrono_literals;

// A crash that repeats without a commit in between is not cured by another start.
constexpr int starts_without_progress_max = 3;
constexpr int watch_milliseconds = 50;

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

class ChannelObserver final : public Observer {
 public:
  explicit ChannelObserver(Channel& channel) : channel_(channel) {}
  void on_event(const Event& event) override {
    // A supervisor that is gone takes the engine with it; a lost frame changes nothing.
    const auto sent = channel_.send(event_frame(event));
    static_cast<void>(sent);
  }

 private:
  Channel& channel_;
};

// What the frames of one engine told.
struct EngineEnd {
  std::optional<Result<RunSummary>> said;         // how the run ended; nullopt: it died
  std::string run;                                // that it took up; empty: it died before
  std::map<std::string, std::uint64_t> progress;  // of each step, as it last said
  std::uint64_t memory_bytes_peak = 0;
  std::vector<engine::Suspect> suspects;  // what was in work when it died
};

// Business logic that calls exit() in a thread must not run the destructors of static objects
// beside the other threads.
void leave_at_once(int code, void*) { _exit(code); }

int run_engine(const JobSpec& job, RunOptions options, const std::filesystem::path& state,
               Channel& events, std::span<SupervisorLink> links) {
  limit_free_memory();
  raise_descriptor_limit();
  on_exit(leave_at_once, nullptr);
  keep_data_output();
  dup2(STDERR_FILENO, STDOUT_FILENO);  // standard output is for the summary, or for data
  struct sigaction action = {};
  action.sa_handler = ask_for_stop;
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
  let_refused_writes_return();
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  options.stop = &stop_asked;
  ChannelObserver observer(events);
  const auto ended = JobRun(job, options, state, &observer, links).run();
  Json json;
  json.set("frame", "end");
  if (ended)
    json.set("summary", ended->to_json());
  else
    json.set("error", error_to_json(ended.error()));
  return events.send(json.dump()) ? 0 : 1;
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
  // A culprit that is found is progress too: the next engine does without it.
  auto& progressed = end.progress[event.step];
  progressed = std::max(progressed, event.progress.batches_committed + event.progress.quarantined);
  end.memory_bytes_peak = std::max(end.memory_bytes_peak, event.progress.memory_bytes);
  if (observer != nullptr) observer->on_event(event);
}

// SIGINT, SIGTERM and the ends of children as something to poll, for as long as it lives.
class SignalQueue {
 public:
  SignalQueue() {
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGCHLD);
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
  // How often a stop was asked for since the last call.
  int take_stops() const {
    int count = 0;
    signalfd_siginfo info;
    while (read(descriptor_, &info, sizeof info) == static_cast<ssize_t>(sizeof info)) {
      if (info.ssi_signo != SIGCHLD) ++count;
    }
    return count;
  }

 private:
  sigset_t before_;
  int descriptor_ = -1;
};

// Boards that outlive every process that writes on them, one for each track.
class BoardMapping {
 public:
  static Result<BoardMapping> create(std::size_t count) {
    void* const memory = mmap(nullptr, count * sizeof(BreadcrumbBoard), PROT_READ | PROT_WRITE,
                              MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) return system_error(ErrorKind::failed, "map", "shared memory", errno);
    auto* const boards = static_cast<BreadcrumbBoard*>(memory);
    for (std::size_t i = 0; i < count; ++i) new (boards + i) BreadcrumbBoard;
    return BoardMapping({boards, count});
  }
  BoardMapping(BoardMapping&& other) noexcept : boards_(std::exchange(other.boards_, {})) {}
  BoardMapping& operator=(BoardMapping&&) = delete;
  ~BoardMapping() {
    if (!boards_.empty()) munmap(boards_.data(), boards_.size_bytes());
  }
  std::span<BreadcrumbBoard> boards() const { return boards_; }

 private:
  explicit BoardMapping(std::span<BreadcrumbBoard> boards) : boards_(boards) {}
  std::span<BreadcrumbBoard> boards_;
};

class Supervisor {
 public:
  Supervisor(const JobSpec& job, const RunOptions& options, Observer* observer)
      : job_(job),
        options_(options),
        observer_(observer),
        state_(state_folder(options.state, job.base)) {}

  Result<RunSummary> supervise() {
    const auto stop_wanted = [&] { return signals_.take_stops() > 0; };
    TRANCHE_ASSIGN(const std::size_t tracks, tracks_of(job_, options_));
    TRANCHE_ASSIGN(const auto mapping, BoardMapping::create(tracks));
    boards_ = mapping.boards();
    TRANCHE_ASSIGN(const auto lock, take_run_lock(job_, options_, state_, stop_wanted));
    if (reads_standard_input(job_)) TRANCHE_TRY(keep_standard_input(state_));
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
      suspects_ = std::move(end.suspects);
      memory_bytes_peak_ = std::max(memory_bytes_peak_, end.memory_bytes_peak);
      if (writes_standard_output(job_)) {
        return record_crash(
            fmt::format("The engine {}, and what it wrote to standard output can't "
                        "be taken back. The next run begins anew.",
                        last_end_));
      }
      if (starts_without_progress >= starts_without_progress_max) {
        return record_crash(
            fmt::format("The engine {} {} times without a commit in between. Run it again after "
                        "the cause is mended; what is committed is kept.",
                        last_end_, starts_without_progress_max));
      }
      // What was begun is resumed now, not begun again, even if it was completed before the death.
      if (!end.run.empty()) {
        options.fresh = false;
        options.again = false;
        options.resume_run = end.run;
      }
      warn(fmt::format("The engine {}; it is started again after the last commit.", last_end_));
    }
  }

 private:
  // Of a step that runs: where its engine asks for worker processes, and who starts them.
  struct Track {
    Track(Channel end, const JobSpec& job, const RunOptions& options, BreadcrumbBoard& board)
        : control(std::move(end)), keeper(job, options, board) {}
    Channel control;
    WorkerKeeper keeper;
  };

  // Whether more is committed than any engine before this one knew of. What an engine committed
  // just before it died, its successor tells.
  bool progressed(const EngineEnd& end) {
    bool more = false;
    for (const auto& [step, progress] : end.progress) {
      more |= progress > progress_[step];
      progress_[step] = std::max(progress_[step], progress);
    }
    return more;
  }

  Result<EngineEnd> run_once(const RunOptions& options) {
    TRANCHE_ASSIGN(auto events, Channel::create());
    std::deque<Track> tracks;
    std::vector<SupervisorLink> links;
    for (BreadcrumbBoard& board : boards_) {
      board.clear();
      TRANCHE_ASSIGN(auto control, Channel::create());
      tracks.emplace_back(std::move(control.first), job_, options, board);
      links.emplace_back(getpid(), std::move(control.second), board, suspects_, memory_bytes_peak_);
    }
    TRANCHE_ASSIGN(auto engine, Child::fork([&] {
                     events.first.close();
                     for (Track& track : tracks) track.control.close();
                     return run_engine(job_, options, state_, events.second, links);
                   }));
    events.second.close();
    links.clear();
    EngineWatch watch(boards_);
    EngineEnd end;
    TRANCHE_TRY(attend(engine, events.first, tracks, watch, end));
    for (Track& track : tracks) track.keeper.end_all();
    TRANCHE_ASSIGN(const auto exit, engine.wait(std::nullopt));
    orphans_.end();
    last_end_ = watch.how(*exit);
    end.suspects = watch.suspects(*exit);
    return end;
  }

  // Serves the engine until it has closed its channel.
  Result<void> attend(const Child& engine, Channel& events, std::deque<Track>& tracks,
                      EngineWatch& watch, EngineEnd& end) {
    std::vector<pollfd> waits{{events.descriptor(), POLLIN, 0}, {signals_.descriptor(), POLLIN, 0}};
    const std::size_t first_track = waits.size();
    for (const Track& track : tracks) waits.push_back({track.control.descriptor(), POLLIN, 0});
    bool closed = false;
    while (!closed) {
      if (poll(waits.data(), waits.size(), watch_milliseconds) < 0 && errno != EINTR) break;
      const int asked = signals_.take_stops();
      if (asked > 0) pass_on_stop(engine, asked);
      for (std::size_t i = 0; i < tracks.size(); ++i) {
        tracks[i].keeper.reap(tracks[i].control);
        if (waits[first_track + i].revents != 0)
          TRANCHE_TRY(tracks[i].keeper.serve(tracks[i].control));
      }
      if (waits[0].revents != 0) {
        TRANCHE_ASSIGN(const auto frames, events.receive_available(closed));
        for (const auto& frame : frames) take_frame(frame.bytes, observer_, end);
      }
      if (watch.must_end(engine.pid())) engine.kill(SIGKILL);
    }
    return {};
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
  Result<RunSummary> record_crash(const std::string& sentence) {
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
  std::map<std::string, std::uint64_t> progress_;  // of each step, as far as is known
  std::span<BreadcrumbBoard> boards_;              // one for each track
  Orphans orphans_;
  std::vector<engine::Suspect> suspects_;  // what was in work when the last engine died
  std::uint64_t memory_bytes_peak_ = 0;    // of the engines that died
  std::string last_end_;                   // how that one ended
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
