#include <tranche/core/segment.h>

#include <fmt/format.h>

#include "base/digest.h"

namespace tranche {

Segment Segment::make(std::string encoded, std::uint64_t rows) {
  Segment segment;
  segment.rows = rows;
  segment.bytes = encoded.size();
  segment.checksum = digest64(encoded);
  segment.data = std::make_shared<const std::string>(std::move(encoded));
  return segment;
}

Result<std::shared_ptr<const std::string>> Segment::load() const {
  std::shared_ptr<const std::string> loaded = data;
  if (!loaded && file) {
    TRANCHE_ASSIGN(std::string read, file->read(file_offset, bytes));
    loaded = std::make_shared<const std::string>(std::move(read));
  }
  if (!loaded)
    return make_error(ErrorKind::bug, "A segment was loaded that holds no bytes of its own.");
  if (loaded->size() != bytes)
    return make_error(
        ErrorKind::failed,
        fmt::format("A segment{} is damaged: {} bytes were encoded, {} are there; run "
                    "again to encode it anew.",
                    file ? " in a file" : "", bytes, loaded->size()));
  if (digest64(*loaded) != checksum)
    return make_error(ErrorKind::failed,
                      fmt::format("A segment{} of {} bytes is damaged: its checksum differs; run "
                                  "again to encode it anew.",
                                  file ? " in a file" : "", bytes));
  return loaded;
}

}  // namespace tranche
