#include "base/json.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstring>
#include <limits>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/text.h"

namespace tranche {
namespace {

// Deeper documents are refused: dump and the destructor call themselves once a level.
constexpr std::size_t depth_max = 512;

// Strips the library's number and its own idea of the place: "[...101] parse error at line 1,
// column 2: syntax error ..." becomes "syntax error ...".
std::string plain_reason(std::string_view what) {
  if (const std::size_t end = what.find("] "); what.starts_with('[') && end != what.npos)
    what.remove_prefix(end + 2);
  const std::size_t place_end = what.find(": ");
  if (what.starts_with("parse error at") && place_end != what.npos)
    what.remove_prefix(place_end + 2);
  return excerpt(what, 200);
}

// Builds a Json from the parser's events. The library's own document would sort the members, and
// would silently turn integers beyond 64 bits into doubles.
class Builder {
 public:
  bool null() { return add(Json(nullptr)); }
  bool boolean(bool value) { return add(Json(value)); }
  bool number_integer(std::int64_t value) { return add(Json(value)); }
  bool number_unsigned(std::uint64_t value) {
    constexpr auto signed_max = std::uint64_t{std::numeric_limits<std::int64_t>::max()};
    return add(value <= signed_max ? Json(static_cast<std::int64_t>(value)) : Json(value));
  }
  bool number_float(double value, const std::string& written) {
    if (written.find_first_of(".eE") == std::string::npos)
      return refuse(fmt::format("the integer {} needs more than 64 bits", excerpt(written)));
    return add(Json(value));
  }
  bool string(std::string& value) { return add(Json(std::move(value))); }
  bool binary(std::vector<std::uint8_t>&) { return refuse("binary values are not JSON"); }
  bool start_object(std::size_t) { return open(Json(Json::Object{})); }
  bool key(std::string& name) { return keys_.back() = std::move(name), true; }
  bool end_object() { return check_members(open_.back().entries()) && close(); }
  bool start_array(std::size_t) { return open(Json(Json::Array{})); }
  bool end_array() { return close(); }
  bool parse_error(std::size_t position, const std::string&,
                   const nlohmann::json::exception& error) {
    offset_ = position > 0 ? position - 1 : 0;
    return refuse(plain_reason(error.what()));
  }

  Json take() { return std::move(root_); }
  Error error(std::size_t bytes_read) const {
    return make_error(ErrorKind::failed, fmt::format("Invalid JSON at byte {}: {}.",
                                                     offset_.value_or(bytes_read), reason_));
  }

 private:
  bool refuse(std::string reason) { return reason_ = std::move(reason), false; }
  bool open(Json container);
  bool close();
  bool add(Json value);
  bool check_members(const Json::Object& members);

  Json root_;
  std::vector<Json> open_;         // the containers around the present place, outermost first
  std::vector<std::string> keys_;  // of each, the key whose value comes next
  std::optional<std::size_t> offset_;
  std::string reason_;
};

bool Builder::open(Json container) {
  if (open_.size() == depth_max) return refuse(fmt::format("more than {} levels", depth_max));
  open_.push_back(std::move(container));
  keys_.emplace_back();
  return true;
}

bool Builder::close() {
  Json finished = std::move(open_.back());
  open_.pop_back();
  keys_.pop_back();
  return add(std::move(finished));
}

bool Builder::add(Json value) {
  if (open_.empty()) {
    root_ = std::move(value);
  } else if (open_.back().is_array()) {
    open_.back().push(std::move(value));
  } else {
    open_.back().append_member(std::move(keys_.back()), std::move(value));
  }
  return true;
}

// Which of two members is meant can't be known.
bool Builder::check_members(const Json::Object& members) {
  std::vector<std::string_view> names;
  names.reserve(members.size());
  for (const auto& [name, value] : members) names.push_back(name);
  std::sort(names.begin(), names.end());
  const auto twice = std::adjacent_find(names.begin(), names.end());
  return twice == names.end() || refuse(fmt::format("the key \"{}\" comes twice", excerpt(*twice)));
}

void append_double(std::string& out, double value) {
  if (!std::isfinite(value)) {
    out += "null";  // JSON has no word for it
    return;
  }
  char digits[32];
  const std::to_chars_result end = std::to_chars(digits, digits + sizeof digits, value);
  const std::string_view written(digits, static_cast<std::size_t>(end.ptr - digits));
  out += written;
  if (written.find_first_of(".e") == written.npos) out += ".0";  // it stays a double when read back
}

void append_any_string(std::string& out, std::string_view text) {
  if (is_utf8(text)) return append_json_string(out, text);
  std::string repaired;
  while (const std::optional<std::size_t> bad = find_invalid_utf8(text)) {
    repaired += text.substr(0, *bad);
    repaired += "\uFFFD";
    text.remove_prefix(*bad + 1);
  }
  append_json_string(out, repaired += text);
}

class Writer {
 public:
  Writer(std::string& out, int indent) : out_(out), indent_(indent) {}

  void write(const Json& json) {
    json.visit([this](const auto& value) { write_value(value); });
  }

