#include "formats/json_array.h"

#include <random>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "base/temporary_folder.h"
#include "base/text.h"

namespace tranche {
namespace {

struct Element {
  std::uint64_t offset, bytes, next, line;
  bool too_long;
  bool operator==(const Element&) const = default;
};

std::ostream& operator<<(std::ostream& out, const Element& element) {
  return out << fmt::format("{}+{} to {}, line {}{}", element.offset, element.bytes, element.next,
                            element.line, element.too_long ? ", too long" : "");
}

// ---- The slow and obvious one: all of the text at hand, a byte at a time.

constexpr std::string_view blanks = " \t\r\n";

std::size_t behind_blanks(const std::string& text, std::size_t at) {
  return std::min(text.find_first_not_of(blanks, at), text.size());
}

// Where the element's brackets end it; npos: that can't be told.
std::size_t end_by_brackets(const std::string& text, std::size_t at) {
  std::string open;
  bool in_string = false;
  for (; at < text.size(); ++at) {
    const char c = text[at];
    if (in_string) {
      if (c == '\n') return std::string::npos;
      if (c == '"') in_string = false;
      if (c == '\\' && at + 1 < text.size() && text[at + 1] != '\n') ++at;
    } else if (c == '"') {
      in_string = true;
    } else if (c == '{' || c == '[') {
      if (open.size() > json_depth_max) return std::string::npos;
      open += c;
    } else if (c == '}' || c == ']') {
      if (open.empty() && c == ']') return at;
      if (open.empty()) continue;
      if (open.back() != (c == '}' ? '{' : '[')) return std::string::npos;
      open.pop_back();
    } else if (c == ',' && open.empty()) {
      return at;
    }
  }
  return in_string || !open.empty() ? std::string::npos : text.size();
}

// The comma before the next line that begins as the element's does; npos: there is none.
std::size_t end_by_line(const std::string& text, std::size_t begin, char opening) {
  const std::size_t feed = text.find_last_of('\n', begin);
  std::string indent;
  if (feed != std::string::npos && text.find_first_not_of(" \t\r", feed + 1) == begin)
    indent = text.substr(feed + 1, begin - feed - 1);
  for (std::size_t comma = text.find(',', begin); comma != std::string::npos;
       comma = text.find(',', comma + 1)) {
    const std::size_t next = behind_blanks(text, comma + 1);
    if (next == text.size() || text[next] != opening) continue;
    const std::string between = text.substr(comma + 1, next - comma - 1);
    const std::size_t last = between.rfind('\n');
    if (last != std::string::npos && between.substr(last + 1) == indent) return comma;
  }
  return std::string::npos;
}

std::vector<Element> elements_of(const std::string& text, std::uint64_t limit, bool any_value) {
  std::vector<Element> found;
  const auto add = [&](std::size_t begin, std::size_t end, std::size_t next) {
    while (end > begin && blanks.find(text[end - 1]) != std::string_view::npos) --end;
    const auto line = std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(begin),
                                 '\n');
    found.push_back({begin, end - begin, next, static_cast<std::uint64_t>(line),
                     end - begin > limit});
  };
  std::size_t at = behind_blanks(text, 0);
  bool first = true;
  while ((at = behind_blanks(text, at)) < text.size()) {
    if (text[at] != (first ? '[' : ',')) {
      add(at, text.size(), text.size());
      break;
    }
    const std::size_t begin = behind_blanks(text, at + 1);
    if (first && begin < text.size() && text[begin] == ']') {
      if (behind_blanks(text, begin + 1) < text.size()) add(begin, text.size(), text.size());
      break;
    }
    first = false;
    const char opening = any_value && begin < text.size() ? text[begin] : '{';
    std::size_t end = end_by_brackets(text, begin);
    if (end == std::string::npos || end - begin > limit)
      end = std::min(end, end_by_line(text, begin, opening));
    end = std::min(end, text.size());
    const bool closes =
        end < text.size() && text[end] == ']' && behind_blanks(text, end + 1) == text.size();
    add(begin, end, closes ? text.size() : end);
    at = found.back().next;
  }
  return found;
}

// ----

class JsonArray : public TemporaryFolder {
 protected:
  // The elements from `begin` on, which is the beginning or the end of one before.
  std::vector<Element> cut(const std::string& text, std::uint64_t limit, bool any_value,
                           std::size_t begin, std::size_t end, std::size_t window,
                           std::size_t block) {
    const TextFile file = File::open_read(at("a.json")).value();
    Digest digest;
    const RecordCursor::Use use{.begin = begin, .end = end, .window_bytes = window,
                                .block_records = block, .digest = &digest};
    const bool is_first = begin == behind_blanks(text, 0);
    JsonArrayCursor cursor(file, "a.json", JsonArrayScanner(limit, is_first, any_value), use);
    const auto before = static_cast<std::uint64_t>(
        std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(begin), '\n'));
    std::vector<Element> found;
    while (true) {
      const auto records = cursor.next().value();
      if (records.empty()) break;
      for (const TextRecord& record : records) {
        std::uint64_t bytes = record.bytes;
        if (cursor.block_is_long()) {  // its blanks behind it are not looked at
          const std::size_t last = text.find_last_not_of(blanks, record.next - 1);
          bytes = last == std::string::npos || last < record.offset ? 0 : last + 1 - record.offset;
        }
        // One that is too long may leave the closing bracket behind it.
        std::uint64_t next = record.next;
        if (record.fault == RecordFault::too_long && next < end && text[next] == ']' &&
            behind_blanks(text, next + 1) == text.size())
          next = text.size();
        found.push_back({record.offset, bytes, next, before + record.line,
                         record.fault == RecordFault::too_long});
      }
    }
    EXPECT_EQ(digest.value(), digest64(std::string_view(text).substr(begin, end - begin)));
    return found;
  }

