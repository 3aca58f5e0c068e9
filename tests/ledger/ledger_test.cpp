#include "ledger/ledger.h"

#include <gtest/gtest.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>

#include "base/temporary_folder.h"
#include "drivers/sqlite.h"

namespace {
std::atomic<int> syncs{0};
}

// In the place of libc's, for SQLite too.
extern "C" __attribute__((visibility("default"))) int fdatasync(int descriptor) {
  ++syncs;
  return static_cast<int>(::syscall(SYS_fdatasync, descriptor));
}

namespace tranche {
namespace {

const std::string run_a = "aaaa1111000000000000000000000000";
const std::string run_b = "aaaa2222000000000000000000000000";

class LedgerTest : public TemporaryFolder {
 protected:
  std::unique_ptr<Ledger> open() {
    auto opened = Ledger::open(at("state"));
    EXPECT_TRUE(opened) << opened.error().message;
    return std::move(opened).value();
  }

  static RunRecord run(const std::string& id, const std::string& job = "sales") {
    RunRecord record;
    record.run = id;
    record.job = job;
    record.job_file = "/jobs/sales.yaml";
    record.parameters = R"({"day":"2026-01-31"})";
    record.parameters_digest = "d1";
    return record;
  }

  static StepRecord step(const std::string& name, std::uint32_t number = 0) {
    StepRecord record;
    record.number = number;
    record.name = name;
    record.input = {"i1", "a.csv 10"};
    record.job = {"j1", "read: a.csv"};
    record.code = {"c1", "SELECT 1"};
    record.targets = {"sqlite:/w.db:t"};
    record.inputs = {Input{std::string("caf\xe9.csv"), 10, 5}, Input{"b.csv", 20, 6}};
    record.inputs.back().source = 1;
    record.division = Division{.rows = 7, .bytes = 8, .chunk_bytes = 9, .group_bytes = 10};
    record.settings = R"({"memory":1})";
    record.appends = true;
    return record;
  }