 private:
  void write_value(std::nullptr_t) { out_ += "null"; }
  void write_value(bool value) { out_ += value ? "true" : "false"; }
  void write_value(std::int64_t value) { fmt::format_to(std::back_inserter(out_), "{}", value); }
  void write_value(std::uint64_t value) { fmt::format_to(std::back_inserter(out_), "{}", value); }
  void write_value(double value) { append_double(out_, value); }
  void write_value(const std::string& value) { append_any_string(out_, value); }

  void write_value(const Json::Array& elements) {
    write_container('[', elements, ']', [this](const Json& element) { write(element); });
  }

  void write_value(const Json::Object& members) {
    write_container('{', members, '}', [this](const auto& member) {
      append_any_string(out_, member.first);
      out_ += indent_ < 0 ? ":" : ": ";
      write(member.second);
    });
  }

  template <class Container, class WriteOne>
  void write_container(char opening, const Container& container, char closing, WriteOne write_one) {
    out_ += opening;
    ++level_;
    bool first = true;
    for (const auto& one : container) {
      if (!first) out_ += ',';
      first = false;
      new_line();
      write_one(one);
    }
    --level_;
    if (!container.empty()) new_line();
    out_ += closing;
  }

  void new_line() {
    if (indent_ < 0) return;
    out_ += '\n';
    out_.append(static_cast<std::size_t>(indent_) * level_, ' ');
  }

  std::string& out_;
  int indent_;
  std::size_t level_ = 0;
};

}  // namespace

bool Json::boolean(bool fallback) const {
  const bool* value = std::get_if<bool>(&held_);
  return value != nullptr ? *value : fallback;
}

std::int64_t Json::integer(std::int64_t fallback) const {
  if (const auto* value = std::get_if<std::int64_t>(&held_)) return *value;
  const auto* value = std::get_if<std::uint64_t>(&held_);
  return value != nullptr && std::in_range<std::int64_t>(*value) ? static_cast<std::int64_t>(*value)
                                                                 : fallback;
}

std::uint64_t Json::natural(std::uint64_t fallback) const {
  if (const auto* value = std::get_if<std::uint64_t>(&held_)) return *value;
  const auto* value = std::get_if<std::int64_t>(&held_);
  return value != nullptr && *value >= 0 ? static_cast<std::uint64_t>(*value) : fallback;
}

double Json::number(double fallback) const {
  if (const auto* value = std::get_if<double>(&held_)) return *value;
  if (const auto* value = std::get_if<std::int64_t>(&held_)) return static_cast<double>(*value);
  if (const auto* value = std::get_if<std::uint64_t>(&held_)) return static_cast<double>(*value);
  return fallback;
}

const std::string& Json::text() const {
  static const std::string empty;
  const auto* value = std::get_if<std::string>(&held_);
  return value != nullptr ? *value : empty;
}

const Json::Array& Json::items() const {
  static const Array empty;
  const auto* value = std::get_if<Array>(&held_);
  return value != nullptr ? *value : empty;
}

const Json::Object& Json::entries() const {
  static const Object empty;
  const auto* value = std::get_if<Object>(&held_);
  return value != nullptr ? *value : empty;
}

const Json& Json::operator[](std::string_view key) const {
  static const Json null;
  for (const auto& [name, value] : entries())
    if (name == key) return value;
  return null;
}

Json& Json::set(std::string key, Json value) {
  if (is_null()) held_ = Object{};
  for (auto& [name, present] : std::get<Object>(held_)) {
    if (name != key) continue;
    present = std::move(value);
    return *this;
  }
  return append_member(std::move(key), std::move(value));
}

Json& Json::append_member(std::string key, Json value) {
  std::get<Object>(held_).emplace_back(std::move(key), std::move(value));
  return *this;
}

Json& Json::push(Json value) {
  if (is_null()) held_ = Array{};
  std::get<Array>(held_).push_back(std::move(value));
  return *this;
}

std::string Json::dump(int indent) const {
  std::string out;
  Writer(out, indent).write(*this);
  return out;
}

Result<Json> Json::parse(std::string_view text) {
  // The library takes a zero byte for the end of the text, and would not see what follows.
  if (const std::size_t zero = text.find('\0'); zero != text.npos)
    return make_error(ErrorKind::failed,
                      fmt::format("Invalid JSON at byte {}: a zero byte.", zero));
  Builder builder;
  if (!nlohmann::json::sax_parse(text.begin(), text.end(), &builder))
    return builder.error(text.size());
  return builder.take();
}

void append_json_string(std::string& out, std::string_view text) {
  out += '"';
  std::size_t begin = 0;  // of the bytes that go out as they are
  for (std::size_t at = 0; at < text.size(); ++at) {
    const auto byte = static_cast<unsigned char>(text[at]);
    if (byte >= 0x20 && byte != '"' && byte != '\\') continue;
    out.append(text, begin, at - begin);
    begin = at + 1;
    out += '\\';
    switch (byte) {
      case '"':
        out += '"';
        break;
      case '\\':
        out += '\\';
        break;
      case '\b':
        out += 'b';
        break;
      case '\f':
        out += 'f';
        break;
      case '\n':
        out += 'n';
        break;
      case '\r':
        out += 'r';
        break;
      case '\t':
        out += 't';
        break;
      default:
        fmt::format_to(std::back_inserter(out), "u{:04x}", byte);
    }
  }
  out.append(text, begin);
  out += '"';
}

}  // namespace tranche
