// What the readers of all text formats do alike: blocks of records of a slice become Pages, with
// origins and the window that they point into; rejects get their position and bytes; at the end the
// slice's bytes are compared with those that were planned.
//
// Threads: a RecordReader belongs to one thread. Lifetime: its pages hold the bytes they point to.
// Errors: failed, when the slice can't be read or is not what was planned. A broken record is a
// reject of phase "read" with its position and bytes, never an error.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include <tranche/core/source.h>

#include "formats/record_cursor.h"

namespace tranche {

// Said with a value that does not fit a column whose type nobody declared.
inline constexpr char guessed_hint[] =
    " The type was guessed from a sample; if it is wrong, declare the column in `columns:`, for "
    "example as varchar.";

class RecordReader : public Reader {
 public:
  Result<std::unique_ptr<Page>> next(std::vector<Reject>& rejects) final;
  std::uint64_t bytes_read() const final;

 protected:
  // A slice digest of 0 is not compared.
  RecordReader(TextFile file, std::shared_ptr<const std::string> name, SchemaPtr schema,
               const Slice& slice);

  // The format's own cursor over the slice, made with file() and use().
  virtual RecordCursor& cursor() = 0;
  virtual const RecordCursor& cursor() const = 0;
  // Puts the good rows of a block behind those of the page, with their origins, and appends the
  // others to `rejects` in their order. `first_record`: the ordinal of the first. There is room.
  virtual void add_block(Page& page, std::span<const TextRecord> block, std::uint64_t first_record,
                         std::vector<Reject>& rejects) = 0;

  const TextFile& file() const { return file_; }
  const std::string& name() const { return *name_; }
  const Slice& slice() const { return slice_; }
  const SchemaPtr& schema() const { return schema_; }
  RecordCursor::Use use(std::size_t block_records);

  // Where the record stands, for page.origins.
  Origin origin(const Page& page, const TextRecord& record, std::uint64_t ordinal) const {
    return {record.offset, static_cast<std::uint32_t>(record.bytes),
            static_cast<std::uint32_t>(slice_.first_line + record.line - page.base.line),
            static_cast<std::uint32_t>(ordinal - page.base.record)};
  }
  Reject reject(const TextRecord& record, std::uint64_t ordinal, std::string error) const;
  // For a record of fault too_long.
  static std::string describe_too_long(const TextRecord& record, std::uint64_t max_record_bytes);

 private:
  void begin_page(Page& page);
  Result<void> check_end() const;

  TextFile file_;
  std::shared_ptr<const std::string> name_;
  SchemaPtr schema_;
  Slice slice_;
  Digest digest_;
  std::size_t page_rows_;
  std::span<const TextRecord> block_;  // read, not yet in a page
  std::uint64_t records_ = 0;          // of the slice, before the block
  bool ended_ = false;
};

}  // namespace tranche
