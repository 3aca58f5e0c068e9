// Tasks, and what comes of them, as frames between the engine and a worker process.
//
// The bytes of segments do not travel in frames, unless they are few: they are in files without a
// name, whose descriptors go with the frame.
// Threads: pure functions, besides the files. Errors: crash, when a frame is not what was written.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <tranche/core/task.h>

#include "base/channel.h"

namespace tranche {

// A frame to be sent; `owners` keep its descriptors open.
struct OutgoingFrame {
  std::string bytes;
  std::vector<int> descriptors;
  std::vector<std::shared_ptr<const SegmentFile>> owners;
};

// What a worker says of one task.
struct TaskAnswer {
  std::uint64_t task = 0;
  Result<ChunkResult> result = ChunkResult{};
  WorkTime time;
  std::optional<Death> death;      // of an error of kind memory or crash
  bool wants_replacement = false;  // it leaks, or was hurt
};

OutgoingFrame encode_task(const Task& task);
Result<Task> decode_task(Frame frame);

// Moves what the segments hold in memory into a sealed file in shared memory, when it is more than
// a little.
Result<OutgoingFrame> encode_answer(TaskAnswer answer);
Result<TaskAnswer> decode_answer(Frame frame);

}  // namespace tranche
