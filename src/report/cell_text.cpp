#include "report/cell_text.h"

#include <array>
#include <cmath>

#include <fmt/format.h>

#include <tranche/core/value.h>
#include "base/text.h"

namespace tranche::reporting {
namespace {

constexpr std::array<std::string_view, 8> key_words{"id",  "year", "key", "code",
                                                    "zip", "no",   "nr",  "number"};

// Beyond these a float is as good as its shortest form.
constexpr double plain_float_min = 1e-4;
constexpr double plain_float_max = 1e15;

std::string float_text(double value, std::string_view shortest) {
  const double size = std::fabs(value);
  if (value == 0) return "0";
  if (!(size >= plain_float_min && size < plain_float_max)) return std::string(shortest);
  std::string text = fmt::format("{:.6f}", value);
  text.erase(text.find_last_not_of('0') + 1);
  if (text.ends_with('.')) text.pop_back();
  return text;
}

}  // namespace

bool is_amount(const Field& field) {
  if (!is_numeric(field.type)) return false;
  const std::string name = to_lower(field.name);
  for (const std::string_view word : key_words) {
    if (!name.ends_with(word)) continue;
    const std::size_t before = name.size() - word.size();
    if (before == 0 || name[before - 1] == '_' || name[before - 1] == ' ') return false;
  }
  return true;
}

std::string with_separators(std::string_view number) {
  const std::size_t begin = number.starts_with('-') ? 1 : 0;
  std::size_t end = begin;
  while (end < number.size() && number[end] >= '0' && number[end] <= '9') ++end;
  std::string text(number.substr(0, begin));
  for (std::size_t i = begin; i < end; ++i) {
    text += number[i];
    const std::size_t left = end - i - 1;
    if (left > 0 && left % 3 == 0) text += ',';
  }
  return text.append(number.substr(end));
}

void append_cell_text(std::string& out, const Column& column, std::size_t row, bool is_amount) {
  if (!column.is_valid(row)) return;
  std::string text;
  append_value_text(text, column, row);
  switch (column.type().id) {
    case TypeId::real:
      text = float_text(static_cast<double>(column.values<float>()[row]), text);
      break;
    case TypeId::double_:
      text = float_text(column.values<double>()[row], text);
      break;
    case TypeId::timestamp:
    case TypeId::timestamptz:
      if (const std::size_t t = text.find('T'); t != std::string::npos) text[t] = ' ';
      if (text.ends_with('Z')) text.replace(text.size() - 1, 1, " UTC");
      break;
    default:
      if (!is_numeric(column.type())) text = readable(text);
      break;
  }
  out += is_amount && is_numeric(column.type()) ? with_separators(text) : text;
}

std::string readable(std::string_view text) {
  std::string made;
  made.reserve(text.size());
  while (!text.empty()) {
    const std::size_t good = find_invalid_utf8(text).value_or(text.size());
    for (const char c : text.substr(0, good)) {
      const auto byte = static_cast<unsigned char>(c);
      const bool is_control = (byte < 0x20 && c != '\t' && c != '\n' && c != '\r') || byte == 0x7f;
      if (!is_control) {
        made += c;
        continue;
      }
      made += "\xe2\x90";  // U+2400 and behind it: one picture for each
      made += static_cast<char>(0x80 + (byte == 0x7f ? 0x21 : byte));
    }
    if (good == text.size()) break;
    made += "\xef\xbf\xbd";
    text.remove_prefix(good + 1);
  }
  return made;
}

std::string shortened(std::string text, std::size_t bytes_max) {
  if (text.size() <= bytes_max) return text;
  const std::size_t bytes = text.size();
  std::size_t end = bytes_max;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) --end;
  text.resize(end);
  return text + fmt::format("\xe2\x80\xa6 ({} bytes in all)", format_count(bytes));
}

}  // namespace tranche::reporting
