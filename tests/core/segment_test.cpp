#include <tranche/core/segment.h>

#include <gtest/gtest.h>

#include <string>

#include <tranche/core/plan.h>
#include <tranche/core/sink.h>

namespace tranche {
namespace {

class FakeSpill : public SegmentFile {
 public:
  explicit FakeSpill(std::string bytes) : bytes_(std::move(bytes)) {}
  Result<std::string> read(std::uint64_t offset, std::uint64_t bytes) const override {
    return bytes_.substr(offset, bytes);
  }

 private:
  std::string bytes_;
};

Segment spilled(const Segment& segment, std::string file, std::uint64_t offset) {
  Segment moved = segment;
  moved.data.reset();
  moved.file = std::make_shared<const FakeSpill>(std::move(file));
  moved.file_offset = offset;
  return moved;
}

TEST(Segment, LoadsWhatWasEncodedFromMemoryWithoutACopy) {
  const Segment segment = Segment::make("three rows", 3);
  EXPECT_EQ(segment.rows, 3U);
  EXPECT_EQ(segment.bytes, 10U);
  EXPECT_GE(segment.memory_bytes(), 10U);
  const auto loaded = segment.load();
  ASSERT_TRUE(loaded);
  EXPECT_EQ(loaded->get(), segment.data.get());
}

TEST(Segment, LoadsWhatWasEncodedFromASegmentFile) {
  const Segment segment = spilled(Segment::make("three rows", 3), "xxthree rowsyy", 2);
  EXPECT_EQ(segment.memory_bytes(), 0U);
  const auto loaded = segment.load();
  ASSERT_TRUE(loaded);
  EXPECT_EQ(**loaded, "three rows");
}

class SharedMemory final : public FakeSpill {
 public:
  using FakeSpill::FakeSpill;
  bool is_in_memory() const override { return true; }
};

TEST(Segment, InSharedMemoryCountsWithItsOwnBytesAlone) {
  Segment segment = Segment::make("three rows", 3);
  segment.data.reset();
  segment.file = std::make_shared<const SharedMemory>("three rows, and those of others");
  EXPECT_EQ(segment.memory_bytes(), 10U);
  EXPECT_EQ(**segment.load(), "three rows");
}

TEST(Segment, IsDamagedWhenAByteDiffers) {
  const auto loaded = spilled(Segment::make("three rows", 3), "three rowz", 0).load();
  ASSERT_FALSE(loaded);
  EXPECT_EQ(loaded.error().kind, ErrorKind::failed);
  EXPECT_NE(loaded.error().message.find("checksum differs"), std::string::npos);
}

TEST(Segment, IsDamagedWhenBytesAreMissing) {
  const auto loaded = spilled(Segment::make("three rows", 3), "three ro", 0).load();
  ASSERT_FALSE(loaded);
  EXPECT_EQ(
      loaded.error().message,
      "A segment in a file is damaged: 10 bytes were encoded, 8 are there; run again to "
      "encode it anew.");
}

TEST(Segment, OfAPartFileHasNothingToLoad) {
  Segment part;
  part.bytes = 100;
  part.label = ".tmp";
  const auto loaded = part.load();
  ASSERT_FALSE(loaded);
  EXPECT_EQ(loaded.error().kind, ErrorKind::bug);
}

class PlainEncoder : public Encoder {
 public:
  Result<void> add(const Page&) override { return {}; }
  std::uint64_t rows_encoded() const override { return 0; }
  Result<std::vector<Segment>> finish() override { return std::vector<Segment>(); }
};

TEST(Encoder, RefusesToMergeUnlessItsSinkDoes) {
  PlainEncoder encoder;
  const auto merged = encoder.merge(0, {});
  ASSERT_FALSE(merged);
  EXPECT_EQ(merged.error().kind, ErrorKind::bug);
}

TEST(BatchPlan, SumsUpItsChunks) {
  BatchPlan batch;
  batch.chunks = {Slice{}, Slice{}};
  batch.chunks[0].records = 10, batch.chunks[1].records = 5;
  batch.chunks[0].bytes = 100, batch.chunks[1].bytes = 50;
  batch.chunks[0].memory_bytes = 1000, batch.chunks[1].memory_bytes = 500;
  EXPECT_EQ(batch.records(), 15U);
  EXPECT_EQ(batch.bytes(), 150U);
  EXPECT_EQ(batch.memory_bytes(), 1500U);
}

TEST(BatchPlan, HasADigestOfItsChunksInOrder) {
  BatchPlan batch;
  batch.chunks = {Slice{}, Slice{}};
  batch.chunks[0].digest = 1, batch.chunks[1].digest = 2;
  BatchPlan swapped = batch;
  std::swap(swapped.chunks[0], swapped.chunks[1]);
  EXPECT_EQ(batch.digest(), BatchPlan(batch).digest());
  EXPECT_NE(batch.digest(), swapped.digest());
  EXPECT_NE(batch.digest(), BatchPlan().digest());
}

}  // namespace
}  // namespace tranche
