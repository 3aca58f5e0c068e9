#include "formats/json_text.h"

namespace tranche {

// `p` is at the first backslash or control character of the string whose inside is from `begin` on.
bool JsonText::finish_escaped(const char* begin, const char* p, JsonString& string) {
  while (p != end_ && *p == '\\') {
    if (end_ - p < 2) return false;
    p = string_stop(p + 2, end_);
  }
  if (p == end_ || *p != '"') return false;
  const auto bytes = static_cast<std::size_t>(p + 1 - (begin - 1));
  if (find_json_string_fault({begin - 1, bytes}).what != nullptr) return false;
  string.inside = {begin, bytes - 2};
  string.escaped = true;
  p_ = p + 1;
  return true;
}

bool JsonText::take_any(JsonKind& kind, std::string_view& text, bool& escaped) {
  const char* const begin = p_;
  escaped = false;
  switch (peek()) {
    case '"': {
      JsonString string;
      if (!take_string(string)) return false;
      kind = JsonKind::string;
      text = string.inside;
      escaped = string.escaped;
      return true;
    }
    case '{': kind = JsonKind::object; break;
    case '[': kind = JsonKind::array; break;
    case 't':
    case 'f': kind = JsonKind::boolean; break;
    case 'n': kind = JsonKind::null; break;
    default: kind = JsonKind::number; break;
  }
  if (!skip_value()) return false;
  text = {begin, static_cast<std::size_t>(p_ - begin)};
  return true;
}

bool JsonText::skip_value(std::size_t depth) {
  JsonString string;
  JsonNumber number;
  switch (peek()) {
    case '"': return take_string(string);
    case 't': return take("true");
    case 'f': return take("false");
    case 'n': return take("null");
    case '{':
    case '[': break;
    default: return take_number(number);
  }
  if (depth > json_depth_max) return false;
  const bool is_object = *p_++ == '{';
  const char closing = is_object ? '}' : ']';
  skip_blanks();
  if (take(closing)) return true;
  while (true) {
    if (is_object) {
      if (peek() != '"' || !take_string(string)) return false;
      skip_blanks();
      if (!take(':')) return false;
      skip_blanks();
    }
    if (!skip_value(depth + 1)) return false;
    skip_blanks();
    if (take(closing)) return true;
    if (!take(',')) return false;
    skip_blanks();
  }
}

}  // namespace tranche
