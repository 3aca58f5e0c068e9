#include <tranche/core/plan.h>

#include <string_view>

#include "base/digest.h"

namespace tranche {

std::uint64_t BatchPlan::records() const {
  std::uint64_t sum = 0;
  for (const Slice& chunk : chunks) sum += chunk.records;
  return sum;
}

std::uint64_t BatchPlan::bytes() const {
  std::uint64_t sum = 0;
  for (const Slice& chunk : chunks) sum += chunk.bytes;
  return sum;
}

std::uint64_t BatchPlan::file_bytes() const {
  std::uint64_t sum = 0;
  for (const Slice& chunk : chunks) sum += chunk.file_bytes;
  return sum;
}

std::uint64_t BatchPlan::memory_bytes() const {
  std::uint64_t sum = 0;
  for (const Slice& chunk : chunks) sum += chunk.memory_bytes;
  return sum;
}

std::uint64_t BatchPlan::digest() const {
  Digest digest;
  for (const Slice& chunk : chunks)
    digest.update({reinterpret_cast<const char*>(&chunk.digest), sizeof chunk.digest});
  return digest.value();
}

}  // namespace tranche
