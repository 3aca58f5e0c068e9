// The sink `duckdb`: a table of a DuckDB database file, filled batch by batch (append, upsert) or
// replaced at the seal. docs/commit-protocol.md, "DuckDB", is the specification.
//
// Threads: as core/sink.h says; the database is opened in, and belongs to, the committing thread,
// and from recover() to the seal no other process can open the file.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <tranche/core/sink.h>

#include "connectors/duckdb_target.h"

namespace tranche::duck {

class TableSink final : public Sink {
 public:
  explicit TableSink(Target target) : target_(std::move(target)) {}

  std::vector<std::string> targets() const override;
  bool appends() const override { return target_.mode == Mode::append; }
  bool records_commits() const override { return true; }
  std::uint64_t committer_bytes() const override { return target_.memory_bytes; }
  bool encoders_need_target() const override { return false; }
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
  Result<void> open_database();
  Result<void> checkpoint();
  Result<void> examine_table(DuckConnection& connection, const Schema& schema) const;
  Result<std::vector<Receipt>> prepare_tables(std::span<const Receipt> committed);
  Result<void> create_staging();
  Result<void> replace_table(DuckConnection& connection, const std::string& staging) const;
  std::string into() const;  // the table that takes the rows

  Target target_;
  SinkRun run_;
  SchemaPtr schema_;
  std::shared_ptr<DuckDatabase> database_;  // from recover on
  std::unique_ptr<DuckConnection> connection_;
};

}  // namespace tranche::duck
