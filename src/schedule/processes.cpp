#include "schedule/processes.h"

#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <utility>

#include <fmt/format.h>

#include "base/clock.h"
#include "base/digest.h"
#include "base/json.h"
#include "base/lock.h"
#include "base/program.h"
#include "base/text.h"
#include "schedule/windows.h"

namespace tranche {
namespace {

using namespace std::chrono_literals;

// How soon a clock that was set, a changed job file or a window that was run by hand is noticed.
constexpr std::int64_t look_interval = 10'000'000;
constexpr std::int64_t messenger_microseconds_max = 60'000'000;
// Of a program's last words.
constexpr std::size_t said_bytes_max = 1 << 18;
constexpr int code_completed = 0;
constexpr int code_stopped = 3;
constexpr int code_busy = 4;

// Appends what can be read without waiting; false: it is closed.
bool read_available(int descriptor, std::string& into) {
  if (descriptor < 0) return false;
  std::array<char, 16'384> buffer;
  while (true) {
    const ssize_t count = ::read(descriptor, buffer.data(), buffer.size());
    if (count > 0)
      into.append(buffer.data(), static_cast<std::size_t>(count));
    else
      return count < 0 && (errno == EAGAIN || errno == EINTR);
  }
}

// "1,000 rows in 2.3 s, 3 rejected, run 3f9a1c2e"
std::string figures_of(const Json& summary) {
  std::uint64_t written = 0;
  std::uint64_t rejected = 0;
  for (const Json& step : summary["steps"].items()) {
    written += step["written"].natural();
    rejected += step["rejected"].natural();
  }
  const std::chrono::duration<double> took(summary["seconds"].number());
  std::string out =
      fmt::format("{} {} in {}", format_count(written), written == 1 ? "row" : "rows",
                  format_duration(std::chrono::duration_cast<std::chrono::nanoseconds>(took)));
  if (rejected > 0) out += fmt::format(", {} rejected", format_count(rejected));
  return out + ", run " + summary["run"].text().substr(0, 8);
}

WindowEnd end_of(const Exit& exit, const std::string& summary) {
  WindowEnd end;
  if (const auto json = Json::parse(trim(summary))) {
    end.run = (*json)["run"].text();
    end.error = (*json)["error"]["message"].text();
    end.figures = figures_of(*json);
  }
  if (exit == Exit{code_completed, 0}) return end;
  end.how = exit == Exit{code_stopped, 0} ? WindowEnd::How::stopped
            : exit == Exit{code_busy, 0}  ? WindowEnd::How::busy
                                          : WindowEnd::How::failed;
  if (end.error.empty()) end.error = fmt::format("The run {}.", describe(exit));
  return end;
}

std::string_view first_line(std::string_view text) { return text.substr(0, text.find('\n')); }

}  // namespace

struct ScheduleProcesses::Job {
  ScheduleFile files;
  std::string name;
  fs::path base;
  ScheduleSpec spec;
  FileStatus status;  // of the job file when it was read
  FileLock lock;
};

struct ScheduleProcesses::Process {
  std::size_t job = 0;
  std::string name;  // of its lines
  TimeWindow window;
  std::unique_ptr<Program> program;
  std::string summary;
  std::string said;
  std::int64_t started = 0;
};

class ScheduleProcesses::Signals {
 public:
  Signals() {
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    sigprocmask(SIG_BLOCK, &signals, &before_);
    descriptor_ = Descriptor(signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK));
  }
  ~Signals() { sigprocmask(SIG_SETMASK, &before_, nullptr); }
  Signals(const Signals&) = delete;
  Signals& operator=(const Signals&) = delete;
  int descriptor() const { return descriptor_.number(); }
  int take() const {
    int count = 0;
    signalfd_siginfo info;
    while (::read(descriptor(), &info, sizeof info) == static_cast<ssize_t>(sizeof info)) ++count;
    return count;
  }

 private:
  sigset_t before_;
  Descriptor descriptor_;
};

ScheduleProcesses::ScheduleProcesses(ScheduleEdges edges)
    : edges_(std::move(edges)), signals_(std::make_unique<Signals>()) {}

ScheduleProcesses::~ScheduleProcesses() = default;

Result<std::unique_ptr<ScheduleProcesses>> ScheduleProcesses::create(
    std::span<const ScheduleFile> files, ScheduleEdges edges, Jobs jobs) {
  std::unique_ptr<ScheduleProcesses> made(new ScheduleProcesses(std::move(edges)));
  for (const ScheduleFile& one : files) {
    Job& job = made->jobs_.emplace_back();
    job.files = {fs::absolute(one.file).lexically_normal(),
                 fs::absolute(one.state).lexically_normal()};
    TRANCHE_ASSIGN(auto scheduled, made->load(job));
    made->scheduled_.push_back(std::move(scheduled));
    if (jobs == Jobs::shared) continue;
    const fs::path path =
        job.files.state / "locks" / ("schedule-" + digest_hex(job.name) + ".lock");
    TRANCHE_ASSIGN(auto lock, FileLock::try_take(path, fmt::format("process {}", getpid())));
    if (!lock) {
      return make_error(ErrorKind::busy,
                        fmt::format("Job \"{}\" is scheduled already, by {}; stop that one first.",
                                    job.name, FileLock::read_note(path)));
    }
    job.lock = *std::move(lock);
  }
  return made;
}

