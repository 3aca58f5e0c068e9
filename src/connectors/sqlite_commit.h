// How records get into a table: Encoders turn Pages into bytes in the workers, one Committer turns
// the bytes of a group into rows, in one transaction with the group's row in the record of commits.
//
// Threads: an Encoder belongs to its worker; the Committer, with its database, to the committing
// thread. Lifetime: the Committer refers to its sink's database.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <tranche/core/sink.h>

#include "connectors/row_digest.h"
#include "connectors/sqlite_rows.h"
#include "connectors/sqlite_target.h"

namespace tranche::sqlite {

class TableCommitter final : public Committer {
 public:
  // `into`: the table that takes the rows (the target's, or its staging table).
  static Result<std::unique_ptr<Committer>> make(SqliteDatabase& database, const Target& target,
                                                 const SinkRun& run, const SchemaPtr& schema,
                                                 const std::string& into);
  Result<Applied> apply(std::uint64_t group, std::span<const Segment> segments,
                        const std::string& reject_id) override;
  // Not where its rows break keys that are asked at the commit: those of another group must not
  // mend them, since it depends on the moment which groups share a commit.
  std::optional<Receipt> defer_commit() override;
  bool locks_until_commit() const override { return true; }
  Result<Receipt> commit() override;
  void rollback() override;

 private:
  TableCommitter(SqliteDatabase& database, const Target& target, const SinkRun& run,
                 const SchemaPtr& schema, const std::string& into,
                 std::span<const std::string> never_null)
      : database_(database),
        record_(database, target),
        target_(target),
        run_(run),
        schema_(schema),
        into_(into),
        binder_(*schema, never_null, target.literals) {}
  Result<void> insert_page(const Page& page, Applied& applied);
  Result<void> insert_row(const Page& page, std::size_t row, Applied& applied);
  Result<void> guarded(Result<bool>& stepped);
  std::string explain(std::string message) const;

  SqliteDatabase& database_;
  CommitRecord record_;
  Target target_;
  SinkRun run_;
  SchemaPtr schema_;
  std::string into_;
  RowBinder binder_;
  SqliteStatement insert_;
  // A trigger may fail after the row is in (RAISE(FAIL)); then only a savepoint takes it out.
  bool needs_savepoints_ = false;
  bool may_change_nothing_ = false;  // an upsert whose columns are all key
  SqliteStatement savepoint_;
  SqliteStatement release_;
  SqliteStatement undo_;
  Receipt receipt_;
  RowDigest refused_digest_;  // of the group's rows that the table refused
  bool committed_already_ = false;
  bool is_deferred_ = false;  // the transaction holds groups before the one that is applied
};

// The INSERT for a target's mode, with a parameter a column of the schema.
std::string insert_sql(const Schema& schema, const Target& target, const std::string& into);

}  // namespace tranche::sqlite
