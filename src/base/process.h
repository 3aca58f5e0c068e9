// Processes: fork, wait by pidfd, signals, limits, and what /proc says of memory.
//
// Threads: fork only while the process has one thread (the supervisor); the others are thread-safe.
#pragma once

#include <signal.h>
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

// Whether a signal ended it that only somebody else sends: what goes wrong inside a process ends
// it with another one, or with an exit.
bool is_from_outside(const Exit& exit);

// A child made by fork, owned by the process that made it. It dies with its parent
// (PR_SET_PDEATHSIG, checked against the race).
class Child {
 public:
  Child() = default;
  Child(Child&& other) noexcept;
  Child& operator=(Child&& other) noexcept;
  ~Child();  // kills with SIGKILL and reaps, if still running

  enum class Group { of_parent, own };
  // Runs `body` in a child, which leaves by _exit(body()). In a process group of its own what it
  // starts can be ended with it, and a Ctrl-C does not reach it. REQUIRES a process with one
  // thread.
  static Result<Child> fork(const std::function<int()>& body, Group group = Group::of_parent);

  // Takes over a process that this one has just forked.
  static Result<Child> adopt(pid_t pid, Group group);

  pid_t pid() const { return pid_; }
  int pidfd() const { return pidfd_; }  // readable when the child has ended
  // Waits for the end; nullopt when `timeout` passes first (nullopt timeout: for ever). Once it
  // has ended, every call returns the same.
  Result<std::optional<Exit>> wait(std::optional<std::chrono::milliseconds> timeout);
  void kill(int signal) const;
  // Whether it has ended, without reaping it: its number, and its group's, are still its own.
  bool has_ended() const;
  // Sends the signal to all of its process group. REQUIRES Group::own, and that it is not reaped.
  void kill_group(int signal) const;

 private:
  void end() noexcept;
  pid_t pid_ = -1;
  int pidfd_ = -1;
  std::optional<Exit> exit_;
  Group group_ = Group::of_parent;
};

// What the descendants of this process leave running when they end: it falls to this process, which
// ends it. Lifetime: for as long as it lives; what was a child before is left alone.
class Orphans {
 public:
  Orphans();
  // Kills and reaps all that has fallen to this process. REQUIRES that its own children of the time
  // since are reaped.
  void end() const;

 private:
  std::vector<pid_t> children_before_;
};

std::uint64_t total_memory_bytes();  // of the machine, or of the cgroup when that is less
// Proportional set size of this process (smaps_rollup); 0 when it can't be read.
std::uint64_t proportional_set_bytes(pid_t pid = 0);
// That of a process and all its descendants.
std::uint64_t tree_set_bytes(pid_t root);
// What it has of its own in memory, without what it shares; 0 when it can't be read. Cheap.
std::uint64_t private_resident_bytes(pid_t pid);
// CPU time of all its threads; 0 when it is gone.
std::chrono::nanoseconds cpu_time_of(pid_t pid);
// From here on this process may map `bytes` more of its own, used or not; more is refused to it by
// the system, as std::bad_alloc. Without effect under a sanitizer, which reserves more than any
// limit.
void limit_own_memory(std::uint64_t bytes);
// The open files of this process: as many as the system lets it have.
void raise_descriptor_limit();
// From here on a write that the kernel refuses, since nobody reads the pipe or the file may not
// grow any further (`ulimit -f`), is an error of that write, no longer the death of the process.
void let_refused_writes_return();
// Keeps the signals of this process from the calling thread, and from those it starts, besides
// those of its own faults.
class SignalShield {
 public:
  SignalShield();
  ~SignalShield();
  SignalShield(const SignalShield&) = delete;
  SignalShield& operator=(const SignalShield&) = delete;

 private:
  sigset_t before_;
};
// Closes all above standard error but this one. For a child that inherited more than it needs.
void close_descriptors_but(int kept);
// The lowest descriptor that is free: it grows when descriptors leak. -1: none is.
int lowest_free_descriptor();
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
// What the linker made of this program's bytes (ELF's NT_GNU_BUILD_ID), in hexadecimal: another one
// after every change, unless it was told which to take; empty where it was told to leave it out.
std::string build_id();

}  // namespace tranche
