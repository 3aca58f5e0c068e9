#include <cstdlib>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "base/temporary_folder.h"
#include "connectors/csv_sink.h"

namespace tranche {
namespace {

// A sink whose process dies whenever a new object takes its place.
class CsvSink : public TemporaryFolder {
 protected:
  CsvSink() {
    auto schema = std::make_shared<Schema>();
    schema->fields.push_back({"n", Type{TypeId::integer}, false});
    schema->fields.push_back({"t", Type{TypeId::varchar}, false});
    schema_ = schema;
    start();
  }

  void start() {
    committer_.reset();
    sink_ = make_csv_sink("out/data.csv", folder_, CsvOutput()).value();
  }
  Result<std::vector<Receipt>> recover() {
    TRANCHE_ASSIGN(auto found, sink_->recover(run_, schema_, ledger_));
    TRANCHE_ASSIGN(committer_, sink_->committer());
    return found;
  }
  void recovered() {
    auto found = recover();
    ASSERT_TRUE(found) << found.error().message;
    EXPECT_EQ(*found, ledger_);
  }

  // The segments of group `group`: two chunks of three rows each.
  std::vector<Segment> encode(int group) {
    std::vector<Segment> segments;
    auto encoder = sink_->encoder(worker_).value();
    for (int chunk = 0; chunk < 2; ++chunk) {
      Page page(schema_);
      for (int row = 0; row < 3; ++row) {
        const auto at = static_cast<std::size_t>(row);
        page.column(0).values<std::int32_t>()[at] = group * 100 + chunk * 10 + row;
        page.column(1).values<StringRef>()[at] = StringRef::make("a,b");
      }
      page.set_rows(3);
      EXPECT_TRUE(encoder->add(page));
      auto made = encoder->finish().value();
      segments.insert(segments.end(), made.begin(), made.end());
    }
    EXPECT_EQ(encoder->rows_encoded(), 6U);
    return segments;
  }

  void commit(int group, bool into_ledger = true) {
    const auto applied = committer_->apply(static_cast<std::uint64_t>(group), encode(group), "");
    ASSERT_TRUE(applied) << applied.error().message;
    EXPECT_EQ(applied->rows, 6U);
    const Receipt receipt = committer_->commit().value();
    EXPECT_EQ(receipt.rows, 6U);
    if (into_ledger) ledger_.push_back(receipt);
  }

  std::string expected(int groups) const {
    std::string text = "n,t\n";
    for (int i = 0; i < groups * 6; ++i) {
      text += fmt::format("{},\"a,b\"\n", i / 6 * 100 + i % 6 / 3 * 10 + i % 3);
    }
    return text;
  }
  fs::path temporary() const { return at("out/data.csv.tranche-01234567.tmp"); }
  fs::path target() const { return at("out/data.csv"); }
  std::string text_of(const fs::path& path) const { return read_file(path).value(); }