  // A ledger with run_a and its step "load".
  std::unique_ptr<Ledger> open_with_step() {
    auto ledger = open();
    EXPECT_TRUE(ledger->create_run(run(run_a)));
    EXPECT_TRUE(ledger->create_step(run_a, step("load")));
    return ledger;
  }
};

RejectFeed feed(std::vector<Reject> rejects) {
  return [rejects = std::move(rejects), at = std::size_t{0}]() mutable -> Result<const Reject*> {
    return at == rejects.size() ? nullptr : &rejects[at++];
  };
}

BatchPlan batch(std::uint64_t number, std::uint64_t group) {
  Slice slice{.input = 1,
              .begin = 100 * number,
              .end = 100 * number + 100,
              .records = 10,
              .first_record = 10 * number,
              .first_line = 2 + 10 * number,
              .end_line = 12 + 10 * number,
              .bytes = 100,
              .memory_bytes = 400,
              .digest = UINT64_MAX - number,
              .file_bytes = 40,
              .range = number % 2 == 0 ? "" : "(\"1\", '2']",
              .ends_batch = number % 3 == 0};
  return BatchPlan{.number = number, .group = group, .chunks = {slice}};
}

CommittedGroup committed(std::uint64_t group, const std::string& reject_id = {}) {
  CommittedGroup one;
  one.receipt = Receipt{.group = group,
                        .rows = 9,
                        .bytes = 900,
                        .checksum = UINT64_MAX,
                        .position = 1800,
                        .payload = R"({"part":"p"})",
                        .reject_id = reject_id};
  one.counts.planned = 10;
  one.counts.read = 9;
  one.counts.read_rejects = 1;
  one.counts.bytes_read = 100;
  one.counts.stages = {StageCounts{"sql", 9, 9, 0, 0, true}};
  one.counts.offered = one.counts.encoded = one.counts.written = 9;
  return one;
}

Reject reject(std::uint64_t record) {
  Reject one;
  one.record = record;
  one.source = "b.csv";
  one.line = record + 2;
  one.offset = 10 * record;
  one.has_position = true;
  one.phase = "read";
  one.error = "\"x\" is not an integer";
  one.raw = std::string("x,\xff\0,", 5);
  return one;
}

std::vector<KeptReject> rejects_of(Ledger& ledger, KeptRejects which, std::uint64_t limit = 0) {
  std::vector<KeptReject> found;
  EXPECT_TRUE(ledger.read_rejects(run_a, "", which, limit, [&](const KeptReject& one) {
    found.push_back(one);
    return Result<void>();
  }));
  return found;
}

TEST_F(LedgerTest, RemembersARunAcrossProcesses) {
  ASSERT_TRUE(open()->create_run(run(run_a)));
  const auto found = open()->find_run(run_a);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->job, "sales");
  EXPECT_EQ(found->job_file, "/jobs/sales.yaml");
  EXPECT_EQ(found->parameters, R"({"day":"2026-01-31"})");
  EXPECT_EQ(found->state, "running");
  EXPECT_EQ(found->starts, 1U);
  EXPECT_GT(found->started_microseconds, 0);
  EXPECT_EQ(found->ended_microseconds, 0);
}

TEST_F(LedgerTest, TakesUpAFailedRunAsNew) {
  auto ledger = open();
  ASSERT_TRUE(ledger->create_run(run(run_a)));
  ASSERT_TRUE(ledger->request_stop(run_a));
  ASSERT_TRUE(ledger->set_run_state(run_a, "failed", "The disk is full."));
  EXPECT_EQ(ledger->find_run(run_a)->error, "The disk is full.");
  EXPECT_GT(ledger->find_run(run_a)->ended_microseconds, 0);
  EXPECT_TRUE(ledger->stop_requested(run_a).value());
  EXPECT_EQ(ledger->record_start(run_a).value(), 2U);
  const auto again = ledger->find_run(run_a).value();
  EXPECT_EQ(again.state, "running");
  EXPECT_EQ(again.error, "");
  EXPECT_EQ(again.ended_microseconds, 0);
  EXPECT_FALSE(ledger->stop_requested(run_a).value());
}

TEST_F(LedgerTest, RefusesStatesAndRunsThatThereAreNot) {
  auto ledger = open();
  ASSERT_TRUE(ledger->create_run(run(run_a)));
  EXPECT_EQ(ledger->set_run_state(run_a, "done").error().kind, ErrorKind::bug);
  EXPECT_EQ(ledger->set_run_state(run_b, "failed").error().kind, ErrorKind::bug);
  EXPECT_FALSE(ledger->create_run(run(run_a)));
}

TEST_F(LedgerTest, FindsARunByIdPrefixJobAndLast) {
  auto ledger = open();
  ASSERT_TRUE(ledger->create_run(run(run_a)));
  ASSERT_TRUE(ledger->create_run(run(run_b, "stock")));
  EXPECT_EQ(ledger->find_run("last")->run, run_b);
  EXPECT_EQ(ledger->find_run("sales")->run, run_a);
  EXPECT_EQ(ledger->find_run("aaaa1")->run, run_a);
  const auto ambiguous = ledger->find_run("aaaa");
  ASSERT_FALSE(ambiguous);
  EXPECT_EQ(ambiguous.error().kind, ErrorKind::usage);
  EXPECT_NE(ambiguous.error().message.find("several"), std::string::npos);
  EXPECT_EQ(ledger->find_run("aaa").error().kind, ErrorKind::usage);
  EXPECT_EQ(ledger->find_run("nothing").error().kind, ErrorKind::usage);
}

TEST_F(LedgerTest, FindsTheLatestRunOfAJobWithItsParametersAndState) {
  auto ledger = open();
  ASSERT_TRUE(ledger->create_run(run(run_a)));
  RunRecord other = run(run_b);
  other.parameters_digest = "d2";
  ASSERT_TRUE(ledger->create_run(other));
  EXPECT_EQ(ledger->latest_run("sales").value()->run, run_b);
  EXPECT_EQ(ledger->latest_run("sales", "d1").value()->run, run_a);
  EXPECT_FALSE(ledger->latest_run("sales", "d1", "completed").value());
  ASSERT_TRUE(ledger->set_run_state(run_a, "completed"));
  EXPECT_TRUE(ledger->latest_run("sales", "d1", "completed").value());
  EXPECT_FALSE(ledger->latest_run("stock").value());
  EXPECT_EQ(ledger->list_runs(0)->size(), 2U);
  EXPECT_EQ(ledger->list_runs(1)->front().run, run_b);
}

TEST_F(LedgerTest, KeepsWarningsInTheirOrder) {
  auto ledger = open();
  ASSERT_TRUE(ledger->create_run(run(run_a)));
  ASSERT_TRUE(ledger->add_warning(run_a, "The input changed."));
  ASSERT_TRUE(ledger->add_warning(run_a, "So did the job."));
  EXPECT_EQ(ledger->warnings(run_a).value(),
            (std::vector<std::string>{"The input changed.", "So did the job."}));
  EXPECT_EQ(ledger->add_warning(run_b, "x").error().kind, ErrorKind::bug);
}

TEST_F(LedgerTest, RemembersAStepWithItsFingerprintsAndInputsToTheByte) {
  open_with_step();
  auto ledger = open();
  auto found = ledger->load_step(run_a, "load").value();
  ASSERT_TRUE(found);
  const StepRecord as_created = step("load");
  EXPECT_EQ(found->input, as_created.input);
  EXPECT_EQ(found->job, as_created.job);
  EXPECT_EQ(found->code, as_created.code);
  EXPECT_EQ(found->targets, as_created.targets);
  EXPECT_EQ(found->inputs, as_created.inputs);
  EXPECT_EQ(found->division, as_created.division);
  EXPECT_EQ(found->settings, as_created.settings);
  EXPECT_TRUE(found->appends);
  EXPECT_FALSE(ledger->load_step(run_a, "other").value());
}

TEST_F(LedgerTest, ReplacesFingerprintsAndInputsWhenADifferenceIsAccepted) {
  auto ledger = open_with_step();
  StepRecord changed = step("load");
  changed.input = {"i2", "a.csv 11"};
  changed.inputs = {Input{"a.csv", 11, 7}};
  ASSERT_TRUE(ledger->set_step_state(run_a, "load", "running"));
  ASSERT_TRUE(ledger->update_step(run_a, changed));
  const auto found = ledger->load_step(run_a, "load").value();
  EXPECT_EQ(found->input, changed.input);
  EXPECT_EQ(found->inputs, changed.inputs);
  EXPECT_EQ(found->state, "running");
}

TEST_F(LedgerTest, ListsStepsByNumberWithTheirStates) {
  auto ledger = open();
  ASSERT_TRUE(ledger->create_run(run(run_a)));
  ASSERT_TRUE(ledger->create_step(run_a, step("second", 1)));
  ASSERT_TRUE(ledger->create_step(run_a, step("first", 0)));
  ASSERT_TRUE(ledger->set_step_state(run_a, "first", "failed", "why"));
  const auto steps = ledger->list_steps(run_a).value();
  ASSERT_EQ(steps.size(), 2U);
  EXPECT_EQ(steps[0].name, "first");
  EXPECT_EQ(steps[0].state, "failed");
  EXPECT_EQ(steps[0].error, "why");
  EXPECT_EQ(steps[1].state, "waiting");
  EXPECT_EQ(ledger->set_step_state(run_a, "third", "failed").error().kind, ErrorKind::bug);
  EXPECT_EQ(ledger->set_step_state(run_a, "first", "gone").error().kind, ErrorKind::bug);
}

TEST_F(LedgerTest, GivesBackPlanCommitsAndSealAfterReopening) {
  {
    auto port = open_with_step()->step_ledger(run_a, "load").value();
    const std::vector<BatchPlan> batches = {batch(0, 0), batch(1, 0), batch(2, 1)};
    ASSERT_TRUE(port->append_plan(std::span(batches).first(2), false, {}));
    ASSERT_TRUE(port->append_plan(std::span(batches).last(1), true, {}));
    ASSERT_TRUE(port->record_commits(std::vector{committed(0, "r0")}, CommitHome::ledger));
    ASSERT_TRUE(port->record_seal_intent("{\"names\":[]}"));
  }
  const auto state = open()->step_ledger(run_a, "load").value()->load().value();
  EXPECT_EQ(state.batches, (std::vector<BatchPlan>{batch(0, 0), batch(1, 0), batch(2, 1)}));
  EXPECT_TRUE(state.plan_complete);
  ASSERT_EQ(state.committed.size(), 1U);
  EXPECT_EQ(state.committed[0].receipt, committed(0, "r0").receipt);
  EXPECT_EQ(state.committed[0].counts.stages.at(0).name, "sql");
  EXPECT_TRUE(state.committed[0].counts.stages.at(0).counts_filtered);
  EXPECT_EQ(state.committed[0].counts.written, 9U);
  EXPECT_EQ(state.seal, SealState::intended);
  EXPECT_EQ(state.seal_intent, "{\"names\":[]}");
}

TEST_F(LedgerTest, KeepsCheckpointsWithThePlanUntilTheStepIsSealed) {
  const auto at = [](std::uint32_t input, std::uint64_t offset) {
    return Checkpoint{input, offset, offset / 3,
                      std::string("state\0of ", 9) + static_cast<char>(offset)};
  };
  const auto ledger = open_with_step();
  auto port = ledger->step_ledger(run_a, "load").value();
  const std::vector<BatchPlan> batches = {batch(0, 0), batch(1, 1)};
  const std::vector<Checkpoint> first = {at(0, 5), at(0, 9), at(1, 4)};
  ASSERT_TRUE(port->append_plan(std::span(batches).first(1), false, first));
  const std::vector<Checkpoint> second = {at(1, 4), at(1, 8), at(2, 1)};
  ASSERT_TRUE(port->append_plan(std::span(batches).last(1), true, second));
  using Checkpoints = std::vector<Checkpoint>;
  EXPECT_EQ(port->load_checkpoints(1, 8).value(), (Checkpoints{at(1, 8), at(2, 1)}));
  EXPECT_EQ(port->load_checkpoints(1, 7).value(), (Checkpoints{at(1, 4), at(1, 8), at(2, 1)}));
  EXPECT_EQ(port->load_checkpoints(1, 3).value(), (Checkpoints{at(1, 4), at(1, 8), at(2, 1)}));
  EXPECT_EQ(port->load_checkpoints(0, 0).value().size(), 5U);
  EXPECT_TRUE(port->load_checkpoints(3, 0).value().empty());
  ASSERT_TRUE(port->drop_plan_from(0));
  EXPECT_EQ(port->load_checkpoints(0, 0).value().size(), 5U);  // they are facts of the files
  ASSERT_TRUE(port->record_sealed());
  EXPECT_TRUE(port->load_checkpoints(0, 0).value().empty());
  ASSERT_TRUE(port->append_plan({}, true, first));
  ASSERT_TRUE(port->forget_checkpoints());
  EXPECT_TRUE(port->load_checkpoints(0, 0).value().empty());
}

TEST_F(LedgerTest, ForgetsUncommittedPlansButNeverCommittedOnes) {
  auto port = open_with_step()->step_ledger(run_a, "load").value();
  const std::vector<BatchPlan> batches = {batch(0, 0), batch(1, 1), batch(2, 2)};
  ASSERT_TRUE(port->append_plan(batches, true, {}));
  ASSERT_TRUE(port->record_commits(std::vector{committed(0)}, CommitHome::ledger));
  EXPECT_EQ(port->drop_plan_from(0).error().kind, ErrorKind::bug);
  EXPECT_EQ(port->load()->batches.size(), 3U);
  ASSERT_TRUE(port->drop_plan_from(1));
  EXPECT_EQ(port->load()->batches.size(), 1U);
  EXPECT_FALSE(port->load()->plan_complete);
  ASSERT_TRUE(port->forget_commit(0));
  EXPECT_TRUE(port->load()->committed.empty());
}

TEST_F(LedgerTest, PublishesOnlyTheRejectsThatACommitCarries) {
  auto ledger = open_with_step();
  auto port = ledger->step_ledger(run_a, "load").value();
  const std::vector<BatchPlan> batches = {batch(0, 0), batch(1, 0), batch(2, 1)};
  ASSERT_TRUE(port->append_plan(batches, true, {}));
  const std::vector<Reject> first = {reject(12), reject(3)};
  const std::vector<Reject> second = {reject(25)};
  ASSERT_TRUE(port->stage(std::vector{StagedGroup{0, "lost", committed(0).counts, feed(second)}},
                          CommitHome::target));
  ASSERT_TRUE(port->stage(std::vector{StagedGroup{0, "r0", committed(0).counts, feed(first)}},
                          CommitHome::target));
  ASSERT_TRUE(port->stage(std::vector{StagedGroup{1, "r1", committed(1).counts, feed(second)}},
                          CommitHome::target));
  EXPECT_TRUE(rejects_of(*ledger, KeptRejects::published).empty());
  EXPECT_EQ(rejects_of(*ledger, KeptRejects::unpublished).size(), 3U);

  ASSERT_TRUE(port->record_commits(std::vector{committed(0, "r0")}, CommitHome::ledger));
  const auto published = rejects_of(*ledger, KeptRejects::published);
  ASSERT_EQ(published.size(), 2U);
  EXPECT_EQ(published[0].reject.record, 3U);
  EXPECT_EQ(published[0].batch, 0U);
  EXPECT_EQ(published[1].reject.record, 12U);
  EXPECT_EQ(published[1].batch, 1U);
  EXPECT_EQ(published[1].run, run_a);
  EXPECT_EQ(published[1].step, "load");
  EXPECT_EQ(published[1].reject.raw, reject(12).raw);
  EXPECT_EQ(published[1].reject.error, reject(12).error);
  EXPECT_EQ(published[1].reject.line, 14U);
  EXPECT_EQ(published[1].reject.offset, 120U);
  EXPECT_TRUE(published[1].reject.has_position);
  EXPECT_EQ(ledger->count_rejects(run_a, "load", KeptRejects::published).value(), 2U);

  const auto unpublished = rejects_of(*ledger, KeptRejects::unpublished);
  ASSERT_EQ(unpublished.size(), 1U);
  EXPECT_EQ(unpublished[0].batch, 2U);
  EXPECT_EQ(rejects_of(*ledger, KeptRejects::published, 1).size(), 1U);
}

TEST_F(LedgerTest, StagesNothingWhenTheRejectsCantAllBeRead) {
  auto ledger = open_with_step();
  auto port = ledger->step_ledger(run_a, "load").value();
  const std::vector<Reject> rejects = {reject(3), reject(12)};
  std::size_t at = 0;
  const auto damaged = [&]() -> Result<const Reject*> {
    if (at == 1) return make_error(ErrorKind::failed, "Damaged.");
    return &rejects[at++];
  };
  const auto staged = port->stage(std::vector{StagedGroup{1, "r1", committed(1).counts, feed({})},
                                              StagedGroup{0, "r0", committed(0).counts, damaged}},
                                  CommitHome::target);
  EXPECT_EQ(staged.error().message, "Damaged.");
  EXPECT_FALSE(port->staged_counts("r0"));
  EXPECT_FALSE(port->staged_counts("r1"));
  EXPECT_TRUE(rejects_of(*ledger, KeptRejects::unpublished).empty());
}

TEST_F(LedgerTest, KnowsTheCountsThatWereStagedForACommitThatOnlyTheTargetHas) {
  auto port = open_with_step()->step_ledger(run_a, "load").value();
  ASSERT_TRUE(port->stage(std::vector{StagedGroup{0, "r0", committed(0).counts, feed({})}},
                          CommitHome::target));
  EXPECT_EQ(port->staged_counts("r0")->read, 9U);
  EXPECT_EQ(port->staged_counts("r1").error().kind, ErrorKind::failed);
}

TEST_F(LedgerTest, SyncsOnlyWhatACommitRestsOn) {
  auto port = open_with_step()->step_ledger(run_a, "load").value();
  const auto syncs_of = [](const Result<void>& written) {
    EXPECT_TRUE(written);
    return syncs.exchange(0);
  };
  syncs = 0;
  const std::vector<BatchPlan> batches = {batch(0, 0), batch(1, 1)};
  EXPECT_EQ(syncs_of(port->append_plan(batches, true, {})), 0);
  const std::vector staged = {StagedGroup{0, "r0", committed(0).counts, feed({})}};
  EXPECT_EQ(syncs_of(port->stage(staged, CommitHome::ledger)), 0);
  EXPECT_EQ(syncs_of(port->record_commits(std::vector{committed(0, "r0")}, CommitHome::ledger)), 1);
  const std::vector later = {StagedGroup{1, "r1", committed(1).counts, feed({})}};
  EXPECT_EQ(syncs_of(port->stage(later, CommitHome::target)), 1);
  EXPECT_EQ(syncs_of(port->record_commits(std::vector{committed(1, "r1")}, CommitHome::target)), 0);
}

TEST_F(LedgerTest, AddsUpWhatAStepHasDone) {
  auto ledger = open_with_step();
  auto port = ledger->step_ledger(run_a, "load").value();
  const std::vector<BatchPlan> batches = {batch(0, 0), batch(1, 0), batch(2, 1)};
  ASSERT_TRUE(port->append_plan(batches, true, {}));
  ASSERT_TRUE(port->record_commits(std::vector{committed(0)}, CommitHome::ledger));
  ASSERT_TRUE(port->record_failure(1, 1, "first"));
  ASSERT_TRUE(port->record_failure(1, 2, "second"));
  const auto totals = ledger->step_totals(run_a, "load").value();
  EXPECT_EQ(totals.batches_planned, 3U);
  EXPECT_EQ(totals.records_planned, 30U);
  EXPECT_EQ(totals.bytes_planned, 300U);
  EXPECT_EQ(totals.batches_committed, 2U);
  EXPECT_EQ(totals.groups_committed, 1U);
  EXPECT_TRUE(totals.plan_complete);
  EXPECT_EQ(totals.counts.read, 9U);
  EXPECT_EQ(totals.failures, 2U);
  EXPECT_EQ(totals.last_failure, "second");
}

TEST_F(LedgerTest, ShowsALiveRunToAnotherConnection) {
  auto engine = open_with_step();
  Progress progress;
  progress.records = 5;
  progress.batches_committed = 2;
  progress.memory_bytes = 1 << 20;
  progress.seconds = 1.5;
  progress.workers = 3;
  ASSERT_TRUE(engine->record_progress(run_a, "load", progress));
  progress.records = 6;
  ASSERT_TRUE(engine->record_progress(run_a, "load", progress));  // too early: not written
  auto onlooker = Ledger::open_existing_read_only(at("state"));
  ASSERT_TRUE(onlooker) << onlooker.error().message;
  auto live = (*onlooker)->live_progress(run_a).value();
  ASSERT_EQ(live.size(), 1U);
  EXPECT_EQ(live[0].step, "load");
  EXPECT_EQ(live[0].progress.records, 5U);
  EXPECT_EQ(live[0].progress.batches_committed, 2U);
  EXPECT_EQ(live[0].progress.seconds, 1.5);
  EXPECT_EQ(live[0].progress.workers, 3U);
  ASSERT_TRUE(engine->record_progress(run_a, "load", progress, true));
  EXPECT_EQ((*onlooker)->live_progress(run_a)->front().progress.records, 6U);
}

TEST_F(LedgerTest, HearsAStopThatAnotherConnectionAsksFor) {
  auto engine = open_with_step();
  auto port = engine->step_ledger(run_a, "load").value();
  EXPECT_FALSE(port->stop_requested().value());
  ASSERT_TRUE(open()->request_stop(run_a));
  EXPECT_TRUE(port->stop_requested().value());
}

TEST_F(LedgerTest, NeverWritesWhenOpenedForReading) {
  open_with_step();
  auto reader = Ledger::open_existing_read_only(at("state")).value();
  EXPECT_FALSE(reader->set_run_state(run_a, "failed"));
  EXPECT_EQ(reader->find_run(run_a)->state, "running");
}

TEST_F(LedgerTest, SaysThatAStateFolderHasNoLedger) {
  const auto opened = Ledger::open_existing_read_only(at("state"));
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().kind, ErrorKind::usage);
  EXPECT_FALSE(Ledger::exists(at("state")));
}

