#include "formats/record_reader.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/fault.h"
#include "base/text.h"
#include "formats/text_decoder.h"

namespace tranche {
namespace {

constexpr std::size_t page_rows_max = vector_rows;
constexpr std::size_t page_bytes_max = std::size_t{8} << 20;  // of values, in wide rows
constexpr std::size_t window_bytes_max = std::size_t{1024} << 10;

std::size_t page_rows_for(const Schema& schema, std::uint64_t records) {
  std::size_t row_bytes = sizeof(Origin);
  for (const auto& field : schema.fields) row_bytes += estimated_bytes(field.type);
  const std::size_t fitting = std::clamp(page_bytes_max / row_bytes, vector_rows, page_rows_max);
  const std::size_t needed = (static_cast<std::size_t>(std::min<std::uint64_t>(
                                  records, page_rows_max)) + vector_rows - 1) / vector_rows;
  return std::min(fitting, std::max<std::size_t>(1, needed) * vector_rows);
}

}  // namespace

RecordReader::RecordReader(TextFile file, std::shared_ptr<const std::string> name, SchemaPtr schema,
                           const Slice& slice)
    : file_(std::move(file)),
      name_(std::move(name)),
      schema_(std::move(schema)),
      slice_(slice),
      page_rows_(page_rows_for(*schema_, slice.records)) {}

RecordCursor::Use RecordReader::use(std::size_t block_records) {
  RecordCursor::Use use;
  use.begin = slice_.begin;
  use.end = slice_.end;
  use.window_bytes = static_cast<std::size_t>(
      std::min<std::uint64_t>(slice_.end - slice_.begin, window_bytes_max));
  use.block_records = block_records;
  use.keep_windows = true;
  use.keep_long_raw = true;
  use.digest = slice_.digest == 0 ? nullptr : &digest_;
  return use;
}

std::uint64_t RecordReader::bytes_read() const {
  return (ended_ ? slice_.end : cursor().window_end()) - slice_.begin;
}

Result<std::unique_ptr<Page>> RecordReader::next(std::vector<Reject>& rejects) {
  RecordCursor& records = cursor();
  std::unique_ptr<Page> page;
  while (!ended_) {
    if (block_.empty()) {
      TRANCHE_ASSIGN(block_, records.next());
      if (block_.empty()) {
        ended_ = true;
        TRANCHE_TRY(check_end());
        break;
      }
    }
    if (page != nullptr && page->rows() > 0 &&
        (page->base.raw_offset != records.window_begin() || records.block_is_long() ||
         page->rows() + block_.size() > page_rows_)) {
      break;
    }
    if (page == nullptr) page = std::make_unique<Page>(schema_, page_rows_);
    if (page->rows() == 0) begin_page(*page);
    add_block(*page, block_, slice_.first_record + records_, rejects);
    records_ += block_.size();
    block_ = {};
  }
  if (page == nullptr || page->rows() == 0) return std::unique_ptr<Page>();
  if (fault_drops_record("parse")) {
    page->set_rows(page->rows() - 1);
    page->origins.pop_back();
  }
  return page;
}

void RecordReader::begin_page(Page& page) {
  const RecordCursor& records = cursor();
  page.base.source = name_;
  page.base.line = slice_.first_line + block_[0].line;
  page.base.record = slice_.first_record + records_;
  page.base.raw = records.window().get();
  page.base.raw_offset = records.window_begin();
  page.keep_alive.assign(1, records.window());
  page.origins.clear();
  page.origins.reserve(page_rows_);
}

Reject RecordReader::reject(const TextRecord& record, std::uint64_t ordinal,
                            std::string error) const {
  const RecordCursor& records = cursor();
  Reject reject;
  reject.record = ordinal;
  reject.source = *name_;
  reject.line = slice_.first_line + record.line;
  reject.offset = record.offset;
  reject.has_position = true;
  reject.phase = "read";
  reject.error = std::move(error);
  if (records.block_is_long()) {
    reject.raw = records.long_raw().substr(0, static_cast<std::size_t>(record.bytes));
    if (reject.raw.size() < record.bytes) {
      reject.error += fmt::format(" Only its first {} are kept here.",
                                  format_size(RecordCursor::long_raw_bytes_max));
    }
  } else {
    reject.raw.assign(records.at(record.offset), static_cast<std::size_t>(record.bytes));
  }
  if (file_.was_utf16()) {
    if (auto broken = describe_broken_utf16(reject.raw, record.offset)) reject.error = *broken;
  }
  return reject;
}

std::string RecordReader::describe_too_long(const TextRecord& record,
                                            std::uint64_t max_record_bytes) {
  return fmt::format("The record of {} bytes is longer than max_record ({}).", record.bytes,
                     format_size(max_record_bytes));
}

Result<void> RecordReader::check_end() const {
  if (slice_.digest == 0 || digest_.value() == slice_.digest) return {};
  return make_error(
      ErrorKind::failed,
      fmt::format("{} was changed while it was read: its bytes {} to {} are not those that were "
                  "planned. Give back the file as it was and run again, or accept the change with "
                  "--accept input.", *name_, slice_.begin, slice_.end));
}

}  // namespace tranche
