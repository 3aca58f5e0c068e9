#include <algorithm>

#include <fmt/format.h>

#include "engine/step_engine.h"

namespace tranche::engine {
namespace {

const CommittedGroup* find_group(const std::vector<CommittedGroup>& groups, std::uint64_t group) {
  auto found = std::find_if(groups.begin(), groups.end(),
                            [&](const auto& g) { return g.receipt.group == group; });
  return found == groups.end() ? nullptr : &*found;
}

}  // namespace

Result<StepState> recover_commits(const StepWork& work) {
  TRANCHE_ASSIGN(StepState state, work.ledger->load());
  // A sealed step has given its output away; an intended seal is rolled forward by the sink itself.
  if (state.seal == SealState::sealed) return state;
  std::vector<Receipt> known;
  for (const auto& group : state.committed) known.push_back(group.receipt);
  if (state.seal == SealState::intended) return state;
  TRANCHE_ASSIGN(const auto present, work.sink->recover(work.run, work.schema, known));

  std::vector<CommittedGroup> agreed;
  std::vector<CommittedGroup> unknown;  // to the ledger
  for (const auto& receipt : present) {
    if (receipt.group != agreed.size()) {
      return make_error(
          ErrorKind::failed,
          fmt::format("The target of step \"{}\" has a commit of group {} but none of group {}: it "
                      "was changed from outside. Start again with --fresh.",
                      work.run.step, receipt.group, agreed.size()));
    }
    if (const auto* group = find_group(state.committed, receipt.group)) {
      agreed.push_back(*group);
      continue;
    }
    CommittedGroup group;
    group.receipt = receipt;
    TRANCHE_ASSIGN(group.counts, work.ledger->staged_counts(receipt.reject_id));
    unknown.push_back(group);
    agreed.push_back(std::move(group));
  }
  if (!unknown.empty()) TRANCHE_TRY(work.ledger->record_commits(unknown, CommitHome::target));
  for (const auto& group : state.committed) {
    if (group.receipt.group >= agreed.size()) {
      TRANCHE_TRY(work.ledger->forget_commit(group.receipt.group));
    }
  }
  state.committed = std::move(agreed);
  return state;
}

}  // namespace tranche::engine
