#include "connectors/sqlite_literals.h"

#include <array>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <limits>

#include "base/text.h"

namespace tranche::sqlite {
namespace {

constexpr std::string_view infinity = "9e999";  // which SQLite reads as one; it has no word for it
constexpr std::string_view cast_head = "CAST(x'";
constexpr std::string_view cast_tail = "' AS TEXT)";

void append_real(std::string& to, double value) {
  if (std::isinf(value)) {
    to += value < 0 ? "-" : "";
    to += infinity;
    return;
  }
  std::array<char, 40> text;  // the longest has 24
  const char* const end = std::to_chars(text.data(), text.data() + text.size(), value).ptr;
  const std::string_view shortest(text.data(), static_cast<std::size_t>(end - text.data()));
  to += shortest;
  if (shortest.find_first_of(".e") == std::string_view::npos) to += ".0";
}

void append_text(std::string& to, std::string_view text) {
  if (!is_utf8(text) || text.find('\0') != std::string_view::npos) {
    to += cast_head;
    to += hex(text);
    to += cast_tail;
    return;
  }
  to += '\'';
  for (const char c : text) {
    if (c == '\'') to += c;
    to += c;
  }
  to += '\'';
}

bool take_quoted(std::string_view quoted, std::string& text) {
  if (quoted.size() < 2 || quoted.back() != '\'') return false;
  const std::string_view inner = quoted.substr(1, quoted.size() - 2);
  text.clear();
  for (std::size_t at = 0; at < inner.size(); ++at) {
    text += inner[at];
    if (inner[at] == '\'' && (++at == inner.size() || inner[at] != '\'')) return false;
  }
  return true;
}

int digit_of(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

bool take_hex(std::string_view digits, std::string& bytes) {
  bytes.clear();
  if (digits.size() % 2 != 0) return false;
  for (std::size_t at = 0; at < digits.size(); at += 2) {
    const int high = digit_of(digits[at]);
    const int low = digit_of(digits[at + 1]);
    if (high < 0 || low < 0) return false;
    bytes += static_cast<char>(high * 16 + low);
  }
  return true;
}

bool bind_number(SqliteStatement& to, int parameter, std::string_view literal) {
  const char* const end = literal.data() + literal.size();
  const bool is_negative = literal.starts_with('-');
  if (literal.substr(is_negative ? 1 : 0) == infinity) {
    const double most = std::numeric_limits<double>::infinity();
    to.bind_real(parameter, is_negative ? -most : most);
    return true;
  }
  if (literal.find_first_of(".eE") == std::string_view::npos) {
    std::int64_t value = 0;
    const auto read = std::from_chars(literal.data(), end, value);
    if (read.ec != std::errc() || read.ptr != end) return false;
    to.bind_integer(parameter, value);
    return true;
  }
  double value = 0;
  const auto read = std::from_chars(literal.data(), end, value);
  if (read.ec != std::errc() || read.ptr != end) return false;
  to.bind_real(parameter, value);
  return true;
}

}  // namespace

void append_literal(std::string& to, const SqliteStatement& from, int at) {
  switch (from.kind(at)) {
    case SqliteKind::integer: {
      std::array<char, 24> text;
      const auto end = std::to_chars(text.data(), text.data() + text.size(), from.integer(at)).ptr;
      to.append(text.data(), end);
      return;
    }
    case SqliteKind::real:
      return append_real(to, from.real(at));
    case SqliteKind::text:
      return append_text(to, from.text(at));
    case SqliteKind::blob:
      to += "x'";
      to += hex(from.blob(at));
      to += '\'';
      return;
    case SqliteKind::null:
      return;
  }
}

bool bind_literal(SqliteStatement& to, int parameter, std::string_view literal,
                  std::string& buffer) {
  if (literal.starts_with('\'')) {
    if (!take_quoted(literal, buffer)) return false;
    to.bind_text(parameter, buffer);
    return true;
  }
  if (literal.starts_with("x'") && literal.size() > 2 && literal.ends_with('\'')) {
    if (!take_hex(literal.substr(2, literal.size() - 3), buffer)) return false;
    to.bind_blob(parameter, buffer);
    return true;
  }
  if (literal.starts_with(cast_head) && literal.ends_with(cast_tail)) {
    literal.remove_prefix(cast_head.size());
    literal.remove_suffix(cast_tail.size());
    if (!take_hex(literal, buffer)) return false;
    to.bind_text(parameter, buffer);
    return true;
  }
  return bind_number(to, parameter, literal);
}

}  // namespace tranche::sqlite
