#include "core/reject_segment.h"

#include <gtest/gtest.h>

namespace tranche {
namespace {

Reject reject(std::uint64_t record, std::string error, std::string raw = "a;b") {
  Reject made(std::move(error));
  made.record = record;
  made.source = "in/a.csv";
  made.line = record + 2;
  made.offset = record * 40;
  made.has_position = true;
  made.phase = "read";
  made.raw = std::move(raw);
  return made;
}

std::vector<Reject> read_all(std::vector<RejectRun> runs) {
  RejectReader reader(std::move(runs));
  std::vector<Reject> all;
  while (true) {
    const auto next = reader.next();
    EXPECT_TRUE(next) << next.error().message;
    if (!next || *next == nullptr) return all;
    all.push_back(**next);
  }
}

void expect_same(const Reject& a, const Reject& b) {
  EXPECT_EQ(a.record, b.record);
  EXPECT_EQ(a.source, b.source);
  EXPECT_EQ(a.line, b.line);
  EXPECT_EQ(a.offset, b.offset);
  EXPECT_EQ(a.has_position, b.has_position);
  EXPECT_EQ(a.phase, b.phase);
  EXPECT_EQ(a.error, b.error);
  EXPECT_EQ(a.raw, b.raw);
  EXPECT_EQ(a.attempts, b.attempts);
  EXPECT_EQ(a.signal, b.signal);
}

TEST(RejectSegment, GivesEveryFieldBack) {
  std::vector<Reject> rejects{reject(0, ""), reject(UINT64_MAX, "No.", ""),
                              reject(300, "No.", std::string("\0\xff\n", 3))};
  rejects[1].has_position = false;
  rejects[1].source.clear();
  rejects[1].phase = "function";
  rejects[1].attempts = UINT32_MAX;
  rejects[2].signal = -11;
  rejects.push_back(rejects[2]);
  const auto decoded = decode_rejects(encode_rejects(rejects).at(0));
  ASSERT_TRUE(decoded) << decoded.error().message;
  ASSERT_EQ(decoded->size(), rejects.size());
  for (std::size_t i = 0; i < rejects.size(); ++i) expect_same((*decoded)[i], rejects[i]);
}

TEST(RejectSegment, KeepsSegmentsSmallAndManyRejectsInOrder) {
  RejectEncoder encoder;
  for (std::uint64_t i = 0; i < 10'000; ++i) encoder.add(reject(i, "No.", std::string(100, 'x')));
  encoder.add(reject(10'000, "Long.", std::string(1 << 20, 'y')));
  encoder.add(reject(10'001, "No."));
  const auto segments = encoder.finish();
  ASSERT_GT(segments.size(), 5U);
  EXPECT_TRUE(encoder.finish().empty());
  for (const auto& segment : segments) {
    EXPECT_TRUE(segment.rows == 1 || segment.memory_bytes() <= (300U << 10)) << segment.bytes;
  }
  const auto all = read_all({segments});
  ASSERT_EQ(all.size(), 10'002U);
  for (std::uint64_t i = 0; i < all.size(); ++i) EXPECT_EQ(all[i].record, i);
  EXPECT_EQ(all[10'000].raw.size(), 1U << 20);
}

TEST(RejectSegment, MergesRunsByRecordAndEqualRecordsByRun) {
  const std::vector<Reject> first{reject(1, "a"), reject(5, "a"), reject(9, "a")};
  const std::vector<Reject> second{reject(0, "b"), reject(5, "b"), reject(6, "b")};
  const auto merged = merge_rejects({encode_rejects(first), RejectRun(), encode_rejects(second)});
  ASSERT_TRUE(merged);
  std::string order;
  for (const auto& each : read_all({*merged})) order += std::to_string(each.record) + each.error;
  EXPECT_EQ(order, "0b1a5a5b6b9a");
  EXPECT_TRUE(merge_rejects({})->empty());
}

TEST(RejectSegment, RefusesBytesThatAreNotThoseThatWereEncoded) {
  const std::vector<Reject> rejects{reject(1, "a")};
  auto segment = encode_rejects(rejects).at(0);
  const auto shorter = Segment::make(segment.data->substr(0, segment.data->size() - 1), 1);
  EXPECT_EQ(decode_rejects(shorter).error().kind, ErrorKind::bug);
  segment.checksum ^= 1;
  EXPECT_EQ(decode_rejects(segment).error().kind, ErrorKind::failed);
}

}  // namespace
}  // namespace tranche