Result<ScheduledJob> ScheduleProcesses::load(Job& job) {
  TRANCHE_ASSIGN(job.status, file_status(job.files.file));
  TRANCHE_ASSIGN(const std::string text, read_file(job.files.file));
  TRANCHE_ASSIGN(const JobSpec loaded, edges_.load(job.files.file));
  if (!loaded.schedule) {
    return make_error(ErrorKind::config,
                      fmt::format("Job \"{}\" has no schedule; add \"schedule: {{ every: 1 day, "
                                  "from: 2026-01-01 }}\" to {}",
                                  loaded.name, job.files.file.string()));
  }
  if (!job.name.empty() && job.name != loaded.name) {
    return make_error(
        ErrorKind::config,
        fmt::format("Its job is called \"{}\" now; start the schedule again", loaded.name));
  }
  job.name = loaded.name;
  job.base = loaded.base;
  job.spec = *loaded.schedule;
  return ScheduledJob{job.name, agenda_of(loaded), job.spec.failures_max,
                      job.spec.retry_delay.count() * 1000, digest_hex(text)};
}

std::int64_t ScheduleProcesses::now_microseconds() { return system_clock().now_microseconds(); }

void ScheduleProcesses::wait_until(std::int64_t microseconds) {
  edges_.on_change();
  const std::int64_t left = std::clamp<std::int64_t>(
      microseconds - std::min(microseconds, now_microseconds()), 0, look_interval);
  std::vector<pollfd> waits{{signals_->descriptor(), POLLIN, 0}};
  for (const auto* processes : {&runs_, &messengers_}) {
    for (const auto& process : *processes) {
      waits.push_back({process->program->pidfd(), POLLIN, 0});
      waits.push_back({process->program->output(), POLLIN, 0});
      waits.push_back({process->program->errors(), POLLIN, 0});
    }
  }
  // A millisecond more than is left, so that the time has come then.
  ::poll(waits.data(), waits.size(), static_cast<int>(left / 1000) + 1);
  for (const auto& process : runs_) listen_to(*process);
  for (const auto& process : messengers_) listen_to(*process);
  end_messengers();
  const int asked = signals_->take();
  const bool is_again = stops_ > 0;
  stops_ += asked;
  if (asked > 0 && is_again) {
    edges_.tell("Ending the runs at once; they are gone on with later.");
    for (const auto& run : runs_) run->program->ask_to_end();
  }
}

void ScheduleProcesses::listen_to(Process& process) {
  Program& program = *process.program;
  if (!read_available(program.output(), process.summary)) program.close_output();
  if (!read_available(program.errors(), process.said)) program.close_errors();
  for (std::string* text : {&process.summary, &process.said})
    if (text->size() > said_bytes_max) text->erase(0, text->size() - said_bytes_max);
}

void ScheduleProcesses::tell_lines(Process& process) const {
  for (const std::string& line : split(process.said, '\n'))
    if (!trim(line).empty()) edges_.tell(process.name + ": " + line);
}

Result<CoveredTime> ScheduleProcesses::done(std::size_t job) {
  return covered_time(jobs_[job].files.state, jobs_[job].name, {});
}

Result<std::optional<ScheduleTrouble>> ScheduleProcesses::trouble(std::size_t job) {
  return trouble_of(jobs_[job].files.state, jobs_[job].name);
}

Result<void> ScheduleProcesses::record_trouble(std::size_t job, const ScheduleTrouble& trouble) {
  TRANCHE_ASSIGN(auto ledger, Ledger::open(jobs_[job].files.state));
  return ledger->record_trouble(jobs_[job].name, trouble);
}

Result<void> ScheduleProcesses::forget_trouble(std::size_t job) {
  TRANCHE_ASSIGN(auto ledger, Ledger::open(jobs_[job].files.state));
  return ledger->forget_trouble(jobs_[job].name);
}

std::optional<ScheduledJob> ScheduleProcesses::changed(std::size_t number) {
  Job& job = jobs_[number];
  const auto status = file_status(job.files.file);
  if (!status || (status->modified_nanoseconds == job.status.modified_nanoseconds &&
                  status->bytes == job.status.bytes))
    return std::nullopt;
  auto loaded = load(job);
  if (!loaded) {
    say(number, "its job file was changed and can't be used; the schedule stays as it was: " +
                    loaded.error().message);
    return std::nullopt;
  }
  const bool is_same = loaded->digest == scheduled_[number].digest;  // it was only touched
  scheduled_[number] = *loaded;
  return is_same ? std::nullopt : std::optional(*std::move(loaded));
}

