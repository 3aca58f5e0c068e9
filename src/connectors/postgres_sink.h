// The sink `postgres`: a table, filled batch by batch (append, upsert) or replaced at the seal.
// docs/commit-protocol.md, "A table: PostgreSQL", is the specification.
//
// Threads: as core/sink.h says; connections are opened in, and belong to, the committing thread.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <tranche/core/sink.h>

#include "connectors/postgres_shape.h"
#include "connectors/postgres_target.h"

namespace tranche::postgres {

class TableSink final : public Sink {
 public:
  explicit TableSink(Target target) : target_(std::move(target)) {}

  std::vector<std::string> targets() const override;
  bool appends() const override { return target_.mode == Mode::append; }
  bool records_commits() const override { return true; }
  Result<void> examine(const SchemaPtr& schema) override;
  Result<std::vector<Receipt>> recover(const SinkRun& run, const SchemaPtr& schema,
                                       std::span<const Receipt> committed) override;
  void bind_encoders(const SinkRun& run, const SchemaPtr& schema) override;
  Result<std::unique_ptr<Encoder>> encoder(WorkerScope& worker) const override;
  Result<std::unique_ptr<Committer>> committer() override;
  Result<std::optional<Receipt>> find_receipt(std::uint64_t group) override;
  Result<std::string> plan_seal(std::span<const Receipt> committed) override;
  Result<void> seal(const std::string& intent) override;
  Result<bool> has_target() override;
  Result<std::optional<std::string>> sealed_until(const std::string& increment) override;
  Result<void> discard(const SinkRun& run, std::span<const Receipt> committed,
                       bool keep_committed) override;
  Result<std::vector<std::string>> verify(const SinkRun& run, const std::string& intent,
                                          std::span<const Receipt> committed) override;

 private:
  Result<void> examine_in(PostgresConnection& connection, const Schema& schema);
  Result<void> examine_upsert(PostgresConnection& connection, const TableShape& shape) const;
  Result<std::vector<Receipt>> prepare_tables(PostgresConnection& connection,
                                              std::span<const Receipt> committed);
  Result<void> seal_in(PostgresConnection& connection, const SealPlan& plan,
                       std::span<const std::string> columns);
  TableName into() const;  // the table that takes the rows

  Target target_;
  SinkRun run_;
  SchemaPtr schema_;
  std::vector<PostgresType> types_;  // of the table's columns, from examine on
};

}  // namespace tranche::postgres
