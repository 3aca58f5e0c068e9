#include "base/json_syntax.h"

namespace tranche {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_hex(char c) {
  const char lower = static_cast<char>(c | 0x20);
  return is_digit(c) || (lower >= 'a' && lower <= 'f');
}
bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

// A value of the four hexadecimal digits at `p`.
unsigned unit_at(const char* p) {
  unsigned unit = 0;
  for (int i = 0; i < 4; ++i) {
    const auto c = static_cast<unsigned>(static_cast<unsigned char>(p[i]));
    unit = unit * 16 + (c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
  }
  return unit;
}

char* put_utf8(char* out, unsigned code) {
  const auto put = [&out](unsigned byte) { *out++ = static_cast<char>(byte); };
  if (code < 0x80) return put(code), out;
  if (code < 0x800) return put(0xC0 | code >> 6), put(0x80 | (code & 63)), out;
  if (code < 0x10000) {
    put(0xE0 | code >> 12);
  } else {
    put(0xF0 | code >> 18);
    put(0x80 | (code >> 12 & 63));
  }
  return put(0x80 | (code >> 6 & 63)), put(0x80 | (code & 63)), out;
}

class Walk {
 public:
  explicit Walk(std::string_view text) : p_(text.data()), end_(p_ + text.size()) {}

  JsonFault run() {
    skip_blanks();
    value(0);
    skip_blanks();
    if (what_ == nullptr && p_ != end_) fail("something follows the value");
    return fault();
  }

  JsonFault run_string() {
    if (at('"')) string();
    else fail("a string is missing");
    return fault();
  }

 private:
  JsonFault fault() const { return {what_, what_ == nullptr ? nullptr : p_}; }
  bool fail(const char* what) {
    if (what_ == nullptr) what_ = what;
    return false;
  }
  void skip_blanks() {
    while (p_ != end_ && is_blank(*p_)) ++p_;
  }
  bool at(char c) const { return p_ != end_ && *p_ == c; }

  bool value(std::size_t depth) {
    if (p_ == end_) return fail("a value is missing");
    if (depth > json_depth_max) return fail("objects and arrays lie too deep in each other");
    if (*p_ == '{' || *p_ == '[') return members(depth);
    if (*p_ == '"') return string();
    const char* const begin = p_;
    while (p_ != end_ && !is_blank(*p_) && *p_ != ',' && *p_ != ']' && *p_ != '}') ++p_;
    const std::string_view text(begin, static_cast<std::size_t>(p_ - begin));
    if (text == "true" || text == "false" || text == "null" || is_json_number(text)) return true;
    p_ = begin;
    return fail("a value is none of JSON's");
  }

  // Of an object or an array.
  bool members(std::size_t depth) {
    const bool is_object = *p_++ == '{';
    const char closing = is_object ? '}' : ']';
    skip_blanks();
    if (at(closing)) return ++p_, true;
    while (true) {
      if (is_object) {
        if (!at('"')) return fail("a key is missing");
        if (!string()) return false;
        skip_blanks();
        if (!at(':')) return fail("a colon is missing");
        ++p_;
        skip_blanks();
      }
      if (!value(depth + 1)) return false;
      skip_blanks();
      if (at(closing)) return ++p_, true;
      if (!at(',')) return fail("a comma or the end of an object or array is missing");
      ++p_;
      skip_blanks();
    }
  }

  bool string() {
    for (++p_; p_ != end_; ++p_) {
      if (*p_ == '"') return ++p_, true;
      if (static_cast<unsigned char>(*p_) < 0x20) return fail("a control character is not escaped");
      if (*p_ == '\\' && !escape()) return fail("an escape is none of JSON's");
    }
    return fail("a string is not closed");
  }

  // From a backslash to the last character of its escape.
  bool escape() {
    if (++p_ == end_) return false;
    if (*p_ != 'u') return std::string_view("\"\\/bfnrt").find(*p_) != std::string_view::npos;
    if (!hex4()) return false;
    const unsigned unit = unit_at(p_ - 3);
    if (unit < 0xD800 || unit > 0xDFFF) return true;
    if (unit > 0xDBFF || end_ - p_ < 3 || p_[1] != '\\' || p_[2] != 'u') return false;
    p_ += 2;
    if (!hex4()) return false;
    const unsigned low = unit_at(p_ - 3);
    return low >= 0xDC00 && low <= 0xDFFF;
  }
  bool hex4() {
    if (end_ - p_ < 5) return false;
    for (int i = 1; i <= 4; ++i) {
      if (!is_hex(p_[i])) return false;
    }
    p_ += 4;
    return true;
  }

  const char* p_;
  const char* const end_;
  const char* what_ = nullptr;
};

}  // namespace

bool is_json_number(std::string_view text) {
  const char* p = text.data();
  const char* const end = p + text.size();
  const auto digits = [&] {
    const char* const first = p;
    while (p != end && is_digit(*p)) ++p;
    return p - first;
  };
  if (p != end && *p == '-') ++p;
  const bool zero = p != end && *p == '0';
  const auto whole = digits();
  if (whole == 0 || (zero && whole > 1)) return false;
  if (p != end && *p == '.' && (++p, digits() == 0)) return false;
  if (p != end && (*p == 'e' || *p == 'E')) {
    if (++p != end && (*p == '+' || *p == '-')) ++p;
    if (digits() == 0) return false;
  }
  return p == end;
}

JsonFault find_json_fault(std::string_view text) { return Walk(text).run(); }
JsonFault find_json_string_fault(std::string_view text) { return Walk(text).run_string(); }

char* unescape_json(std::string_view inside, char* out) {
  const char* p = inside.data();
  const char* const end = p + inside.size();
  while (p != end) {
    if (*p != '\\') {
      *out++ = *p++;
      continue;
    }
    switch (p[1]) {
      case 'b': *out++ = '\b'; break;
      case 'f': *out++ = '\f'; break;
      case 'n': *out++ = '\n'; break;
      case 'r': *out++ = '\r'; break;
      case 't': *out++ = '\t'; break;
      case 'u': {
        unsigned code = unit_at(p + 2);
        p += 4;
        if (code >= 0xD800 && code <= 0xDBFF) {
          code = 0x10000 + ((code - 0xD800) << 10) + (unit_at(p + 4) - 0xDC00);
          p += 6;
        }
        out = put_utf8(out, code);
        break;
      }
      default: *out++ = p[1]; break;
    }
    p += 2;
  }
  return out;
}

}  // namespace tranche