  WorkerScope worker_{0, 0, ""};
  SchemaPtr schema_;
  SinkRun run_{"0123456789abcdef", "step", ""};
  std::vector<Receipt> ledger_;
  std::unique_ptr<Sink> sink_;
  std::unique_ptr<Committer> committer_;
};

TEST_F(CsvSink, WritesUnderATemporaryNameUntilTheSeal) {
  recovered();
  commit(0);
  commit(1);
  EXPECT_FALSE(file_exists(target()));
  EXPECT_EQ(text_of(temporary()), expected(2));
  const std::string intent = sink_->plan_seal(ledger_).value();
  ASSERT_TRUE(sink_->seal(intent));
  EXPECT_EQ(text_of(target()), expected(2));
  EXPECT_FALSE(file_exists(temporary()));
  EXPECT_TRUE(sink_->verify(run_, intent, ledger_).value().empty());
  EXPECT_EQ(sink_->targets(), std::vector<std::string>{"file:" + target().string()});
}

TEST_F(CsvSink, CutsOffWhatACrashLeftBehindTheLastCommit) {
  recovered();
  commit(0);
  ASSERT_TRUE(committer_->apply(1, encode(1), ""));  // dies between apply and commit
  start();
  recovered();
  EXPECT_EQ(text_of(temporary()), expected(1));
  commit(1, false);  // dies before the ledger has it
  start();
  recovered();
  EXPECT_EQ(text_of(temporary()), expected(1));
  commit(1);
  start();
  recovered();
  EXPECT_EQ(text_of(temporary()), expected(2));
}

TEST_F(CsvSink, BeginsAnewWhenNothingWasCommitted) {
  recovered();
  ASSERT_TRUE(committer_->apply(0, encode(0), ""));
  start();
  recovered();
  EXPECT_EQ(text_of(temporary()), "n,t\n");
  commit(0);
  EXPECT_EQ(text_of(temporary()), expected(1));
}

TEST_F(CsvSink, RollsBackAGroupAndTakesItAgain) {
  recovered();
  commit(0);
  ASSERT_TRUE(committer_->apply(1, encode(1), ""));
  committer_->rollback();
  EXPECT_EQ(text_of(temporary()), expected(1));
  ASSERT_TRUE(committer_->apply(1, encode(5), ""));  // no rollback: apply itself begins anew
  commit(1);
  EXPECT_EQ(text_of(temporary()), expected(2));
}

TEST_F(CsvSink, CommitsGroupsTogetherEachWithAReceiptOfItsOwn) {
  recovered();
  commit(0);
  ASSERT_TRUE(committer_->apply(1, encode(1), ""));
  const auto deferred = committer_->defer_commit();
  ASSERT_TRUE(deferred);
  ASSERT_TRUE(committer_->apply(2, encode(2), ""));
  ASSERT_TRUE(committer_->defer_commit());
  const Receipt last = committer_->commit().value();  // no other group came behind the third
  EXPECT_EQ(last.group, 2U);
  EXPECT_EQ(deferred->position + last.bytes, last.position);
  ledger_.push_back(*deferred);
  ledger_.push_back(last);
  start();
  recovered();
  EXPECT_EQ(text_of(temporary()), expected(3));
  const std::string intent = sink_->plan_seal(ledger_).value();
  ASSERT_TRUE(sink_->seal(intent));
  EXPECT_TRUE(sink_->verify(run_, intent, ledger_).value().empty());
}

TEST_F(CsvSink, TakesBackWhatWasDeferredWithWhatFailedBehindIt) {
  recovered();
  commit(0);
  ASSERT_TRUE(committer_->apply(1, encode(1), ""));
  ASSERT_TRUE(committer_->defer_commit());
  committer_->rollback();
  EXPECT_EQ(text_of(temporary()), expected(1));
  ASSERT_TRUE(committer_->apply(1, encode(1), ""));
  ASSERT_TRUE(committer_->defer_commit());
  ASSERT_TRUE(committer_->apply(2, encode(2), ""));
  ASSERT_TRUE(committer_->apply(2, encode(5), ""));  // no rollback: only the group itself is anew
  committer_->rollback();
  EXPECT_EQ(text_of(temporary()), expected(1));
  commit(1);
  EXPECT_EQ(text_of(temporary()), expected(2));
}

TEST_F(CsvSink, CutsOffWhatWasDeferredWhenItWasNeverCommitted) {
  recovered();
  commit(0);
  ASSERT_TRUE(committer_->apply(1, encode(1), ""));
  ASSERT_TRUE(committer_->defer_commit());
  start();
  recovered();
  EXPECT_EQ(text_of(temporary()), expected(1));
}

TEST_F(CsvSink, RefusesATemporaryFileThatLostWhatWasCommitted) {
  recovered();
  commit(0);
  commit(1);
  const std::string good = text_of(temporary());
  const std::string cut = good.substr(0, good.size() - 1);
  std::string changed = good;
  changed[changed.size() - 4] = 'x';
  for (const std::string& bad : {cut, changed}) {
    ASSERT_TRUE(write_file_durably(temporary(), bad));
    start();
    const auto found = recover();
    ASSERT_FALSE(found);
    EXPECT_NE(found.error().message.find("lost what run 0123456789abcdef committed"),
              std::string::npos) << found.error().message;
  }
  ASSERT_TRUE(remove_file(temporary()));
  start();
  EXPECT_FALSE(recover());
}

TEST_F(CsvSink, SealsOnceHoweverOftenItIsAsked) {
  put("out/data.csv", "the file of an earlier run");
  recovered();
  commit(0);
  const std::string intent = sink_->plan_seal(ledger_).value();
  EXPECT_EQ(text_of(target()), "the file of an earlier run");
  for (int i = 0; i < 3; ++i) {
    start();  // after a crash the seal is all that is called
    const auto sealed = sink_->seal(intent);
    ASSERT_TRUE(sealed) << sealed.error().message;
    EXPECT_EQ(text_of(target()), expected(1));
  }
  put("out/data.csv", "changed");
  EXPECT_FALSE(sink_->seal(intent));
}

TEST_F(CsvSink, SealsAHeaderWhenThereAreNoRows) {
  recovered();
  const std::string intent = sink_->plan_seal(ledger_).value();
  ASSERT_TRUE(sink_->seal(intent));
  EXPECT_EQ(text_of(target()), "n,t\n");
  EXPECT_TRUE(sink_->verify(run_, intent, ledger_).value().empty());
}

TEST_F(CsvSink, VerifyNamesTheGroupThatWasChanged) {
  recovered();
  commit(0);
  commit(1);
  const std::string intent = sink_->plan_seal(ledger_).value();
  ASSERT_TRUE(sink_->seal(intent));
  std::string text = text_of(target());
  text[text.size() - 5] = 'X';
  ASSERT_TRUE(write_file_durably(target(), text));
  const auto differences = sink_->verify(run_, intent, ledger_).value();
  ASSERT_EQ(differences.size(), 1U);
  EXPECT_NE(differences[0].find("Group 1"), std::string::npos);
  ASSERT_TRUE(remove_file(target()));
  EXPECT_EQ(sink_->verify(run_, intent, ledger_).value().size(), 1U);
}

TEST_F(CsvSink, DiscardRemovesWhatWasNotSealed) {
  recovered();
  commit(0);
  ASSERT_TRUE(sink_->discard(run_, ledger_, false));
  EXPECT_FALSE(file_exists(temporary()));
  EXPECT_FALSE(file_exists(target()));
}

TEST_F(CsvSink, ExaminesItsTargetWithoutWriting) {
  EXPECT_TRUE(sink_->examine(schema_));
  EXPECT_FALSE(file_exists(at("out")));
  put("out/data.csv/file");
  EXPECT_FALSE(sink_->examine(schema_));
  put("plain");
  EXPECT_FALSE(make_csv_sink("plain/data.csv", folder_, CsvOutput()).value()->examine(schema_));
}

TEST_F(CsvSink, AFormatWithAZoneIsForColumnsThatHaveOne) {
  CsvOutput output;
  output.time_formats.timestamp =
      TimeFormat::compile("%F %T%z", TimeFormat::Use::write_timestamp).value();
  const auto sink = make_csv_sink("out/data.csv", folder_, output).value();
  Schema schema;
  schema.fields.push_back({"at", Type{TypeId::timestamptz}, false});
  EXPECT_TRUE(sink->examine(std::make_shared<const Schema>(schema)));
  schema.fields.push_back({"local", Type{TypeId::timestamp}, false});
  const auto examined = sink->examine(std::make_shared<const Schema>(schema));
  ASSERT_FALSE(examined);
  EXPECT_NE(examined.error().message.find("column \"local\" is a timestamp, which has none"),
            std::string::npos);
}

// The variable is read once a process, so the test runs in a fresh one.
TEST_F(CsvSink, ALineLostOnTheWayIsNotAcknowledged) {
  testing::FLAGS_gtest_death_test_style = "threadsafe";
  EXPECT_EXIT(
      {
        setenv("TRANCHE_FAULT", "drop:sink", 1);
        recovered();
        const auto applied = committer_->apply(0, encode(0), "");
        std::exit(applied && applied->rows == 3 ? 0 : 1);
      },
      testing::ExitedWithCode(0), "");
}

}  // namespace
}  // namespace tranche
