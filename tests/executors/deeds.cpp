#include "deeds.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdlib>
#include <new>
#include <stdexcept>
#include <thread>

#include "base/frame.h"
#include "executors/work_loop.h"

namespace tranche::deeds {
namespace {

using namespace std::chrono_literals;

std::string& kept() {
  static std::string bytes;
  return bytes;
}

class Doer final : public Worker {
 public:
  Doer(Breadcrumb& breadcrumb, int channel) : breadcrumb_(breadcrumb), channel_(channel) {}

  Result<ChunkResult> work(const Task& task) override {
    std::string text = std::to_string(::getpid());
    for (const Slice& slice : task.chunks) {
      const std::uint64_t record = slice.first_record;
      if (task.trial && !task.trial->contains(record)) continue;
      breadcrumb_.take(1, record, 1);
      TRANCHE_TRY(do_deed(static_cast<Deed>(slice.digest), slice.bytes, text));
      breadcrumb_.records.store(0);
    }
    ChunkResult result;
    result.counts.read = task.chunks.size();
    result.segments.push_back(Segment::make(std::move(text), task.chunks.size()));
    return result;
  }

 private:
  Result<void> do_deed(Deed deed, std::uint64_t amount, std::string& text) {
    switch (deed) {
      case Deed::none:
        break;
      case Deed::give:
        text.clear();
        for (std::uint64_t i = 0; i < amount; ++i) text += static_cast<char>(i % 251);
        break;
      case Deed::fail:
        return make_error(ErrorKind::transient, "It failed.", "here");
      case Deed::throw_exception:
        throw std::runtime_error("thrown");
      case Deed::throw_what_is_none:
        throw 7;
      case Deed::run_out_of_memory:
        throw std::bad_alloc();
      default:
        harm(deed, amount);
    }
    return {};
  }

  void harm(Deed deed, std::uint64_t amount) {
    switch (deed) {
      case Deed::crash:
        ::signal(SIGSEGV, SIG_DFL);  // a sanitizer would make an exit of it
        ::raise(SIGSEGV);
        break;
      case Deed::exit:
        ::_exit(3);
      case Deed::hang:
        while (true) ::pause();
      case Deed::spin:
        for (;;) breadcrumb_.stage.store(1);
      case Deed::beat:
        for (std::uint64_t i = 0; i < amount; i += 10) {
          breadcrumb_.beat();
          std::this_thread::sleep_for(10ms);
        }
        break;
      case Deed::allocate:
        kept().assign(amount, 'x');
        while (true) ::pause();
      case Deed::keep:
        kept().assign(amount, 'x');
        break;
      case Deed::leak_descriptors:
        for (int i = 0; i < 100; ++i) static_cast<void>(::open("/dev/null", O_RDONLY));
        break;
      case Deed::be_killed:
        ::raise(SIGKILL);
        break;
      case Deed::send_noise: {
        const std::string noise = "no frame at all, by no means, and never was";
        static_cast<void>(!::write(channel_, noise.data(), noise.size()));
        while (true) ::pause();
      }
      case Deed::send_lies:
        send_frame("it is done");
        break;
      default:
        break;
    }
  }

  void send_frame(const std::string& text) const {
    const std::uint32_t header[2] = {static_cast<std::uint32_t>(text.size()), 0};
    std::string bytes(reinterpret_cast<const char*>(header), sizeof header);
    bytes += text;
    static_cast<void>(!::write(channel_, bytes.data(), bytes.size()));
  }

  Breadcrumb& breadcrumb_;
  int channel_;
};

// The life of the zygote.
class Nursery {
 public:
  Nursery(Channel control, BreadcrumbBoard& board, Zygote::Worker kind)
      : control_(std::move(control)), board_(board), kind_(kind) {}

  int run() {
    while (true) {
      std::vector<pollfd> waits{{control_.descriptor(), POLLIN, 0}};
      for (const auto& [key, child] : workers_) waits.push_back({child.pidfd(), POLLIN, 0});
      ::poll(waits.data(), waits.size(), -1);
      if (!serve()) return 0;
      reap();
    }
  }

 private:
  using Key = std::pair<std::uint64_t, std::uint64_t>;

  bool serve() {
    bool closed = false;
    auto frames = control_.receive_available(closed);
    if (!frames) return false;
    for (Frame& frame : *frames) {
      FrameReader reader(frame.bytes);
      const Key key{reader.take(), reader.take()};
      const std::uint64_t memory_bytes = reader.take();
      if (!frame.descriptors.empty()) {
        start(key, memory_bytes, Channel(std::move(frame.descriptors.front())));
      } else if (const auto found = workers_.find(key); found != workers_.end()) {
        found->second.kill_group(SIGKILL);
      }
    }
    return !closed;
  }

  void start(Key key, std::uint64_t memory_bytes, Channel end) {
    auto child =
        Child::fork([&] { return live(key, memory_bytes, std::move(end)); }, Child::Group::own);
    if (!child) std::abort();
    tell(key, child->pid(), std::nullopt);
    workers_.insert_or_assign(key, *std::move(child));
  }

  int live(Key key, std::uint64_t memory_bytes, Channel end) {
    close_descriptors_but(end.descriptor());
    if (kind_ == Zygote::Worker::that_dies_at_start) return 4;
    if (kind_ == Zygote::Worker::killed_at_start) ::raise(SIGKILL);
    if (kind_ == Zygote::Worker::that_refuses) {
      return refuse_work(std::move(end), make_error(ErrorKind::failed, "The input is gone."));
    }
    if (memory_bytes > 0 && kind_ != Zygote::Worker::without_limit) limit_own_memory(memory_bytes);
    Breadcrumb& breadcrumb = board_.slots[key.first];
    const int channel = end.descriptor();
    return work_for_engine(
        std::move(end), breadcrumb, [&](unsigned) { return make_doer(breadcrumb, channel); },
        static_cast<unsigned>(key.first));
  }

