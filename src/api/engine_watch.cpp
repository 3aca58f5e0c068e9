#include "api/engine_watch.h"

#include <algorithm>

#include <fmt/format.h>

#include <tranche/core/task.h>
#include "base/text.h"

namespace tranche {

EngineWatch::EngineWatch(std::span<const BreadcrumbBoard> boards)
    : boards_(boards),
      watches_(boards.size(), std::vector<ProgressWatch>(BreadcrumbBoard::slots_max)) {}

bool EngineWatch::must_end(pid_t engine) {
  if (!sentence_.empty()) return false;  // it was told
  std::uint64_t memory = 0;
  for (const BreadcrumbBoard& board : boards_)
    memory = std::max(memory, board.memory_bytes_hard.load());
  if (memory > 0 && private_resident_bytes(engine) > memory) {
    kind_ = ErrorKind::memory;
    sentence_ = fmt::format("took more than {}, far beyond the memory budget", format_size(memory));
    return true;
  }
  look_for_late();
  return !late_.empty();
}

void EngineWatch::look_for_late() {
  const auto now = ProgressWatch::Clock::now();
  for (std::size_t at = 0; at < boards_.size(); ++at) {
    const BreadcrumbBoard& board = boards_[at];
    const std::chrono::milliseconds timeout(board.timeout_milliseconds.load());
    if (timeout.count() == 0) continue;
    const std::size_t slots = board.slots_used.load();
    for (std::size_t number = 0; number < slots; ++number) {
      ProgressWatch& watch = watches_[at][number];
      watch.look(board.slots[number], now);
      if (watch.still(now) <= timeout) continue;
      late_.push_back({at, number});
      kind_ = ErrorKind::timeout;
      sentence_ = fmt::format("made no progress for {:.3g} s",
                              std::chrono::duration<double>(timeout).count());
    }
  }
}

std::vector<engine::Suspect> EngineWatch::suspects(const Exit& exit) const {
  std::vector<engine::Suspect> suspects;
  if (sentence_.empty() && is_from_outside(exit)) return suspects;
  const auto suspect = [&](const BreadcrumbBoard& board, std::size_t number) {
    if (board.slots[number].task.load() == 0) return;
    Death death = death_of(board.slots[number], kind_, how(exit));
    death.signal = sentence_.empty() ? exit.signal : 0;
    suspects.push_back({board.step.load(), std::move(death)});
  };
  for (const Slot& late : late_) suspect(boards_[late.board], late.number);
  if (!late_.empty()) return suspects;
  for (const BreadcrumbBoard& board : boards_) {
    const std::size_t slots = board.slots_used.load();
    for (std::size_t number = 0; number < slots; ++number) suspect(board, number);
  }
  return suspects;
}

std::string EngineWatch::how(const Exit& exit) const {
  return sentence_.empty() ? describe(exit) : sentence_;
}

}  // namespace tranche
