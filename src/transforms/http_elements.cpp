#include "transforms/http_elements.h"

#include <unordered_map>

#include <fmt/format.h>

#include <tranche/core/value.h>

#include "base/json_syntax.h"
#include "base/text.h"
#include "formats/json_body.h"

namespace tranche {
namespace {

using Elements = std::vector<std::optional<std::string_view>>;

Error wrong(std::string what) { return make_error(ErrorKind::bad_record, std::move(what)); }

// A text's own characters, anything else as it is written: 7 and "7" are the same.
std::string plain_text(std::string_view json) {
  if (!json.starts_with('"')) return std::string(json);
  std::string made(json.size(), '\0');
  const char* const end = unescape_json(json.substr(1, json.size() - 2), made.data());
  made.resize(static_cast<std::size_t>(end - made.data()));
  return made;
}

}  // namespace

Result<void> HttpElements::bind(const Schema& input) {
  if (match_by_.empty()) return {};
  const auto found = input.find(match_by_);
  if (!found)
    return make_error(ErrorKind::config,
                      fmt::format("The records have no column \"{}\", by which `match_by:` tells "
                                  "whose an answer is.",
                                  excerpt(match_by_)));
  column_ = *found;
  return {};
}

Result<Elements> HttpElements::find(std::string_view json, const Page& page,
                                    std::span<const std::uint32_t> rows) const {
  const auto found = answers_.find(json);
  if (!found) return wrong(fmt::format(", but {}", found.error().message));
  if (!*found || !(*found)->starts_with('['))
    return wrong(fmt::format(", but without an array {}, where those of {} records were expected",
                             answers_.text().empty() ? "as the answer" : "at " + answers_.text(),
                             rows.size()));
  const auto elements = elements_of_array(**found);
  if (!match_by_.empty()) return match(elements, page, rows);
  if (elements.size() != rows.size())
    return wrong(fmt::format(", but with {} answers for {} records", elements.size(), rows.size()));
  return Elements(elements.begin(), elements.end());
}

Result<Elements> HttpElements::match(const std::vector<std::string_view>& elements,
                                     const Page& page, std::span<const std::uint32_t> rows) const {
  const JsonPointer member = JsonPointer::to_member(match_by_);
  struct Answer {
    std::string_view element;
    bool is_taken = false;
  };
  std::unordered_map<std::string, Answer> by_name;
  for (const std::string_view element : elements) {
    const auto name = member.find(element);
    if (!name || !*name)
      return wrong(fmt::format(", but with an answer without \"{}\"", excerpt(match_by_)));
    std::string text = plain_text(**name);
    if (!by_name.emplace(text, Answer{element}).second)
      return wrong(
          fmt::format(", but with two answers for \"{}\" {}", excerpt(match_by_), excerpt(text)));
  }
  Elements made;
  for (const std::uint32_t row : rows) {
    std::string text;
    const Column& column = page.column(column_);
    if (column.is_valid(row)) append_value_text(text, column, row);
    const auto found = by_name.find(text);
    made.emplace_back();
    if (found == by_name.end()) continue;
    made.back() = found->second.element;
    found->second.is_taken = true;
  }
  for (const auto& [text, answer] : by_name)
    if (!answer.is_taken)
      return wrong(fmt::format(", but with an answer for \"{}\" {}, which was not asked for",
                               excerpt(match_by_), excerpt(text)));
  return made;
}

}  // namespace tranche
