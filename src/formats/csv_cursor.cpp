#include "formats/csv_cursor.h"

#include <algorithm>
#include <cstring>

#include <fmt/format.h>

namespace tranche {

CsvCursor::CsvCursor(const File& file, std::string name, const CsvDialect& dialect,
                     bool empty_line_is_record, const Use& use)
    : file_(file),
      name_(std::move(name)),
      scanner_(dialect, empty_line_is_record),
      use_(use),
      window_begin_(use.begin),
      position_(use.begin),
      digested_(use.begin) {
  block_.reserve(use_.block_records);
}

Result<std::span<const CsvRecord>> CsvCursor::next() {
  block_.clear();
  block_is_long_ = false;
  CsvSpan span;
  while (true) {
    const bool final = window_end() == use_.end;
    if (window_ == nullptr) {
      if (use_.begin == use_.end) break;
      TRANCHE_TRY(fill(position_));
      continue;
    }
    const auto step = scanner_.next(at(position_), at(window_end()), final, span);
    if (step == CsvScanner::Step::record) {
      add(span);
      if (block_.size() == use_.block_records) break;
      continue;
    }
    if (step == CsvScanner::Step::end || !block_.empty()) break;  // the rest is for the next call
    position_ = window_begin_ + static_cast<std::uint64_t>(span.begin - window_.get());
    line_ += span.lines_before;
    span.lines_before = 0;
    if (step == CsvScanner::Step::more) {
      TRANCHE_TRY(fill(position_));
      continue;
    }
    const bool is_record = step == CsvScanner::Step::endless;
    TRANCHE_TRY(read_long_line(span, is_record));
    if (is_record) break;
  }
  return std::span<const CsvRecord>(block_);
}

void CsvCursor::add(const CsvSpan& span) {
  CsvRecord record;
  const auto offset_of = [&](const char* p) {
    return window_begin_ + static_cast<std::uint64_t>(p - window_.get());
  };
  record.offset = offset_of(span.begin);
  record.bytes = static_cast<std::uint64_t>(span.end - span.begin);
  record.next = position_ = offset_of(span.next);
  record.line = line_ + span.lines_before;
  record.lines = span.lines;
  record.fault = span.fault;
  record.quoted = span.quoted;
  if (span.fault_at != nullptr) {
    record.fault_at = static_cast<std::uint32_t>(span.fault_at - span.begin);
  }
  line_ = record.line + span.lines;
  block_.push_back(record);
}

Result<std::size_t> CsvCursor::read(char* buffer, std::size_t bytes, std::uint64_t offset) const {
  TRANCHE_ASSIGN(const std::size_t count, file_.read_at(buffer, bytes, offset));
  if (count < bytes) {
    return make_error(ErrorKind::failed,
                      fmt::format("{} has become shorter while it was read: {} bytes are missing "
                                  "from byte {} on. Give back the file as it was, and run again.",
                                  name_, bytes - count, offset + count));
  }
  return count;
}

// Moves the window to `begin`. When nothing was found from there the last time, it grows.
Result<void> CsvCursor::fill(std::uint64_t begin) {
  if (window_ != nullptr && begin == window_begin_) {
    const std::size_t grown = std::min(use_.window_bytes * 4, scanner_.window_bytes_min());
    use_.window_bytes = std::max(use_.window_bytes, grown);
  }
  const auto wanted =
      static_cast<std::size_t>(std::min<std::uint64_t>(use_.window_bytes, use_.end - begin));
  if (window_ == nullptr || use_.keep_windows || wanted > window_capacity_) {
    window_ = std::make_shared_for_overwrite<char[]>(wanted + search_padding_bytes);
    window_capacity_ = wanted;
  }
  TRANCHE_TRY(read(window_.get(), wanted, begin));
  std::memset(window_.get() + wanted, 0, search_padding_bytes);
  window_begin_ = begin;
  window_length_ = wanted;
  if (use_.digest != nullptr && window_end() > digested_) {
    use_.digest->update({at(digested_), static_cast<std::size_t>(window_end() - digested_)});
    digested_ = window_end();
  }
  return {};
}

// Goes to the end of a line that is longer than the window, and puts a window behind it.
Result<void> CsvCursor::read_long_line(const CsvSpan& span, bool is_record) {
  constexpr std::size_t piece_bytes = std::size_t{256} << 10;
  std::string piece(piece_bytes + search_padding_bytes, '\0');
  const ByteSearch<2> line_ends('\n', '\r');
  CsvRecord record;
  record.offset = position_;
  record.line = line_;
  record.fault = span.fault;
  record.quoted = span.quoted;
  if (span.fault_at != nullptr) {
    record.fault_at = static_cast<std::uint32_t>(span.fault_at - span.begin);
  }
  long_raw_.clear();
  std::uint64_t at = position_;
  bool ended = false;
  while (!ended && at < use_.end) {
    const auto bytes =
        static_cast<std::size_t>(std::min<std::uint64_t>(piece_bytes, use_.end - at));
    TRANCHE_TRY(read(piece.data(), bytes, at));
    const char* const end = piece.data() + bytes;
    const char* const line_end = line_ends.find(piece.data(), end);
    ended = line_end != end;
    const auto used = static_cast<std::size_t>(line_end - piece.data());
    if (is_record && use_.keep_long_raw && long_raw_.size() < long_raw_bytes_max) {
      long_raw_.append(piece.data(), std::min(used, long_raw_bytes_max - long_raw_.size()));
    }
    if (use_.digest != nullptr && at + bytes > digested_) {
      const auto known = static_cast<std::size_t>(digested_ > at ? digested_ - at : 0);
      use_.digest->update({piece.data() + known, bytes - known});
      digested_ = at + bytes;
    }
    at += used;
    if (ended && *line_end == '\r' && at + 1 < use_.end) {  // is it CRLF?
      char following = 0;
      TRANCHE_TRY(read(&following, 1, at + 1));
      record.next = at + (following == '\n' ? 2 : 1);
      if (use_.digest != nullptr && record.next > digested_) {
        use_.digest->update({&following, 1});
        digested_ = record.next;
      }
    } else if (ended) {
      record.next = at + 1;
    }
  }
  record.bytes = at - record.offset;
  if (!ended) record.next = at;
  record.lines = ended ? 1 : 0;
  position_ = record.next;
  line_ += record.lines;
  if (is_record) {
    block_.push_back(record);
    block_is_long_ = true;
  }
  return fill(position_);
}

}  // namespace tranche
