#include "render/look.h"

#include <cstdlib>

namespace tranche {
namespace {

Look narrow(unsigned columns) {
  Look look;
  look.is_terminal = true;
  look.columns = columns;
  return look;
}

TEST(Look, OfWhatIsNoTerminalHasNoColours) {
  ::setenv("TERM", "xterm-256color", 1);
  const Look look = look_at(-1);
  EXPECT_FALSE(look.is_terminal);
  EXPECT_FALSE(look.has_colour);
  EXPECT_EQ(paint(look, Colour::red, "text"), "text");
}

TEST(Look, TakesUnicodeFromTheLocale) {
  ::unsetenv("LC_ALL");
  ::unsetenv("LC_CTYPE");
  ::setenv("LANG", "de_DE.UTF-8", 1);
  EXPECT_TRUE(look_at(-1).has_unicode);
  ::setenv("LC_ALL", "C", 1);
  EXPECT_FALSE(look_at(-1).has_unicode);
  ::unsetenv("LC_ALL");
}

TEST(Fit, CutsAtCharactersAndShowsThatItDid) {
  Look look;
  EXPECT_EQ(fit(look, "abcdef", 6), "abcdef");
  EXPECT_EQ(fit(look, "abcdefg", 6), "abc...");
  look.has_unicode = true;
  EXPECT_EQ(fit(look, "äöüßäöü", 4), "äöü…");
  EXPECT_EQ(fit(look, "abc", 0), "");
}

TEST(Fit, TakesControlCharactersOutOfData) {
  EXPECT_EQ(fit(Look{}, "a\x1b[31mb\nc", 20), "a [31mb c");
}

TEST(Wrap, BreaksAtBlanksAndIndents) {
  EXPECT_EQ(wrap("one two three four", 9, 2), "one two\n  three\n  four");
  EXPECT_EQ(wrap("averylongword x", 5, 0), "averylongword\nx");
}

TEST(TextTable, AlignsItsColumnsAndLeavesNoBlanksAtTheEnd) {
  TextTable table({{"name"}, {"rows", TextTable::Align::right}, {"note"}});
  table.add({{"a"}, {"1,000"}, {"first"}});
  table.add({{"longer"}, {"7"}, {""}});
  EXPECT_EQ(table.render(Look{}, 2),
            "  name     rows  note\n"
            "  a       1,000  first\n"
            "  longer      7\n");
}

TEST(TextTable, IsNeverWiderThanATerminal) {
  TextTable table({{"path"}, {"rows", TextTable::Align::right}});
  table.add({{"a/very/long/path/of/a/file/that/does/not/fit.csv"}, {"12"}});
  const std::string text = table.render(narrow(30), 2);
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = text.find('\n', begin);
    EXPECT_LE(display_width(text.substr(begin, end - begin)), 30u);
    begin = end + 1;
  }
}

TEST(TextTable, HidesColumnsRatherThanCuttingFigures) {
  TextTable table({{"step"},
                   {"read", TextTable::Align::right},
                   {"time", TextTable::Align::right, true},
                   {"rate", TextTable::Align::right, true}});
  table.add({{"load"}, {"1,234,567"}, {"12.4 s"}, {"1,000 rows/s"}});
  EXPECT_EQ(table.render(narrow(20)),
            "step       read\n"
            "load  1,234,567\n"
            "no room for: time...\n");
  EXPECT_EQ(table.render(narrow(30)),
            "step       read    time\n"
            "load  1,234,567  12.4 s\n"
            "no room for: rate\n");
}

TEST(FormatLeft, HasNoFractions) {
  EXPECT_EQ(format_left(5.2), "6 s");
  EXPECT_EQ(format_left(125), "2 min 05 s");
  EXPECT_EQ(format_left(8040), "2 h 14 min");
}

}  // namespace
}  // namespace tranche
