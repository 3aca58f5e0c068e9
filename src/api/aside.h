// Questions that are answered in a child process, since the one that supervises a run has one
// thread, and opens neither DuckDB nor SQLite.
//
// Threads: REQUIRES a process with one thread. Lifetime: a Holder's child lives as long as it, or
// as this process, whichever ends first.
#pragma once

#include <functional>
#include <memory>

#include <tranche/base/result.h>

#include "base/channel.h"
#include "base/json.h"
#include "base/process.h"

namespace tranche {

// The answer of a child that ends when it has given it.
Result<Json> ask_aside(const std::function<Result<Json>()>& question);

// A child that keeps what it opened for its answer until nobody needs it any more.
class Holder {
 public:
  // What it answers, and what it holds on to.
  struct Held {
    Json answer;
    std::shared_ptr<void> kept;
  };
  static Result<Holder> start(const std::function<Result<Held>()>& question);
  const Json& answer() const { return answer_; }

 private:
  Holder(Channel channel, Child child, Json answer)
      : child_(std::move(child)), channel_(std::move(channel)), answer_(std::move(answer)) {}
  Child child_;  // ends behind its channel
  Channel channel_;
  Json answer_;
};

}  // namespace tranche
