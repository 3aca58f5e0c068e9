#include "formats/jsonl_cursor.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "base/simd.h"
#include "formats/byte_search.h"

#if defined(TRANCHE_TARGET_AVX2)
#include <immintrin.h>
#endif

namespace tranche {
namespace {

// So that what the search leaves is still in the cache when it is read.
constexpr std::uint32_t search_bytes = 256U << 10;
constexpr std::uint32_t block_bytes = 64;

bool is_blank(const char* p, const char* end) {
  while (p != end && (*p == ' ' || *p == '\t' || *p == '\r')) ++p;
  return p == end;
}

// Writes the places of the bits that are set, `at` behind; returns the end. Mostly there is one or
// none: no branch tells them apart, so one place more may be written.
[[gnu::always_inline]] inline std::uint32_t* put_places(std::uint32_t* out, std::uint32_t at,
                                                        std::uint64_t bits) {
  *out = at + static_cast<std::uint32_t>(std::countr_zero(bits));
  out += bits != 0 ? 1 : 0;
  for (bits &= bits - 1; bits != 0; bits &= bits - 1) {
    *out++ = at + static_cast<std::uint32_t>(std::countr_zero(bits));
  }
  return out;
}

// Those of the bits that stand for bytes before `end`.
inline std::uint64_t keep_before(std::uint64_t bits, std::uint32_t at, std::uint32_t end) {
  return end - at < block_bytes ? bits & ((std::uint64_t{1} << (end - at)) - 1) : bits;
}

// The places of line feeds in the bytes from `begin` to `end` behind `base`; returns their number.
// REQUIRES room for as many as there are bytes, and one more.
std::size_t find_feeds_portable(const char* base, std::uint32_t begin, std::uint32_t end,
                                std::uint32_t* places) {
  const ByteSearch<1> feeds('\n');
  std::uint32_t* out = places;
  for (std::uint32_t at = begin; at < end; at += block_bytes) {
    std::uint64_t bits = 0;
    for (unsigned i = 0; i < 4; ++i) {
      bits |= std::uint64_t{feeds.matches(base + at + 16 * i)} << (16 * i);
    }
    out = put_places(out, at, keep_before(bits, at, end));
  }
  return static_cast<std::size_t>(out - places);
}

#if defined(TRANCHE_TARGET_AVX2)
TRANCHE_TARGET_AVX2 std::size_t find_feeds_avx2(const char* base, std::uint32_t begin,
                                                std::uint32_t end, std::uint32_t* places) {
  const __m256i feed = _mm256_set1_epi8('\n');
  std::uint32_t* out = places;
  for (std::uint32_t at = begin; at < end; at += block_bytes) {
    const auto* const block = reinterpret_cast<const __m256i*>(base + at);
    const auto low = static_cast<std::uint32_t>(
        _mm256_movemask_epi8(_mm256_cmpeq_epi8(_mm256_loadu_si256(block), feed)));
    const auto high = static_cast<std::uint32_t>(
        _mm256_movemask_epi8(_mm256_cmpeq_epi8(_mm256_loadu_si256(block + 1), feed)));
    const std::uint64_t bits = low | std::uint64_t{high} << 32;
    out = put_places(out, at, keep_before(bits, at, end));
  }
  return static_cast<std::size_t>(out - places);
}
#endif

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

// REQUIRES at most search_bytes between them.
void JsonlCursor::find_feeds(std::uint32_t begin, std::uint32_t end) {
  if (feeds_ == nullptr)
    feeds_ = std::make_unique_for_overwrite<std::uint32_t[]>(search_bytes + 1);
  const char* const base = window().get();
#if defined(TRANCHE_TARGET_AVX2)
  if (simd_level() >= SimdLevel::avx2) {
    feed_count_ = find_feeds_avx2(base, begin, end, feeds_.get());
    return;
  }
#endif
  feed_count_ = find_feeds_portable(base, begin, end, feeds_.get());
}

// Calls `visit` with the lines that have not been taken, one after the other. It answers false
// where it wants no more behind that one. False: the next line is for the scanner.
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
