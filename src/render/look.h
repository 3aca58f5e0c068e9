// How text may look where it goes: colours, characters, width. And the pieces that text is laid out
// with: padding, wrapping, tables.
//
// Threads: value types and pure functions, except look_at, which reads the environment.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace tranche {

struct Look {
  bool is_terminal = false;  // lines may be redrawn in place
  bool has_colour = false;
  bool has_unicode = false;
  unsigned columns = 80;
};

// A terminal that can move its cursor, with its width; colours unless NO_COLOR is set (and not
// empty); neither with TERM=dumb. Unicode where the locale says UTF-8.
Look look_at(int descriptor);

enum class Colour : std::uint8_t { none, bold, dim, red, green, yellow, blue };
std::string paint(const Look& look, Colour colour, std::string_view text);

// Columns that `text` takes: its characters, one each. REQUIRES no escape sequences.
std::size_t display_width(std::string_view text);
// At most `width` columns, with "..." (or one ellipsis) where something is left out; control
// characters become blanks, so that data can't steer the terminal.
std::string fit(const Look& look, std::string_view text, std::size_t width);
std::string pad_left(std::string_view text, std::size_t width);
std::string pad_right(std::string_view text, std::size_t width);
// Breaks at blanks so that no line is wider than `columns`; lines after the first begin with
// `indent` blanks. A word that is too long stands alone.
std::string wrap(std::string_view text, std::size_t columns, std::size_t indent);

// Columns side by side, two blanks between them.
class TextTable {
 public:
  enum class Align : std::uint8_t { left, right };
  struct Heading {
    std::string name;
    Align align = Align::left;
    bool may_hide = false;  // in a window that is too narrow, the last of these goes first
  };
  struct Cell {
    std::string text;
    Colour colour = Colour::none;
  };

  explicit TextTable(std::vector<Heading> headings) : headings_(std::move(headings)) {}
  void add(std::vector<Cell> row) { rows_.push_back(std::move(row)); }
  bool empty() const { return rows_.empty(); }
  // Lines with newlines. Cells wider than `cell_width_max` are cut. Where a terminal is too narrow,
  // texts are cut (figures never), then columns go, and a line says which.
  std::string render(const Look& look, std::size_t indent = 0,
                     std::size_t cell_width_max = SIZE_MAX) const;

 private:
  std::vector<std::size_t> widths(const Look& look, std::size_t indent,
                                  std::size_t cell_width_max) const;
  std::vector<Heading> headings_;
  std::vector<std::vector<Cell>> rows_;
};

// "12.4 s", "4 min 05 s" of seconds; "6 s", "2 h 14 min" for what is left, without fractions.
std::string format_seconds(double seconds);
std::string format_left(double seconds);
// "1 row", "2,000 rows".
std::string format_number_of(std::uint64_t count, std::string_view one, std::string_view many);

}  // namespace tranche
