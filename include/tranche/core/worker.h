// What belongs to one worker for as long as it lives: its number, its memory share, and the things
// (a DuckDB instance, a buffer) that readers, transforms and encoders of that worker share.
//
// Threads: a WorkerScope is used by its worker only.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <typeindex>
#include <unordered_map>

#include <tranche/base/result.h>
#include <tranche/core/breadcrumb.h>
#include <tranche/core/lanes.h>

namespace tranche {

class WorkerScope {
 public:
  // `breadcrumb`: the worker's slot; nullptr: nobody looks at it. `lanes`: that help it; nullptr:
  // it makes every call itself.
  WorkerScope(unsigned number, std::uint64_t database_memory_bytes, std::string spill_folder,
              std::uint64_t rejects_enough = UINT64_MAX, Breadcrumb* breadcrumb = nullptr,
              Lanes* lanes = nullptr)
      : number_(number),
        database_memory_bytes_(database_memory_bytes),
        spill_folder_(std::move(spill_folder)),
        rejects_enough_(rejects_enough),
        breadcrumb_(breadcrumb != nullptr ? breadcrumb : &own_breadcrumb_),
        lanes_(lanes) {}
  WorkerScope(const WorkerScope&) = delete;
  WorkerScope& operator=(const WorkerScope&) = delete;

  unsigned number() const { return number_; }
  // The memory_limit of an embedded database of this worker. In the plan: it may shape output.
  std::uint64_t database_memory_bytes() const { return database_memory_bytes_; }
  // Where it may spill; exists for as long as the run.
  const std::string& spill_folder() const { return spill_folder_; }
  // Where what programs write to standard error is kept: a file's name, to which each adds what
  // tells it from others; empty: nowhere.
  const std::string& log_prefix() const { return log_prefix_; }
  void keep_logs_at(std::string prefix) { log_prefix_ = std::move(prefix); }
  // So many rejects in one batch are sure to fail the step: to look for more of them is in vain.
  std::uint64_t rejects_enough() const { return rejects_enough_; }

  // Where it writes what it is at.
  Breadcrumb& breadcrumb() const { return *breadcrumb_; }
  // Threads that help with calls that wait; nullptr: there are none.
  Lanes* lanes() const { return lanes_; }

  // The worker's own T, made by `make` (WorkerScope& -> Result<std::shared_ptr<T>>) at first use.
  template <class T, class Make>
  Result<std::shared_ptr<T>> get(Make make) {
    auto found = things_.find(std::type_index(typeid(T)));
    if (found != things_.end()) return std::static_pointer_cast<T>(found->second);
    auto made = make(*this);
    if (made) things_.emplace(std::type_index(typeid(T)), *made);
    return made;
  }

 private:
  unsigned number_;
  std::uint64_t database_memory_bytes_;
  std::string spill_folder_;
  std::string log_prefix_;
  std::uint64_t rejects_enough_;
  Breadcrumb own_breadcrumb_;
  Breadcrumb* breadcrumb_;
  Lanes* lanes_;
  std::unordered_map<std::type_index, std::shared_ptr<void>> things_;
};

}  // namespace tranche