  void reap() {
    for (auto worker = workers_.begin(); worker != workers_.end();) {
      if (!worker->second.has_ended()) {
        ++worker;
        continue;
      }
      const auto exit = worker->second.wait(std::nullopt);
      tell(worker->first, 0, **exit);
      worker = workers_.erase(worker);
    }
  }

  void tell(Key key, pid_t pid, std::optional<Exit> exit) {
    FrameWriter frame;
    frame.put(key.first);
    frame.put(key.second);
    frame.put(static_cast<std::uint64_t>(pid));
    frame.put(exit ? 1 : 0);
    frame.put(static_cast<std::uint64_t>(exit ? exit->code : 0));
    frame.put(static_cast<std::uint64_t>(exit ? exit->signal : 0));
    static_cast<void>(control_.send(frame.bytes()));
  }

  Channel control_;
  BreadcrumbBoard& board_;
  Zygote::Worker kind_;
  std::map<Key, Child> workers_;
};

std::string request(unsigned slot, std::uint32_t generation, std::uint64_t memory_bytes) {
  FrameWriter frame;
  frame.put(slot);
  frame.put(generation);
  frame.put(memory_bytes);
  return frame.bytes();
}

}  // namespace

Task task_of(std::uint64_t id, Deed deed, std::uint64_t amount) {
  Task task;
  task.id = id;
  task.group = id / 10;
  task.batch = id;
  Slice slice;
  slice.first_record = id;
  slice.records = 1;
  slice.digest = static_cast<std::uint64_t>(deed);
  slice.bytes = amount;
  task.chunks = {slice};
  return task;
}

std::string text_of(const Outcome& outcome) {
  if (!outcome.result) return "error: " + outcome.result.error().message;
  const auto loaded = outcome.result->segments.at(0).load();
  return loaded ? **loaded : "error: " + loaded.error().message;
}

Result<std::unique_ptr<Worker>> make_doer(Breadcrumb& breadcrumb, int channel) {
  return std::unique_ptr<Worker>(std::make_unique<Doer>(breadcrumb, channel));
}

SharedBoard::SharedBoard() {
  void* const place = ::mmap(nullptr, sizeof(BreadcrumbBoard), PROT_READ | PROT_WRITE,
                             MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (place == MAP_FAILED) std::abort();
  board_ = new (place) BreadcrumbBoard();
}

SharedBoard::~SharedBoard() { ::munmap(board_, sizeof(BreadcrumbBoard)); }

Zygote::Zygote(BreadcrumbBoard& board, Worker worker) {
  auto ends = Channel::create();
  if (!ends) std::abort();
  control_ = std::move(ends->first);
  auto child = Child::fork([&] {
    control_.close();
    return Nursery(std::move(ends->second), board, worker).run();
  });
  if (!child) std::abort();
  process_ = *std::move(child);
}

Zygote::~Zygote() {
  control_.close();  // then it ends, and its workers with it
  static_cast<void>(process_.wait(std::nullopt));
}

Result<void> Zygote::start(unsigned slot, std::uint32_t generation, std::uint64_t memory_bytes,
                           Channel end) {
  const Descriptor handed = end.release();
  return control_.send(request(slot, generation, memory_bytes), {handed.number()});
}

Result<void> Zygote::kill(unsigned slot, std::uint32_t generation) {
  return control_.send(request(slot, generation, 0));
}

Result<std::vector<WorkerStarter::Notice>> Zygote::notices() {
  bool closed = false;
  TRANCHE_ASSIGN(const auto frames, control_.receive_available(closed));
  std::vector<Notice> notices;
  for (const Frame& frame : frames) {
    FrameReader reader(frame.bytes);
    Notice notice;
    notice.slot = static_cast<unsigned>(reader.take());
    notice.generation = static_cast<std::uint32_t>(reader.take());
    notice.pid = static_cast<pid_t>(reader.take());
    const bool has_ended = reader.take() != 0;
    Exit exit;
    exit.code = static_cast<int>(reader.take());
    exit.signal = static_cast<int>(reader.take());
    if (has_ended) notice.exit = exit;
    notices.push_back(notice);
  }
  if (closed && notices.empty()) return make_error(ErrorKind::failed, "The zygote is gone.");
  return notices;
}

std::map<std::uint64_t, Outcome> take_all(Executor& executor, std::size_t count) {
  std::map<std::uint64_t, Outcome> outcomes;
  while (outcomes.size() < count) {
    auto outcome = executor.next(60s);
    if (!outcome || !*outcome) {
      ADD_FAILURE() << (outcome ? "No outcome came." : outcome.error().message);
      return outcomes;
    }
    const std::uint64_t task = (*outcome)->task;
    EXPECT_TRUE(outcomes.emplace(task, **std::move(outcome)).second) << "twice: " << task;
  }
  return outcomes;
}

Outcome have_done(Executor& executor, Task task) {
  const std::uint64_t id = task.id;
  const auto submitted = executor.submit(std::move(task));
  EXPECT_TRUE(submitted);
  auto outcomes = take_all(executor, 1);
  EXPECT_EQ(outcomes.count(id), 1U);
  return outcomes.empty() ? Outcome{} : std::move(outcomes.begin()->second);
}

}  // namespace tranche::deeds
