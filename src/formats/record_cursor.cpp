#include "formats/record_cursor.h"

#include <cstring>

#include <fmt/format.h>

#include "formats/byte_search.h"

namespace tranche {

Result<std::uint64_t> find_text_begin(const TextFile& file, const std::string& name) {
  char mark[4] = {};
  TRANCHE_ASSIGN(const std::size_t count, file.read_at(mark, sizeof mark, 0));
  const std::string_view start(mark, count);
  const auto refuse = [&name](std::string_view what, std::string_view option) {
    return make_error(ErrorKind::config, fmt::format("{} is {}: say `{}`.", name, what, option),
                      name);
  };
  if (start.starts_with("\xFF\xFE") || start.starts_with("\xFE\xFF")) {
    return refuse("UTF-16", "encoding: utf-16");
  }
  if (start.starts_with("\x1F\x8B")) return refuse("compressed by gzip", "compression: gzip");
  if (start == "\x28\xB5\x2F\xFD") return refuse("compressed by zstd", "compression: zstd");
  return std::uint64_t{start.starts_with("\xEF\xBB\xBF") ? 3U : 0U};
}

RecordCursor::RecordCursor(const TextFile& file, std::string name, const Use& use,
                           bool return_ends_lines)
    : file_(file),
      name_(std::move(name)),
      use_(use),
      return_ends_lines_(return_ends_lines),
      window_begin_(use.begin),
      position_(use.begin),
      digested_(use.begin) {
  block_.reserve(use_.block_records);
}

Result<RecordCursor::Passed> RecordCursor::pass(const PassLimits& limits) {
  if (has_passed_block()) {
    TRANCHE_TRY(next());
    passed_ = 0;
  }
  Passed passed;
  while (passed_ < block_.size()) {
    const TextRecord& record = block_[passed_++];
    passed = {passed.records + 1, record.next, record.line + record.lines};
    if (limits.reached(passed.records, passed.end)) break;
  }
  return passed;
}

// Finds the end of the range where it is not known.
Result<std::size_t> RecordCursor::read(char* buffer, std::size_t bytes, std::uint64_t offset) {
  TRANCHE_ASSIGN(const std::size_t count, file_.read_at(buffer, bytes, offset));
  if (count < bytes && use_.end == TextFile::unknown_end) use_.end = offset + count;
  if (count < bytes && use_.end != offset + count) {
    return make_error(ErrorKind::failed,
                      fmt::format("{} has become shorter while it was read: {} bytes are missing "
                                  "from byte {} on. Give back the file as it was, and run again.",
                                  name_, bytes - count, offset + count));
  }
  return count;
}

// Moves the window to `begin`. When nothing was found from there the last time, it grows.
Result<void> RecordCursor::fill(std::uint64_t begin, std::size_t window_bytes_min) {
  if (window_ != nullptr && begin == window_begin_) {
    const std::size_t grown = std::min(use_.window_bytes * 4, window_bytes_min);
    use_.window_bytes = std::max(use_.window_bytes, grown);
  }
  const auto wanted =
      static_cast<std::size_t>(std::min<std::uint64_t>(use_.window_bytes, use_.end - begin));
  if (window_ == nullptr || use_.keep_windows || wanted > window_capacity_) {
    auto whole = std::make_shared_for_overwrite<char[]>(wanted + 2 * search_padding_bytes);
    std::memset(whole.get(), 0, search_padding_bytes);
    window_ = std::shared_ptr<char[]>(whole, whole.get() + search_padding_bytes);
    window_capacity_ = wanted;
  }
  TRANCHE_ASSIGN(window_length_, read(window_.get(), wanted, begin));
  std::memset(window_.get() + window_length_, 0, search_padding_bytes);
  window_begin_ = begin;
  if (use_.digest != nullptr && window_end() > digested_) {
    use_.digest->update({at(digested_), static_cast<std::size_t>(window_end() - digested_)});
    digested_ = window_end();
  }
  return {};
}

// Goes behind the end of a line that is longer than the window; a new window is to be put there.
Result<void> RecordCursor::read_long_line(const RecordSpan& span, bool is_record) {
  if (const auto end = is_record ? long_end() : nullptr) return read_long_record(span, *end);
  constexpr std::size_t piece_bytes = std::size_t{256} << 10;
  std::string piece(piece_bytes + search_padding_bytes, '\0');
  const ByteSearch<2> line_ends('\n', return_ends_lines_ ? '\r' : '\n');
  TextRecord record;
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
  char last = 0;  // before the line end
  while (!ended && at < use_.end) {
    const auto wanted =
        static_cast<std::size_t>(std::min<std::uint64_t>(piece_bytes, use_.end - at));
    TRANCHE_ASSIGN(const std::size_t bytes, read(piece.data(), wanted, at));
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
    if (ended) TRANCHE_TRY(pass_line_end(*line_end, at, record));
    if (used > 0) last = piece[used - 1];
  }
  record.bytes = at - record.offset;
  if (ended && last == '\r' && !return_ends_lines_) --record.bytes;  // it was CRLF
  if (long_raw_.size() > record.bytes) long_raw_.resize(static_cast<std::size_t>(record.bytes));
  if (!ended) record.next = at;
  record.lines = ended ? 1 : 0;
  position_ = record.next;
  line_ += record.lines;
  if (is_record) {
    block_.push_back(record);
    block_is_long_ = true;
  }
  return {};
}

// The same with an end of the format's own.
Result<void> RecordCursor::read_long_record(const RecordSpan& span, LongEnd& end) {
  constexpr std::size_t piece_bytes = std::size_t{256} << 10;
  std::string piece(piece_bytes + search_padding_bytes, '\0');
  TextRecord record;
  record.offset = position_;
  record.line = line_;
  record.fault = span.fault;
  long_raw_.clear();
  std::optional<std::uint64_t> found;
  std::uint64_t at = position_;
  while (!found && at < use_.end) {
    const auto wanted =
        static_cast<std::size_t>(std::min<std::uint64_t>(piece_bytes, use_.end - at));
    TRANCHE_ASSIGN(const std::size_t bytes, read(piece.data(), wanted, at));
    found = end.feed(piece.data(), piece.data() + bytes);
    if (use_.keep_long_raw && long_raw_.size() < long_raw_bytes_max)
      long_raw_.append(piece.data(), std::min(bytes, long_raw_bytes_max - long_raw_.size()));
    record.lines += static_cast<std::uint32_t>(
        std::count(piece.begin(), piece.begin() + static_cast<std::ptrdiff_t>(bytes), '\n'));
    if (use_.digest != nullptr && at + bytes > digested_) {
      const auto known = static_cast<std::size_t>(digested_ > at ? digested_ - at : 0);
      use_.digest->update({piece.data() + known, bytes - known});
      digested_ = at + bytes;
    }
    at += bytes;
  }
  record.next = found ? record.offset + *found : use_.end;
  record.bytes = record.next - record.offset;
  TRANCHE_ASSIGN(const std::uint32_t beyond, count_line_ends(record.next, at));
  record.lines -= beyond;
  if (long_raw_.size() > record.bytes) long_raw_.resize(static_cast<std::size_t>(record.bytes));
  position_ = record.next;
  line_ += record.lines;
  block_.push_back(record);
  block_is_long_ = true;
  return {};
}

Result<std::uint32_t> RecordCursor::count_line_ends(std::uint64_t begin, std::uint64_t end) {
  std::string bytes(static_cast<std::size_t>(end - begin), '\0');
  TRANCHE_TRY(read(bytes.data(), bytes.size(), begin));
  return static_cast<std::uint32_t>(std::count(bytes.begin(), bytes.end(), '\n'));
}

// Sets record.next behind the line end that was found at `at`.
Result<void> RecordCursor::pass_line_end(char found, std::uint64_t at, TextRecord& record) {
  record.next = at + 1;
  if (found != '\r' || at + 1 == use_.end) return {};
  char following = 0;  // is it CRLF?
  TRANCHE_ASSIGN(const std::size_t count, read(&following, 1, at + 1));
  if (count == 0) return {};
  if (following == '\n') ++record.next;
  if (use_.digest != nullptr && record.next > digested_) {
    use_.digest->update({&following, 1});
    digested_ = record.next;
  }
  return {};
}

}  // namespace tranche
