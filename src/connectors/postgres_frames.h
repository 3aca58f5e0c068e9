// What a segment for PostgreSQL is: tuples of binary COPY, and what a reject of one would need.
//
// A segment is frames, one behind the other; a frame is one page. Little-endian, but for the
// tuples. Equal rows give equal bytes.
//
//   frame    u64 bytes of the frame, this header included
//            u32 0x31434750 ("PGC1"); u32 1: there are origins, 0: none
//            u32 tuples; u32 rows that the encoder refused
//            u64 base line; u64 base record
//            u64 1 + bytes of the source's name, 0: it has none; then the name
//   origins  20 bytes a tuple: u64 offset, u32 bytes, u32 line, u32 record
//   refused  each: an origin, u32 bytes of the reason, u32 bytes of the row, then both
//   tuples   up to the end of the frame
//
// Threads: an encoder belongs to its worker, what is read to the committing thread.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <tranche/core/sink.h>

#include "connectors/row_digest.h"
#include "drivers/postgres_copy.h"

namespace tranche::postgres {

// `key`: columns of which a null is refused.
std::unique_ptr<Encoder> make_encoder(const SchemaPtr& schema, std::vector<PostgresType> types,
                                      std::span<const std::string> key);

// The rows of one segment. Lifetime: shares the segment's bytes.
class SegmentRows {
 public:
  struct Frame {
    std::size_t first_row = 0;  // in the segment
    std::size_t rows = 0;
    std::string_view tuples;
    bool has_origins = false;
    std::string_view origins;
    std::string_view refused;
    std::size_t refused_rows = 0;
    std::uint64_t base_line = 0;
    std::uint64_t base_record = 0;
    std::shared_ptr<const std::string> source;
  };
  // Errors: failed, the bytes are not what make_encoder's encoder wrote.
  static Result<SegmentRows> open(const Segment& segment);

  const std::vector<Frame>& frames() const { return frames_; }
  std::size_t rows() const { return rows_; }
  // The tuples of the rows begin to end, in pieces that lie one behind the other; finds where each
  // row begins at the first call.
  std::vector<std::string_view> tuples(std::size_t begin, std::size_t end);
  // A reject of the row, which `digest` gets. `reader` reads the tuples, nested values as JSON.
  Reject reject(std::size_t row, const SchemaPtr& schema, PostgresTupleReader& reader,
                std::string error, RowDigest& digest);
  // Rejects of what the encoder refused.
  void add_refused(const SchemaPtr& schema, std::vector<Reject>& rejects) const;

 private:
  void index_rows();
  const Frame& frame_of(std::size_t row) const;

  std::shared_ptr<const std::string> bytes_;
  std::vector<Frame> frames_;
  std::size_t rows_ = 0;
  std::vector<const char*> places_;  // of each row's tuple
};

// The schema that reads tuples for rejects: what travels as JSON is JSON.
SchemaPtr readable_schema(const Schema& schema, const std::vector<PostgresType>& types);

}  // namespace tranche::postgres