Result<void> ScheduleProcesses::start(std::size_t number, const TimeWindow& window) {
  const Job& job = jobs_[number];
  const std::string name = scheduled_[number].agenda.timetable().name_of(window);
  auto process = std::make_unique<Process>();
  process->job = number;
  process->name = job.name + " " + name;
  process->window = window;
  process->started = now_microseconds();
  ProgramCall call;
  call.arguments = {edges_.program, "run",     job.files.file.string(),  "--window",
                    name,           "--state", job.files.state.string(), "--json"};
  call.arguments.insert(call.arguments.end(), edges_.arguments.begin(), edges_.arguments.end());
  TRANCHE_ASSIGN(process->program, Program::start(call));
  process->program->close_input();
  edges_.tell(process->name + " begins");
  runs_.push_back(std::move(process));
  return {};
}

std::vector<WindowEnd> ScheduleProcesses::take_ends() {
  std::vector<WindowEnd> ends;
  std::erase_if(runs_, [&](const std::unique_ptr<Process>& run) {
    if (!run->program->has_ended()) return false;
    const auto exit = run->program->wait(0ms);
    if (!exit || !*exit) return false;
    listen_to(*run);  // what it said last
    WindowEnd end = end_of(**exit, run->summary);
    end.job = run->job;
    end.window = run->window;
    end.name = scheduled_[run->job].agenda.timetable().name_of(run->window);
    if (end.how == WindowEnd::How::stopped) edges_.tell(run->name + " was stopped");
    if (end.how == WindowEnd::How::busy)
      edges_.tell(fmt::format("{} waits: {}", run->name, first_line(end.error)));
    if (end.how == WindowEnd::How::failed) tell_lines(*run);
    ends.push_back(std::move(end));
    return true;
  });
  return ends;
}

void ScheduleProcesses::stop_runs() {
  edges_.tell(runs_.empty()
                  ? "Stopping."
                  : fmt::format("Stopping; {} {} at the next batch boundary, a second "
                                "signal ends them at once.",
                                runs_.size(), runs_.size() == 1 ? "run ends" : "runs end"));
  for (const auto& run : runs_) run->program->ask_to_end();
}

void ScheduleProcesses::on_failure(std::size_t number, const WindowEnd& end,
                                   const ScheduleTrouble& trouble, bool is_halted) {
  const Job& job = jobs_[number];
  const std::string name = scheduled_[number].agenda.timetable().name_of(trouble.window);
  edges_.tell(fmt::format(
      "{} {} failed{}{}: {}", job.name, name,
      trouble.failures == 1 ? "" : fmt::format(" {} times in a row", trouble.failures),
      is_halted ? ""
                : fmt::format("; it is tried again in {}", format_duration(job.spec.retry_delay)),
      first_line(end.error)));
  if (is_halted)
    say(number, fmt::format("is halted. Once the cause is mended, run the window (tranche run {} "
                            "--window {}) or change the job file, and the schedule goes on.",
                            job.files.file.string(), name));
  if (job.spec.on_failure.empty()) return;
  ProgramCall call;
  call.arguments = job.spec.on_failure;
  call.folder = job.base;
  call.environment = {{"TRANCHE_JOB", job.name},
                      {"TRANCHE_RUN", end.run},
                      {"TRANCHE_WINDOW", name},
                      {"TRANCHE_ERROR", end.error},
                      {"TRANCHE_FAILURES", std::to_string(trouble.failures)},
                      {"TRANCHE_HALTED", is_halted ? "1" : "0"},
                      {"TRANCHE_STATE", job.files.state.string()}};
  auto program = Program::start(call);
  if (!program) {
    say(number, "on_failure: " + program.error().message);
    return;
  }
  auto process = std::make_unique<Process>();
  process->job = number;
  process->name = job.name + " on_failure";
  process->program = *std::move(program);
  process->program->close_input();
  process->started = now_microseconds();
  messengers_.push_back(std::move(process));
}

void ScheduleProcesses::end_messengers() {
  const std::int64_t now = now_microseconds();
  std::erase_if(messengers_, [&](const std::unique_ptr<Process>& one) {
    if (one->program->has_ended()) {
      const auto exit = one->program->wait(0ms);
      listen_to(*one);
      tell_lines(*one);
      if (exit && *exit && **exit != Exit{})
        edges_.tell(fmt::format("{}: the program {}", one->name, describe(**exit)));
      return true;
    }
    if (now - one->started < messenger_microseconds_max) return false;
    edges_.tell(one->name + ": the program was ended after a minute");
    return true;
  });
}

void ScheduleProcesses::on_done(const WindowEnd& end) {
  edges_.tell(fmt::format("{} {} is done: {}", jobs_[end.job].name,
                          scheduled_[end.job].agenda.timetable().name_of(end.window), end.figures));
}

void ScheduleProcesses::say(std::size_t job, const std::string& sentence) {
  edges_.tell(fmt::format("{} {}", jobs_[job].name, sentence));
}

}  // namespace tranche
