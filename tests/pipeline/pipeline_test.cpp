#include "pipeline/pipeline.h"

#include <memory>
#include <numeric>

#include <gtest/gtest.h>

#include "core/reject_segment.h"

namespace tranche {
namespace {

using Records = std::vector<std::uint64_t>;

SchemaPtr numbers() {
  auto schema = std::make_shared<Schema>();
  schema->fields.push_back({"number", {TypeId::bigint}});
  return schema;
}

// Pages of two rows, whose values are the ordinals of the records.
class Counter final : public Reader {
 public:
  explicit Counter(const Slice& slice)
      : next_(slice.first_record), end_(slice.first_record + slice.records) {}
  Result<std::unique_ptr<Page>> next(std::vector<Reject>&) override {
    if (next_ == end_) return std::unique_ptr<Page>();
    auto page = std::make_unique<Page>(numbers());
    page->base.source = source_;
    page->base.record = next_;
    for (std::uint32_t row = 0; row < 2 && next_ < end_; ++row, ++next_) {
      page->column(0).values<std::int64_t>()[row] = static_cast<std::int64_t>(next_);
      page->origins.push_back(Origin{0, 0, 0, row});
      page->set_rows(row + 1);
    }
    return page;
  }
  std::uint64_t bytes_read() const override { return 10; }

 private:
  std::shared_ptr<const std::string> source_ = std::make_shared<const std::string>("numbers");
  std::uint64_t next_;
  std::uint64_t end_;
};

class Numbers final : public Source {
 public:
  Result<std::vector<Input>> inputs() override { return std::vector<Input>(); }
  Result<void> use_inputs(std::vector<Input>) override { return {}; }
  Result<SchemaPtr> schema() override { return numbers(); }
  Result<std::unique_ptr<SliceStream>> divide(const Slice*) override {
    return make_error(ErrorKind::bug, "Not asked for.");
  }
  Result<std::unique_ptr<Reader>> open(const Slice& slice, WorkerScope&) const override {
    opened.push_back(slice.first_record);
    return std::unique_ptr<Reader>(std::make_unique<Counter>(slice));
  }
  Result<std::optional<std::uint64_t>> digest(const Slice&) const override {
    return std::optional<std::uint64_t>();
  }
  Division default_division() const override { return {}; }

  mutable Records opened;  // first records of its slices
};

// What the business logic was given, and whom its worker would have been found with.
struct Seen {
  Records records;
  std::vector<std::optional<RecordRange>> in_hand;
};

class Onlooker final : public Transform, public TransformInstance {
 public:
  Onlooker(Seen& seen, Scope scope, Breadcrumb& breadcrumb)
      : seen_(seen), scope_(scope), breadcrumb_(breadcrumb) {}
  std::string name() const override { return "function"; }
  Scope scope() const override { return scope_; }
  Result<SchemaPtr> bind(SchemaPtr input, WorkerScope&) override { return input; }
  Result<std::unique_ptr<TransformInstance>> instance(WorkerScope&) const override {
    return std::unique_ptr<TransformInstance>(
        std::make_unique<Onlooker>(seen_, scope_, breadcrumb_));
  }
  Result<std::string> fingerprint() const override { return std::string(); }
  Result<void> process(std::span<const std::unique_ptr<Page>> pages, const PageConsumer&,
                       std::vector<Reject>&, StageCounts&) override {
    for (const auto& page : pages) {
      for (std::size_t row = 0; row < page->rows(); ++row) {
        seen_.records.push_back(
            static_cast<std::uint64_t>(page->column(0).values<std::int64_t>()[row]));
      }
    }
    seen_.in_hand.push_back(death_of(breadcrumb_, ErrorKind::crash, "").in_hand);
    return {};
  }

