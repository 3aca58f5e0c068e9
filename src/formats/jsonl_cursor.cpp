#include "formats/jsonl_cursor.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "formats/byte_search.h"

namespace tranche {
namespace {

// So that what the search leaves is still in the cache when it is read.
constexpr std::uint32_t search_bytes = 256U << 10;
constexpr std::uint32_t block_bytes = 64;

bool is_blank(const char* p, const char* end) {
  while (p != end && (*p == ' ' || *p == '\t' || *p == '\r')) ++p;
  return p == end;
}

}  // namespace

ScanStep JsonlScanner::next(const char* p, const char* end, bool final, RecordSpan& span) const {
  span = RecordSpan();
  while (true) {
    span.begin = p;
    if (p == end) return final ? ScanStep::end : ScanStep::more;
    const auto left = static_cast<std::size_t>(end - p);
    const char* const feed = static_cast<const char*>(std::memchr(p, '\n', left));
    if (feed == nullptr && !final) {
      if (left <= limit_bytes_ + 1) return ScanStep::more;  // one more: it may be the CR of a CRLF
      span.fault = RecordFault::too_long;
      return ScanStep::endless;
    }
    span.end = feed == nullptr ? end : feed;
    if (feed != nullptr && feed != p && feed[-1] == '\r') --span.end;
    const bool too_long = static_cast<std::size_t>(span.end - p) > limit_bytes_;
    if (too_long || !is_blank(p, span.end)) {
      span.next = feed == nullptr ? end : feed + 1;
      span.lines = feed == nullptr ? 0 : 1;
      span.fault = too_long ? RecordFault::too_long : RecordFault::none;
      return ScanStep::record;
    }
    if (feed == nullptr) return ScanStep::end;
    ++span.lines_before;
    p = feed + 1;
  }
}

JsonlCursor::JsonlCursor(const TextFile& file, std::string name, std::uint64_t max_record_bytes,
                         const Use& use)
    : RecordCursor(file, std::move(name), use, false),
      scanner_(max_record_bytes),
      max_record_bytes_(max_record_bytes) {}

Result<std::span<const TextRecord>> JsonlCursor::next() {
  auto& block = begin_block();
  const std::uint64_t window_at = window_begin();
  const std::size_t records_max = use().block_records;
  TRANCHE_TRY(open_window(scanner_));
  bool plain = true;
  while (plain && block.size() < records_max && (feed_ < feed_count_ || search())) {
    plain = for_each_line([&](const Line& line) {
      TextRecord& record = block.emplace_back();
      record.offset = window_at + line.begin;
      record.bytes = line.end - line.begin;
      record.next = window_at + line.next;
      record.line = line.line;
      record.lines = 1;
      return block.size() < records_max;
    });
  }
  if (!block.empty()) return std::span<const TextRecord>(block);
  feed_ = feed_count_ = 0;  // the window may move
  // A line without an end in the window, or one that is too long.
  return walk(scanner_, 1);
}

Result<RecordCursor::Passed> JsonlCursor::pass(const PassLimits& limits) {
  if (has_passed_block() && (feed_ < feed_count_ || search())) {
    const std::uint64_t window_at = window_begin();
    Passed passed;
    for_each_line([&](const Line& line) {
      passed = {passed.records + 1, window_at + line.next, line.line + 1};
      return !limits.reached(passed.records, passed.end);
    });
    if (passed.records > 0) return passed;
  }
  return RecordCursor::pass(limits);
}

// Searches the window from where the next record begins. False: no line ends there.
bool JsonlCursor::search() {
  if (window() == nullptr || position() == window_end()) return false;
  const auto begin = static_cast<std::uint32_t>(position() - window_begin());
  const auto length = static_cast<std::uint32_t>(window_end() - window_begin());
  feed_ = 0;
  find_feeds(begin, std::min(length - begin, search_bytes) + begin);
  return feed_count_ > 0;
}

void JsonlCursor::find_feeds(std::uint32_t begin, std::uint32_t end) {
  const ByteSearch<1> feeds('\n');
  const char* const base = window().get();
  // At most every byte is a line feed, and one place more is written.
  if (feeds_ == nullptr)
    feeds_ = std::make_unique_for_overwrite<std::uint32_t[]>(search_bytes + 1);
  std::uint32_t* out = feeds_.get();
  for (std::uint32_t at = begin; at < end; at += block_bytes) {
    std::uint64_t bits = 0;
    for (unsigned i = 0; i < 4; ++i) {
      bits |= std::uint64_t{feeds.matches(base + at + 16 * i)} << (16 * i);
    }
    if (end - at < block_bytes) bits &= (std::uint64_t{1} << (end - at)) - 1;
    // Mostly there is one or none: no branch tells them apart.
    *out = at + static_cast<std::uint32_t>(std::countr_zero(bits));
    out += bits != 0 ? 1 : 0;
    for (bits &= bits - 1; bits != 0; bits &= bits - 1) {
      *out++ = at + static_cast<std::uint32_t>(std::countr_zero(bits));
    }
  }
  feed_count_ = static_cast<std::size_t>(out - feeds_.get());
}

// Calls `visit` with the lines that have not been taken, one after the other. It answers false where
// it wants no more behind that one. False: the next line is for the scanner.
template <class Visit>
[[gnu::always_inline]] inline bool JsonlCursor::for_each_line(Visit visit) {
  const char* const base = window().get();
  Line line;
  line.begin = static_cast<std::uint32_t>(position() - window_begin());
  line.line = this->line();
  bool more = true;
  bool plain = true;
  while (more && feed_ < feed_count_) {
    const std::uint32_t feed = feeds_[feed_];
    line.end = feed - (feed != line.begin && base[feed - 1] == '\r' ? 1 : 0);
    line.next = feed + 1;
    plain = line.end - line.begin <= max_record_bytes_;
    if (!plain) break;
    if (!is_blank(base + line.begin, base + line.end)) more = visit(line);
    ++feed_;
    ++line.line;
    line.begin = line.next;
  }
  if (more) feed_ = feed_count_ = 0;
  go_on_at(window_begin() + line.begin, line.line);
  return plain;
}

}  // namespace tranche
