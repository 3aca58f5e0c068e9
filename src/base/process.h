// Processes: fork, wait by pidfd, pipes, signals, and what /proc says of memory.
//
// Threads: fork only while the process has one thread (the supervisor); the others are thread-safe.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <tranche/base/result.h>

namespace tranche {

// How a process ended.
struct Exit {
  int code = 0;    // when it exited
  int signal = 0;  // when a signal killed it, else 0
  bool operator==(const Exit&) const = default;
};
std::string describe(
    const Exit& exit);  // "exited with code 3", "was killed by signal 11 (SIGSEGV)"

// A child made by fork, owned by the process that made it. It dies with its parent
// (PR_SET_PDEATHSIG, checked against the race).
class Child {
 public:
  Child() = default;
  Child(Child&& other) noexcept;
  Child& operator=(Child&& other) noexcept;
  ~Child();  // kills with SIGKILL and reaps, if still running

  // Runs `body` in a child, which leaves by _exit(body()). REQUIRES a process with one thread.
  static Result<Child> fork(const std::function<int()>& body);

  pid_t pid() const { return pid_; }
  int pidfd() const { return pidfd_; }  // readable when the child has ended
  // Waits for the end; nullopt when `timeout` passes first (nullopt timeout: for ever). Once it
  // has ended, every call returns the same.
  Result<std::optional<Exit>> wait(std::optional<std::chrono::milliseconds> timeout);
  void kill(int signal) const;

 private:
  void end() noexcept;
  pid_t pid_ = -1;
  int pidfd_ = -1;
  std::optional<Exit> exit_;
};

// A one-way channel of frames (length + bytes); survives fork, closes on exec. It is a socket pair,
// because a pipe whose reader is gone raises SIGPIPE, and that would kill the writer.
class FramePipe {
 public:
  static constexpr std::size_t frame_bytes_max = std::size_t{1} << 30;
  static Result<FramePipe> create();
  FramePipe() = default;
  FramePipe(FramePipe&& other) noexcept;
  FramePipe& operator=(FramePipe&& other) noexcept;
  ~FramePipe();
  void keep_writer();  // closes the reading end (in the child)
  void keep_reader();  // closes the writing end (in the parent)
  int read_descriptor() const { return read_; }
  // Writes one frame; waits while the channel is full. A reader sees all of it or nothing. The
  // caller's lock keeps the writers of a process apart.
  Result<void> write(std::string_view frame);
  // Reads what is there without blocking and returns the whole frames; `closed` says that no more
  // will come. Errors: crash when what was sent is no frame.
  Result<std::vector<std::string>> read_available(bool& closed);

 private:
  Result<std::vector<std::string>> take_frames();
  int read_ = -1;
  int write_ = -1;
  std::string partial_;
};

std::uint64_t total_memory_bytes();  // of the machine, or of the cgroup when that is less
// Proportional set size of this process (smaps_rollup); 0 when it can't be read.
std::uint64_t proportional_set_bytes(pid_t pid = 0);
// Fixes how much freed memory the allocator keeps for each thread. Left alone it keeps as much as
// the largest block that was ever freed. For a process of our own, before it has threads.
void limit_free_memory();
// Gives memory that the allocator keeps for later back to the kernel; takes some milliseconds.
void return_free_memory();
unsigned core_count();  // that this process may run on
int thread_count();     // of this process now
bool is_terminal(int descriptor);
unsigned terminal_columns(int descriptor);  // 80 when unknown
std::string executable_path();              // /proc/self/exe

}  // namespace tranche
