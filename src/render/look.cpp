#include "render/look.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>

#include <fmt/format.h>

#include "base/process.h"
#include "base/text.h"

namespace tranche {
namespace {

constexpr std::size_t column_gap = 2;
constexpr std::size_t text_columns_min = 12;    // texts give way down to this, then columns go
constexpr std::size_t hidden_count = SIZE_MAX;  // the width of a column that has no room

std::string_view environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? std::string_view() : std::string_view(value);
}

bool locale_is_utf8() {
  for (const char* name : {"LC_ALL", "LC_CTYPE", "LANG"}) {
    const std::string_view value = environment(name);
    if (value.empty()) continue;
    const std::string lower = to_lower(value);
    return lower.find("utf-8") != std::string::npos || lower.find("utf8") != std::string::npos;
  }
  return false;
}

bool begins_character(char c) { return (c & 0xC0) != 0x80; }

const char* code(Colour colour) {
  switch (colour) {
    case Colour::none:
      return "";
    case Colour::bold:
      return "\x1b[1m";
    case Colour::dim:
      return "\x1b[2m";
    case Colour::red:
      return "\x1b[31m";
    case Colour::green:
      return "\x1b[32m";
    case Colour::yellow:
      return "\x1b[33m";
    case Colour::blue:
      return "\x1b[34m";
  }
  return "";
}

}  // namespace

Look look_at(int descriptor) {
  Look look;
  const std::string_view terminal = environment("TERM");
  look.is_terminal = is_terminal(descriptor) && !terminal.empty() && terminal != "dumb";
  look.has_colour = look.is_terminal && environment("NO_COLOR").empty();
  look.has_unicode = locale_is_utf8();
  if (look.is_terminal) look.columns = std::max(terminal_columns(descriptor), 20u);
  return look;
}

std::string paint(const Look& look, Colour colour, std::string_view text) {
  if (!look.has_colour || colour == Colour::none || text.empty()) return std::string(text);
  return fmt::format("{}{}\x1b[0m", code(colour), text);
}

std::size_t display_width(std::string_view text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), begins_character));
}

std::string fit(const Look& look, std::string_view text, std::size_t width) {
  std::string out(text);
  for (char& c : out)
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) c = ' ';
  if (display_width(out) <= width) return out;
  const std::string_view dots = look.has_unicode ? "…" : "...";
  std::size_t keep = width > display_width(dots) ? width - display_width(dots) : 0;
  std::size_t at = 0;
  for (; at < out.size(); ++at)
    if (begins_character(out[at]) && keep-- == 0) break;
  out.resize(at);
  return width < display_width(dots) ? out : out.append(dots);
}

std::string pad_left(std::string_view text, std::size_t width) {
  const std::size_t used = display_width(text);
  return std::string(used < width ? width - used : 0, ' ').append(text);
}

std::string pad_right(std::string_view text, std::size_t width) {
  const std::size_t used = display_width(text);
  return std::string(text).append(used < width ? width - used : 0, ' ');
}

std::string wrap(std::string_view text, std::size_t columns, std::size_t indent) {
  std::string out;
  std::size_t used = indent;
  bool is_first = true;
  for (const std::string& word : split(text, ' ')) {
    if (word.empty()) continue;
    const std::size_t width = display_width(word);
    if (!is_first && used + 1 + width > columns) {
      out += '\n';
      out.append(indent, ' ');
      used = indent;
    } else if (!is_first) {
      out += ' ';
      ++used;
    }
    out += word;
    used += width;
    is_first = false;
  }
  return out;
}

std::vector<std::size_t> TextTable::widths(const Look& look, std::size_t indent,
                                           std::size_t cell_width_max) const {
  std::vector<std::size_t> widths;
  for (const Heading& heading : headings_) widths.push_back(display_width(heading.name));
  for (const auto& row : rows_)
    for (std::size_t i = 0; i < row.size() && i < widths.size(); ++i)
      widths[i] = std::max(widths[i], std::min(display_width(row[i].text), cell_width_max));
  if (!look.is_terminal || widths.empty()) return widths;
  const auto excess = [&] {
    std::size_t total = indent;
    for (const std::size_t width : widths) total += width == hidden_count ? 0 : width + column_gap;
    return total > look.columns + column_gap ? total - look.columns - column_gap : 0;
  };
  const auto narrow_texts = [&](std::size_t width_min) {
    for (std::size_t over = excess(); over > 0; --over) {
      std::size_t widest = widths.size();
      for (std::size_t i = 0; i < widths.size(); ++i)
        if (headings_[i].align == Align::left && widths[i] != hidden_count &&
            widths[i] > width_min && (widest == widths.size() || widths[i] > widths[widest]))
          widest = i;
      if (widest == widths.size()) return;
      --widths[widest];
    }
  };
  narrow_texts(text_columns_min);
  for (std::size_t i = widths.size(); i-- > 0 && excess() > 0;)
    if (headings_[i].may_hide) widths[i] = hidden_count;
  narrow_texts(1);
  return widths;
}

std::string TextTable::render(const Look& look, std::size_t indent,
                              std::size_t cell_width_max) const {
  const std::vector<std::size_t> wide = widths(look, indent, cell_width_max);
  std::string out;
  const auto line = [&](auto cell_of) {
    std::string text(indent, ' ');
    for (std::size_t i = 0; i < wide.size(); ++i) {
      if (wide[i] == hidden_count) continue;
      const Cell cell = cell_of(i);
      const std::string cut = fit(look, cell.text, wide[i]);
      const bool is_right = headings_[i].align == Align::right;
      const std::string padding(wide[i] - std::min(wide[i], display_width(cut)), ' ');
      if (is_right) text += padding;
      text += paint(look, cell.colour, cut);
      if (!is_right) text += padding;
      text.append(column_gap, ' ');
    }
    while (!text.empty() && text.back() == ' ') text.pop_back();
    out += text + "\n";
  };
  const bool has_headings = std::any_of(headings_.begin(), headings_.end(),
                                        [](const Heading& h) { return !h.name.empty(); });
  if (has_headings) line([&](std::size_t i) { return Cell{headings_[i].name, Colour::dim}; });
  for (const auto& row : rows_)
    line([&](std::size_t i) { return i < row.size() ? row[i] : Cell{}; });
  std::string hidden;
  for (std::size_t i = 0; i < wide.size(); ++i)
    if (wide[i] == hidden_count) hidden += (hidden.empty() ? "" : ", ") + headings_[i].name;
  if (!hidden.empty())
    out += std::string(indent, ' ') +
           paint(look, Colour::dim, fit(look, "no room for: " + hidden, look.columns - indent)) +
           "\n";
  return out;
}

std::string format_seconds(double seconds) {
  return format_duration(
      std::chrono::nanoseconds(static_cast<std::int64_t>(std::clamp(seconds, 0.0, 1e9) * 1e9)));
}

std::string format_left(double seconds) {
  const auto whole = static_cast<std::uint64_t>(std::ceil(std::clamp(seconds, 0.0, 1e9)));
  if (whole < 60) return fmt::format("{} s", whole);
  if (whole < 3600) return fmt::format("{} min {:02} s", whole / 60, whole % 60);
  return fmt::format("{} h {:02} min", whole / 3600, whole / 60 % 60);
}

std::string format_number_of(std::uint64_t count, std::string_view one, std::string_view many) {
  return fmt::format("{} {}", format_count(count), count == 1 ? one : many);
}

}  // namespace tranche
