// The sink `sqlite`: a table, filled batch by batch (append, upsert) or replaced at the seal.
// docs/commit-protocol.md, "Tables", is the specification.
//
// Threads: as core/sink.h says; the database is opened in, and belongs to, the committing thread.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <tranche/core/sink.h>

#include "connectors/sqlite_target.h"

namespace tranche::sqlite {

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
  Result<void> examine_folder() const;
  Result<void> examine_table(SqliteDatabase& database, const Schema& schema) const;
  Result<void> examine_key(SqliteDatabase& database, const Schema& schema) const;
  Result<std::vector<Receipt>> prepare_tables(std::span<const Receipt> committed);
  Result<void> seal_in(SqliteDatabase& database, const SealPlan& plan);
  std::string into() const;  // the table that takes the rows

  Target target_;
  SinkRun run_;
  SchemaPtr schema_;
  std::unique_ptr<SqliteDatabase> database_;  // from recover on
};

}  // namespace tranche::sqlite
