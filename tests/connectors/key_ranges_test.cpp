#include "connectors/key_ranges.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string>
#include <vector>

#include "plan/planner.h"

namespace tranche {
namespace {

// A table whose keys are numbers, nulls last: nullopt.
using Keys = std::vector<std::optional<int>>;

bool is_behind(const std::optional<int>& key, const KeyRange& range) {
  if (!range.lower || !key) return true;
  const int bound = std::stoi(range.lower->key);
  return range.lower->is_inclusive ? *key >= bound : *key > bound;
}

class NumberCursor final : public KeyCursor {
 public:
  NumberCursor(const Keys& keys, const KeyRange& begin) : keys_(keys) {
    while (at_ < keys_.size() && !is_behind(keys_[at_], begin)) ++at_;
  }

  Result<std::optional<KeyMark>> advance(const KeyStep& step) override {
    KeyMark mark;
    while (at_ < keys_.size()) {
      const auto key = keys_[at_];
      if (mark.records > 0 && key != keys_[at_ - 1]) {
        if (mark.records >= step.records || !key) break;
        if (step.below && *key >= std::stoi(*step.below)) break;
      }
      mark.last = {!key, key ? std::to_string(*key) : ""};
      ++mark.records;
      ++at_;
    }
    if (mark.records == 0) return std::optional<KeyMark>();
    return std::optional(mark);
  }

  Result<std::optional<Key>> next_key() override {
    if (at_ == keys_.size()) return std::optional<Key>();
    return std::optional(Key{!keys_[at_], keys_[at_] ? std::to_string(*keys_[at_]) : ""});
  }

 private:
  const Keys& keys_;
  std::size_t at_ = 0;
};

std::unique_ptr<SliceStream> stream_of(const Keys& keys, const Slice* after,
                                       WindowEnd window_end = {}) {
  const auto begin = range_behind(after);
  EXPECT_TRUE(begin);
  static const Keys nothing;
  auto cursor = *begin ? std::make_unique<NumberCursor>(keys, **begin)
                       : std::make_unique<NumberCursor>(nothing, KeyRange{});
  auto stream =
      slice_keys(std::move(cursor), KeySlices{10, 20, "state", std::move(window_end)}, after);
  EXPECT_TRUE(stream);
  return *std::move(stream);
}

std::vector<BatchPlan> plan_of(SliceStream& stream, const Division& division) {
  Planner planner(stream, division);
  std::vector<BatchPlan> batches;
  while (true) {
    auto batch = planner.next();
    EXPECT_TRUE(batch) << (batch ? "" : batch.error().message);
    if (!batch || !*batch) return batches;
    batches.push_back(**std::move(batch));
  }
}

bool holds(const KeyRange& range, const std::optional<int>& key) {
  if (range.is_nulls || !key) return range.is_nulls && !key;
  if (!is_behind(key, range)) return false;
  if (!range.upper) return true;
  const int bound = std::stoi(range.upper->key);
  return range.upper->is_inclusive ? *key <= bound : *key < bound;
}

TEST(KeyRange, IsReadBackFromItsText) {
  for (const KeyRange& range :
       {KeyRange{}, KeyRange{{}, {}, true}, KeyRange{KeyBound{"17", false}, KeyBound{"42", true}},
        KeyRange{KeyBound{"a \"b\" \xc3\xa4", true}, KeyBound{"", false}}}) {
    const auto again = parse_key_range(to_text(range));
    ASSERT_TRUE(again);
    EXPECT_EQ(*again, range) << to_text(range);
  }
  EXPECT_EQ(to_text(KeyRange{KeyBound{"17", false}, KeyBound{"42", true}}),
            R"({"above":"17","to":"42"})");
  EXPECT_EQ(parse_key_range("nonsense").error().kind, ErrorKind::failed);
}

TEST(KeySlices, HoldEachRecordOnceAndPartNoKey) {
  std::mt19937_64 random(20260131);
  for (int round = 0; round < 300; ++round) {
    Keys keys;
    int key = 0;
    for (std::uint64_t n = random() % 80; n > 0; --n) {
      key += random() % 3 == 0 ? 0 : 1 + static_cast<int>(random() % 5);
      keys.emplace_back(key);
    }
    for (std::uint64_t n = random() % 3 == 0 ? random() % 7 : 0; n > 0; --n)
      keys.emplace_back(std::nullopt);
    const Division division{.rows = 1 + random() % 12};
    const auto stream = stream_of(keys, nullptr);
    const auto batches = plan_of(*stream, division);
    std::uint64_t passed = 0;
    for (const auto& batch : batches) {
      ASSERT_GE(batch.chunks.size(), 1U);
      for (const Slice& slice : batch.chunks) {
        const auto range = parse_key_range(slice.range);
        ASSERT_TRUE(range);
        EXPECT_EQ(slice.begin, passed);
        EXPECT_EQ(slice.first_record, passed);
        passed += slice.records;
        EXPECT_EQ(slice.records, static_cast<std::uint64_t>(std::count_if(
                                     keys.begin(), keys.end(),
                                     [&](const auto& one) { return holds(*range, one); })));
        // A resume behind any slice goes on with the same ones.
        const auto rest = stream_of(keys, &slice);
        const auto next = rest->next({});
        ASSERT_TRUE(next);
        EXPECT_EQ(next->has_value(), passed < keys.size());
        if (*next) {
          EXPECT_EQ((**next).begin, passed);
        }
      }
    }
    EXPECT_EQ(passed, keys.size()) << "round " << round;
  }
}

TEST(KeySlices, EndABatchWithItsWindow) {
  const Keys keys = {1, 3, 9, 10, 10, 14, 31, std::nullopt, std::nullopt};
  const auto tens = [](const std::string& key) -> Result<std::string> {
    return std::to_string(std::stoi(key) / 10 * 10 + 10);
  };
  const auto sizes_of = [](const std::vector<BatchPlan>& batches) {
    std::vector<std::uint64_t> sizes;
    for (const auto& batch : batches) sizes.push_back(batch.records());
    return sizes;
  };
  Division windows;
  windows.window = WindowDivision{"at", "10", ""};
  const auto stream = stream_of(keys, nullptr, tens);
  const auto batches = plan_of(*stream, windows);
  EXPECT_EQ(sizes_of(batches), (std::vector<std::uint64_t>{3, 3, 1, 2}));

  // Chunks of a window are as small as asked for; only the last one ends the batch.
  windows.chunk_bytes = 20;
  const auto in_chunks = stream_of(keys, nullptr, tens);
  const auto small = plan_of(*in_chunks, windows);
  EXPECT_EQ(sizes_of(small), (std::vector<std::uint64_t>{3, 3, 1, 2}));
  EXPECT_EQ(small[0].chunks.size(), 2U);
  const auto rest = stream_of(keys, &small[1].chunks.back(), tens);
  EXPECT_EQ(sizes_of(plan_of(*rest, windows)), (std::vector<std::uint64_t>{1, 2}));
}

}  // namespace
}  // namespace tranche
