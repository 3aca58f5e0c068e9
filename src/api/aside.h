// Questions that are answered in a child process, since the one that supervises a run has one
// thread, and opens neither DuckDB nor SQLite; or, within a run, by the engine itself, which may.
//
// Threads: ask_aside and Holder::start REQUIRE a process with one thread. Lifetime: a Holder's
// child lives as long as it, or as this process, whichever ends first.
#pragma once

#include <functional>
#include <memory>
#include <optional>

#include <tranche/base/result.h>

#include "base/channel.h"
#include "base/json.h"
#include "base/process.h"

namespace tranche {

using Question = std::function<Result<Json>()>;
using Asking = Result<Json> (*)(const Question& question);
// The answer of a child that ends when it has given it.
Result<Json> ask_aside(const Question& question);
// That of this process.
Result<Json> ask_here(const Question& question);

// Keeps what was opened for an answer until nobody needs it any more.
class Holder {
 public:
  // What it answers, and what it holds on to.
  struct Held {
    Json answer;
    std::shared_ptr<void> kept;
  };
  // In a child.
  static Result<Holder> start(const std::function<Result<Held>()>& question);
  // In this process, with which it ends.
  static Result<Holder> start_here(const std::function<Result<Held>()>& question);
  const Json& answer() const { return answer_; }

 private:
  Holder(Channel channel, Child child, Json answer)
      : child_(std::move(child)), channel_(std::move(channel)), answer_(std::move(answer)) {}
  explicit Holder(Held held) : kept_(std::move(held.kept)), answer_(std::move(held.answer)) {}
  std::optional<Child> child_;  // ends behind its channel
  std::optional<Channel> channel_;
  std::shared_ptr<void> kept_;
  Json answer_;
};

}  // namespace tranche