 private:
  Seen& seen_;
  Scope scope_;
  Breadcrumb& breadcrumb_;
};

class PipelineTest : public testing::Test {
 protected:
  PipelineTest() {
    pipeline_.source = &source_;
    pipeline_.board = board_.get();
    for (std::uint64_t first : {10, 15}) {
      Slice slice;
      slice.first_record = first;
      slice.records = 5;
      task_.chunks.push_back(slice);
    }
  }
  ChunkResult work(Transform::Scope scope = Transform::Scope::chunk) {
    Onlooker onlooker(seen_, scope, board_->slots[0]);
    pipeline_.transforms = {&onlooker};
    auto worker = make_worker(pipeline_, 0).value();
    auto result = worker->work(task_);
    EXPECT_TRUE(result) << result.error().message;
    EXPECT_EQ(death_of(board_->slots[0], ErrorKind::crash, "").in_hand,
              std::nullopt);  // nobody any more
    return *std::move(result);
  }

  std::unique_ptr<BreadcrumbBoard> board_ = std::make_unique<BreadcrumbBoard>();
  Numbers source_;
  Pipeline pipeline_;
  Task task_;
  Seen seen_;
};

TEST_F(PipelineTest, PassesOnAllRecordsAndSaysWhichAreInHand) {
  const ChunkResult result = work();
  Records all(10);
  std::iota(all.begin(), all.end(), 10);
  EXPECT_EQ(seen_.records, all);
  EXPECT_EQ(result.counts.read, 10U);
  ASSERT_EQ(seen_.in_hand.size(), 6U);  // pages of 2, 2 and 1, twice
  EXPECT_EQ(seen_.in_hand[0], (RecordRange{10, 12}));
  EXPECT_EQ(seen_.in_hand[2], (RecordRange{14, 15}));
}

TEST_F(PipelineTest, RejectsCulpritsUnseen) {
  task_.culprits = {Culprit{10, "function", "It kills.", 11, 3},
                    Culprit{17, "read", "It does.", 0, 2}};
  const ChunkResult result = work();
  EXPECT_EQ(seen_.records, (Records{11, 12, 13, 14, 15, 16, 18, 19}));
  EXPECT_EQ(result.counts.read, 8U);
  EXPECT_EQ(result.counts.read_rejects, 2U);
  RejectReader rejects({result.rejects});
  const auto first = rejects.next();
  ASSERT_TRUE(first && *first != nullptr);
  EXPECT_EQ((*first)->record, 10U);
  EXPECT_EQ((*first)->phase, "function");
  EXPECT_EQ((*first)->error, "It kills.");
  EXPECT_EQ((*first)->signal, 11);
  EXPECT_EQ((*first)->attempts, 3U);
  EXPECT_EQ((*first)->source, "numbers");
  const auto second = rejects.next();
  ASSERT_TRUE(second && *second != nullptr);
  EXPECT_EQ((*second)->record, 17U);
  EXPECT_EQ(*rejects.next(), nullptr);
}

TEST_F(PipelineTest, PassesOnOnlyTheRecordsThatATrialIsAbout) {
  task_.trial = RecordRange{13, 16};
  work();
  EXPECT_EQ(seen_.records, (Records{13, 14, 15}));
  EXPECT_EQ(source_.opened, (Records{10, 15}));
}

TEST_F(PipelineTest, ReadsOnlyTheChunksThatATrialNeeds) {
  task_.trial = RecordRange{17, 18};
  work();
  EXPECT_EQ(seen_.records, Records{17});
  EXPECT_EQ(seen_.in_hand, (std::vector<std::optional<RecordRange>>{RecordRange{17, 18}}));
  EXPECT_EQ(source_.opened, Records{15});
}

TEST_F(PipelineTest, ReadsEverythingAndPassesOnNothingInATrialOfNobody) {
  for (const auto scope : {Transform::Scope::chunk, Transform::Scope::batch}) {
    source_.opened.clear();
    task_.trial = RecordRange{10, 10};
    work(scope);
    EXPECT_TRUE(seen_.records.empty());
    EXPECT_EQ(source_.opened, (Records{10, 15}));
  }
}

TEST_F(PipelineTest, HasAllOfABatchInHandWhereATransformTakesItWhole) {
  work(Transform::Scope::batch);
  EXPECT_EQ(seen_.in_hand, (std::vector<std::optional<RecordRange>>{RecordRange{10, 20}}));
}

}  // namespace
}  // namespace tranche
