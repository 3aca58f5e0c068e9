// Functions whose calls are made by several threads at once: what comes of them must be what one
// thread would have made of them.
#include <gtest/gtest.h>

#include <memory>
#include <new>
#include <stdexcept>
#include <string>
#include <thread>

#include <tranche/core/task.h>
#include <tranche/transforms/function.h>
#include "executors/lane_pool.h"

namespace tranche {
namespace {

struct Input {
  std::int64_t id;
  std::string_view text;
  std::optional<std::int64_t> maybe;
};
struct Text {
  std::int64_t id;
  std::string_view text;
};

constexpr unsigned lanes = 8;
constexpr std::int64_t rows = 5000;  // more than are shared at once

void wait_a_little() { std::this_thread::sleep_for(std::chrono::microseconds(60)); }

std::string text_of(std::int64_t id) {
  return (id % 2 == 0 ? "" : "a text that is longer than twelve bytes, no. ") + std::to_string(id);
}

struct Came {
  Result<void> result;
  std::vector<std::pair<std::int64_t, std::string>> rows;
  std::vector<Reject> rejects;
  StageCounts counts;
  std::uint64_t record_in_hand = 0;
  std::uint64_t calls_counted = 0;
};

std::unique_ptr<Page> make_page(std::int64_t page_rows) {
  auto schema = std::make_shared<const Schema>(schema_of<Input>());
  auto page = std::make_unique<Page>(schema, static_cast<std::size_t>(page_rows));
  page->base.source = std::make_shared<const std::string>("input.csv");
  RecordStrings strings(page->arena, {});
  for (std::int64_t id = 0; id < page_rows; ++id) {
    const auto row = static_cast<std::size_t>(id);
    const std::string text = text_of(id);
    const Input record{id, text, id % 10 == 9 ? std::nullopt : std::optional(id)};
    write_record(*page, row, record, strings);
    Origin origin;
    origin.record = static_cast<std::uint32_t>(id);
    page->origins.push_back(origin);
  }
  page->set_rows(static_cast<std::size_t>(page_rows));
  return page;
}

template <class Function>
Came process(Function function, unsigned at_once, std::int64_t page_rows = rows) {
  auto board = std::make_unique<BreadcrumbBoard>();
  LanePool pool(1, at_once, *board);
  board->slots[0].begin_task(1, {0, rows});
  WorkerScope worker(0, 0, "", UINT64_MAX, &board->slots[0], &pool);
  FunctionTransform<Function> transform(std::move(function));
  std::vector<std::unique_ptr<Page>> pages;
  pages.push_back(make_page(page_rows));
  EXPECT_TRUE(transform.bind(pages[0]->schema_ptr(), worker));
  auto instance = transform.instance(worker);
  EXPECT_TRUE(instance);
  Came came;
  const auto take = [&](std::unique_ptr<Page> page) -> Result<void> {
    EXPECT_EQ(page->origins.size(), page->rows());
    for (std::size_t row = 0; row < page->rows(); ++row) {
      came.rows.emplace_back(page->column(0).values<std::int64_t>()[row],
                             std::string(page->column(1).values<StringRef>()[row].view()));
      EXPECT_EQ(page->origins[row].record, came.rows.back().first);
    }
    return {};
  };
  came.result = (*instance)->process(pages, take, came.rejects, came.counts);
  const Death death = death_of(board->slots[0], ErrorKind::crash, "");
  came.record_in_hand = death.in_hand.value_or(RecordRange{}).first;
  for (const Breadcrumb& slot : board->slots) came.calls_counted += slot.calls.load();
  return came;
}

void expect_same(const Came& one, const Came& many) {
  ASSERT_TRUE(one.result) << one.result.error().message;
  ASSERT_TRUE(many.result) << many.result.error().message;
  EXPECT_EQ(one.rows, many.rows);
  ASSERT_EQ(one.rejects.size(), many.rejects.size());
  for (std::size_t i = 0; i < one.rejects.size(); ++i) {
    EXPECT_EQ(one.rejects[i].record, many.rejects[i].record);
    EXPECT_EQ(one.rejects[i].error, many.rejects[i].error);
  }
  EXPECT_EQ(one.counts.in, many.counts.in);
  EXPECT_EQ(one.counts.out, many.counts.out);
  EXPECT_EQ(one.counts.filtered, many.counts.filtered);
  EXPECT_EQ(one.counts.rejected, many.counts.rejected);
}

TEST(FunctionLanes, KeepTheOrderOfRecordsRejectsAndWhatIsFiltered) {
  const auto function = [](const Input& input) -> std::optional<Text> {
    wait_a_little();
    if (input.id % 7 == 0) throw Reject("seven: " + std::to_string(input.id));
    if (input.id % 11 == 0) throw std::runtime_error("eleven");
    if (input.id % 13 == 0) throw 13;
    if (!input.maybe) return std::nullopt;
    return Text{input.id, input.text};
  };
  const Came one = process(function, 1);
  EXPECT_GT(one.rejects.size(), 1000U);
  EXPECT_GT(one.counts.filtered, 300U);
  expect_same(one, process(function, lanes));
}

TEST(FunctionLanes, LetAResultPointIntoItsArgument) {
  struct Owning {
    std::int64_t id;
    std::string text;  // short ones lie inside the struct
  };
  const auto function = [](const Owning& input) {
    wait_a_little();
    return Text{input.id, std::string_view(input.text).substr(0, input.text.size() - 1)};
  };
  expect_same(process(function, 1), process(function, lanes));
}

TEST(FunctionLanes, AreMadeUseOfWhereCallsAreLong) {
  const auto caller = std::this_thread::get_id();
  std::atomic<int> of_others{0};
  process(
      [&of_others, caller](const Input& input) {
        wait_a_little();
        of_others += std::this_thread::get_id() == caller ? 0 : 1;
        return Text{input.id, input.text};
      },
      lanes);
  EXPECT_GT(of_others.load(), 0);
}

TEST(FunctionLanes, HaveACopyOfTheFunctionObjectEach) {
  struct Logic {
    std::atomic<int>* clashes;
    std::atomic<bool> is_in_use{false};
    explicit Logic(std::atomic<int>* of) : clashes(of) {}
    Logic(const Logic& other) : clashes(other.clashes) {}
    Text operator()(const Input& input) {
      if (is_in_use.exchange(true)) ++*clashes;
      wait_a_little();
      is_in_use = false;
      return Text{input.id, input.text};
    }
  };
  std::atomic<int> clashes{0};
  EXPECT_TRUE(process(Logic(&clashes), lanes).result);
  EXPECT_EQ(clashes.load(), 0);
}

TEST(FunctionLanes, EndAPageEarlyWhereItIsTriedAgainAnyway) {
  std::atomic<int> calls{0};
  const Came came = process(
      [&calls](const Input& input) {
        wait_a_little();
        ++calls;
        if (input.id == 100) throw Transient("the service is away");
        return Text{input.id, input.text};
      },
      lanes);
  ASSERT_FALSE(came.result);
  EXPECT_EQ(came.result.error().kind, ErrorKind::transient);
  EXPECT_LT(calls.load(), rows / 2);
}

TEST(FunctionLanes, NameTheRecordThatRanOutOfMemory) {
  const Came came = process(
      [](const Input& input) {
        wait_a_little();
        if (input.id == 1234) throw std::bad_alloc();
        return Text{input.id, input.text};
      },
      lanes);
  ASSERT_FALSE(came.result);
  EXPECT_EQ(came.result.error().kind, ErrorKind::memory);
  EXPECT_EQ(came.record_in_hand, 1234U);
}

TEST(FunctionLanes, RejectRecordsWhoseRequiredFieldIsNull) {
  struct Strict {
    std::int64_t id;
    std::int64_t maybe;
  };
  const auto function = [](const Strict& input) {
    wait_a_little();
    return Text{input.id, "present"};
  };
  const Came one = process(function, 1, 500);
  EXPECT_EQ(one.rejects.size(), 50U);
  expect_same(one, process(function, lanes, 500));
}

TEST(FunctionLanes, CallOnceForEachRecordAndCountIt) {
  for (const unsigned at_once : {1U, lanes}) {
    std::atomic<int> calls{0};
    const Came came = process(
        [&calls](const Input& input) -> std::optional<Text> {
          wait_a_little();
          ++calls;
          if (input.id % 3 == 0) throw Reject("three");
          if (input.id % 3 == 1) return std::nullopt;
          return Text{input.id, input.text};
        },
        at_once);
    EXPECT_TRUE(came.result);
    EXPECT_EQ(calls.load(), rows);
    EXPECT_EQ(came.calls_counted, static_cast<std::uint64_t>(rows)) << at_once;
  }
}

}  // namespace
}  // namespace tranche
