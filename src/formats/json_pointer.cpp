#include "formats/json_pointer.h"

#include <charconv>
#include <utility>

#include <fmt/format.h>

#include "base/text.h"
#include "formats/json_text.h"

namespace tranche {
namespace {

using Found = std::optional<std::string_view>;

std::string_view value_at(JsonText& walk) {
  const char* const begin = walk.at();
  walk.skip_value();
  return {begin, static_cast<std::size_t>(walk.at() - begin)};
}

bool is_key(const JsonString& key, std::string_view name) {
  if (!key.escaped) return key.inside == name;
  std::string plain(key.inside.size(), '\0');
  plain.resize(static_cast<std::size_t>(unescape_json(key.inside, plain.data()) - plain.data()));
  return plain == name;
}

Result<Found> find_member(JsonText walk, std::string_view name) {
  Found found;
  walk.take('{');
  walk.skip_blanks();
  for (bool more = walk.peek() == '"'; more;) {
    JsonString key;
    walk.take_string(key);
    walk.skip_blanks();
    walk.take(':');
    walk.skip_blanks();
    const std::string_view value = value_at(walk);
    if (is_key(key, name)) {
      if (found)
        return make_error(ErrorKind::bad_record,
                          fmt::format("has the key \"{}\" twice", excerpt(name)));
      found = value;
    }
    walk.skip_blanks();
    more = walk.take(',');
    walk.skip_blanks();
  }
  return found;
}

Found find_element(JsonText walk, std::string_view step) {
  std::size_t wanted = 0;
  const auto [end, error] = std::from_chars(step.data(), step.data() + step.size(), wanted);
  const bool is_index = error == std::errc() && end == step.data() + step.size() &&
                        (step == "0" || !step.starts_with('0'));
  if (!is_index) return std::nullopt;
  walk.take('[');
  walk.skip_blanks();
  for (bool more = walk.peek() != ']'; more; --wanted) {
    const std::string_view value = value_at(walk);
    if (wanted == 0) return value;
    walk.skip_blanks();
    more = walk.take(',');
    walk.skip_blanks();
  }
  return std::nullopt;
}

}  // namespace

JsonPointer JsonPointer::to_member(std::string name) {
  JsonPointer made;
  made.steps_.push_back(std::move(name));
  return made;
}

Result<JsonPointer> JsonPointer::parse(std::string_view text) {
  const auto wrong = [&](std::string_view why) {
    return make_error(ErrorKind::config,
                      fmt::format("\"{}\" is no JSON pointer: {}", excerpt(text), why));
  };
  JsonPointer made;
  if (text.empty()) return made;
  if (text.front() != '/') return wrong("it begins with a slash, as in /result/score, or is empty");
  for (const std::string& written : split(text.substr(1), '/')) {
    std::string step;
    for (std::size_t i = 0; i < written.size(); ++i) {
      if (written[i] != '~') {
        step += written[i];
        continue;
      }
      const char next = i + 1 < written.size() ? written[++i] : '\0';
      if (next != '0' && next != '1') return wrong("~ is written ~0, and / within a name ~1");
      step += next == '0' ? '~' : '/';
    }
    made.steps_.push_back(std::move(step));
  }
  return made;
}

Result<Found> JsonPointer::find(std::string_view json) const {
  Found found = json;
  for (const std::string& step : steps_) {
    JsonText walk(found->data(), found->data() + found->size());
    walk.skip_blanks();
    if (walk.peek() == '{') {
      TRANCHE_ASSIGN(found, find_member(walk, step));
    } else if (walk.peek() == '[') {
      found = find_element(walk, step);
    } else {
      return Found();
    }
    if (!found) return found;
  }
  return found;
}

std::string JsonPointer::text() const {
  std::string made;
  for (const std::string& step : steps_) {
    made += '/';
    for (const char c : step) {
      if (c == '~')
        made += "~0";
      else if (c == '/')
        made += "~1";
      else
        made += c;
    }
  }
  return made;
}

}  // namespace tranche
