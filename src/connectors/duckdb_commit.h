// How records get into a table of DuckDB: the frames of a group are read by a table function and
// inserted by one statement, in one transaction with the group's row in the record of commits.
//
// DuckDB gives up a whole transaction over one row. So the rows that it refuses are looked for, in
// transactions that are rolled back, until the rest goes in; which ones they are depends on the
// rows and the table alone.
// Threads: the committing one. Lifetime: a committer shares its sink's database.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include <tranche/core/sink.h>

#include "connectors/duckdb_target.h"
#include "connectors/row_digest.h"

namespace tranche::duck {

// The rows of a group for the table function: those of a range of ordinals, without some of them.
class GroupRows : public std::enable_shared_from_this<GroupRows> {
 public:
  GroupRows(SchemaPtr schema, std::span<const Segment> segments)
      : schema_(std::move(schema)), segments_(segments.begin(), segments.end()) {}

  void set_range(std::uint64_t begin, std::uint64_t end) {
    begin_ = begin;
    end_ = end;
  }
  std::map<std::uint64_t, std::string>& refused() { return refused_; }  // by ordinal, with the why
  // Keeps the pages in memory, since they will be read many times.
  Result<void> keep_pages();
  Result<PageCursor> open() const;
  // Calls `look` with each page and the ordinal of its first row.
  Result<void> each_page(
      const std::function<Result<void>(const Page&, std::uint64_t first)>& look) const;
  std::uint64_t rows() const;

 private:
  friend class GroupCursor;
  SchemaPtr schema_;
  std::vector<Segment> segments_;
  std::vector<std::shared_ptr<const Page>> pages_;
  std::uint64_t begin_ = 0;
  std::uint64_t end_ = UINT64_MAX;
  std::map<std::uint64_t, std::string> refused_;
};

class TableCommitter final : public Committer {
 public:
  // `into`: the table that takes the rows (the target's, or its staging table).
  static Result<std::unique_ptr<Committer>> make(DuckDatabase& database, const Target& target,
                                                 const SinkRun& run, const SchemaPtr& schema,
                                                 const std::string& into);
  ~TableCommitter() override { rollback(); }
  Result<Applied> apply(std::uint64_t group, std::span<const Segment> segments,
                        const std::string& reject_id) override;
  Result<Receipt> commit() override;
  void rollback() override;

 private:
  TableCommitter(const Target& target, const SinkRun& run, SchemaPtr schema, std::string into)
      : target_(target), run_(run), schema_(std::move(schema)), into_(std::move(into)) {}
  Result<bool> is_committed_already(const Receipt& receipt);
  Result<void> refuse_nulls();
  Result<std::uint64_t> insert_rows();
  Result<std::uint64_t> superseded_rows();
  Result<bool> goes_in(std::uint64_t begin, std::uint64_t end, std::string& why);
  Result<void> find_refused();
  Result<void> refuse_alone();
  Result<void> refuse_doubled();
  Result<void> refuse_first();
  // `digest`: gets the rows.
  Result<std::vector<Reject>> rejects(RowDigest& digest) const;
  std::string explain(std::string message) const;
  Error advised(Error error) const;

  Target target_;
  SinkRun run_;
  SchemaPtr schema_;
  std::string into_;
  std::unique_ptr<DuckConnection> connection_;
  std::shared_ptr<std::shared_ptr<GroupRows>> rows_;  // what the table function reads now
  std::string insert_sql_;
  std::string superseded_sql_;                    // of upsert
  bool may_change_nothing_ = false;               // an upsert whose columns are all key
  std::vector<std::size_t> never_null_;           // columns
  std::vector<std::vector<std::size_t>> unique_;  // sets of columns, the key of upsert left out
  Receipt receipt_;
  bool in_transaction_ = false;
  bool committed_already_ = false;
};

}  // namespace tranche::duck
