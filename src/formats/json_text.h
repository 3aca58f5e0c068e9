// A walk over the text of one JSON value (RFC 8259), strict and in one pass: what comes out well is
// JSON from its first byte to its last. Typed columns are filled by it without a document between.
//
// It only says that something is wrong; what, find_json_fault tells. UTF-8 is the caller's
// business.
//
// Threads: belongs to one thread. Lifetime: texts point into what is walked over.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

#include "base/json_syntax.h"
#include "formats/byte_search.h"

namespace tranche {

enum class JsonKind : std::uint8_t { null, boolean, number, string, object, array };

struct JsonNumber {
  std::string_view text;
  std::uint64_t digits = 0;         // all of them as one whole number, when there are up to 19
  std::uint32_t digit_count = 0;
  std::uint32_t fraction_count = 0;  // of the digits, those behind the point
  bool negative = false;
  bool has_point = false;
  bool has_exponent = false;
};

// A key as it mostly stands, with its colon, compared in one go where it is short.
class JsonKey {
 public:
  // Of a name without anything that JSON escapes; another is never found.
  explicit JsonKey(std::string_view name);

  // Where its text ends that begins at `p`; nullptr: something else stands there. REQUIRES
  // search_padding_bytes readable behind `end`.
  const char* end_at(const char* p, const char* end) const {
    const char* const behind = maybe_end_at(p, end);
    return behind != nullptr && behind <= end ? behind : nullptr;
  }
  // The same, where a short one may also stand across `end`.
  const char* maybe_end_at(const char* p, const char* end) const {
    const auto bytes = static_cast<std::ptrdiff_t>(text_.size());
#if defined(__SSE2__)
    const __m128i block = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
    const auto same = static_cast<unsigned>(_mm_movemask_epi8(_mm_cmpeq_epi8(block, bytes_)));
    if ((same & mask_) != mask_) return nullptr;
    if (bytes <= 16) [[likely]] return p + bytes;
#endif
    if (end - p < bytes) return nullptr;
    return std::memcmp(p, text_.data(), text_.size()) == 0 ? p + bytes : nullptr;
  }

 private:
  std::string text_;  // "name":
#if defined(__SSE2__)
  __m128i bytes_;     // its first ones
  unsigned mask_ = 0; // a bit for each that counts
#endif
};

struct JsonString {
  std::string_view inside;  // between the quotes, as it is written
  bool escaped = false;
};

class JsonText {
 public:
  // REQUIRES search_padding_bytes readable behind `end`.
  JsonText(const char* begin, const char* end) : p_(begin), end_(end) {}

  const char* at() const { return p_; }
  const char* end() const { return end_; }
  void skip_blanks() {
    if (p_ != end_ && static_cast<unsigned char>(*p_) > ' ') [[likely]] return;
    while (p_ != end_ && (*p_ == ' ' || *p_ == '\t' || *p_ == '\r' || *p_ == '\n')) ++p_;
  }
  // The byte at hand; a zero, which is none of JSON's, at the end.
  char peek() const { return p_ != end_ ? *p_ : '\0'; }
  bool take(char c) {
    if (peek() != c) return false;
    ++p_;
    return true;
  }
  bool take(const JsonKey& key) {
    const char* const behind = key.end_at(p_, end_);
    if (behind != nullptr) p_ = behind;
    return behind != nullptr;
  }
  bool take(std::string_view word) {
    if (static_cast<std::size_t>(end_ - p_) < word.size() ||
        std::memcmp(p_, word.data(), word.size()) != 0) {
      return false;
    }
    p_ += word.size();
    return true;
  }

  bool take_number(JsonNumber& number);
  // From a quote to behind the closing one.
  bool take_string(JsonString& string);
  // Any value, which begins here. `kind` and `text` say what it was: of a string its inside.
  bool take_any(JsonKind& kind, std::string_view& text, bool& escaped);
  bool skip_value(std::size_t depth = 0);

  // The first quote, backslash or control character in [p, end); `end` when there is none. REQUIRES
  // search_padding_bytes readable behind `end`.
  static const char* string_stop(const char* p, const char* end);

 private:
  bool finish_escaped(const char* begin, const char* p, JsonString& string);

  const char* p_;
  const char* end_;
};

inline JsonKey::JsonKey(std::string_view name) : text_('"' + std::string(name) + "\":") {
#if defined(__SSE2__)
  char bytes[16] = {};
  const std::size_t count = text_.size() < 16 ? text_.size() : 16;
  std::memcpy(bytes, text_.data(), count);
  bytes_ = _mm_loadu_si128(reinterpret_cast<const __m128i*>(bytes));
  mask_ = (1U << count) - 1;
#endif
}

inline bool JsonText::take_number(JsonNumber& number) {
  const char* const begin = p_;
  const char* p = p_;
  const auto digit_at = [this](const char* q) {  // 10 or more: no digit
    return q != end_ ? static_cast<unsigned>(static_cast<unsigned char>(*q)) - '0' : 10U;
  };
  number = JsonNumber();
  if (p != end_ && *p == '-') {
    number.negative = true;
    ++p;
  }
  const char* const first = p;
  std::uint64_t digits = 0;
  unsigned d = 0;
  while ((d = digit_at(p)) <= 9) digits = digits * 10 + d, ++p;
  std::size_t count = static_cast<std::size_t>(p - first);
  if (count == 0 || (count > 1 && *first == '0')) return false;
  if (p != end_ && *p == '.') {
    const char* const point = p++;
    while ((d = digit_at(p)) <= 9) digits = digits * 10 + d, ++p;
    const auto fraction = static_cast<std::size_t>(p - point) - 1;
    if (fraction == 0) return false;
    number.has_point = true;
    number.fraction_count = static_cast<std::uint32_t>(fraction);
    count += fraction;
  }
  if (p != end_ && (*p | 0x20) == 'e') {
    ++p;
    if (p != end_ && (*p == '+' || *p == '-')) ++p;
    const char* const exponent = p;
    while (digit_at(p) <= 9) ++p;
    if (p == exponent) return false;
    number.has_exponent = true;
  }
  number.digits = digits;
  number.digit_count = static_cast<std::uint32_t>(count);
  number.text = {begin, static_cast<std::size_t>(p - begin)};
  p_ = p;
  return true;
}

inline const char* JsonText::string_stop(const char* p, const char* end) {
#if defined(__SSE2__)
  const __m128i quote = _mm_set1_epi8('"');
  const __m128i backslash = _mm_set1_epi8('\\');
  const __m128i control = _mm_set1_epi8(0x1F);
  for (; p < end; p += 16) {
    const __m128i block = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
    const __m128i found = _mm_or_si128(
        _mm_or_si128(_mm_cmpeq_epi8(block, quote), _mm_cmpeq_epi8(block, backslash)),
        _mm_cmpeq_epi8(_mm_min_epu8(block, control), block));
    const auto mask = static_cast<unsigned>(_mm_movemask_epi8(found));
    if (mask == 0) continue;
    p += __builtin_ctz(mask);
    return p < end ? p : end;
  }
  return end;
#else
  while (p < end && *p != '"' && *p != '\\' && static_cast<unsigned char>(*p) >= 0x20) ++p;
  return p;
#endif
}

inline bool JsonText::take_string(JsonString& string) {
  const char* const begin = p_ + 1;
  const char* const stop = string_stop(begin, end_);
  if (stop == end_) return false;
  if (*stop != '"') return finish_escaped(begin, stop, string);
  string.inside = {begin, static_cast<std::size_t>(stop - begin)};
  string.escaped = false;
  p_ = stop + 1;
  return true;
}

}  // namespace tranche
