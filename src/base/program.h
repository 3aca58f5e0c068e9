// Programs of users as children of this process: started without a shell, in a process group of
// their own, spoken to by pipes.
//
// Whoever starts a program may have threads. It dies with the thread that started it
// (PR_SET_PDEATHSIG), so that thread must live as long. Threads: a Program belongs to one thread at
// a time. Lifetime: the destructor ends the program and all of its group, and reaps it.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <tranche/base/result.h>

#include "base/channel.h"
#include "base/file.h"
#include "base/process.h"

namespace tranche {

struct ProgramCall {
  std::vector<std::string> arguments;  // the program first
  fs::path folder;                     // where it works
  // Besides that of this process, whose values they replace.
  std::vector<std::pair<std::string, std::string>> environment;
};

// The file of a program: a name with a slash in it is relative to `folder`, another one is looked
// for in PATH. Errors: config, when there is none, or it can't be executed.
Result<fs::path> find_program(const std::string& name, const fs::path& folder);

class Program {
 public:
  // Errors: config, as find_program's; failed.
  static Result<std::unique_ptr<Program>> start(const ProgramCall& call);

  // Its standard streams as this process sees them; none of them waits. -1: closed.
  int input() const { return input_.number(); }
  int output() const { return output_.number(); }
  int errors() const { return errors_.number(); }
  // Writes to its standard input, as write(2) does: it returns the bytes taken, or -1 and errno,
  // EPIPE when it does not listen any more. Never SIGPIPE, whatever this process does with it.
  ssize_t write(std::string_view bytes);
  void close_input() { input_ = Descriptor(); }
  void close_output() { output_ = Descriptor(); }
  void close_errors() { errors_ = Descriptor(); }

  int pidfd() const { return child_.pidfd(); }  // readable when it has ended
  bool has_ended() const { return child_.has_ended(); }
  void ask_to_end() const { child_.kill_group(SIGTERM); }  // and all that it has started
  // How it ended; nullopt when it has not by then. What it has started ends with it.
  Result<std::optional<Exit>> wait(std::chrono::milliseconds timeout);
  // Whether it has read all that was written to it, and waits for more: it, or the programs that
  // it has started and waits for. Where the kernel does not tell what it waits for: for anything.
  bool is_waiting() const;

 private:
  Program() = default;
  Child child_;
  Descriptor input_;
  Descriptor output_;
  Descriptor errors_;
};

// A file that text is appended to for people: when it is full it becomes `path`.old, so that the
// latest is kept and no disk is filled. What can't be written is dropped.
class BoundedLog {
 public:
  static constexpr std::uint64_t bytes_max = std::uint64_t{1} << 20;  // of each of the two
  explicit BoundedLog(fs::path path) : path_(std::move(path)) {}      // empty: nowhere
  void add(std::string_view text);

 private:
  fs::path path_;
  Descriptor file_;
  std::uint64_t bytes_ = 0;
};

}  // namespace tranche
