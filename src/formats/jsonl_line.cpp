#include "formats/jsonl_line.h"

#include "base/text.h"

namespace tranche {
namespace {

std::string_view without_blanks_behind(std::string_view text) {
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t' || text.back() == '\r' ||
                           text.back() == '\n')) {
    text.remove_suffix(1);
  }
  return text;
}

}  // namespace

// simdjson says that something is wrong; what and where, a second look at the line tells.
bool JsonlLine::fail(simdjson::error_code code) {
  if (code == simdjson::UTF8_ERROR) {
    return fail_at(begin_ + find_invalid_utf8({begin_, bytes_}).value_or(0), "it is not UTF-8");
  }
  const JsonFault fault = find_json_fault({begin_, bytes_});
  if (fault.what != nullptr) return fail_at(fault.at, fault.what);
  return fail_at(begin_, simdjson::error_message(code));
}

bool JsonlLine::fail_at(const char* at, std::string_view what) {
  error_ = what;
  error_at_ = at < begin_ || at > begin_ + bytes_ ? 0 : static_cast<std::size_t>(at - begin_);
  return false;
}

bool JsonlLine::open(Document& document, simdjson::ondemand::object& object) {
  const simdjson::padded_string_view line(begin_, bytes_, bytes_ + search_padding_bytes);
  if (const auto code = parser_.iterate(line).get(document)) return fail(code);
  const auto code = document.get_object().get(object);
  if (code == simdjson::SUCCESS) return true;
  if (code != simdjson::INCORRECT_TYPE) return fail(code);
  return fail_at(begin_, "it is no object, as in {\"key\": 1}");
}

bool JsonlLine::name_of(simdjson::ondemand::field& field, std::string_view& name) {
  const char* const quote = field.key().raw() - 1;
  const JsonFault fault =
      find_json_string_fault({quote, static_cast<std::size_t>(begin_ + bytes_ - quote)});
  if (fault.what != nullptr) return fail_at(fault.at, fault.what);
  const auto code = field.unescaped_key().get(name);
  return !code || fail(code);
}

bool JsonlLine::token_of(simdjson::ondemand::value value, JsonlToken& token) {
  const std::string_view raw = without_blanks_behind(value.raw_json_token());
  const char first = raw.empty() ? '\0' : raw.front();
  switch (first) {
    case '"':
      token.kind = JsonlKind::string;
      if (raw.size() < 2 || raw.back() != '"') return fail_at(raw.data(), "a string is not closed");
      token.text = raw.substr(1, raw.size() - 2);
      token.escaped = std::memchr(raw.data(), '\\', raw.size()) != nullptr;
      if (!token.escaped) return true;
      // The parser takes halves of surrogate pairs, too.
      if (const JsonFault fault = find_json_string_fault(raw); fault.what != nullptr) {
        return fail_at(fault.at, fault.what);
      }
      if (const auto code = value.get_string().get(token.text)) return fail(code);
      return true;
    case '{':
    case '[': return nested_of(value, token);
    default: break;
  }
  token.text = raw;
  if (raw == "null") token.kind = JsonlKind::null;
  else if (raw == "true" || raw == "false") token.kind = JsonlKind::boolean;
  else if (is_json_number(raw)) token.kind = JsonlKind::number;
  else return fail_at(raw.data(), "a value is none of JSON's");
  return true;
}

bool JsonlLine::nested_of(simdjson::ondemand::value value, JsonlToken& token) {
  const char* const begin = value.raw_json_token().data();
  std::string_view raw;
  if (*begin == '{') {
    token.kind = JsonlKind::object;
    simdjson::ondemand::object object;
    if (const auto code = value.get_object().get(object)) return fail(code);
    if (const auto code = object.raw_json().get(raw)) return fail(code);
  } else {
    token.kind = JsonlKind::array;
    simdjson::ondemand::array array;
    if (const auto code = value.get_array().get(array)) return fail(code);
    if (const auto code = array.raw_json().get(raw)) return fail(code);
  }
  token.text = without_blanks_behind(raw);
  const JsonFault fault = find_json_fault(token.text);
  return fault.what == nullptr || fail_at(fault.at, fault.what);
}

bool JsonlLine::check_end(Document& document) {
  const char* at = nullptr;
  const auto code = document.current_location().get(at);
  if (code == simdjson::OUT_OF_BOUNDS) return true;
  if (code) return fail(code);
  return fail_at(at, "something follows the object");
}

}  // namespace tranche