TEST_F(LedgerTest, RefusesTheLedgerOfANewerVersionByName) {
  open();
  {
    auto database = SqliteDatabase::open(at("state/ledger.db"), SqliteDatabase::Access::read_write,
                                         std::chrono::milliseconds(0));
    ASSERT_TRUE((*database)->execute("PRAGMA user_version = 99"));
  }
  const auto opened = Ledger::open(at("state"));
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().kind, ErrorKind::failed);
  EXPECT_NE(opened.error().message.find("newer version"), std::string::npos);
  EXPECT_NE(opened.error().message.find(at("state/ledger.db").string()), std::string::npos);
  EXPECT_FALSE(Ledger::open_existing_read_only(at("state")));
}

TEST_F(LedgerTest, KnowsWhatBecameOfTheWindowsOfAJob) {
  const RunWindow day{{100, 200}, "2026-01-01", ""};
  const RunWindow next{{200, 300}, "2026-01-02", ""};
  RunWindow variant = day;
  variant.variant = "store=5";
  auto ledger = open();
  EXPECT_FALSE(ledger->window_record("sales", day).value());
  const auto run_for = [&](const std::string& id, const RunWindow& window) {
    RunRecord record = run(id);
    record.window = window;
    EXPECT_TRUE(ledger->create_run(record));
  };
  run_for("aaaa0001000000000000000000000000", day);
  EXPECT_TRUE(ledger->set_run_state("aaaa0001000000000000000000000000", "completed"));
  run_for("aaaa0002000000000000000000000000", next);
  EXPECT_TRUE(ledger->set_run_state("aaaa0002000000000000000000000000", "failed", "no disk"));
  run_for("aaaa0003000000000000000000000000", variant);
  RunRecord retry = run("aaaa0004000000000000000000000000");
  retry.window = day;
  retry.rejects_of = "aaaa0001000000000000000000000000";
  EXPECT_TRUE(ledger->create_run(retry));

  EXPECT_EQ(ledger->window_record("sales", day).value()->state, "completed");
  EXPECT_EQ(ledger->window_record("sales", next).value()->error, "no disk");
  EXPECT_EQ(ledger->window_record("sales", variant).value()->state, "running");
  EXPECT_FALSE(ledger->window_record("sales", RunWindow{{100, 300}, "", ""}).value());
  EXPECT_FALSE(ledger->window_record("other", day).value());
  run_for("aaaa0005000000000000000000000000", next);
  const auto windows = ledger->windows("sales", "", 100).value();
  ASSERT_EQ(windows.size(), 2U);
  EXPECT_EQ(windows[0].times, day.times);
  EXPECT_EQ(windows[1].run, "aaaa0005000000000000000000000000") << "the latest run counts";
  EXPECT_EQ(ledger->windows("sales", "", 200).value().size(), 1U);
  EXPECT_EQ(ledger->window_of("aaaa0005000000000000000000000000").value()->name, "2026-01-02");
  EXPECT_FALSE(ledger->window_of("aaaa0004000000000000000000000000").value());
}

