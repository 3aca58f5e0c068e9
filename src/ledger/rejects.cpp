// Rejects as the ledger keeps them, for people: the Ledger's reading methods.
#include <fmt/format.h>

#include "drivers/sqlite.h"
#include "ledger/ledger.h"

namespace tranche {
namespace {

// The stagings that a reader wants: those that a commit carries, or, of groups without a commit,
// the latest one.
std::string wanted_stagings(KeptRejects which) {
  std::string sql =
      "FROM staged JOIN steps ON steps.number = staged.step JOIN runs ON runs.number = steps.run "
      "LEFT JOIN commits ON commits.step = staged.step AND "
      "commits.group_number = staged.group_number "
      "WHERE runs.id = ?1 AND (?2 = '' OR steps.name = ?2) ";
  if (which == KeptRejects::published) {
    sql += "AND commits.reject_id = staged.reject_id ";
  } else {
    sql +=
        "AND commits.step IS NULL AND staged.number = (SELECT max(other.number) FROM staged AS "
        "other WHERE other.step = staged.step AND other.group_number = staged.group_number) ";
  }
  return sql;
}

KeptReject read_reject(const SqliteStatement& row, const std::string& run) {
  KeptReject kept;
  kept.run = run;
  kept.step = row.string(0);
  kept.group = row.natural(1);
  kept.batch = row.natural(2);
  kept.reject.record = row.natural(3);
  kept.reject.has_position = row.integer(4) != 0;
  kept.reject.source = row.string(5);
  kept.reject.line = row.natural(6);
  kept.reject.offset = row.natural(7);
  kept.reject.phase = row.string(8);
  kept.reject.error = row.string(9);
  kept.reject.raw = std::string(row.blob(10));
  kept.reject.attempts = static_cast<std::uint32_t>(row.integer(11));
  kept.reject.signal = static_cast<int>(row.integer(12));
  return kept;
}

}  // namespace

Result<void> Ledger::read_rejects(const std::string& run, const std::string& step,
                                  KeptRejects which, std::uint64_t limit, const RejectTaker& take) {
  // Stagings first, then the rejects of each: SQLite needs no sort of all of them, and the order
  // is that of step, group and record.
  TRANCHE_ASSIGN(
      auto stagings,
      database_->query("SELECT staged.number, steps.name, staged.group_number, "
                       "staged.step " +
                           wanted_stagings(which) + "ORDER BY steps.position, staged.group_number",
                       run, step));
  TRANCHE_ASSIGN(auto rejects,
                 database_->prepare(
                     "SELECT ?2, ?3, coalesce((SELECT number FROM batches WHERE step = ?4 AND "
                     "group_number = ?3 AND first_record <= rejects.record ORDER BY number DESC "
                     "LIMIT 1), (SELECT min(number) FROM batches WHERE step = ?4 AND "
                     "group_number = ?3), ?3), record, has_position, source, line, offset, phase, "
                     "error, raw, attempts, signal FROM rejects WHERE staged = ?1 "
                     "ORDER BY record, position"));
  std::uint64_t taken = 0;
  for (;;) {
    TRANCHE_ASSIGN(const bool more, stagings.step());
    if (!more) return {};
    rejects.bind_integer(1, stagings.integer(0));
    rejects.bind_text_copy(2, stagings.text(1));
    rejects.bind_integer(3, stagings.integer(2));
    rejects.bind_integer(4, stagings.integer(3));
    for (;;) {
      TRANCHE_ASSIGN(const bool another, rejects.step());
      if (!another) break;
      TRANCHE_TRY(take(read_reject(rejects, run)));
      if (++taken == limit) return {};
    }
    rejects.reset();
  }
}

Result<std::uint64_t> Ledger::count_rejects(const std::string& run, const std::string& step,
                                            KeptRejects which) {
  TRANCHE_ASSIGN(auto row, database_->query(
                               "SELECT coalesce(sum(staged.rejects), 0) " + wanted_stagings(which),
                               run, step));
  TRANCHE_TRY(row.step());
  return row.natural(0);
}

}  // namespace tranche
