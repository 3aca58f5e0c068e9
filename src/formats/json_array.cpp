#include "formats/json_array.h"

#include <algorithm>
#include <array>

#include "formats/json_text.h"

namespace tranche {
namespace {

bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

const char* skip_blanks(const char* p, const char* end) {
  while (p != end && is_blank(*p)) ++p;
  return p;
}

std::uint32_t count_lines(const char* begin, const char* end) {
  return static_cast<std::uint32_t>(std::count(begin, end, '\n'));
}

constexpr std::ptrdiff_t block_bytes = 64;

// The bytes that mean something to the search outside of strings.
constexpr std::array<bool, 256> marks = [] {
  std::array<bool, 256> table{};
  for (const char c : {'"', '{', '}', '[', ']', ','}) table[static_cast<unsigned char>(c)] = true;
  return table;
}();

// The end of an element that no window holds.
class LongElement final : public LongEnd {
 public:
  LongElement(std::string_view indent, char opening) : line_(indent, opening) {}
  std::optional<std::uint64_t> feed(const char* begin, const char* end) override {
    const auto by_line = line_.feed(begin, end);
    const char* const by_brackets = brackets_.is_lost() ? nullptr : brackets_.feed(begin, end);
    auto found = by_line;
    if (by_brackets != nullptr) {
      const std::uint64_t at = fed_ + static_cast<std::uint64_t>(by_brackets - begin);
      found = by_line ? std::min(at, *by_line) : at;
    }
    fed_ += static_cast<std::uint64_t>(end - begin);
    return found;
  }

 private:
  JsonElementEnd brackets_;
  JsonLineSearch line_;
  std::uint64_t fed_ = 0;
};

// The rest of a file: it ends where the file does.
class NoEnd final : public LongEnd {
 public:
  std::optional<std::uint64_t> feed(const char*, const char*) override { return std::nullopt; }
};

}  // namespace

const char* JsonElementEnd::feed(const char* p, const char* end) {
  const char* blocks_from = p;
  while (p != end && !lost_) {
    if (depth_ > 0 && !escaped_ && p >= blocks_from && end - p >= block_bytes) {
      if (take_block(p)) continue;
      blocks_from = p + block_bytes;
    }
    if (in_string_) {
      p = walk_string(p, end);
      continue;
    }
    if (!marks[static_cast<unsigned char>(*p)]) {
      ++p;
      continue;
    }
    switch (*p) {
      case '"': in_string_ = true; break;
      case ',':
        if (depth_ == 0) return p;
        break;
      case '{':
      case '[':
        open(*p == '{');
        break;
      case ']':
        if (depth_ == 0) return p;
        lost_ = !close(false);
        break;
      default:  // a brace; one too much is for the reader
        if (depth_ > 0) lost_ = !close(true);
        break;
    }
    ++p;
  }
  return nullptr;
}

// The bytes of a block, or those up to the bracket that closes the element; `p` goes behind them.
// False: there is an escape among them, which the slow way knows. REQUIRES open brackets.
bool JsonElementEnd::take_block(const char*& p) {
#if defined(__SSE2__)
  const auto is = [](__m128i bytes, char c) {
    return static_cast<unsigned>(_mm_movemask_epi8(_mm_cmpeq_epi8(bytes, _mm_set1_epi8(c))));
  };
  std::uint64_t quotes = 0;
  std::uint64_t escapes = 0;
  std::uint64_t line_ends = 0;
  std::uint64_t brackets = 0;
  for (unsigned i = 0; i < block_bytes; i += 16) {
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p + i));
    const __m128i folded = _mm_or_si128(bytes, _mm_set1_epi8(0x20));  // [ becomes {, ] becomes }
    quotes |= std::uint64_t{is(bytes, '"')} << i;
    escapes |= std::uint64_t{is(bytes, '\\')} << i;
    line_ends |= std::uint64_t{is(bytes, '\n')} << i;
    brackets |= std::uint64_t{is(folded, '{') | is(folded, '}')} << i;
  }
  if (escapes != 0) return false;
  // Bit i: an odd number of quotes up to byte i, so that it is inside of a string.
  std::uint64_t inside = quotes;
  for (unsigned shift = 1; shift < 64; shift *= 2) inside ^= inside << shift;
  if (in_string_) inside = ~inside;
  if ((line_ends & inside) != 0) return false;  // where exactly, matters
  for (brackets &= ~inside; brackets != 0; brackets &= brackets - 1) {
    const char c = p[__builtin_ctzll(brackets)];
    if (c == '{' || c == '[') open(c == '{');
    else lost_ = !close(c == '}');
    if (!lost_ && depth_ > 0) continue;
    p += __builtin_ctzll(brackets) + 1;
    in_string_ = false;
    return true;
  }
  in_string_ = (inside >> 63) != 0;
  p += block_bytes;
  return true;
#else
  (void)p;
  return false;
#endif
}

void JsonElementEnd::open(bool is_object) {
  lost_ = depth_ == is_object_.size();
  if (!lost_) is_object_[depth_++] = is_object;
}

bool JsonElementEnd::close(bool is_object) {
  --depth_;
  return is_object_[depth_] == is_object;
}

