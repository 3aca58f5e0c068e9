// A world without disks, threads and time: ports of the engine kept in memory, which survive a
// "crash" of the engine, and a fault plan that ends the engine at its N-th step in that world.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <map>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "base/clock.h"
#include "engine/step_engine.h"

namespace tranche::simulation {

// Counts what the engine does in its world and ends it at one of these steps: before the step takes
// effect, or after it did but before the engine hears of it.
struct Fault {
  std::uint64_t at = 0;  // 0: never
  bool after = false;
  ErrorKind kind = ErrorKind::failed;
  bool once = false;         // the error passes by itself; else the engine is dead from then on
  bool cuts_power = false;   // with it goes what the ledger was to write soon
  std::uint64_t length = 1;  // of `once`: so many steps in a row
  std::uint64_t steps = 0;
  bool dead = false;

  template <class Effect> Result<void> step(Effect effect) {
    if (dead) return make_error(ErrorKind::failed, "The engine is dead.");
    ++steps;
    const bool here = at != 0 && steps >= at && steps < at + length;
    if (here && !once) dead = true;
    if (here && !after) return make_error(kind, "A fault was planned here.");
    effect();
    if (here) return make_error(kind, "A fault was planned here.");
    return {};
  }
};

// Hears what an engine says.
struct Listener final : Observer {
  std::vector<Event> events;
  void on_event(const Event& event) override {
    if (event.kind != Event::Kind::progress) events.push_back(event);
  }
};

// What the ledger remembers.
struct Memory {
  StepState ledger;
  std::map<std::string, std::pair<Counts, std::vector<Reject>>> staged;
  std::map<std::uint64_t, std::uint32_t> trials;  // of each record
};

// What outlives an engine.
struct World : Memory {
  Memory durable;  // what outlives the power too
  int power_cuts = 0;
  // What its supervisor saw in work when the last engine died of a record.
  std::vector<engine::Suspect> suspects;
  std::set<std::uint64_t> have_killed;  // of Killers::once
  std::uint32_t merges_died = 0;
  std::uint32_t trials_failed = 0;
  std::uint64_t trials_done = 0;
  Listener listener;
  bool stop_requested = false;
  // Somebody presses Ctrl-C as soon as the target has so many groups.
  std::size_t stop_at_groups = SIZE_MAX;
  std::atomic<bool> stop{false};
  // The target's memory: rows of committed groups, and what was sealed.
  std::vector<std::pair<Receipt, std::vector<std::uint64_t>>> target;
  std::vector<std::uint64_t> sealed;
  int seals = 0;
  std::size_t commits = 0;  // of the target
  // The most that was planned and not read.
  std::uint64_t unread_peak = 0;
  // How often workers were waited for that had fewer tasks than they could, and more were to come.
  std::uint64_t waits_half_idle = 0;
};

// Records that kill the worker that has them in hand, and whatever else kills one.
struct Killers {
  std::set<std::uint64_t> always;
  std::map<std::uint64_t, std::uint64_t> in_company;  // when that one came before, in the same task
  std::set<std::uint64_t> once;                       // and never again
  std::set<std::uint64_t> by_being_read;              // whether or not they go through
  unsigned outside_percent = 0;                       // of tasks and trials are killed from outside
  std::uint32_t merges = 0;                           // so many merges die
  bool merges_from_outside = false;
  std::uint32_t trials_fail = 0;  // so many trials end with an error that passes
  bool are_named = true;          // it is known who was in hand
  bool share_process = false;     // the workers are threads: what kills one kills the engine
};

// Records are the numbers 0, 1, 2, ...; those divisible by `bad_every` are rejected by the workers.
struct Job {
  std::uint64_t records = 1000;
  std::uint64_t batch_records = 70;
  std::uint64_t chunk_records = 25;
  std::uint64_t batches_a_group = 1;
  std::uint64_t bad_every = 0;
  std::uint64_t same_failures_max = 0;
  std::uint64_t refused_every = 0;  // rows divisible by it are refused by the target
  bool target_records_commits = true;
  bool defers_commits = false;  // of groups that are ready, to one commit of several
  bool merges = false;
  bool whole_batches = false;
  std::uint64_t unread_bytes_max = UINT64_MAX;  // a record is a byte
  std::uint64_t rejects_enough = UINT64_MAX;    // of a task, which then gives nothing else
  RejectLimit limit{true, 0, 1'000'000};
  std::uint64_t seed = 1;
  unsigned workers = 3;
  bool take_time = false;  // the workers: nothing is done where nobody waits
  std::uint64_t memory_bytes_max = 10'000;
  Killers killers;
  bool is_isolated = true;
};

// Runs an engine in the world until it ends; `fault` counts its steps.
engine::StepEnd run_engine(World& world, const Job& job, Fault& fault);
std::vector<std::uint64_t> expected_rows(const Job& job);
std::vector<std::uint64_t> published_rejects(const World& world);
std::vector<Reject> published(const World& world);

}  // namespace tranche::simulation
