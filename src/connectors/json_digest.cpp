#include "connectors/json_digest.h"

#include <algorithm>
#include <cstring>

#include <tranche/core/value.h>

#include "base/digest.h"

namespace tranche {
namespace {

// What kind of value a hash begins with.
enum Kind : std::uint64_t { of_object = 1, of_array, of_string, of_number, of_word, of_no_json };

std::uint64_t mixed(std::uint64_t hash, std::uint64_t value) {
  hash = (hash ^ value) * 0x9e3779b97f4a7c15;
  return hash ^ (hash >> 29);
}

bool is_digit(char byte) { return byte >= '0' && byte <= '9'; }

void append_utf8(std::string& out, std::uint32_t code) {
  const auto put = [&](std::uint32_t byte) { out += static_cast<char>(byte); };
  if (code < 0x80) return put(code);
  if (code < 0x800) {
    put(0xc0 | code >> 6);
  } else {
    if (code < 0x10000) {
      put(0xe0 | code >> 12);
    } else {
      put(0xf0 | code >> 18);
      put(0x80 | (code >> 12 & 0x3f));
    }
    put(0x80 | (code >> 6 & 0x3f));
  }
  put(0x80 | (code & 0x3f));
}

}  // namespace

std::uint64_t JsonDigest::of(std::string_view text) {
  StringRef checked;
  if (parse_json(text, checked) != ParseStatus::ok) return mixed(of_no_json, digest64(text));
  at_ = text.data();
  end_ = at_ + text.size();
  members_.clear();
  skip_blanks();
  return value();
}

void JsonDigest::skip_blanks() {
  while (at_ != end_ && (*at_ == ' ' || *at_ == '\t' || *at_ == '\n' || *at_ == '\r')) ++at_;
}

std::uint64_t JsonDigest::value() {
  switch (*at_) {
    case '{':
      return object();
    case '[':
      return array();
    case '"':
      return mixed(of_string, string());
    case 't':
    case 'f':
    case 'n':
      return word();
    default:
      return number();
  }
}

std::uint64_t JsonDigest::object() {
  const std::size_t first = members_.size();
  for (++at_;;) {
    skip_blanks();
    if (*at_ == '}') break;
    Member member;
    member.place = members_.size();
    member.key = string();
    skip_blanks();
    ++at_;  // the colon
    skip_blanks();
    member.value = value();
    members_.push_back(member);
    skip_blanks();
    if (*at_ == ',') ++at_;
  }
  ++at_;
  const auto begin = members_.begin() + static_cast<std::ptrdiff_t>(first);
  std::sort(begin, members_.end(), [](const Member& one, const Member& other) {
    return one.key != other.key ? one.key < other.key : one.place < other.place;
  });
  std::uint64_t hash = of_object;
  for (auto member = begin; member != members_.end(); ++member) {
    const auto next = member + 1;
    if (next != members_.end() && next->key == member->key) continue;
    hash = mixed(mixed(hash, member->key), member->value);
  }
  members_.resize(first);
  return hash;
}

std::uint64_t JsonDigest::array() {
  std::uint64_t hash = of_array;
  for (++at_;;) {
    skip_blanks();
    if (*at_ == ']') break;
    hash = mixed(hash, value());
    skip_blanks();
    if (*at_ == ',') ++at_;
  }
  ++at_;
  return hash;
}

std::uint32_t JsonDigest::code_unit() {
  std::uint32_t code = 0;
  for (int digit = 0; digit < 4; ++digit) {
    const char byte = *at_++;
    const int value = is_digit(byte) ? byte - '0' : (byte | 0x20) - 'a' + 10;
    code = code << 4 | static_cast<std::uint32_t>(value);
  }
  return code;
}

std::uint64_t JsonDigest::string() {
  const char* const begin = ++at_;
  while (*at_ != '"' && *at_ != '\\') ++at_;
  if (*at_ == '"') return digest64({begin, static_cast<std::size_t>(at_++ - begin)});
  scratch_.assign(begin, at_);
  while (*at_ != '"') {
    const char byte = *at_++;
    if (byte != '\\') {
      scratch_ += byte;
      continue;
    }
    const char escaped = *at_++;
    switch (escaped) {
      case 'b':
        scratch_ += '\b';
        break;
      case 'f':
        scratch_ += '\f';
        break;
      case 'n':
        scratch_ += '\n';
        break;
      case 'r':
        scratch_ += '\r';
        break;
      case 't':
        scratch_ += '\t';
        break;
      case 'u': {
        std::uint32_t code = code_unit();
        const bool is_first_half = code >= 0xd800 && code < 0xdc00;
        if (is_first_half && end_ - at_ > 6 && at_[0] == '\\' && at_[1] == 'u') {
          at_ += 2;
          code = 0x10000 + ((code - 0xd800) << 10) + (code_unit() - 0xdc00);
        }
        append_utf8(scratch_, code);
        break;
      }
      default:
        scratch_ += escaped;
    }
  }
  ++at_;
  return digest64(scratch_);
}

// The digits without zeros before and behind them, and where the point is.
std::uint64_t JsonDigest::number() {
  const bool is_negative = *at_ == '-';
  if (is_negative) ++at_;
  scratch_.clear();
  std::int64_t exponent = 0;
  bool is_behind_point = false;
  for (; at_ != end_ && (is_digit(*at_) || *at_ == '.'); ++at_) {
    if (*at_ == '.') {
      is_behind_point = true;
      continue;
    }
    if (is_behind_point) --exponent;
    if (*at_ != '0' || !scratch_.empty()) scratch_ += *at_;
  }
  if (at_ != end_ && (*at_ == 'e' || *at_ == 'E')) {
    ++at_;
    const bool is_small = *at_ == '-';
    if (*at_ == '-' || *at_ == '+') ++at_;
    constexpr std::int64_t enough = 1'000'000'000'000;
    std::int64_t given = 0;
    for (; at_ != end_ && is_digit(*at_); ++at_)
      given = std::min(enough, given * 10 + (*at_ - '0'));
    exponent += is_small ? -given : given;
  }
  while (!scratch_.empty() && scratch_.back() == '0') {
    scratch_.pop_back();
    ++exponent;
  }
  if (scratch_.empty()) return of_number;  // zero, whatever its sign
  const std::uint64_t hash = mixed(of_number + (is_negative ? 1000 : 0), digest64(scratch_));
  return mixed(hash, static_cast<std::uint64_t>(exponent));
}

std::uint64_t JsonDigest::word() {
  const char first = *at_;
  at_ += first == 'f' ? 5 : 4;
  return mixed(of_word, static_cast<unsigned char>(first));
}

}  // namespace tranche
