// Tables and queries of PostgreSQL as a source. A slice is a range of a key; all slices of a run
// are read in one snapshot, which the engine's connection holds and those of workers import.
//
// Threads: as core/source.h says; connections belong to their worker, that of the plan to the
// engine's thread. Lifetime: the snapshot ends with the source that took it.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include <tranche/core/connector.h>
#include <tranche/core/source.h>

#include "connectors/postgres_relation.h"

namespace tranche {

const OptionTable& postgres_read_options();
Result<std::unique_ptr<Source>> make_postgres_source(const Node& node,
                                                     const std::filesystem::path& base);

namespace postgres {

struct SourceUse {
  std::string url;
  RelationUse relation;
  std::optional<IncrementUse> increment;
  SnapshotLoss on_snapshot_loss = SnapshotLoss::refuse;
  std::string snapshot;  // "name/epoch@state", which somebody else holds; empty: one of its own
};

class TableSource final : public Source {
 public:
  explicit TableSource(SourceUse use) : use_(std::move(use)) {}

  bool is_incremental() const override { return use_.increment.has_value(); }
  void read_behind(std::string until) override { read_until_ = std::move(until); }
  Result<std::vector<Input>> inputs() override;
  Result<void> use_inputs(std::vector<Input> inputs) override;
  Result<SchemaPtr> schema() override;
  Result<void> use_division(const Division& division) override;
  Result<std::unique_ptr<SliceStream>> divide(const Slice* after) override;
  Result<std::unique_ptr<Reader>> open(const Slice& slice, WorkerScope& worker) const override;
  Result<std::optional<std::uint64_t>> digest(const Slice& slice) const override;
  Division default_division() const override;
  std::vector<std::string> notes() const override;
  SnapshotLoss on_snapshot_loss() const override { return use_.on_snapshot_loss; }

 private:
  Result<void> take_snapshot();
  std::string imported() const;

  SourceUse use_;
  std::vector<Input> inputs_;
  std::unique_ptr<PostgresConnection> connection_;  // of the plan; perhaps the snapshot's
  std::string snapshot_;  // that the connection reads; of one that is held, its state
  std::optional<Relation> relation_;
  std::optional<RelationKey> key_;
  WindowEnd window_end_;         // where the job divides by time
  std::string read_until_;       // by earlier runs
  std::string filter_ = "true";  // of the increment
};

}  // namespace postgres
}  // namespace tranche
