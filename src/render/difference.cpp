#include "render/difference.h"

#include <algorithm>
#include <span>
#include <vector>

#include <fmt/format.h>

#include "base/text.h"

namespace tranche {
namespace {

constexpr std::size_t lines_max = 5;
constexpr std::size_t line_bytes_max = 200;

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines = split(text, '\n');
  if (!lines.empty() && lines.back().empty()) lines.pop_back();
  return lines;
}

std::string count_text(std::size_t lines) {
  return lines == 1 ? "1 line" : fmt::format("{} lines", format_count(lines));
}

void append_lines(std::string& out, std::string_view sign, Colour colour,
                  std::span<const std::string> lines, const Look& look) {
  for (std::size_t i = 0; i < std::min(lines.size(), lines_max); ++i)
    out += "      " +
           paint(look, colour, fmt::format("{} {}", sign, excerpt(lines[i], line_bytes_max))) +
           "\n";
  if (lines.size() > lines_max)
    out += fmt::format("      {} and {} more\n", sign, format_count(lines.size() - lines_max));
}

}  // namespace

std::string render_difference(const std::string& name, const std::optional<std::string>& expected,
                              const std::optional<std::string>& came, const Look& look) {
  if (!came) return fmt::format("    {} was expected, and did not come\n", name);
  const std::vector<std::string> there = lines_of(*came);
  if (!expected) {
    std::string out =
        fmt::format("    {} was not expected, and came with {}\n", name, count_text(there.size()));
    append_lines(out, "+", Colour::green, there, look);
    return out;
  }
  const std::vector<std::string> wanted = lines_of(*expected);
  const std::size_t shorter = std::min(wanted.size(), there.size());
  std::size_t head = 0;
  while (head < shorter && wanted[head] == there[head]) ++head;
  std::size_t tail = 0;
  while (tail < shorter - head &&
         wanted[wanted.size() - 1 - tail] == there[there.size() - 1 - tail])
    ++tail;
  if (wanted.size() == there.size() && head == wanted.size())
    return fmt::format("    {} differs in its line ends\n", name);
  std::string out = fmt::format("    {} differs from line {} on: {} expected, {} came\n", name,
                                head + 1, count_text(wanted.size()), format_count(there.size()));
  append_lines(out, "-", Colour::red, std::span(wanted).subspan(head, wanted.size() - tail - head),
               look);
  append_lines(out, "+", Colour::green, std::span(there).subspan(head, there.size() - tail - head),
               look);
  return out;
}

}  // namespace tranche