const char* JsonElementEnd::walk_string(const char* p, const char* end) {
  if (escaped_) {
    escaped_ = false;
    if (*p != '\n') ++p;
  }
  p = JsonText::string_stop(p, end);
  if (p == end) return p;
  if (*p == '\n') lost_ = true;
  if (*p == '"') in_string_ = false;
  if (*p == '\\') escaped_ = true;
  return p + 1;  // another control character is for the reader
}

std::optional<std::uint64_t> JsonLineSearch::feed(const char* begin, const char* end) {
  for (const char* p = begin; p != end; ++p) {
    if (*p == ',') {
      comma_ = fed_ + static_cast<std::uint64_t>(p - begin);
      line_began_ = false;
    } else if (!comma_) {
      continue;
    } else if (*p == '\n') {
      line_began_ = true;
      indented_ = 0;
    } else if (is_blank(*p)) {
      if (!line_began_) continue;
      const bool same = indented_ < indent_.size() && indent_[indented_] == *p;
      indented_ = same ? indented_ + 1 : indent_.size() + 1;
    } else {
      if (line_began_ && *p == opening_ && indented_ == indent_.size()) return comma_;
      comma_.reset();
    }
  }
  fed_ += static_cast<std::uint64_t>(end - begin);
  return std::nullopt;
}

ScanStep JsonArrayScanner::next(const char* p, const char* end, bool final, RecordSpan& span) {
  span = RecordSpan();
  span.begin = p;
  is_rest_ = false;
  const char* q = skip_blanks(p, end);
  if (q == end) return final ? ScanStep::end : rest(p, p, end, final, span);
  // A record too near to the limit of the window could not see that only this follows.
  if (!is_first_ && *q == ']' && final && skip_blanks(q + 1, end) == end) return ScanStep::end;
  if (*q != (is_first_ ? '[' : ',')) return rest(p, q, end, final, span);
  q = skip_blanks(q + 1, end);
  if (q == end && !final) return rest(p, p, end, final, span);
  if (is_first_ && q != end && *q == ']') {
    if (final && skip_blanks(q + 1, end) == end) return ScanStep::end;
    return rest(p, q, end, final, span);
  }
  return element(p, q, end, final, span);
}

// The element at `begin`; the search began at `p`.
ScanStep JsonArrayScanner::element(const char* p, const char* begin, const char* end, bool final,
                                   RecordSpan& span) {
  const char* line = begin;
  while (line != p && line[-1] != '\n' && is_blank(line[-1])) --line;
  const bool begins_line = line != p && line[-1] == '\n';
  indent_.assign(line, begins_line ? static_cast<std::size_t>(begin - line) : 0);
  opening_ = is_any_value_ && begin != end ? *begin : '{';
  const auto left = static_cast<std::size_t>(end - begin);
  const bool can_grow = !final && static_cast<std::size_t>(end - p) < window_bytes_min();
  JsonElementEnd brackets;
  const char* found = brackets.feed(begin, end);
  if (found == nullptr && final && brackets.is_complete()) found = end;
  if (found == nullptr && !brackets.is_lost() && left <= limit_bytes_ && can_grow)
    return ScanStep::more;
  if (found == nullptr || static_cast<std::size_t>(found - begin) > limit_bytes_) {
    const auto by_line = JsonLineSearch(indent_, opening_).feed(begin, end);
    if (by_line && (found == nullptr || begin + *by_line < found)) found = begin + *by_line;
  }
  const bool closes =
      found != nullptr && found != end && *found == ']' && skip_blanks(found + 1, end) == end;
  if ((found == nullptr || closes) && can_grow) return ScanStep::more;
  is_first_ = false;
  span.begin = begin;
  span.lines_before = count_lines(p, begin);
  if (found == nullptr && !final) {
    span.fault = RecordFault::too_long;
    return ScanStep::endless;
  }
  end_record(begin, found == nullptr ? end : found, span);
  if (closes && final) {
    span.lines += count_lines(found, end);
    span.next = end;
  }
  return ScanStep::record;
}

// All from `begin` on is one record, which is broken, unless it is too early to say so.
ScanStep JsonArrayScanner::rest(const char* p, const char* begin, const char* end, bool final,
                                RecordSpan& span) {
  if (!final && static_cast<std::size_t>(end - p) < window_bytes_min()) return ScanStep::more;
  is_first_ = false;
  is_rest_ = true;
  span.begin = begin;
  span.lines_before = count_lines(p, begin);
  if (!final) {
    span.fault = RecordFault::too_long;
    return ScanStep::endless;
  }
  end_record(begin, end, span);
  return ScanStep::record;
}

void JsonArrayScanner::end_record(const char* begin, const char* next, RecordSpan& span) const {
  span.next = next;
  span.lines = count_lines(begin, next);
  span.end = next;
  while (span.end != begin && is_blank(span.end[-1])) --span.end;
  if (static_cast<std::size_t>(span.end - begin) > limit_bytes_) span.fault = RecordFault::too_long;
}

std::unique_ptr<LongEnd> JsonArrayScanner::long_end() const {
  if (is_rest_) return std::make_unique<NoEnd>();
  return std::make_unique<LongElement>(indent_, opening_);
}

}  // namespace tranche
