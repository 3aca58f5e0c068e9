// What core/sink.h and docs/commit-protocol.md promise, of every registered connector that writes,
// in each of its modes.
#include <gtest/gtest.h>

#include <fmt/format.h>

#include <tranche/api/job.h>

#include "base/temporary_folder.h"
#include "connectors/row_digest.h"
#include "contracts/reading.h"
#include "contracts/system.h"

namespace tranche::contracts {
namespace {

struct SinkUse {
  std::string connector;
  std::string mode;  // empty: it has none
};

constexpr std::size_t rows_of_group = 10;
constexpr std::size_t groups = 3;

// A sink in one process, as the engine uses it; it dies with the object. What the ledger knows
// outlives it.
struct Load {
  std::unique_ptr<Sink> sink;
  std::unique_ptr<Committer> committer;
};

class SinkContract : public TemporaryFolder, public ::testing::WithParamInterface<SinkUse> {
 protected:
  void SetUp() override {
    system_ = make_system(GetParam().connector, folder_);
    ASSERT_TRUE(system_) << "Connector " << GetParam().connector
                         << " is registered and has no fixture: write one in tests/contracts.";
    table_ = every_type_of_it(groups * rows_of_group);
    schema_ = std::make_shared<const Schema>(table_.schema);
    begin_run("a");
  }
  const Connector& connector() const { return *find_connector(GetParam().connector); }
  Table every_type_of_it(std::size_t rows) const {
    return every_type(
        rows, [this](Type type) { return system_->writes(type); },
        [this](Type type, const std::string& text) { return system_->holds(type, text); });
  }
  void begin_run(const std::string& digit) {
    run_ = SinkRun{std::string(32, digit[0]), "load", at("run-" + digit).string(), "job"};
    fs::create_directories(run_.run_folder);
    ledger_.clear();
  }

  // ---- What the engine does, one step at a time.
  std::unique_ptr<Sink> make_sink() const {
    auto made = connector().make_sink(system_->output(GetParam().mode), folder_);
    EXPECT_TRUE(made) << made.error().message;
    return *std::move(made);
  }
  Result<Load> try_start(std::vector<Receipt>* found = nullptr) {
    Load load;
    load.sink = make_sink();
    TRANCHE_TRY(load.sink->examine(schema_));
    TRANCHE_ASSIGN(auto receipts, load.sink->recover(run_, schema_, ledger_));
    if (found != nullptr) *found = receipts;
    ledger_ = std::move(receipts);
    TRANCHE_ASSIGN(load.committer, load.sink->committer());
    return load;
  }
  Load start(std::vector<Receipt>* found = nullptr) {
    auto load = try_start(found);
    EXPECT_TRUE(load) << load.error().message;
    return load ? *std::move(load) : Load{};
  }
  // A group behind the last has the rows of an earlier one.
  Table rows_of(std::size_t group) const {
    const std::size_t begin = group % groups * rows_of_group;
    return contracts::rows_of(table_, begin, begin + rows_of_group);
  }
  // Two chunks, in an order of their own.
  Result<std::vector<Segment>> encode(const Sink& sink, std::size_t group) const {
    WorkerScope worker(0, 64ULL << 20, folder_.string());
    TRANCHE_ASSIGN(auto encoder, sink.encoder(worker));
    const Table rows = rows_of(group);
    std::vector<Segment> segments;
    for (const std::size_t begin : {std::size_t{0}, rows_of_group / 2}) {
      const Table chunk = contracts::rows_of(rows, begin, begin + rows_of_group / 2);
      TRANCHE_TRY(encoder->add(page_of(chunk, group * rows_of_group + begin)));
      TRANCHE_ASSIGN(auto made, encoder->finish());
      for (Segment& segment : made) segments.push_back(std::move(segment));
    }
    EXPECT_EQ(encoder->rows_encoded(), rows_of_group);
    if (!sink.merges()) return segments;
    return encoder->merge(group, segments);
  }
  Result<Applied> apply(Load& load, std::size_t group) const {
    TRANCHE_ASSIGN(const auto segments, encode(*load.sink, group));
    return load.committer->apply(group, segments, fmt::format("r{}", group));
  }
  Result<Receipt> commit(Load& load, std::size_t group) {
    TRANCHE_ASSIGN(const Applied applied, apply(load, group));
    for (const Reject& reject : applied.rejects) ADD_FAILURE() << reject.error;
    EXPECT_EQ(applied.rows, rows_of_group);
    TRANCHE_ASSIGN(const Receipt receipt, load.committer->commit());
    EXPECT_EQ(receipt.group, group);
    EXPECT_EQ(receipt.rows, rows_of_group);
    return receipt;
  }
  // The ledger has it, too.
  void record(Load& load, std::size_t group) {
    const auto receipt = commit(load, group);
    ASSERT_TRUE(receipt) << receipt.error().message;
    ledger_.push_back(*receipt);
  }
  std::string seal(Load& load) {
    const auto intent = load.sink->plan_seal(ledger_);
    EXPECT_TRUE(intent) << intent.error().message;
    if (!intent) return "";
    const auto sealed = load.sink->seal(*intent);
    EXPECT_TRUE(sealed) << sealed.error().message;
    const auto differences = load.sink->verify(run_, *intent, ledger_);
    EXPECT_TRUE(differences) << differences.error().message;
    if (differences) {
      EXPECT_EQ(*differences, std::vector<std::string>{});
    }
    return *intent;
  }
  void load_all() {
    Load load = start();
    for (std::size_t group = ledger_.size(); group < groups; ++group) record(load, group);
    seal(load);
  }

