#include "connectors/postgres_commit.h"

#include <utility>

#include <fmt/format.h>

namespace tranche::postgres {

Result<void> LoadSession::be_connected() {
  if (connection_ && connection_->is_alive()) return {};
  connection_.reset();
  TRANCHE_ASSIGN(auto connection, connect(target_));
  if (!loader_.plan().prepare.empty()) TRANCHE_TRY(connection->execute(loader_.plan().prepare));
  connection_ = std::move(connection);
  return {};
}

Result<Applied> LoadSession::apply(std::uint64_t group, std::span<const Segment> segments,
                                   const std::string& reject_id,
                                   const std::function<void()>& has_locks) {
  rollback();
  receipt_ = receipt_of(group, segments, reject_id);

  TRANCHE_TRY(be_connected());
  auto applied = apply_once(segments, has_locks);
  if (applied) {
    for (Reject& reject : applied->rejects) reject.error = explain(std::move(reject.error));
    return applied;
  }
  // The job was right when the run began: what is wrong now was changed since.
  Error error = std::move(applied).error();
  if (error.kind == ErrorKind::config || error.kind == ErrorKind::bad_record) {
    error.kind = ErrorKind::failed;
  }
  return error;
}

Result<Applied> LoadSession::apply_once(std::span<const Segment> segments,
                                        const std::function<void()>& has_locks) {
  TRANCHE_ASSIGN(const bool is_new, begin_group());
  if (!is_new) return Applied{receipt_.rows, {}};
  if (has_locks) {
    TRANCHE_TRY(
        connection_->execute(fmt::format("LOCK TABLE ONLY {} IN ROW EXCLUSIVE MODE", into_.sql())));
    has_locks();
  }
  TRANCHE_ASSIGN(Applied applied, loader_.load(*connection_, segments));
  receipt_.checksum -= loader_.refused_digest();
  const bool is_whole = applied.rows == receipt_.rows;
  receipt_.rows = applied.rows;
  if (is_whole) return applied;
  CommitRecord record(*connection_, target_);
  TRANCHE_TRY(record.set_acknowledged(run_, receipt_));
  return applied;
}

// The commit's row comes first: whoever else commits this group now waits, or is found out.
Result<bool> LoadSession::begin_group() {
  TRANCHE_TRY(connection_->begin());
  CommitRecord record(*connection_, target_);
  TRANCHE_ASSIGN(const bool is_new, record.insert(run_, receipt_));
  if (is_new) return true;
  TRANCHE_TRY(take_committed());
  connection_->rollback();
  return false;
}

Result<void> LoadSession::take_committed() {
  CommitRecord record(*connection_, target_);
  TRANCHE_ASSIGN(receipt_, committed_already(record, run_, receipt_, target_.table_place()));
  committed_already_ = true;
  return {};
}

// PostgreSQL's message speaks of the staging table, which nobody knows.
std::string LoadSession::explain(std::string message) const {
  if (into_ == target_.table) return message;
  for (auto at = message.find(into_.table); at != std::string::npos;
       at = message.find(into_.table, at)) {
    message.replace(at, into_.table.size(), target_.table.table);
    at += target_.table.table.size();
  }
  return message;
}

Result<Receipt> LoadSession::commit() {
  if (std::exchange(committed_already_, false)) return receipt_;
  auto committed = connection_->commit();
  if (committed) return receipt_;
  if (committed.error().kind != ErrorKind::bad_record) return committed.error();
  return make_error(
      ErrorKind::failed,
      fmt::format("{} refused batch {} as a whole: {} No row is to blame for it alone; mend the "
                  "data, or make the constraint immediate.",
                  target_.named(), receipt_.group, connection_->last_failure().sentence()));
}

void LoadSession::rollback() {
  committed_already_ = false;
  if (connection_) connection_->rollback();
}

void TableCommitter::begin_ahead(std::uint64_t group, std::span<const Segment> segments,
                                 const std::string& reject_id) {
  if (ahead_) return;
  ahead_.emplace();
  ahead_->group = group;
  ahead_->segments.assign(segments.begin(), segments.end());
  ahead_->reject_id = reject_id;
}

void TableCommitter::start_ahead() {
  ahead_->applied =
      std::async(std::launch::async, [&session = sessions_[1 - current_], &ahead = *ahead_] {
        return session.apply(ahead.group, ahead.segments, ahead.reject_id);
      });
}

void TableCommitter::end_ahead() {
  if (!ahead_) return;
  if (ahead_->applied.valid()) {
    ahead_->applied.wait();
    sessions_[1 - current_].rollback();
  }
  ahead_.reset();
}

Result<Applied> TableCommitter::apply(std::uint64_t group, std::span<const Segment> segments,
                                      const std::string& reject_id) {
  if (ahead_ && ahead_->group == group && ahead_->applied.valid()) {
    Result<Applied> applied = ahead_->applied.get();
    current_ = 1 - current_;
    const bool is_same = ahead_->reject_id == reject_id;
    ahead_.reset();
    if (is_same) return applied;
  }
  std::function<void()> has_locks;
  if (ahead_ && !ahead_->applied.valid()) has_locks = [this] { start_ahead(); };
  auto applied = sessions_[current_].apply(group, segments, reject_id, has_locks);
  if (!applied || (ahead_ && !ahead_->applied.valid())) end_ahead();
  return applied;
}

void TableCommitter::rollback() {
  end_ahead();
  sessions_[current_].rollback();
}

}  // namespace tranche::postgres
