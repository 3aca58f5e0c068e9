// How a group of records gets into a table: one transaction with the group's row in the record of
// commits.
//
// Threads: the committing thread, and one of its own for the group ahead. A lost connection is
// opened again by the next apply.
#pragma once

#include <cstdint>
#include <functional>
#include <future>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <tranche/core/sink.h>

#include "connectors/postgres_load.h"
#include "connectors/postgres_target.h"

namespace tranche::postgres {

// One connection, and the transaction of one group in it.
class LoadSession {
 public:
  // `into`: the table that takes the rows (the target's, or its staging table).
  LoadSession(Target target, const SinkRun& run, const TableName& into, RowLoader loader)
      : target_(std::move(target)), run_(run), into_(into), loader_(std::move(loader)) {}

  // `has_locks` is called, if given, once the transaction holds the locks of both its tables.
  Result<Applied> apply(std::uint64_t group, std::span<const Segment> segments,
                        const std::string& reject_id, const std::function<void()>& has_locks = {});
  Result<Receipt> commit();
  void rollback();

 private:
  Result<void> be_connected();
  Result<Applied> apply_once(std::span<const Segment> segments,
                             const std::function<void()>& has_locks);
  Result<bool> begin_group();  // false: it is committed already
  Result<void> take_committed();
  std::string explain(std::string message) const;

  Target target_;
  SinkRun run_;
  TableName into_;
  RowLoader loader_;
  std::unique_ptr<PostgresConnection> connection_;
  Receipt receipt_;
  bool committed_already_ = false;
};

// Commits groups in their order; with two sessions the rows of the next group go in while those of
// this one wait for their commit. The next one begins when this one has its locks, and ends when
// this one must begin again: else somebody who wants a lock of the tables would wait for the next
// one, and this one, which must commit first, for them: for ever, unseen by PostgreSQL.
class TableCommitter final : public Committer {
 public:
  // REQUIRES one session or two; two only for a table whose rows don't depend on each other.
  explicit TableCommitter(std::vector<LoadSession> sessions) : sessions_(std::move(sessions)) {}

  bool works_ahead() const override { return sessions_.size() > 1; }
  void begin_ahead(std::uint64_t group, std::span<const Segment> segments,
                   const std::string& reject_id) override;
  Result<Applied> apply(std::uint64_t group, std::span<const Segment> segments,
                        const std::string& reject_id) override;
  Result<Receipt> commit() override { return sessions_[current_].commit(); }
  void rollback() override;

 private:
  struct Ahead {
    std::uint64_t group = 0;
    std::vector<Segment> segments;
    std::string reject_id;
    std::future<Result<Applied>> applied;  // valid once it has begun
  };

  void start_ahead();
  void end_ahead();

  std::vector<LoadSession> sessions_;
  std::size_t current_ = 0;
  std::optional<Ahead> ahead_;  // in the other session; ends before the sessions do
};

}  // namespace tranche::postgres
