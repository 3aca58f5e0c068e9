#include "steps/batch_ahead.h"

#include <system_error>
#include <utility>

#include "base/process.h"

namespace tranche {
namespace {

constexpr std::size_t batches_ahead_max = 16;

bool is_last(const Result<std::optional<BatchPlan>>& planned) { return !planned || !*planned; }

}  // namespace

BatchAhead::BatchAhead(Plan plan, std::function<void()> interrupt)
    : plan_(std::move(plan)), interrupt_(std::move(interrupt)) {
  const SignalShield shield;
  try {
    thread_ = std::thread([this] { run(); });
  } catch (const std::system_error&) {
    // The limit of processes: it is done all the same, only later.
  }
}

BatchAhead::~BatchAhead() {
  {
    const std::lock_guard lock(mutex_);
    closing_ = true;
  }
  changed_.notify_all();
  interrupt_();
  if (thread_.joinable()) thread_.join();
}

Result<std::optional<BatchPlan>> BatchAhead::next() {
  if (!thread_.joinable()) return plan_();
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return !planned_.empty(); });
  if (is_last(planned_.front())) return planned_.front();
  Planned planned = std::move(planned_.front());
  planned_.pop_front();
  lock.unlock();
  changed_.notify_all();
  return planned;
}

bool BatchAhead::is_ready(std::chrono::milliseconds longest) {
  if (!thread_.joinable()) return true;
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, longest, [this] { return !planned_.empty(); });
}

void BatchAhead::run() {
  bool ended = false;
  while (!ended) {
    Planned planned = plan_();
    ended = is_last(planned);
    std::unique_lock lock(mutex_);
    planned_.push_back(std::move(planned));
    changed_.notify_all();
    changed_.wait(lock, [this] { return closing_ || planned_.size() < batches_ahead_max; });
    ended = ended || closing_;
  }
}

}  // namespace tranche