TEST_F(LedgerTest, KeepsTheTroubleOfASchedule) {
  auto ledger = open();
  EXPECT_FALSE(ledger->trouble("sales").value());
  EXPECT_TRUE(ledger->record_trouble("sales", {{100, 200}, 2, 77, "no disk", "d1"}));
  EXPECT_TRUE(ledger->record_trouble("sales", {{100, 200}, 3, 78, "no disk", "d1"}));
  const auto trouble = ledger->trouble("sales").value();
  ASSERT_TRUE(trouble);
  EXPECT_EQ(trouble->failures, 3U);
  EXPECT_EQ(trouble->window, (TimeWindow{100, 200}));
  EXPECT_TRUE(ledger->forget_trouble("sales"));
  EXPECT_FALSE(ledger->trouble("sales").value());
}

TEST_F(LedgerTest, GivesALedgerOfAnEarlierVersionWhatItLacks) {
  const std::vector<std::string> earlier = {
      "DROP TABLE trials; DROP TABLE checkpoints; DROP TABLE input_states; "
      "DROP TABLE input_sources; DROP TABLE rejects_runs; "
      "ALTER TABLE commits DROP COLUMN work; PRAGMA user_version = 1",
      "DROP TABLE trials; DROP TABLE input_states; DROP TABLE input_sources; "
      "DROP TABLE rejects_runs; ALTER TABLE commits DROP COLUMN work; PRAGMA user_version = 2",
      "DROP TABLE input_states; DROP TABLE input_sources; DROP TABLE rejects_runs; "
      "ALTER TABLE commits DROP COLUMN work; PRAGMA user_version = 3",
      "DROP TABLE input_sources; DROP TABLE rejects_runs; ALTER TABLE commits DROP COLUMN work; "
      "PRAGMA user_version = 4",
      "DROP TABLE rejects_runs; ALTER TABLE commits DROP COLUMN work; PRAGMA user_version = 5",
      "ALTER TABLE rejects_runs DROP COLUMN in_place; ALTER TABLE commits DROP COLUMN work; PRAGMA "
      "user_version = 6",
      "ALTER TABLE commits DROP COLUMN work; PRAGMA user_version = 7",
      "PRAGMA user_version = 8"};
  const std::string without_windows =
      "DROP TABLE windows; DROP TABLE windows_forgotten; DROP TABLE troubles; "
      "ALTER TABLE runs DROP COLUMN details_forgotten; ";
  open_with_step();
  std::uint64_t record = 0;
  for (const std::string& make_earlier : earlier) {
    ++record;
    auto database = SqliteDatabase::open(at("state/ledger.db"), SqliteDatabase::Access::read_write,
                                         std::chrono::milliseconds(0))
                        .value();
    ASSERT_TRUE(database->execute(without_windows + make_earlier));
    const auto onlooker = Ledger::open_existing_read_only(at("state"));
    ASSERT_TRUE(onlooker) << onlooker.error().message;
    EXPECT_EQ((*onlooker)->find_run(run_a)->job, "sales");
    EXPECT_TRUE((*onlooker)->load_step(run_a, "load").value());
    auto port = open()->step_ledger(run_a, "load").value();
    EXPECT_EQ(port->record_trial(record).value(), 1U) << make_earlier;
    EXPECT_TRUE(port->load_checkpoints(0, 0).value().empty());
    EXPECT_EQ(database->query_integer("PRAGMA user_version").value(), 9);
  }
}

