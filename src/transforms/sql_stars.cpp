#include "transforms/sql_stars.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"

namespace tranche {
namespace {

// The star that a written one's text begins with: `*`, `b.*`, `"a*b".*`.
std::size_t find_star(std::string_view text, std::size_t at) {
  bool quoted = false;
  for (; at < text.size(); ++at) {
    if (text[at] == '"') quoted = !quoted;
    if (text[at] == '*' && !quoted) return at;
  }
  return std::string::npos;
}

// The FROM before the table at `table`.
std::size_t find_from(const std::string& text, std::size_t table) {
  const std::size_t end = text.find_last_not_of(" \t\r\n", table - 1);
  if (table == 0 || table > text.size() || end == std::string::npos || end < 3)
    return std::string::npos;
  return to_lower(text.substr(end - 3, 4)) == "from" ? end - 3 : std::string::npos;
}

}  // namespace

// From the last one on, so that offsets stay right.
Result<std::string> narrow_stars(std::string text, std::vector<Star> stars,
                                 const std::vector<std::string>& hidden) {
  std::sort(stars.begin(), stars.end(),
            [](const Star& a, const Star& b) { return a.offset > b.offset; });
  for (const Star& star : stars) {
    std::vector<std::string> missing;
    for (const std::string& name : hidden)
      if (std::find(star.excluded.begin(), star.excluded.end(), name) == star.excluded.end())
        missing.push_back(name);
    if (missing.empty()) continue;
    const std::size_t at =
        star.is_written ? find_star(text, star.offset) : find_from(text, star.offset);
    if (at == std::string::npos)
      return make_error(ErrorKind::config,
                        fmt::format("Write SELECT with the columns before this FROM: without it "
                                    "{} would come out too",
                                    join(missing, " and ")));
    if (!star.is_written) {
      text.insert(at, fmt::format("SELECT * EXCLUDE ({}) ", join(missing, ", ")));
      continue;
    }
    if (star.excluded.empty()) {
      text.insert(at + 1, fmt::format(" EXCLUDE ({})", join(missing, ", ")));
      continue;
    }
    const std::size_t list = text.find_first_not_of(" \t\r\n", at + 1);
    const std::size_t open = list == std::string::npos
                                 ? list
                                 : text.find_first_not_of(" \t\r\n", list + 7);  // behind EXCLUDE
    if (open == std::string::npos || text[open] != '(')
      return make_error(ErrorKind::config,
                        fmt::format("Add {} to the EXCLUDE list of the star, in parentheses",
                                    join(missing, " and ")));
    text.insert(open + 1, join(missing, ", ") + ", ");
  }
  return text;
}

}  // namespace tranche
