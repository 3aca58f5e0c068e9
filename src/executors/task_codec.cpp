#include "executors/task_codec.h"

#include <algorithm>
#include <utility>

#include "base/frame.h"
#include "executors/segment_files.h"

namespace tranche {
namespace {

// A frame must fit into the channel's buffer, so that nobody waits for it to be read.
constexpr std::uint64_t inline_bytes_max = 32ULL << 10;

constexpr std::uint64_t no_file = 0;
constexpr std::size_t slice_numbers = 13;  // and lengths

Error not_a_frame() {
  return make_error(ErrorKind::crash, "A worker process sent something that is no answer.");
}

// Puts segments, and collects the files that they are in.
class SegmentWriter {
 public:
  SegmentWriter(FrameWriter& frame, OutgoingFrame& out) : frame_(frame), out_(out) {}

  void put(const std::vector<Segment>& segments) {
    frame_.put(segments.size());
    for (const Segment& segment : segments) {
      frame_.put(segment.rows);
      frame_.put(segment.bytes);
      frame_.put(segment.checksum);
      frame_.put_text(segment.label);
      frame_.put_text(segment.final_name);
      frame_.put(file_number(segment));
      frame_.put(segment.file_offset);
      frame_.put(segment.file && segment.file->is_in_memory() ? 1 : 0);
      frame_.put(segment.data ? 1 : 0);
      frame_.put_text(segment.data ? std::string_view(*segment.data) : std::string_view());
    }
  }

 private:
  std::uint64_t file_number(const Segment& segment) {
    if (!segment.file) return no_file;
    const auto found = std::find(out_.owners.begin(), out_.owners.end(), segment.file);
    const auto number = static_cast<std::uint64_t>(found - out_.owners.begin()) + 1;
    if (found == out_.owners.end()) {
      out_.owners.push_back(segment.file);
      out_.descriptors.push_back(segment.file->descriptor());
    }
    return number;
  }

  FrameWriter& frame_;
  OutgoingFrame& out_;
};

class SegmentReader {
 public:
  SegmentReader(FrameReader& reader, std::vector<Descriptor>& descriptors)
      : reader_(reader),
        descriptors_(descriptors),
        files_(descriptors.size()),
        file_bytes_(descriptors.size()) {}

  Result<std::vector<Segment>> take() {
    std::vector<Segment> segments(reader_.take_count(10 * sizeof(std::uint64_t)));
    for (Segment& segment : segments) {
      segment.rows = reader_.take();
      segment.bytes = reader_.take();
      segment.checksum = reader_.take();
      segment.label = reader_.take_text();
      segment.final_name = reader_.take_text();
      const std::uint64_t number = reader_.take();
      segment.file_offset = reader_.take();
      const bool is_in_memory = reader_.take() != 0;
      const bool has_data = reader_.take() != 0;
      std::string data = reader_.take_text();
      if (has_data) segment.data = std::make_shared<const std::string>(std::move(data));
      if (number == no_file) continue;
      if (number > files_.size()) return not_a_frame();
      TRANCHE_ASSIGN(segment.file, file(number - 1, is_in_memory));
      // Whoever loads it takes memory for as much as it says.
      const std::uint64_t there = file_bytes_[number - 1];
      if (segment.bytes > there || segment.file_offset > there - segment.bytes)
        return not_a_frame();
    }
    return segments;
  }

 private:
  Result<std::shared_ptr<const SegmentFile>> file(std::size_t index, bool is_in_memory) {
    if (!files_[index]) {
      TRANCHE_ASSIGN(files_[index],
                     AnonymousFile::adopt(descriptors_[index].release(), is_in_memory));
      TRANCHE_ASSIGN(file_bytes_[index], files_[index]->size());
    }
    return std::shared_ptr<const SegmentFile>(files_[index]);
  }