  void expect_cuts(const std::string& text, std::uint64_t limit, bool any_value) {
    put("a.json", text);
    const auto expected = elements_of(text, limit, any_value);
    std::vector<std::size_t> begins{behind_blanks(text, 0)};
    for (const Element& element : expected) begins.push_back(element.next);
    for (const std::size_t window : {1U, 7U, 64U, 1000U}) {
      for (std::size_t from = 0; from < begins.size(); ++from) {
        const std::vector<Element> rest(expected.begin() + static_cast<std::ptrdiff_t>(from),
                                        expected.end());
        ASSERT_EQ(cut(text, limit, any_value, begins[from], text.size(), window, 1 + from % 3),
                  rest)
            << "window " << window << ", limit " << limit << ", from " << begins[from] << ":\n"
            << text;
        if (from + 1 == begins.size()) continue;
        // A slice of one record, read by itself.
        ASSERT_EQ(cut(text, limit, any_value, begins[from], begins[from + 1], window, 2),
                  std::vector<Element>{expected[from]})
            << "window " << window << ", limit " << limit << ":\n" << text;
      }
    }
  }
};

TEST_F(JsonArray, FindsElementsThatSpanLinesAndHoldBracketsAndCommasInStrings) {
  const std::string text =
      " \n[\n  {\"a\": [1, {\"b\": \"],{\\\"\"}],\n   \"c\": 2},\n\n  {\"a\": 3} , {}\n]\n \n";
  const auto found = elements_of(text, 100, false);
  ASSERT_EQ(found.size(), 3U);
  EXPECT_EQ(text.substr(found[0].offset, found[0].bytes),
            "{\"a\": [1, {\"b\": \"],{\\\"\"}],\n   \"c\": 2}");
  EXPECT_EQ(text.substr(found[1].offset, found[1].bytes), "{\"a\": 3}");
  EXPECT_EQ(found[1].line, 5U);
  EXPECT_EQ(found[2].next, text.size());
  expect_cuts(text, 100, false);
  expect_cuts("[]", 10, false);
  expect_cuts("[ \n ] ", 10, false);
  expect_cuts("[", 10, false);
  expect_cuts("[{}", 10, false);
  expect_cuts("[{},", 10, false);
  expect_cuts("[{}]{}", 10, false);
  expect_cuts("[{}]\n[{}]", 10, false);
  expect_cuts("[1,\"a\",[2,3],null]", 10, true);
}

TEST_F(JsonArray, LosesOnlyTheElementWhoseEndCanNotBeTold) {
  for (const char* broken :
       {"{\"a\": \"x}", "{\"a\": [1}", "{\"a\": {\"b\": 1}", "{\"a\": [1, 2", "{\"a\": \"\\",
        "{"}) {
    const std::string text = fmt::format(
        "[\n  {{\"k\":1}},\n  {},\n  {{\"k\":2}},\n  {{\"k\":3}}\n]\n", broken);
    const auto found = elements_of(text, 1000, false);
    ASSERT_EQ(found.size(), 4U) << text;
    EXPECT_EQ(text.substr(found[1].offset, found[1].bytes), broken);
    expect_cuts(text, 1000, false);
  }
}

TEST_F(JsonArray, CutsOneThatIsTooLongWhereItsBracketsEnd) {
  const std::string text = "[{\"k\":1},{\"k\":\"" + std::string(700, 'x') + "\"},{\"k\":2}]";
  const auto found = elements_of(text, 50, false);
  ASSERT_EQ(found.size(), 3U);
  EXPECT_TRUE(found[1].too_long);
  expect_cuts(text, 50, false);
}

TEST_F(JsonArray, CutsTheSameInWindowsOfAnySizeAndFromAnyElementOnWhateverIsBroken) {
  const unsigned seed = std::random_device{}();
  std::mt19937 random(seed);
  const std::string_view letters = "{}[]\",:\\ 1x\n\n";
  for (int round = 0; round < 400; ++round) {
    const bool indented = random() % 2 == 0;
    std::string text = "[";
    for (auto count = random() % 6; count > 0; --count) {
      text += indented ? "\n  " : random() % 2 == 0 ? "\n" : "";
      switch (random() % 3) {
        case 0: text += "{\"a\":1}"; break;
        case 1: text += "{\"a\":[{\"b\":\"}\\\"]\"},\n  {\"c\":2}]}"; break;
        default: text += "{\n    \"a\": \"" + std::string(random() % 60, 'x') + "\"\n  }"; break;
      }
      if (count > 1) text += random() % 8 == 0 ? " ,  " : ",";
    }
    text += "\n]\n";
    for (auto changes = random() % 4; changes > 0; --changes) {
      const std::size_t at = 1 + random() % (text.size() - 1);  // it begins with its bracket
      const char letter = letters[random() % letters.size()];
      switch (random() % 3) {
        case 0: text[at] = letter; break;
        case 1: text.insert(at, 1, letter); break;
        default: text.erase(at, 1); break;
      }
    }
    expect_cuts(text, 1 + random() % 80, random() % 2 == 0);
    if (HasFatalFailure()) {
      ADD_FAILURE() << "seed " << seed;
      return;
    }
  }
}

}  // namespace
}  // namespace tranche
