#include "formats/json_body.h"

#include <fmt/format.h>

#include "base/json_syntax.h"
#include "base/text.h"
#include "formats/byte_search.h"
#include "formats/json_text.h"

namespace tranche {

Result<std::string_view> json_of_body(std::string& body) {
  const auto wrong = [](std::string what) {
    return make_error(ErrorKind::bad_record, std::move(what));
  };
  const std::size_t bytes = body.size();
  body.append(search_padding_bytes, '\0');
  const std::string_view text = trim(std::string_view(body).substr(0, bytes));
  if (text.empty()) return wrong(", but without anything in it");
  if (find_invalid_utf8(text)) return wrong(", but in something that is not UTF-8");
  if (const JsonFault fault = find_json_fault(text); fault.what != nullptr)
    return wrong(fmt::format(", but in something that is no JSON (byte {}: {})",
                             fault.at - body.data(), fault.what));
  return text;
}

std::vector<std::string_view> elements_of_array(std::string_view array) {
  std::vector<std::string_view> elements;
  JsonText walk(array.data(), array.data() + array.size());
  walk.take('[');
  walk.skip_blanks();
  for (bool more = walk.peek() != ']'; more;) {
    const char* const begin = walk.at();
    walk.skip_value();
    elements.emplace_back(begin, static_cast<std::size_t>(walk.at() - begin));
    walk.skip_blanks();
    more = walk.take(',');
    walk.skip_blanks();
  }
  return elements;
}

}  // namespace tranche
