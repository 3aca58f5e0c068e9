#include "executors/task_codec.h"

#include <unistd.h>

#include <limits>

#include <gtest/gtest.h>

#include "executors/segment_files.h"

namespace tranche {
namespace {

// What was sent, as it comes in: with descriptors of the receiver's own.
Frame delivered(const OutgoingFrame& sent) {
  Frame frame;
  frame.bytes = sent.bytes;
  for (const int descriptor : sent.descriptors) frame.descriptors.emplace_back(::dup(descriptor));
  return frame;
}

Segment segment_in(const std::shared_ptr<AnonymousFile>& file, const std::string& bytes) {
  std::vector<Segment> segments = {Segment::make(bytes, 2)};
  EXPECT_TRUE(move_to_file(file, segments));
  return segments.front();
}

std::shared_ptr<AnonymousFile> disk_file() {
  return AnonymousFile::create_on_disk(testing::TempDir()).value();
}

Task full_task() {
  Task task;
  task.id = 11;
  task.kind = Task::Kind::merge;
  task.group = 12;
  task.batch = UINT64_MAX;
  task.first_chunk = 14;
  task.attempt = 15;
  task.spill = true;
  Slice slice;
  slice.input = 1, slice.begin = 2, slice.end = 3, slice.records = 4, slice.first_record = 5;
  slice.first_line = 6, slice.end_line = 7, slice.bytes = 8, slice.memory_bytes = 9;
  slice.digest = 10, slice.file_bytes = 11, slice.range = "[12, 13)", slice.ends_batch = true;
  task.chunks = {slice, Slice{}};
  task.culprits = {Culprit{21, "function", "Its worker died.", 11, 3}, Culprit{}};
  task.trial = RecordRange{30, 31};
  return task;
}

void expect_alike(const Segment& a, const Segment& b) {
  EXPECT_EQ(a.rows, b.rows);
  EXPECT_EQ(a.bytes, b.bytes);
  EXPECT_EQ(a.checksum, b.checksum);
  EXPECT_EQ(a.label, b.label);
  EXPECT_EQ(a.final_name, b.final_name);
}

std::string loaded(const Segment& segment) {
  const auto bytes = segment.load();
  return bytes ? **bytes : "error: " + bytes.error().message;
}

TEST(TaskCodec, ATaskArrivesWithAllThatItSays) {
  const Task task = full_task();
  const auto read = decode_task(delivered(encode_task(task)));
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(read->id, task.id);
  EXPECT_EQ(read->kind, task.kind);
  EXPECT_EQ(read->group, task.group);
  EXPECT_EQ(read->batch, task.batch);
  EXPECT_EQ(read->first_chunk, task.first_chunk);
  EXPECT_EQ(read->attempt, task.attempt);
  EXPECT_EQ(read->spill, task.spill);
  EXPECT_EQ(read->chunks, task.chunks);
  EXPECT_EQ(read->culprits, task.culprits);
  EXPECT_EQ(read->trial, task.trial);
  const auto plain = decode_task(delivered(encode_task(Task{})));
  ASSERT_TRUE(plain);
  EXPECT_FALSE(plain->trial);
  EXPECT_EQ(plain->kind, Task::Kind::process);
  EXPECT_TRUE(plain->chunks.empty());
}

TEST(TaskCodec, TheSegmentsOfAMergeArriveInMemoryAndInFiles) {
  Task task = full_task();
  const auto one = disk_file();
  const auto other = AnonymousFile::create_in_memory().value();
  const std::vector<std::string> texts = {"first", "second", "third", ""};
  task.segments = {segment_in(one, texts[0]), segment_in(other, texts[1]),
                   segment_in(one, texts[2]), Segment::make(texts[3], 0)};
  ASSERT_TRUE(other->seal());
  task.segments[0].label = "part-1.tmp";
  task.segments[0].final_name = "part-1";
  const OutgoingFrame sent = encode_task(task);
  EXPECT_EQ(sent.descriptors.size(), 2U);  // one a file, however many segments are in it
  const auto read = decode_task(delivered(sent));
  ASSERT_TRUE(read) << read.error().message;
  ASSERT_EQ(read->segments.size(), 4U);
  for (std::size_t i = 0; i < 4; ++i) {
    expect_alike(read->segments[i], task.segments[i]);
    EXPECT_EQ(loaded(read->segments[i]), texts[i]);
  }
  EXPECT_EQ(read->segments[0].file, read->segments[2].file);
  EXPECT_FALSE(read->segments[0].file->is_in_memory());
  EXPECT_TRUE(read->segments[1].file->is_in_memory());
  EXPECT_TRUE(read->segments[3].data);
}

TEST(TaskCodec, APartFileIsASegmentWithoutBytes) {
  Task task;
  task.segments.emplace_back();
  task.segments[0].label = "part-1.tmp";
  task.segments[0].bytes = 1000;
  const auto read = decode_task(delivered(encode_task(task)));
  ASSERT_TRUE(read);
  EXPECT_FALSE(read->segments.at(0).data);
  EXPECT_FALSE(read->segments.at(0).file);
  expect_alike(read->segments.at(0), task.segments[0]);
}

TaskAnswer full_answer() {
  TaskAnswer answer;
  answer.task = 7;
  answer.wants_replacement = true;
  ChunkResult result;
  Counts& counts = result.counts;
  counts.planned = 1, counts.read = 2, counts.read_rejects = 3, counts.bytes_read = 4;
  counts.offered = 5, counts.encoded = 6, counts.written = 7, counts.write_rejects = 8;
  counts.stages = {{"sql", 10, 11, 12, 13, true}, {"function", 20, 21, 22, 23, false}};
  result.segments = {Segment::make("a segment", 3)};
  result.rejects = {Segment::make("rejects", 1), Segment::make("and more", 2)};
  result.rejects_incomplete = true;
  answer.result = result;
  return answer;
}

TEST(TaskCodec, AResultArrivesWithAllThatItSays) {
  const TaskAnswer answer = full_answer();
  const auto sent = encode_answer(answer);
  ASSERT_TRUE(sent);
  EXPECT_TRUE(sent->descriptors.empty());  // it is small
  const auto read = decode_answer(delivered(*sent));
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(read->task, 7U);
  EXPECT_TRUE(read->wants_replacement);
  EXPECT_FALSE(read->death);
  ASSERT_TRUE(read->result);
  const Counts& counts = read->result->counts;
  EXPECT_EQ((std::vector{counts.planned, counts.read, counts.read_rejects, counts.bytes_read,
                         counts.offered, counts.encoded, counts.written, counts.write_rejects}),
            (std::vector<std::uint64_t>{1, 2, 3, 4, 5, 6, 7, 8}));
  ASSERT_EQ(counts.stages.size(), 2U);
  EXPECT_EQ(counts.stages[0].name, "sql");
  EXPECT_EQ((std::vector{counts.stages[1].in, counts.stages[1].out, counts.stages[1].rejected,
                         counts.stages[1].filtered}),
            (std::vector<std::uint64_t>{20, 21, 22, 23}));
  EXPECT_TRUE(counts.stages[0].counts_filtered);
  EXPECT_FALSE(counts.stages[1].counts_filtered);
  EXPECT_TRUE(read->result->rejects_incomplete);
  EXPECT_EQ(loaded(read->result->segments.at(0)), "a segment");
  EXPECT_EQ(loaded(read->result->rejects.at(0)), "rejects");
  EXPECT_EQ(loaded(read->result->rejects.at(1)), "and more");
}

TEST(TaskCodec, ALargeResultArrivesInSharedMemoryThatNobodyCanChange) {
  TaskAnswer answer = full_answer();
  const std::string large(100'000, 'x');
  answer.result->segments.push_back(Segment::make(large, 5));
  const auto sent = encode_answer(std::move(answer));
  ASSERT_TRUE(sent);
  EXPECT_EQ(sent->descriptors.size(), 1U);
  EXPECT_LT(sent->bytes.size(), 4096U);
  const auto read = decode_answer(delivered(*sent));
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(loaded(read->result->segments.at(0)), "a segment");
  EXPECT_EQ(loaded(read->result->segments.at(1)), large);
  EXPECT_EQ(loaded(read->result->rejects.at(1)), "and more");
  EXPECT_EQ(read->result->segments.at(1).memory_bytes(), large.size());
  EXPECT_EQ(::pwrite(sent->descriptors[0], "y", 1, 0), -1);
}

TEST(TaskCodec, EveryKindOfErrorArrivesAsItWasGiven) {
  for (auto kind = ErrorKind::usage; kind <= ErrorKind::bug;
       kind = static_cast<ErrorKind>(static_cast<int>(kind) + 1)) {
    TaskAnswer answer;
    answer.task = 3;
    answer.result = make_error(kind, "It failed.", "in.csv:3");
    const auto read = decode_answer(delivered(encode_answer(answer).value()));
    ASSERT_TRUE(read);
    ASSERT_FALSE(read->result);
    EXPECT_EQ(read->result.error(), make_error(kind, "It failed.", "in.csv:3"));
  }
}

TEST(TaskCodec, ADeathArrivesWithAllThatItSays) {
  TaskAnswer answer;
  answer.result = make_error(ErrorKind::memory, "It failed.");
  answer.death =
      Death{ErrorKind::memory, "ran out of memory", 11, false, {10, 20}, RecordRange{13, 14}, 2};
  const auto read = decode_answer(delivered(encode_answer(answer).value()));
  ASSERT_TRUE(read);
  EXPECT_EQ(read->death, answer.death);
  answer.death->in_hand.reset();
  const auto nameless = decode_answer(delivered(encode_answer(answer).value()));
  ASSERT_TRUE(nameless);
  EXPECT_EQ(nameless->death, answer.death);
}

TEST(TaskCodec, AFrameThatIsCutOffAnywhereIsRefused) {
  Task task = full_task();
  task.segments = {segment_in(disk_file(), "first"), Segment::make("second", 1)};
  const OutgoingFrame sent = encode_task(task);
  for (std::size_t length = 0; length < sent.bytes.size(); ++length) {
    Frame frame = delivered(sent);
    frame.bytes.resize(length);
    const auto read = decode_task(std::move(frame));
    ASSERT_FALSE(read) << length;
    EXPECT_EQ(read.error().kind, ErrorKind::crash);
  }
  TaskAnswer failure;
  failure.result = make_error(ErrorKind::failed, "It failed.", "here");
  failure.death =
      Death{ErrorKind::memory, "ran out of memory", 0, true, {1, 2}, RecordRange{1, 2}, 0};
  for (const TaskAnswer& answer : {full_answer(), failure}) {
    const auto whole = encode_answer(answer).value();
    for (std::size_t length = 0; length < whole.bytes.size(); ++length) {
      Frame frame = delivered(whole);
      frame.bytes.resize(length);
      ASSERT_FALSE(decode_answer(std::move(frame))) << length;
    }
    Frame frame = delivered(whole);
    frame.bytes += '\0';
    EXPECT_FALSE(decode_answer(std::move(frame)));
  }
}

TEST(TaskCodec, AFrameOfWhichAnyNumberIsAnotherIsReadOrRefused) {
  TaskAnswer answer = full_answer();
  answer.result->segments.push_back(Segment::make(std::string(100'000, 'x'), 5));
  const auto sent = encode_answer(std::move(answer)).value();
  for (const std::uint64_t wrong :
       {std::uint64_t{2}, std::uint64_t{1} << 33, std::uint64_t{1} << 62, UINT64_MAX}) {
    for (std::size_t at = 0; at + sizeof wrong <= sent.bytes.size(); ++at) {
      Frame frame = delivered(sent);
      frame.bytes.replace(at, sizeof wrong, reinterpret_cast<const char*>(&wrong), sizeof wrong);
      const auto read = decode_answer(std::move(frame));
      if (!read || !read->result) continue;
      for (const Segment& segment : read->result->segments) static_cast<void>(segment.load());
    }
  }
}

TEST(TaskCodec, ASegmentInAFileThatDidNotComeIsRefused) {
  Task task;
  task.segments = {segment_in(disk_file(), "first")};
  Frame frame = delivered(encode_task(task));
  frame.descriptors.clear();
  EXPECT_FALSE(decode_task(std::move(frame)));
}

TEST(TaskCodec, ASegmentBeyondTheEndOfItsFileIsRefused) {
  Task task;
  task.segments = {segment_in(disk_file(), "first")};
  task.segments[0].bytes = std::uint64_t{1} << 50;
  EXPECT_FALSE(decode_task(delivered(encode_task(task))));
  task.segments[0].bytes = 5;
  task.segments[0].file_offset = UINT64_MAX - 2;
  EXPECT_FALSE(decode_task(delivered(encode_task(task))));
}

TEST(TaskCodec, SharedMemoryThatItsWriterCouldChangeIsRefused) {
  Task task;
  task.segments = {segment_in(AnonymousFile::create_in_memory().value(), "first")};
  EXPECT_FALSE(decode_task(delivered(encode_task(task))));
}

}  // namespace
}  // namespace tranche
