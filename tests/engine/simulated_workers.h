// The workers of a simulated step: they do tasks when asked for an outcome, in any order, and die
// of the records that kill.
#pragma once

#include <optional>
#include <random>
#include <utility>
#include <vector>

#include "simulation.h"

namespace tranche::simulation {

class SimulatedWorkers final : public Executor {
 public:
  // threads: what kills one of them ends the engine.
  enum class Kind { processes, threads };
  SimulatedWorkers(World& world, const Job& job, Fault& fault, Kind kind)
      : world_(world), job_(job), fault_(fault), kind_(kind), random_(job.seed) {}
  Result<void> submit(Task task) override;
  Result<std::optional<Outcome>> next(std::chrono::milliseconds timeout) override;
  unsigned workers() const override { return job_.workers; }
  std::uint64_t bytes_read() const { return bytes_read_; }

 private:
  // A result, or what the worker died of.
  using Work = std::pair<Result<ChunkResult>, std::optional<Death>>;
  Work work(const Task& task);
  Work merge(const Task& task);
  bool is_deadly(std::uint64_t record, const std::vector<std::uint64_t>& before);
  bool dies_of_reading(const Task& task) const;
  void kill_engine(Death death);

  World& world_;
  const Job& job_;
  Fault& fault_;
  Kind kind_;
  std::mt19937_64 random_;
  std::vector<Task> tasks_;
  std::uint64_t bytes_read_ = 0;
  std::uint64_t records_submitted_ = 0;
};

}  // namespace tranche::simulation
