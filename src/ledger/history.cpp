// What happened in a run, for its report: the Ledger's methods that nothing but people need.
#include <algorithm>

#include "drivers/sqlite.h"
#include "ledger/codec.h"
#include "ledger/ledger.h"

namespace tranche {
namespace {

constexpr std::int64_t first_version_with_work = 8;

}  // namespace

Result<void> Ledger::read_groups(const std::string& run, const std::string& step,
                                 const std::function<Result<void>(const RecordedGroup&)>& take) {
  // A ledger that is only looked at may be of an older version.
  TRANCHE_ASSIGN(const std::int64_t version, database_->query_integer("PRAGMA user_version"));
  const std::string work = version < first_version_with_work ? "''" : "work";
  TRANCHE_ASSIGN(auto rows,
                 database_->query("SELECT group_number, counts, at, " + work +
                                      " FROM commits JOIN steps ON steps.number = commits.step "
                                      "JOIN runs ON runs.number = steps.run WHERE runs.id = ? AND "
                                      "steps.name = ? ORDER BY group_number",
                                  run, step));
  for (;;) {
    TRANCHE_ASSIGN(const bool more, rows.step());
    if (!more) return {};
    RecordedGroup group;
    group.group = rows.natural(0);
    TRANCHE_ASSIGN(group.counts, ledger::decode_counts(rows.text(1)));
    group.committed_microseconds = rows.integer(2);
    TRANCHE_ASSIGN(group.work, ledger::decode_work(rows.text(3)));
    TRANCHE_TRY(take(group));
  }
}

Result<void> Ledger::read_reject_sentences(
    const std::string& run, const std::string& step,
    const std::function<Result<void>(const RejectSentence&)>& take) {
  TRANCHE_ASSIGN(auto rows,
                 database_->query("SELECT phase, rejects.error, count(*) FROM rejects JOIN staged "
                                  "ON staged.number = rejects.staged JOIN commits ON commits.step "
                                  "= staged.step AND commits.group_number = staged.group_number "
                                  "AND commits.reject_id = staged.reject_id JOIN steps ON "
                                  "steps.number = staged.step JOIN runs ON runs.number = steps.run "
                                  "WHERE runs.id = ? AND steps.name = ? GROUP BY 1, 2",
                                  run, step));
  for (;;) {
    TRANCHE_ASSIGN(const bool more, rows.step());
    if (!more) return {};
    TRANCHE_TRY(take(RejectSentence{rows.string(0), rows.string(1), rows.natural(2)}));
  }
}

Result<std::vector<RecordedFailure>> Ledger::failures(const std::string& run,
                                                      const std::string& step,
                                                      std::uint32_t limit) {
  TRANCHE_ASSIGN(auto rows,
                 database_->query("SELECT group_number, attempt, failures.error, at FROM failures "
                                  "JOIN steps ON steps.number = failures.step JOIN runs ON "
                                  "runs.number = steps.run WHERE runs.id = ? AND steps.name = ? "
                                  "ORDER BY failures.number DESC LIMIT ?",
                                  run, step, limit));
  std::vector<RecordedFailure> failures;
  for (;;) {
    TRANCHE_ASSIGN(const bool more, rows.step());
    if (!more) break;
    failures.push_back(RecordedFailure{rows.natural(0), static_cast<std::uint32_t>(rows.integer(1)),
                                       rows.string(2), rows.integer(3)});
  }
  std::reverse(failures.begin(), failures.end());
  return failures;
}

}  // namespace tranche
