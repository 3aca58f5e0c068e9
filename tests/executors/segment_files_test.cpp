#include "executors/segment_files.h"

#include <unistd.h>

#include <gtest/gtest.h>

#include "base/temporary_folder.h"

namespace tranche {
namespace {

class SegmentFiles : public TemporaryFolder {};

TEST_F(SegmentFiles, OnADiskHaveNoNameAndTakeNoMemory) {
  const auto file = AnonymousFile::create_on_disk(folder_.native());
  ASSERT_TRUE(file) << file.error().message;
  EXPECT_TRUE(names().empty());
  std::vector<Segment> segments = {Segment::make("one", 1), Segment::make("three", 3)};
  ASSERT_TRUE(move_to_file(*file, segments));
  for (const Segment& segment : segments) EXPECT_EQ(segment.memory_bytes(), 0U);
  EXPECT_EQ(**segments[0].load(), "one");
  EXPECT_EQ(**segments[1].load(), "three");
  EXPECT_EQ(segments[1].file_offset, 3U);
}

TEST_F(SegmentFiles, InMemoryCountAsMemory) {
  const auto file = AnonymousFile::create_in_memory();
  ASSERT_TRUE(file) << file.error().message;
  std::vector<Segment> segments = {Segment::make("one", 1), Segment::make("three", 3)};
  ASSERT_TRUE(move_to_file(*file, segments));
  EXPECT_EQ(segments[0].memory_bytes(), 3U);
  EXPECT_EQ(segments[1].memory_bytes(), 5U);
}

TEST_F(SegmentFiles, TakeMoreSegmentsBehindThoseThatTheyHave) {
  const auto file = AnonymousFile::create_on_disk(folder_.native()).value();
  std::vector<Segment> first = {Segment::make("one", 1)};
  std::vector<Segment> second = {Segment::make("two", 1), Segment::make("", 0)};
  ASSERT_TRUE(move_to_file(file, first));
  ASSERT_TRUE(move_to_file(file, second));
  EXPECT_EQ(**first[0].load(), "one");
  EXPECT_EQ(**second[0].load(), "two");
  EXPECT_EQ(**second[1].load(), "");
}

TEST_F(SegmentFiles, LeaveSegmentsAloneThatHoldNoBytes) {
  const auto file = AnonymousFile::create_on_disk(folder_.native()).value();
  std::vector<Segment> segments(1);
  segments[0].label = "part-1.tmp";
  ASSERT_TRUE(move_to_file(file, segments));
  EXPECT_FALSE(segments[0].file);
}

TEST_F(SegmentFiles, InMemoryCantBeChangedOnceTheyAreSealed) {
  const auto file = AnonymousFile::create_in_memory().value();
  std::vector<Segment> segments = {Segment::make("one", 1)};
  ASSERT_TRUE(move_to_file(file, segments));
  ASSERT_TRUE(file->seal());
  std::vector<Segment> more = {Segment::make("two", 1)};
  EXPECT_FALSE(move_to_file(file, more));
  EXPECT_NE(::ftruncate(file->descriptor(), 0), 0);
  EXPECT_EQ(**segments[0].load(), "one");
}

TEST_F(SegmentFiles, OfAnotherProcessAreTakenWhenTheyAreSealed) {
  const auto file = AnonymousFile::create_in_memory().value();
  std::vector<Segment> segments = {Segment::make("one", 1)};
  ASSERT_TRUE(move_to_file(file, segments));
  const auto refused = AnonymousFile::adopt(::dup(file->descriptor()), true);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, ErrorKind::crash);
  ASSERT_TRUE(file->seal());
  const auto taken = AnonymousFile::adopt(::dup(file->descriptor()), true);
  ASSERT_TRUE(taken) << taken.error().message;
  EXPECT_EQ((*taken)->read(0, 3).value(), "one");
  EXPECT_TRUE((*taken)->is_in_memory());
}

TEST_F(SegmentFiles, OfWhichBytesAreMissingAreDamaged) {
  const auto file = AnonymousFile::create_on_disk(folder_.native()).value();
  std::vector<Segment> segments = {Segment::make("three", 1)};
  ASSERT_TRUE(move_to_file(file, segments));
  ASSERT_EQ(::ftruncate(file->descriptor(), 3), 0);
  const auto loaded = segments[0].load();
  ASSERT_FALSE(loaded);
  EXPECT_EQ(loaded.error().kind, ErrorKind::failed);
}

}  // namespace
}  // namespace tranche