  // ---- What there is to see.
  bool shows_commits() const {
    return make_sink()->records_commits() && GetParam().mode != "replace";
  }
  // Sorted, since tables have no order.
  std::vector<std::string> written() const {
    Schema columns = table_.schema;
    for (Field& field : columns.fields) field.type = system_->read_back(field.type);
    const auto node = system_->output_as_input(columns);
    if (!node) return {};
    const auto read = read_all(connector(), *node);
    EXPECT_TRUE(read) << read.error().message;
    if (!read) return {};
    for (const Reject& reject : read->rejects) ADD_FAILURE() << reject.error;
    std::vector<std::string> rows = read->rows;
    std::sort(rows.begin(), rows.end());
    return rows;
  }
  std::vector<std::string> expected(std::size_t of_groups) const {
    auto rows = texts_of(contracts::rows_of(table_, 0, of_groups * rows_of_group));
    std::sort(rows.begin(), rows.end());
    return rows;
  }
  // While the run is on: what is committed where that shows, else nothing.
  std::vector<std::string> expected_on_the_way(std::size_t committed) const {
    return expected(shows_commits() ? committed : 0);
  }

  std::unique_ptr<System> system_;
  Table table_;
  SchemaPtr schema_;
  SinkRun run_;
  std::vector<Receipt> ledger_;
};

TEST_P(SinkContract, WritesEveryTypeWithItsExtremesAndNulls) {
  load_all();
  EXPECT_EQ(written(), expected(groups));
}

// Of every type, so that `verify` can tell whether a table holds the rows that were written.
TEST_P(SinkContract, GivesBackRowsOfTheDigestThatTheyHadWhenTheyWereWritten) {
  load_all();
  if (!make_sink()->records_commits()) return;
  const auto look = [&](const Schema& columns) {
    const auto source = connector().make_source(*system_->output_as_input(columns), "");
    EXPECT_TRUE(source) << source.error().message;
    WorkerScope worker(0, 64ULL << 20, folder_.string());
    const auto found = find_rows(**source, columns.fields, worker, UINT64_MAX);
    EXPECT_TRUE(found) << found.error().message;
    return found ? *found : RowsFound{};
  };
  Schema all;
  for (std::size_t at = 0; at < table_.schema.fields.size(); ++at) {
    const Field& field = table_.schema.fields[at];
    all.fields.push_back(Field{field.name, system_->read_back(field.type)});
    Table alone{Schema{{Field{field.name, field.type}}}, {}};
    for (const auto& row : contracts::rows_of(table_, 0, groups * rows_of_group).rows)
      alone.rows.push_back({row[at]});
    RowDigest written;
    const Page page = page_of(alone);
    written.add(page, page.rows());
    const RowsFound found = look(Schema{{all.fields.back()}});
    EXPECT_TRUE(found.has_columns) << to_string(field.type);
    EXPECT_EQ(found.unreadable, 0U);
    EXPECT_EQ(found.rows, page.rows());
    EXPECT_EQ(found.digest, written.value()) << to_string(field.type);
  }
  std::uint64_t digest = 0;
  for (const Receipt& receipt : ledger_) digest += receipt.checksum;
  const RowsFound found = look(all);
  EXPECT_EQ(found.rows, groups * rows_of_group);
  EXPECT_EQ(found.unreadable, 0U);
  EXPECT_EQ(found.digest, digest);
}

TEST_P(SinkContract, WritesAnOutputWithoutRecords) {
  {
    Load load = start();
    seal(load);
  }
  EXPECT_EQ(written(), expected(0));
}

TEST_P(SinkContract, CommitsAGroupWithoutARow) {
  {
    Load load = start();
    record(load, 0);
    std::vector<Segment> none;
    if (load.sink->merges()) {
      WorkerScope worker(0, 64ULL << 20, folder_.string());
      none = load.sink->encoder(worker).value()->merge(1, {}).value();
    }
    const auto applied = load.committer->apply(1, none, "r1");
    ASSERT_TRUE(applied) << applied.error().message;
    EXPECT_EQ(applied->rows, 0U);
    const auto receipt = load.committer->commit();
    ASSERT_TRUE(receipt) << receipt.error().message;
    EXPECT_EQ(receipt->rows, 0U);
    ledger_.push_back(*receipt);
    seal(load);
  }
  EXPECT_EQ(written(), expected(1));
}

TEST_P(SinkContract, ShowsNothingOfAGroupBeforeItsCommit) {
  {
    Load load = start();
    record(load, 0);
    ASSERT_TRUE(apply(load, 1));
  }  // dies
  EXPECT_EQ(written(), expected_on_the_way(1));
}

TEST_P(SinkContract, LeavesNothingOfAGroupThatIsRolledBack) {
  {
    Load load = start();
    record(load, 0);
    ASSERT_TRUE(apply(load, 1));
    load.committer->rollback();
    record(load, 1);
    record(load, 2);
    seal(load);
  }
  EXPECT_EQ(written(), expected(groups));
}

TEST_P(SinkContract, GoesOnWhereADroppedSinkStopped) {
  for (std::size_t group = 0; group < groups; ++group) {
    std::vector<Receipt> known = ledger_;
    std::vector<Receipt> found;
    Load load = start(&found);
    EXPECT_EQ(found, known);
    record(load, group);
    ASSERT_TRUE(apply(load, group + 1));
  }  // dies each time behind an apply
  {
    Load load = start();
    seal(load);
  }
  EXPECT_EQ(written(), expected(groups));
}

// A crash between the commit and the ledger's record of it.
TEST_P(SinkContract, CommitsAGroupOnceThoughNobodyHeardOfIt) {
  {
    Load load = start();
    record(load, 0);
    EXPECT_FALSE(load.sink->find_receipt(1).value());
    const auto unheard = commit(load, 1);
    ASSERT_TRUE(unheard) << unheard.error().message;
    const auto found = load.sink->find_receipt(1);
    ASSERT_TRUE(found) << found.error().message;
    if (load.sink->records_commits()) {
      EXPECT_EQ(*found, *unheard);
    }
  }
  EXPECT_EQ(written(), expected_on_the_way(2));
  {
    Load load = start();
    EXPECT_EQ(ledger_.size(), load.sink->records_commits() ? 2U : 1U);
    for (std::size_t group = ledger_.size(); group < groups; ++group) record(load, group);
    seal(load);
  }
  EXPECT_EQ(written(), expected(groups));
}

TEST_P(SinkContract, TakesAGroupOnceThatComesTwice) {
  {
    Load load = start();
    record(load, 0);
    if (load.sink->records_commits()) {
      const auto again = commit(load, 0);
      ASSERT_TRUE(again) << again.error().message;
      EXPECT_EQ(*again, ledger_[0]);
    }
    record(load, 1);
    record(load, 2);
    seal(load);
  }
  EXPECT_EQ(written(), expected(groups));
}

TEST_P(SinkContract, SealsOnceThoughItIsToldTwice) {
  std::string intent;
  {
    Load load = start();
    for (std::size_t group = 0; group < groups; ++group) record(load, group);
    intent = seal(load);
    const auto again = load.sink->seal(intent);
    EXPECT_TRUE(again) << again.error().message;
  }
  EXPECT_EQ(written(), expected(groups));
  const auto later = make_sink();  // in a process that knows nothing but the intent
  const auto again = later->seal(intent);
  EXPECT_TRUE(again) << again.error().message;
  EXPECT_EQ(later->verify(run_, intent, ledger_).value(), std::vector<std::string>{});
  EXPECT_EQ(written(), expected(groups));
}

TEST_P(SinkContract, EncodesTheSameInAProcessThatHasOnlyTheEncoders) {
  const Load load = start();
  const auto worker = make_sink();
  if (worker->encoders_need_target()) {
    const auto examined = worker->examine(schema_);
    ASSERT_TRUE(examined) << examined.error().message;
  }
  worker->bind_encoders(run_, schema_);
  const auto ours = encode(*load.sink, 1);
  const auto theirs = encode(*worker, 1);
  ASSERT_TRUE(ours) << ours.error().message;
  ASSERT_TRUE(theirs) << theirs.error().message;
  ASSERT_EQ(ours->size(), theirs->size());
  for (std::size_t at = 0; at < ours->size(); ++at) {
    EXPECT_EQ((*ours)[at].rows, (*theirs)[at].rows);
    EXPECT_EQ((*ours)[at].checksum, (*theirs)[at].checksum);
  }
}

TEST_P(SinkContract, ASecondRunAddsOrReplaces) {
  load_all();
  begin_run("b");
  load_all();
  auto rows = expected(groups);
  if (make_sink()->appends()) {
    const auto once = rows;
    rows.insert(rows.end(), once.begin(), once.end());
    std::sort(rows.begin(), rows.end());
  }
  EXPECT_EQ(written(), rows);
}

TEST_P(SinkContract, DiscardsWhatIsNotSealed) {
  {
    Load load = start();
    record(load, 0);
    ASSERT_TRUE(apply(load, 1));
  }
  const auto sink = make_sink();
  const auto discarded = sink->discard(run_, ledger_, false);
  if (shows_commits()) {
    ASSERT_FALSE(discarded);
    EXPECT_EQ(discarded.error().kind, ErrorKind::config);
    const auto kept = sink->discard(run_, ledger_, true);
    EXPECT_TRUE(kept) << kept.error().message;
  } else {
    EXPECT_TRUE(discarded) << discarded.error().message;
  }
  EXPECT_EQ(written(), expected_on_the_way(1));
  begin_run("b");
  load_all();
}

TEST_P(SinkContract, RefusesATargetOfAnotherShapeBeforeTheFirstBatch) {
  system_->make_misfit();
  for (int time = 0; time < 2; ++time) {  // and leaves it as it is
    const auto examined = make_sink()->examine(schema_);
    ASSERT_FALSE(examined);
    EXPECT_EQ(examined.error().kind, ErrorKind::config) << examined.error().message;
  }
}

class SinkTrouble : public SinkContract {
 protected:
  // Loads what is left of it; the first error. The trouble comes at its moment and stays.
  Result<void> load_with(Moment trouble) {
    const auto reach = [&](Moment now) {
      if (now == trouble) system_->hurt(now);
    };
    reach(Moment::before_recover);
    TRANCHE_ASSIGN(Load load, try_start());
    while (ledger_.size() < groups) {
      const bool is_first = ledger_.size() == 1;
      if (is_first) reach(Moment::before_apply);
      TRANCHE_TRY(apply(load, ledger_.size()));
      if (is_first) reach(Moment::before_commit);
      TRANCHE_ASSIGN(Receipt receipt, load.committer->commit());
      ledger_.push_back(std::move(receipt));
    }
    reach(Moment::before_seal);
    TRANCHE_ASSIGN(const std::string intent, load.sink->plan_seal(ledger_));
    return load.sink->seal(intent);
  }
};

TEST_P(SinkTrouble, EndsWithAnErrorOfItsKindAndNothingHalfWritten) {
  ASSERT_FALSE(system_->troubles().empty());
  for (const Moment moment : system_->troubles()) {
    SCOPED_TRACE(fmt::format("moment {}", static_cast<int>(moment)));
    system_ = make_system(GetParam().connector, at(fmt::format("{}", static_cast<int>(moment))));
    begin_run("a");
    {
      Load load = start();
      record(load, 0);
    }
    const auto loaded = load_with(moment);
    system_->mend();
    ASSERT_FALSE(loaded);
    const ErrorKind kind = loaded.error().kind;
    const bool is_before_the_start = moment == Moment::before_recover;
    EXPECT_TRUE(kind == ErrorKind::transient || kind == ErrorKind::in_doubt ||
                kind == ErrorKind::failed ||
                (is_before_the_start && (kind == ErrorKind::config || kind == ErrorKind::busy)))
        << static_cast<int>(kind) << ": " << loaded.error().message;
    EXPECT_EQ(written(), expected_on_the_way(ledger_.size()));
    load_all();
    EXPECT_EQ(written(), expected(groups));
  }
}

std::vector<SinkUse> sinks() {
  std::vector<SinkUse> uses;
  for (const Connector& connector : connectors()) {
    if (connector.write_options.empty()) continue;
    std::vector<std::string> modes;
    for (const Option& option : connector.write_options)
      if (option.name == "mode") modes = option.choices;
    if (modes.empty()) modes.emplace_back();
    for (const std::string& mode : modes) uses.push_back({connector.name, mode});
  }
  return uses;
}

[[maybe_unused]] void PrintTo(const SinkUse& use, std::ostream* out) {
  *out << use.connector << " " << use.mode;
}

std::string use_name(const ::testing::TestParamInfo<SinkUse>& one) {
  return one.param.connector + (one.param.mode.empty() ? "" : "_" + one.param.mode);
}

INSTANTIATE_TEST_SUITE_P(Registered, SinkContract, ::testing::ValuesIn(sinks()), use_name);
INSTANTIATE_TEST_SUITE_P(Registered, SinkTrouble, ::testing::ValuesIn(sinks()), use_name);

}  // namespace
}  // namespace tranche::contracts
