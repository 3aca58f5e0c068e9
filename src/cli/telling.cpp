#include "cli/telling.h"

#include <fcntl.h>
#include <unistd.h>

#include <chrono>

#include <fmt/format.h>

#include <tranche/api/inspect.h>

#include "base/channel.h"
#include "base/clock.h"
#include "base/process.h"
#include "base/system_error.h"
#include "base/text.h"
#include "cli/output.h"
#include "drivers/http_calls.h"
#include "render/lineage.h"

namespace tranche {
namespace {

using namespace std::chrono_literals;

constexpr std::chrono::milliseconds call_max = 5s;

// In one write, so that events of runs that go on beside each other stay apart.
Result<void> append_line(const fs::path& file, const std::string& line) {
  const Descriptor opened(::open(file.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666));
  if (opened.number() < 0) return system_error(ErrorKind::failed, "write", file.native(), errno);
  const std::string text = line + "\n";
  if (::write(opened.number(), text.data(), text.size()) == static_cast<ssize_t>(text.size()))
    return {};
  return system_error(ErrorKind::failed, "write", file.native(), errno);
}

// 0: the service took it.
int post(const std::string& url, const std::string& event) {
  HttpCalls calls({call_max, 1 << 20, 0});
  HttpCall call{"POST", url, {"Content-Type: application/json"}, event};
  if (!calls.begin(0, std::move(call))) return 1;
  while (calls.in_flight() > 0) {
    const auto replies = calls.wait(call_max);
    if (!replies) return 1;
    for (const HttpReply& reply : *replies)
      return reply.outcome == HttpReply::Outcome::answered && reply.status / 100 == 2 ? 0 : 1;
  }
  return 1;
}

// In a child: the library that makes the call may start threads, and this process forks engines.
bool send(const std::string& url, const std::string& event) {
  auto child = Child::fork([&] { return post(url, event); });
  if (!child) return false;
  const auto exit = child->wait(call_max + 1s);
  return exit && *exit && **exit == Exit{};
}

}  // namespace

std::vector<Flag> telling_flags() {
  return {{"--metrics", "FILE", "writes the run's figures there at its end, as OpenMetrics"},
          {"--lineage", "FILE",
           "appends what is read and written as OpenLineage events; or a URL "
           "that they are sent to"}};
}

void Telling::on_event(const Event& event) {
  // An engine that is started again begins no other run.
  if (event.kind == Event::Kind::run_started && event.run != started_) {
    started_ = event.run;
    tell_lineage(lineage_start(job_, event.run, system_clock().now_microseconds()));
  }
  if (view_ != nullptr) view_->on_event(event);
}

void Telling::end(const RunSummary& summary) const {
  if (!started_.empty())
    tell_lineage(lineage_end(job_, summary, system_clock().now_microseconds()));
  const std::string file = invocation_.value("--metrics");
  if (file.empty() || summary.run.empty()) return;
  MeasuredJob measured;
  measured.job = job_.name;
  if (auto run = find_run(summary.state_folder, summary.run)) measured.run = *std::move(run);
  write_metrics(file, std::span(&measured, 1));
}

void Telling::tell_lineage(const std::string& event) const {
  const std::string where = invocation_.value("--lineage");
  if (where.empty()) return;
  if (where.find("://") != std::string::npos) {
    if (!send(where, event))
      write_message(fmt::format("Warning: --lineage {} did not take the event.\n",
                                url_without_password(where)));
    return;
  }
  const auto written = append_line(where, event);
  if (!written) write_message(fmt::format("Warning: --lineage: {}\n", written.error().message));
}

void write_metrics(const fs::path& file, std::span<const MeasuredJob> jobs) {
  const auto written = write_file_durably(file, render_metrics(jobs));
  if (!written) write_message(fmt::format("Warning: --metrics: {}\n", written.error().message));
}

}  // namespace tranche
