#include "executors/lane_pool.h"

#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <exception>
#include <utility>

#include <fmt/format.h>

#include "base/file.h"
#include "base/process.h"

namespace tranche {
namespace {

using namespace std::chrono_literals;

constexpr auto sample_interval = 50ms;

std::chrono::nanoseconds process_cpu_time() {
  timespec now{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return std::chrono::seconds(now.tv_sec) + std::chrono::nanoseconds(now.tv_nsec);
}

// That a thread of this process has computed, or was ready to but had no processor; 0 where the
// kernel does not say.
std::chrono::nanoseconds cpu_wanted_by(int thread) {
  const auto text = read_file(fmt::format("/proc/self/task/{}/schedstat", thread));
  if (!text) return {};
  std::int64_t computed = 0;
  std::int64_t queued = 0;
  const char* const end = text->data() + text->size();
  const auto first = std::from_chars(text->data(), end, computed);
  if (first.ec != std::errc() || first.ptr == end) return {};
  std::from_chars(first.ptr + 1, end, queued);
  return std::chrono::nanoseconds(computed + queued);
}

double in_seconds(std::chrono::nanoseconds duration) {
  return std::chrono::duration<double>(duration).count();
}

}  // namespace

LanePool::LanePool(unsigned workers, unsigned at_once, BreadcrumbBoard& board)
    : workers_(workers), board_(board), size_(workers), worker_threads_(workers) {
  set_size(at_once);
}

LanePool::LanePool(AutoWorkers chooser, BreadcrumbBoard& board)
    : workers_(chooser.workers()),
      board_(board),
      chooser_(std::move(chooser)),
      size_(workers_),
      worker_threads_(workers_),
      sampled_at_(Clock::now()),
      cpu_sampled_(process_cpu_time()) {
  const SignalShield shield;  // signals are for the thread that runs the step
  try {
    keeper_ = std::thread([this] { keep(); });
  } catch (const std::exception&) {
    // The limit of threads: then there are no more of them anyway.
  }
}

LanePool::~LanePool() {
  {
    const std::lock_guard lock(mutex_);
    closing_ = true;
  }
  wanted_changed_.notify_all();
  closing_came_.notify_all();
  if (keeper_.joinable()) keeper_.join();
  for (auto& lane : lanes_) lane.join();
}

unsigned LanePool::size() const {
  const std::lock_guard lock(mutex_);
  return size_;
}

unsigned LanePool::chosen() const {
  const std::lock_guard lock(mutex_);
  return chooser_ ? chooser_->chosen() : size_;
}

std::string LanePool::why() const {
  const std::lock_guard lock(mutex_);
  return chooser_ ? chooser_->why() : std::string();
}

void LanePool::meet_worker(unsigned number) {
  const std::lock_guard lock(mutex_);
  int& thread = worker_threads_[number];
  if (thread != 0) return;
  thread = ::gettid();
  worker_cpu_sampled_ += cpu_wanted_by(thread);  // what came before is no part of a sample
}

void LanePool::run(SharedCalls& calls, Breadcrumb& worker) {
  PageInWork page{calls, worker, 0, {}};
  {
    const std::lock_guard lock(mutex_);
    pages_.push_back(&page);
    start_missing();
  }
  wanted_changed_.notify_all();
  calls.make(Lane(worker));
  std::unique_lock lock(mutex_);
  page.left.wait(lock, [&] { return page.lanes == 0; });
  pages_.erase(std::find(pages_.begin(), pages_.end(), &page));
}

void LanePool::set_size(unsigned size) {
  size_ = size;
  wanted_.store(size - workers_);
  allow(size > workers_ ? size : 1);
  if (pages_.empty()) return;
  start_missing();
  wanted_changed_.notify_all();
}

// The limit of threads is no error: fewer do the same work.
void LanePool::start_missing() {
  try {
    while (can_start_more_ && lanes_.size() < wanted_.load()) {
      const auto number = static_cast<unsigned>(lanes_.size());
      lanes_.emplace_back([this, number] { live(number); });
      board_.slots_used.store(workers_ + number + 1);
    }
  } catch (const std::exception&) {
    can_start_more_ = false;
  }
}

// Of the pages that have calls to make, the one with the fewest lanes.
LanePool::PageInWork* LanePool::neediest() const {
  PageInWork* found = nullptr;
  for (PageInWork* const page : pages_) {
    if ((found == nullptr || page->lanes < found->lanes) && page->calls.has_more()) found = page;
  }
  return found;
}

void LanePool::live(unsigned number) {
  std::unique_lock lock(mutex_);
  while (true) {
    PageInWork* page = nullptr;
    wanted_changed_.wait(lock, [&] {
      if (closing_) return true;
      page = busy_.load() < wanted_.load() ? neediest() : nullptr;
      return page != nullptr;
    });
    if (page == nullptr) return;  // closing
    help(*page, number, lock);
  }
}

void LanePool::help(PageInWork& page, unsigned number, std::unique_lock<std::mutex>& lock) {
  busy_.fetch_add(1);
  ++page.lanes;
  lock.unlock();
  // A lane works on its worker's task; who finds it dead must know that.
  Breadcrumb& breadcrumb = board_.slots[workers_ + number];
  breadcrumb.begin_task(page.worker.task.load(),
                        {page.worker.task_first.load(), page.worker.task_end.load()});
  page.calls.make(Lane(breadcrumb, busy_, wanted_));
  breadcrumb.end_task();
  lock.lock();
  busy_.fetch_sub(1);
  if (--page.lanes == 0) page.left.notify_one();
}

void LanePool::keep() {
  std::unique_lock lock(mutex_);
  while (!closing_came_.wait_for(lock, sample_interval, [this] { return closing_; })) {
    const unsigned size = chooser_->take(sample());
    if (size != size_) set_size(size);
  }
}

unsigned LanePool::workers_at_work() const {
  unsigned count = 0;
  for (unsigned slot = 0; slot < workers_; ++slot) {
    if (board_.slots[slot].task.load() != 0) ++count;
  }
  return count;
}

std::chrono::nanoseconds LanePool::worker_cpu_wanted() const {
  std::chrono::nanoseconds wanted{0};
  for (const int thread : worker_threads_) {
    if (thread != 0) wanted += cpu_wanted_by(thread);
  }
  return wanted;
}

WorkSample LanePool::sample() {
  const auto now = Clock::now();
  const auto cpu = process_cpu_time();
  const auto worker_cpu = worker_cpu_wanted();
  std::uint64_t calls = 0;
  const std::size_t slots = workers_ + lanes_.size();
  for (std::size_t slot = 0; slot < slots; ++slot) {
    calls += board_.slots[slot].calls.load(std::memory_order_relaxed);
  }
  WorkSample sample;
  sample.seconds = in_seconds(now - sampled_at_);
  sample.cpu_seconds = in_seconds(cpu - cpu_sampled_);
  sample.calls = calls - calls_sampled_;
  const unsigned workers = workers_at_work();
  sample.worker_seconds = sample.seconds * workers;
  sample.worker_cpu_seconds = in_seconds(worker_cpu - worker_cpu_sampled_);
  sample.at_work = workers + busy_.load();
  sample.idle_lanes = wanted_.load() - std::min(wanted_.load(), busy_.load());
  sampled_at_ = now;
  cpu_sampled_ = cpu;
  worker_cpu_sampled_ = worker_cpu;
  calls_sampled_ = calls;
  return sample;
}

}  // namespace tranche