  FrameReader& reader_;
  std::vector<Descriptor>& descriptors_;
  std::vector<std::shared_ptr<AnonymousFile>> files_;
  std::vector<std::uint64_t> file_bytes_;
};

void put_slice(FrameWriter& frame, const Slice& slice) {
  for (const std::uint64_t number :
       {std::uint64_t{slice.input}, slice.begin, slice.end, slice.records, slice.first_record,
        slice.first_line, slice.end_line, slice.bytes, slice.memory_bytes, slice.digest,
        slice.file_bytes}) {
    frame.put(number);
  }
  frame.put_text(slice.range);
  frame.put(slice.ends_batch ? 1 : 0);
}

Slice take_slice(FrameReader& reader) {
  Slice slice;
  slice.input = static_cast<std::uint32_t>(reader.take());
  for (std::uint64_t* number :
       {&slice.begin, &slice.end, &slice.records, &slice.first_record, &slice.first_line,
        &slice.end_line, &slice.bytes, &slice.memory_bytes, &slice.digest, &slice.file_bytes}) {
    *number = reader.take();
  }
  slice.range = reader.take_text();
  slice.ends_batch = reader.take() != 0;
  return slice;
}

void put_culprit(FrameWriter& frame, const Culprit& culprit) {
  frame.put(culprit.record);
  frame.put_text(culprit.phase);
  frame.put_text(culprit.error);
  frame.put(static_cast<std::uint64_t>(culprit.signal));
  frame.put(culprit.attempts);
}

Culprit take_culprit(FrameReader& reader) {
  Culprit culprit;
  culprit.record = reader.take();
  culprit.phase = reader.take_text();
  culprit.error = reader.take_text();
  culprit.signal = static_cast<int>(reader.take());
  culprit.attempts = static_cast<std::uint32_t>(reader.take());
  return culprit;
}

void put_counts(FrameWriter& frame, const Counts& counts) {
  for (const std::uint64_t number :
       {counts.planned, counts.read, counts.read_rejects, counts.skipped, counts.bytes_read,
        counts.offered, counts.encoded, counts.written, counts.write_rejects}) {
    frame.put(number);
  }
  frame.put(counts.stages.size());
  for (const StageCounts& stage : counts.stages) {
    frame.put_text(stage.name);
    for (const std::uint64_t number : {stage.in, stage.out, stage.rejected, stage.filtered,
                                       std::uint64_t{stage.counts_filtered}}) {
      frame.put(number);
    }
  }
}

Counts take_counts(FrameReader& reader) {
  Counts counts;
  for (std::uint64_t* number :
       {&counts.planned, &counts.read, &counts.read_rejects, &counts.skipped, &counts.bytes_read,
        &counts.offered, &counts.encoded, &counts.written, &counts.write_rejects}) {
    *number = reader.take();
  }
  counts.stages.resize(reader.take_count(6 * sizeof(std::uint64_t)));
  for (StageCounts& stage : counts.stages) {
    stage.name = reader.take_text();
    for (std::uint64_t* number : {&stage.in, &stage.out, &stage.rejected, &stage.filtered}) {
      *number = reader.take();
    }
    stage.counts_filtered = reader.take() != 0;
  }
  return counts;
}

void put_death(FrameWriter& frame, const std::optional<Death>& death) {
  frame.put(death ? 1 : 0);
  if (!death) return;
  frame.put(static_cast<std::uint64_t>(death->kind));
  frame.put_text(death->how);
  frame.put(static_cast<std::uint64_t>(death->signal));
  frame.put(death->is_suspicious ? 1 : 0);
  frame.put(death->task.first);
  frame.put(death->task.end);
  frame.put(death->in_hand ? 1 : 0);
  frame.put(death->in_hand ? death->in_hand->first : 0);
  frame.put(death->in_hand ? death->in_hand->end : 0);
  frame.put(death->stage);
}

std::optional<Death> take_death(FrameReader& reader) {
  if (reader.take() == 0) return std::nullopt;
  Death death;
  death.kind = static_cast<ErrorKind>(
      std::min<std::uint64_t>(reader.take(), static_cast<std::uint64_t>(ErrorKind::bug)));
  death.how = reader.take_text();
  death.signal = static_cast<int>(reader.take());
  death.is_suspicious = reader.take() != 0;
  death.task.first = reader.take();
  death.task.end = reader.take();
  const bool is_known = reader.take() != 0;
  RecordRange range;
  range.first = reader.take();
  range.end = reader.take();
  if (is_known) death.in_hand = range;
  death.stage = static_cast<std::uint32_t>(reader.take());
  return death;
}

std::uint64_t bytes_in_memory(const std::vector<Segment>& segments) {
  std::uint64_t bytes = 0;
  for (const Segment& segment : segments) bytes += segment.data ? segment.data->size() : 0;
  return bytes;
}

}  // namespace

OutgoingFrame encode_task(const Task& task) {
  OutgoingFrame out;
  FrameWriter frame;
  frame.put(task.id);
  frame.put(task.kind == Task::Kind::merge ? 1 : 0);
  frame.put(task.group);
  frame.put(task.batch);
  frame.put(task.first_chunk);
  frame.put(task.attempt);
  frame.put(task.spill ? 1 : 0);
  frame.put(task.trial ? 1 : 0);
  frame.put(task.trial ? task.trial->first : 0);
  frame.put(task.trial ? task.trial->end : 0);
  frame.put(task.chunks.size());
  for (const Slice& slice : task.chunks) put_slice(frame, slice);
  frame.put(task.only ? 1 : 0);
  frame.put(task.only ? task.only->size() : 0);
  if (task.only) {
    for (const std::uint64_t record : *task.only) frame.put(record);
  }
  frame.put(task.culprits.size());
  for (const Culprit& culprit : task.culprits) put_culprit(frame, culprit);
  SegmentWriter(frame, out).put(task.segments);
  out.bytes = frame.bytes();
  return out;
}

Result<Task> decode_task(Frame frame) {
  FrameReader reader(frame.bytes);
  Task task;
  task.id = reader.take();
  task.kind = reader.take() != 0 ? Task::Kind::merge : Task::Kind::process;
  task.group = reader.take();
  task.batch = reader.take();
  task.first_chunk = static_cast<std::uint32_t>(reader.take());
  task.attempt = static_cast<std::uint32_t>(reader.take());
  task.spill = reader.take() != 0;
  const bool is_trial = reader.take() != 0;
  RecordRange range;
  range.first = reader.take();
  range.end = reader.take();
  if (is_trial) task.trial = range;
  task.chunks.resize(reader.take_count(slice_numbers * sizeof(std::uint64_t)));
  for (Slice& slice : task.chunks) slice = take_slice(reader);
  const bool has_only = reader.take() != 0;
  std::vector<std::uint64_t> only(reader.take_count(sizeof(std::uint64_t)));
  for (std::uint64_t& record : only) record = reader.take();
  if (has_only) task.only = std::move(only);
  task.culprits.resize(reader.take_count(5 * sizeof(std::uint64_t)));
  for (Culprit& culprit : task.culprits) culprit = take_culprit(reader);
  TRANCHE_ASSIGN(task.segments, SegmentReader(reader, frame.descriptors).take());
  if (!reader.ok() || !reader.at_end())
    return make_error(ErrorKind::crash, "The engine sent something that is no task.");
  return task;
}

Result<OutgoingFrame> encode_answer(TaskAnswer answer) {
  OutgoingFrame out;
  FrameWriter frame;
  frame.put(answer.task);
  frame.put(answer.wants_replacement ? 1 : 0);
  frame.put(static_cast<std::uint64_t>(answer.time.began_microseconds));
  frame.put(static_cast<std::uint64_t>(answer.time.took_microseconds));
  put_death(frame, answer.death);
  frame.put(answer.result ? 1 : 0);
  if (!answer.result) {
    const Error& error = answer.result.error();
    frame.put(static_cast<std::uint64_t>(error.kind));
    frame.put_text(error.message);
    frame.put_text(error.where);
    out.bytes = frame.bytes();
    return out;
  }
  ChunkResult& result = *answer.result;
  if (bytes_in_memory(result.segments) + bytes_in_memory(result.rejects) > inline_bytes_max) {
    TRANCHE_ASSIGN(const auto file, AnonymousFile::create_in_memory());
    TRANCHE_TRY(move_to_file(file, result.segments));
    TRANCHE_TRY(move_to_file(file, result.rejects));
    TRANCHE_TRY(file->seal());
  }
  put_counts(frame, result.counts);
  frame.put(result.rejects_incomplete ? 1 : 0);
  SegmentWriter writer(frame, out);
  writer.put(result.segments);
  writer.put(result.rejects);
  out.bytes = frame.bytes();
  return out;
}

Result<TaskAnswer> decode_answer(Frame frame) {
  FrameReader reader(frame.bytes);
  TaskAnswer answer;
  answer.task = reader.take();
  answer.wants_replacement = reader.take() != 0;
  answer.time.began_microseconds = static_cast<std::int64_t>(reader.take());
  answer.time.took_microseconds = static_cast<std::int64_t>(reader.take());
  answer.death = take_death(reader);
  const bool is_result = reader.take() != 0;
  if (!is_result) {
    Error error;
    const std::uint64_t kind = reader.take();
    if (kind > static_cast<std::uint64_t>(ErrorKind::bug)) return not_a_frame();
    error.kind = static_cast<ErrorKind>(kind);
    error.message = reader.take_text();
    error.where = reader.take_text();
    answer.result = std::move(error);
  } else {
    ChunkResult result;
    result.counts = take_counts(reader);
    result.rejects_incomplete = reader.take() != 0;
    SegmentReader segments(reader, frame.descriptors);
    TRANCHE_ASSIGN(result.segments, segments.take());
    TRANCHE_ASSIGN(result.rejects, segments.take());
    answer.result = std::move(result);
  }
  if (!reader.ok() || !reader.at_end()) return not_a_frame();
  return answer;
}

}  // namespace tranche
