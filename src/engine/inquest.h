// Who of a task's records killed the worker? Decides what to try next, alone in a fresh process,
// and judges by what came of it.
//
// Records that were in somebody's hands are tried alone, one by one. If none of them dies, or
// nobody knows who was in hand, the whole task is tried again; if that dies too, it is read once
// more with no record going through; if that lives, prefixes of the task are halved until one
// record makes the difference, which must then die alone. Only dying alone convicts. If it lives,
// the prefix that ends with it must die again, or chance has killed it before.
// Threads: a value type. Pure.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

#include <tranche/core/task.h>

namespace tranche::engine {

class Inquest {
 public:
  enum class Verdict {
    open,        // next_trial() says what to try
    guilty,      // culprits() died alone
    innocent,    // nothing died, or not when it was tried again
    together,    // records die in company, and none of them alone
    unprovoked,  // it dies without any record going through: as it starts, or reads
  };
  struct Guilty {
    std::uint64_t record = 0;
    Death death;
  };

  // `records` of the task; a suspect is a record that was in hand. `named_only`: if no suspect dies
  // alone, nobody else is tried.
  Inquest(RecordRange records, std::vector<std::uint64_t> suspects, bool named_only);

  // REQUIRES verdict() == open.
  RecordRange next_trial() const;
  void lived();
  void died(const Death& death);

  Verdict verdict() const { return verdict_; }
  const std::vector<Guilty>& culprits() const { return culprits_; }
  // together: the records of the shortest prefix that dies.
  RecordRange company() const { return {records_.first, dies_}; }
  bool named_only() const { return named_only_; }
  const Death& last_death() const { return last_death_; }

 private:
  enum class Stage { named, whole, nobody, halving, last, again };
  void after_named();
  void narrow();
  std::uint64_t middle() const { return lives_ + (dies_ - lives_) / 2; }

  RecordRange records_;
  std::deque<std::uint64_t> suspects_;  // to be tried alone
  bool named_only_;
  Stage stage_ = Stage::named;
  std::uint64_t lives_;  // the longest prefix known to live ends here
  std::uint64_t dies_;   // the shortest one known to die ends here
  Verdict verdict_ = Verdict::open;
  std::vector<Guilty> culprits_;
  Death last_death_;
};

}  // namespace tranche::engine
