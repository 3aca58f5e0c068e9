// How a group of records gets into a table: one transaction with the group's row in the record of
// commits.
//
// Threads: the committing thread. A lost connection is opened again by the next apply.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <tranche/core/sink.h>

#include "connectors/postgres_load.h"
#include "connectors/postgres_target.h"

namespace tranche::postgres {

class TableCommitter final : public Committer {
 public:
  // `into`: the table that takes the rows (the target's, or its staging table).
  TableCommitter(Target target, const SinkRun& run, const TableName& into, RowLoader loader)
      : target_(std::move(target)), run_(run), into_(into), loader_(std::move(loader)) {}

  Result<Applied> apply(std::uint64_t group, std::span<const Segment> segments,
                        const std::string& reject_id) override;
  Result<Receipt> commit() override;
  void rollback() override;

 private:
  Result<void> be_connected();
  Result<Applied> apply_once(std::span<const Segment> segments);
  Result<bool> begin_group();  // false: it is committed already
  Result<void> take_committed();
  std::string explain(std::string message) const;

  Target target_;
  SinkRun run_;
  TableName into_;
  RowLoader loader_;
  std::unique_ptr<PostgresConnection> connection_;
  bool expects_refused_ = false;  // the last group had refused rows
  Receipt receipt_;
  bool committed_already_ = false;
};

}  // namespace tranche::postgres
