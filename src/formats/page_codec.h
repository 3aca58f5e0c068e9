// Pages as bytes: what a Segment holds for sinks that take rows again after a chunk was encoded
// (a table's rows, a Parquet part merged from many chunks).
//
// A segment is frames, one behind the other; a frame is one page, or a selection of its rows. The
// schema is not in it, both sides know it. Little-endian; every part begins at a multiple of 8
// bytes from the segment's start, gaps are zero. Equal rows give equal bytes: what lies under a
// null or behind a short string never shows.
//
//   frame    u64  bytes of the frame, this header included
//            u32  0x31465054 ("TPF1")
//            u32  1: origins follow, 0: none
//            u32  rows
//            u32  columns
//   origins  u64  base line; u64 base record
//            u64  1 + bytes of the source's name, 0: it has none; then the name
//            24 bytes a row: u64 offset, u32 bytes, u32 line, u32 record, u32 zero
//   column   u64  1: validity bits follow, 0: no nulls
//            validity: a bit a row in words of 8 bytes, lowest first, set: there is a value
//            fixed width: the values
//            strings: u32 length a row, then the bytes of all of them
//            lists: u64 elements in all; u32 length a row; then the elements as a column
//            structs: each member as a column
//
// The raw bytes of records are not carried over: Page::raw is empty in what comes out.
//
// Threads: the functions are pure; PageFrames belongs to one thread.
// Lifetime: pages share the segment's bytes and keep them alive.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include <tranche/base/result.h>
#include <tranche/core/page.h>

namespace tranche {

// Whether the frame says where its records came from, for sinks that may still refuse a row.
enum class FrameOrigins : std::uint8_t { kept, left_out };

// Appends all rows of `page` as one frame. REQUIRES `out` empty or made of frames alone.
void append_page_frame(std::string& out, const Page& page,
                       FrameOrigins origins = FrameOrigins::kept);
// The same for the chosen rows, in the order of `rows`. REQUIRES each below page.rows().
void append_page_frame(std::string& out, const Page& page, std::span<const std::uint32_t> rows,
                       FrameOrigins origins = FrameOrigins::kept);

class PageFrames {
 public:
  // REQUIRES the schema of the pages that were appended.
  PageFrames(SchemaPtr schema, std::shared_ptr<const std::string> bytes);
  // The next frame as a page; nullptr at the end. Errors: failed, with the byte offset, when the
  // bytes are not what append_page_frame wrote; nothing can be taken behind it.
  Result<std::unique_ptr<Page>> next();

 private:
  Result<std::unique_ptr<Page>> take_frame(std::size_t frame_begin);

  SchemaPtr schema_;
  std::shared_ptr<const std::string> bytes_;
  std::size_t position_ = 0;
};

}  // namespace tranche
