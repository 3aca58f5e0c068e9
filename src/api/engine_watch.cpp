#include "api/engine_watch.h"

#include <fmt/format.h>

#include <tranche/core/task.h>
#include "base/text.h"

namespace tranche {

bool EngineWatch::must_end(pid_t engine) {
  if (!sentence_.empty()) return false;  // it was told
  const std::uint64_t memory = board_.memory_bytes_hard.load();
  if (memory > 0 && private_resident_bytes(engine) > memory) {
    kind_ = ErrorKind::memory;
    sentence_ = fmt::format("took more than {}, far beyond the memory budget", format_size(memory));
    return true;
  }
  const std::chrono::milliseconds timeout(board_.timeout_milliseconds.load());
  if (timeout.count() == 0) return false;
  const auto now = ProgressWatch::Clock::now();
  const std::size_t slots = board_.slots_used.load();
  for (std::size_t slot = 0; slot < slots; ++slot) {
    watches_[slot].look(board_.slots[slot], now);
    if (watches_[slot].still(now) > timeout) late_.push_back(slot);
  }
  if (late_.empty()) return false;
  kind_ = ErrorKind::timeout;
  sentence_ = fmt::format("made no progress for {:.3g} s",
                          std::chrono::duration<double>(timeout).count());
  return true;
}

std::vector<engine::Suspect> EngineWatch::suspects(const Exit& exit) const {
  std::vector<engine::Suspect> suspects;
  if (sentence_.empty() && is_from_outside(exit)) return suspects;
  const auto suspect = [&](std::size_t slot) {
    if (board_.slots[slot].task.load() == 0) return;
    Death death = death_of(board_.slots[slot], kind_, how(exit));
    death.signal = sentence_.empty() ? exit.signal : 0;
    suspects.push_back({board_.step.load(), std::move(death)});
  };
  if (!late_.empty()) {
    for (const std::size_t slot : late_) suspect(slot);
  } else {
    const std::size_t slots = board_.slots_used.load();
    for (std::size_t slot = 0; slot < slots; ++slot) suspect(slot);
  }
  return suspects;
}

std::string EngineWatch::how(const Exit& exit) const {
  return sentence_.empty() ? describe(exit) : sentence_;
}

}  // namespace tranche
