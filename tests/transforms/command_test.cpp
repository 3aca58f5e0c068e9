#include "transforms/command.h"

#include <signal.h>

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace tranche {
namespace {

using namespace std::chrono_literals;

constexpr Type bigint{TypeId::bigint};
constexpr Type varchar{TypeId::varchar};
constexpr std::uint64_t first_record = 100;  // of the page, in its step

SchemaPtr numbers() { return std::make_shared<const Schema>(Schema{{{"n", bigint}}}); }

class CommandTransformTest : public testing::Test {
 protected:
  // A program of the shell; it is sent CSV, which the shell can take apart.
  CommandOptions shell(std::string script) {
    CommandOptions options;
    options.arguments = {"sh", "-c", std::move(script)};
    options.place = "job.yaml:7:18";
    options.base = "/";
    options.columns = Schema{{{"answer", varchar}}};
    options.format = ProgramFormat::csv;
    options.times = {10s, 10s};
    return options;
  }
  static std::string for_each(std::string_view body) {
    return fmt::format("read -r header; echo answer; while IFS=, read -r _id n; do {}; done", body);
  }

  // The rows "n answer" that come of the numbers from 0 on.
  Result<std::vector<std::string>> run(CommandOptions options, std::size_t rows) {
    TRANCHE_ASSIGN(const auto transform, make_command_transform(std::move(options)));
    WorkerScope worker(0, 0, "", enough);
    TRANCHE_TRY(transform->bind(numbers(), worker));
    TRANCHE_ASSIGN(const auto instance, transform->instance(worker));
    std::vector<std::unique_ptr<Page>> pages;
    pages.push_back(std::make_unique<Page>(numbers(), rows));
    Page& page = *pages.back();
    page.base.record = first_record;
    for (std::size_t row = 0; row < rows; ++row) {
      page.column(0).values<std::int64_t>()[row] = static_cast<std::int64_t>(row);
      page.origins.push_back(Origin{.record = static_cast<std::uint32_t>(row)});
    }
    page.set_rows(rows);
    std::vector<std::string> made;
    const auto consume = [&](std::unique_ptr<Page> given) -> Result<void> {
      for (std::size_t row = 0; row < given->rows(); ++row) {
        made.push_back(fmt::format("{} {}", given->column(0).values<std::int64_t>()[row],
                                   given->column(1).values<StringRef>()[row].view()));
        EXPECT_EQ(given->origins[row].record, given->column(0).values<std::int64_t>()[row]);
      }
      return {};
    };
    TRANCHE_TRY(instance->process(pages, consume, rejects, counts));
    were_incomplete = instance->rejects_incomplete();
    return made;
  }

  std::uint64_t enough = 1000;  // rejects
  bool were_incomplete = false;
  std::vector<Reject> rejects;
  StageCounts counts;
};

TEST_F(CommandTransformTest, GivesEachRecordItsAnswerAndFiltersWhatIsEmpty) {
  const auto made = run(shell(for_each("[ $n = 1 ] && echo || echo $_id")), 3);
  ASSERT_TRUE(made) << made.error().message;
  EXPECT_EQ(*made, (std::vector<std::string>{"0 100", "2 102"}));
  EXPECT_EQ(counts.in, 3U);
  EXPECT_EQ(counts.out, 2U);
  EXPECT_EQ(counts.filtered, 1U);
  EXPECT_EQ(counts.rejected, 0U);
}

TEST_F(CommandTransformTest, RejectsTheRecordWithWhichTheProgramDies) {
  const auto made = run(shell(for_each("[ $n = 4 ] && kill -SEGV $$; echo $n")), 8);
  ASSERT_TRUE(made) << made.error().message;
  EXPECT_EQ(made->size(), 7U);
  ASSERT_EQ(rejects.size(), 1U);
  EXPECT_EQ(rejects[0].record, first_record + 4);
  EXPECT_EQ(rejects[0].signal, SIGSEGV);
  EXPECT_EQ(rejects[0].phase, "command");
  EXPECT_EQ(counts.rejected, 1U);
}

TEST_F(CommandTransformTest, RejectsTheRecordThatIsAnsweredTwice) {
  const auto made = run(shell(for_each("echo $n; [ $n = 5 ] && echo $n")), 9);
  ASSERT_TRUE(made) << made.error().message;
  ASSERT_EQ(rejects.size(), 1U);
  EXPECT_EQ(rejects[0].record, first_record + 5);
  EXPECT_NE(rejects[0].error.find("more than it was asked for"), std::string::npos)
      << rejects[0].error;
  EXPECT_EQ(made->back(), "8 8");
}

TEST_F(CommandTransformTest, TellsARecordThatIsPassedOverFromALaterOneThatIsAnsweredTwice) {
  CommandOptions options =
      shell(for_each("[ $n = 3 ] && continue; echo $n; [ $n = 6 ] && echo $n"));
  options.times = {10s, 1s};
  const auto made = run(std::move(options), 9);
  ASSERT_TRUE(made) << made.error().message;
  EXPECT_EQ(*made, (std::vector<std::string>{"0 0", "1 1", "2 2", "4 4", "5 5", "7 7", "8 8"}));
  ASSERT_EQ(rejects.size(), 2U);
  EXPECT_EQ(rejects[0].record, first_record + 3);
  EXPECT_EQ(rejects[1].record, first_record + 6);
}

// The shell waits for each of them, and not for its next record.
TEST_F(CommandTransformTest, WaitsForASecondAnswerFromAProgramThatAProgramHasStarted) {
  const auto made = run(shell(for_each("sh -c \"echo $n; sleep 0.01\"; [ $n = 2 ] && sh -c "
                                       "\"sleep 0.01; echo $n\"")),
                        6);
  ASSERT_TRUE(made) << made.error().message;
  EXPECT_EQ(*made, (std::vector<std::string>{"0 0", "1 1", "3 3", "4 4", "5 5"}));
  ASSERT_EQ(rejects.size(), 1U);
  EXPECT_EQ(rejects[0].record, first_record + 2);
}

// Who names the records that it answers and not those that it filters is asked about the latter
// again, one by one, since an answer to another record might be missing.
TEST_F(CommandTransformTest, TakesNoAnswerWithoutANameForThatOfOneRecordAmongMany) {
  CommandOptions options = shell(
      "read -r header; echo _id,answer; while IFS=, read -r _id n; do [ $n = 3 ] && continue;"
      "[ $n = 4 ] && echo; case $n in 4) echo;; *) echo $_id,$n;; esac; done");
  options.times = {10s, 1s};
  const auto made = run(std::move(options), 8);
  ASSERT_TRUE(made) << made.error().message;
  EXPECT_EQ(*made, (std::vector<std::string>{"0 0", "1 1", "2 2", "5 5", "6 6", "7 7"}));
  ASSERT_EQ(rejects.size(), 2U);
  EXPECT_EQ(rejects[0].record, first_record + 3);
  EXPECT_EQ(rejects[1].record, first_record + 4);
  EXPECT_EQ(counts.filtered, 0U);
}

TEST_F(CommandTransformTest, FiltersARecordThatALineOfCsvNames) {
  const auto made =
      run(shell("read -r header; echo _id,_rows,answer; while IFS=, read -r _id n; do "
                "[ $n = 1 ] && echo \"$_id,[],\" || echo $_id,,$n; done"),
          3);
  ASSERT_TRUE(made) << made.error().message;
  EXPECT_EQ(*made, (std::vector<std::string>{"0 0", "2 2"}));
  EXPECT_EQ(counts.filtered, 1U);
}

TEST_F(CommandTransformTest, KeepsTheLastWordsOfStandardError) {
  const auto made =
      run(shell(for_each("[ $n = 0 ] && { echo out of ink >&2; exit 9; }; echo $n")), 2);
  ASSERT_TRUE(made) << made.error().message;
  ASSERT_EQ(rejects.size(), 1U);
  EXPECT_NE(rejects[0].error.find("exited with code 9"), std::string::npos) << rejects[0].error;
  EXPECT_NE(rejects[0].error.find("\"out of ink\""), std::string::npos) << rejects[0].error;
}

TEST_F(CommandTransformTest, BlamesNoRecordForAProgramThatFailsByItself) {
  const auto made = run(shell("echo broken >&2; exit 5"), 3);
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().kind, ErrorKind::failed);
  EXPECT_EQ(made.error().where, "job.yaml:7:18");
  EXPECT_NE(made.error().message.find("without any record"), std::string::npos);
  EXPECT_TRUE(rejects.empty());
}

TEST_F(CommandTransformTest, StopsLookingWhenThereAreRejectsEnough) {
  enough = 3;
  const auto made = run(shell(for_each("exit 3")), 50);
  ASSERT_TRUE(made) << made.error().message;
  EXPECT_TRUE(made->empty());
  EXPECT_TRUE(were_incomplete);
  ASSERT_EQ(rejects.size(), 3U);
  EXPECT_EQ(rejects[2].record, first_record + 2);
}

TEST_F(CommandTransformTest, SaysBeforeTheStartThatAProgramIsNotThere) {
  CommandOptions options = shell("");
  options.arguments = {"no-such-program"};
  const auto transform = make_command_transform(std::move(options));
  ASSERT_TRUE(transform);
  WorkerScope worker(0, 0, "");
  const auto bound = (*transform)->bind(numbers(), worker);
  ASSERT_FALSE(bound);
  EXPECT_EQ(bound.error().kind, ErrorKind::config);
  EXPECT_EQ(bound.error().where, "job.yaml:7:18");
}

}  // namespace
}  // namespace tranche
