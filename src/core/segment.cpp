#include <tranche/core/segment.h>

#include <fmt/format.h>

#include "base/digest.h"

namespace tranche {

Segment Segment::make(std::string encoded, std::uint64_t rows) {
  Segment segment;
  segment.rows = rows;
  segment.bytes = encoded.size();
  segment.data = std::make_shared<const std::string>(std::move(encoded));
  return segment;
}

void Segment::move_to(std::shared_ptr<const SegmentFile> to, std::uint64_t offset) {
  checksum = digest64(*data);
  file = std::move(to);
  file_offset = offset;
  data.reset();
}

Result<std::shared_ptr<const std::string>> Segment::load() const {
  if (data) return data;
  if (!file)
    return make_error(ErrorKind::bug, "A segment was loaded that holds no bytes of its own.");
  TRANCHE_ASSIGN(std::string loaded, file->read(file_offset, bytes));
  if (loaded.size() != bytes)
    return make_error(
        ErrorKind::failed,
        fmt::format("A segment in a file is damaged: {} bytes were encoded, {} are there; run "
                    "again to encode it anew.",
                    bytes, loaded.size()));
  if (digest64(loaded) != checksum)
    return make_error(ErrorKind::failed,
                      fmt::format("A segment in a file of {} bytes is damaged: its checksum "
                                  "differs; run again to encode it anew.",
                                  bytes));
  return std::make_shared<const std::string>(std::move(loaded));
}

}  // namespace tranche
