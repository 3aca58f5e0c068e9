// What an engine has of its supervisor: somebody to start worker processes for it, the board of
// breadcrumbs that outlives it, and what the board said when the engine before it died.
//
// Of the steps that run at once each has one.
// Threads: the thread of the process executor starts, kills and takes notices; the rest is read
// only. Lifetime: made before the engine, in the supervisor, and inherited.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <tranche/core/breadcrumb.h>
#include "base/channel.h"
#include "engine/step_engine.h"
#include "executors/processes.h"

namespace tranche {

class SupervisorLink final : public WorkerStarter {
 public:
  SupervisorLink(int supervisor, Channel control, BreadcrumbBoard& board,
                 std::vector<engine::Suspect> suspects, std::uint64_t memory_bytes_peak)
      : supervisor_(supervisor),
        control_(std::move(control)),
        board_(board),
        suspects_(std::move(suspects)),
        memory_bytes_peak_(memory_bytes_peak) {}

  int supervisor() const { return supervisor_; }
  std::uint64_t memory_bytes_peak() const { return memory_bytes_peak_; }  // of earlier engines
  BreadcrumbBoard& board() const { return board_; }
  // Of the step at this position in the job, whose engine died.
  std::vector<engine::Suspect> suspects_of(std::uint32_t step) const;
  bool has_suspects() const { return !suspects_.empty(); }
  // What a worker must know of the step in work; goes with every start.
  void set_order(std::string order) { order_ = std::move(order); }

  Result<void> start(unsigned slot, std::uint32_t generation, std::uint64_t memory_bytes,
                     Channel end) override;
  Result<void> kill(unsigned slot, std::uint32_t generation) override;
  int descriptor() const override { return control_.descriptor(); }
  Result<std::vector<Notice>> notices() override;

 private:
  int supervisor_;
  Channel control_;
  BreadcrumbBoard& board_;
  std::vector<engine::Suspect> suspects_;
  std::uint64_t memory_bytes_peak_;
  std::string order_;
};

// What the engine asks of its supervisor.
struct WorkerRequest {
  enum class Kind : std::uint8_t { start, kill };
  Kind kind = Kind::start;
  unsigned slot = 0;
  std::uint32_t generation = 0;
  std::uint64_t memory_bytes = 0;
  std::string order;
};
std::string encode_request(const WorkerRequest& request);
Result<WorkerRequest> decode_request(const std::string& bytes);
std::string encode_notice(const WorkerStarter::Notice& notice);
Result<WorkerStarter::Notice> decode_notice(const std::string& bytes);

}  // namespace tranche
