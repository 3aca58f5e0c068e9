#include "steps/exec_step.h"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include <fmt/format.h>

#include "base/program.h"
#include "base/text.h"
#include "steps/attempts.h"

namespace tranche {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

constexpr auto look_interval = 100ms;
constexpr auto patience_after_term = 10s;  // with a program that is asked to end
constexpr std::size_t last_words_bytes = 4096;
constexpr int reads_max = 32;  // at a time; a pipe's whole content

// A program at work: what it says goes to the log, and its last words to messages.
class Execution {
 public:
  Execution(std::unique_ptr<Program> program, fs::path log)
      : program_(std::move(program)), log_(std::move(log)) {
    program_->close_input();
  }

  // Hears it until it has ended or nobody needs it any more. nullopt: it has not ended.
  Result<std::optional<Exit>> hear_out(const std::function<bool()>& is_over) {
    while (!program_->has_ended() && !is_over()) {
      std::array<pollfd, 3> waits{{{program_->pidfd(), POLLIN, 0},
                                   {program_->output(), POLLIN, 0},
                                   {program_->errors(), POLLIN, 0}}};
      static_cast<void>(::poll(waits.data(), waits.size(), static_cast<int>(look_interval / 1ms)));
      hear();
    }
    if (!program_->has_ended()) return std::optional<Exit>();
    hear();
    return program_->wait(0ms);
  }

  // Asks it to end, and then ends it.
  void end() {
    program_->ask_to_end();
    const auto until = Clock::now() + patience_after_term;
    static_cast<void>(hear_out([&] { return Clock::now() > until; }));
  }

  // The last line that says something, for a sentence: empty, or `; it wrote at last "..."`.
  std::string last_words() const {
    const std::string_view words = last_line(last_words_);
    if (words.empty()) return {};
    return fmt::format("; the last that it wrote is \"{}\"", excerpt(words, 200));
  }

 private:
  void hear() {
    hear(program_->output(), [this] { program_->close_output(); });
    hear(program_->errors(), [this] { program_->close_errors(); });
  }
  void hear(int descriptor, const std::function<void()>& close) {
    std::array<char, 16 << 10> bytes;
    // One that never stops talking must not keep its timeout from being looked at.
    for (int reads = 0; descriptor >= 0 && reads < reads_max; ++reads) {
      const ssize_t count = ::read(descriptor, bytes.data(), bytes.size());
      if (count < 0 && errno == EINTR) continue;
      if (count == 0) close();
      if (count <= 0) return;
      const std::string_view heard(bytes.data(), static_cast<std::size_t>(count));
      log_.add(heard);
      last_words_ += heard;
      if (last_words_.size() > last_words_bytes)
        last_words_.erase(0, last_words_.size() - last_words_bytes);
    }
  }

  std::unique_ptr<Program> program_;
  BoundedLog log_;
  std::string last_words_;
};

// What later steps are told must outlive a power cut, as the ledger's word on this step does.
Result<void> keep_output(const ExecStep& step, const fs::path& output) {
  if (!file_exists(output)) return {};
  TRANCHE_ASSIGN(const FileStatus found, file_status(output));
  if (found.bytes > step_output_bytes_max)
    return make_error(
        ErrorKind::failed,
        fmt::format("The program of step \"{}\" wrote {} to the file of "
                    "TRANCHE_OUTPUT; later steps can be told {} at most.",
                    step.name, format_size(found.bytes), format_size(step_output_bytes_max)));
  TRANCHE_ASSIGN(const std::string text, read_file(output));
  if (!is_utf8(text) || text.find('\0') != std::string::npos)
    return make_error(ErrorKind::failed,
                      fmt::format("The program of step \"{}\" wrote something to the file of "
                                  "TRANCHE_OUTPUT that is no text in UTF-8.",
                                  step.name));
  TRANCHE_ASSIGN(auto file, File::open_write(output));
  TRANCHE_TRY(file.sync());
  return sync_folder(output.parent_path());
}

Result<void> attempt(const ExecStep& step, const SinkRun& run,
                     const std::function<bool()>& stop_wanted) {
  ProgramCall call;
  call.arguments = step.program;
  call.folder = step.folder;
  const fs::path output = step_output_path(fs::absolute(run.run_folder), step.name);
  TRANCHE_TRY(create_folders(output.parent_path()));
  TRANCHE_TRY(remove_file(output));  // of an attempt that failed
  call.environment = {{"TRANCHE_JOB", run.job},
                      {"TRANCHE_RUN", run.run_id},
                      {"TRANCHE_STEP", step.name},
                      {"TRANCHE_OUTPUT", output.string()}};
  TRANCHE_ASSIGN(auto program, Program::start(call));
  Execution execution(std::move(program), fs::path(run.run_folder) / "logs" / (step.name + ".log"));
  const auto until = Clock::now() + step.timeout;
  bool is_stopped = false;
  bool is_late = false;
  TRANCHE_ASSIGN(const auto exit, execution.hear_out([&] {
    is_late = step.timeout > 0ms && Clock::now() > until;
    is_stopped = stop_wanted();
    return is_late || is_stopped;
  }));
  if (!exit) execution.end();
  if (!exit && is_stopped) return make_error(ErrorKind::stopped, "Stopped.");
  if (exit && exit->signal == 0 &&
      std::find(step.exit_codes.begin(), step.exit_codes.end(), exit->code) !=
          step.exit_codes.end()) {
    return keep_output(step, output);
  }
  const std::string how =
      exit ? describe(*exit) : fmt::format("did not end within {}", format_duration(step.timeout));
  return make_error(ErrorKind::failed, fmt::format("The program of step \"{}\" {}{}.", step.name,
                                                   how, execution.last_words()));
}

}  // namespace

fs::path step_output_path(const fs::path& run_folder, const std::string& step) {
  return run_folder / "outputs" / step;
}

Result<std::uint32_t> run_exec_step(const ExecStep& step, const StepSurroundings& surroundings,
                                    const std::function<bool()>& stop_wanted) {
  return try_until_done(step.name, step.retry, surroundings, stop_wanted,
                        [&] { return attempt(step, surroundings.run, stop_wanted); });
}

}  // namespace tranche