TEST_F(LedgerTest, KeepsWhoWorkedOnAGroupAndWhen) {
  {
    auto port = open_with_step()->step_ledger(run_a, "load").value();
    CommittedGroup group = committed(0);
    group.work = {2, "The service is away.", 7000, {{0, 1, 1'000'000, 1'500'000, 400'000}}};
    ASSERT_TRUE(port->record_commits(std::vector{group}, CommitHome::ledger));
    ASSERT_TRUE(port->record_commits(std::vector{committed(1)}, CommitHome::ledger));
  }
  std::vector<RecordedGroup> groups;
  ASSERT_TRUE(open()->read_groups(run_a, "load", [&](const RecordedGroup& group) {
    groups.push_back(group);
    return Result<void>();
  }));
  ASSERT_EQ(groups.size(), 2U);
  EXPECT_EQ(groups[0].work.attempts, 2U);
  EXPECT_EQ(groups[0].work.last_failure, "The service is away.");
  EXPECT_EQ(groups[0].work.memory_bytes, 7000U);
  ASSERT_EQ(groups[0].work.batches.size(), 1U);
  EXPECT_EQ(groups[0].work.batches[0].worker, 1U);
  EXPECT_EQ(groups[0].work.batches[0].ended_microseconds, 1'500'000);
  EXPECT_EQ(groups[0].work.batches[0].busy_microseconds, 400'000);
  EXPECT_EQ(groups[0].counts.read, 9U);
  EXPECT_GT(groups[0].committed_microseconds, 0);
  EXPECT_TRUE(groups[1].work.batches.empty());
}

TEST_F(LedgerTest, CountsTheTrialsOfARecordWhoeverMakesThem) {
  {
    auto port = open_with_step()->step_ledger(run_a, "load").value();
    EXPECT_EQ(port->record_trial(7).value(), 1U);
    EXPECT_EQ(port->record_trial(7).value(), 2U);
    EXPECT_EQ(port->record_trial(UINT64_MAX).value(), 1U);
  }
  auto port = open()->step_ledger(run_a, "load").value();
  EXPECT_EQ(port->record_trial(7).value(), 3U);
  EXPECT_EQ(port->record_trial(8).value(), 1U);
  EXPECT_TRUE(port->load()->culprits.empty());  // who was tried is not guilty for that
}

TEST_F(LedgerTest, GivesBackCulpritsInOrderOfRecordsUntilTheyAreForgotten) {
  const Culprit late{900, "function", "Its worker was killed.", 11, 3};
  const Culprit early{7, "read", "Its worker exited.", 0, 2};
  {
    auto port = open_with_step()->step_ledger(run_a, "load").value();
    ASSERT_TRUE(port->record_trial(900));
    ASSERT_TRUE(port->record_trial(7));
    ASSERT_TRUE(port->record_trial(8));
    ASSERT_TRUE(port->record_culprit(late));
    ASSERT_TRUE(port->record_culprit(early));
  }
  auto port = open()->step_ledger(run_a, "load").value();
  EXPECT_EQ(port->load()->culprits, (std::vector<Culprit>{early, late}));
  ASSERT_TRUE(port->drop_plan_from(0));  // they are facts of the records
  EXPECT_EQ(port->load()->culprits.size(), 2U);
  ASSERT_TRUE(port->forget_culprits());
  EXPECT_TRUE(port->load()->culprits.empty());
  EXPECT_EQ(port->record_trial(900).value(), 1U);
}

TEST_F(LedgerTest, TellsTheCulpritsOfTwoStepsApart) {
  auto ledger = open_with_step();
  ASSERT_TRUE(ledger->create_step(run_a, step("other", 1)));
  auto load = ledger->step_ledger(run_a, "load").value();
  auto other = ledger->step_ledger(run_a, "other").value();
  for (StepLedger* const port : {load.get(), other.get()}) {
    EXPECT_EQ(port->record_trial(7).value(), 1U);
    ASSERT_TRUE(port->record_culprit(Culprit{7, "read", "It did.", 0, 2}));
  }
  ASSERT_TRUE(load->forget_culprits());
  EXPECT_TRUE(load->load()->culprits.empty());
  EXPECT_EQ(other->load()->culprits.size(), 1U);
}

TEST_F(LedgerTest, RefusesADatabaseThatIsNoLedger) {
  fs::create_directories(at("state"));
  {
    auto database = SqliteDatabase::open(at("state/ledger.db"), SqliteDatabase::Access::create,
                                         std::chrono::milliseconds(0));
    ASSERT_TRUE((*database)->execute("CREATE TABLE t (a)"));
  }
  const auto opened = Ledger::open(at("state"));
  ASSERT_FALSE(opened);
  EXPECT_NE(opened.error().message.find("not a ledger"), std::string::npos);
}

TEST_F(LedgerTest, IsDurableAtEveryCommit) {
  open();
  auto database = SqliteDatabase::open(at("state/ledger.db"), SqliteDatabase::Access::read_only,
                                       std::chrono::milliseconds(0));
  auto mode = (*database)->query("PRAGMA journal_mode").value();
  ASSERT_TRUE(mode.step().value());
  EXPECT_EQ(mode.text(0), "wal");
}

TEST_F(LedgerTest, TellsTwoRunsOfTwoConnectionsApart) {
  auto one = open();
  auto two = open();
  ASSERT_TRUE(one->create_run(run(run_a)));
  ASSERT_TRUE(two->create_run(run(run_b)));
  ASSERT_TRUE(one->create_step(run_a, step("load")));
  ASSERT_TRUE(two->create_step(run_b, step("load")));
  auto first = one->step_ledger(run_a, "load").value();
  auto second = two->step_ledger(run_b, "load").value();
  for (std::uint64_t group = 0; group < 20; ++group) {
    ASSERT_TRUE(first->record_commits(std::vector{committed(group)}, CommitHome::ledger));
    ASSERT_TRUE(second->record_commits(std::vector{committed(group)}, CommitHome::ledger));
  }
  ASSERT_TRUE(second->forget_commit(3));
  EXPECT_EQ(first->load()->committed.size(), 20U);
  EXPECT_EQ(second->load()->committed.size(), 19U);
}

}  // namespace
}  // namespace tranche
