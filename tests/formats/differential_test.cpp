// The readers of text against slow and obvious references, on inputs that are made by chance and
// damaged: what the fuzz targets check, in a few seconds. TRANCHE_FUZZ_INPUTS says how many inputs
// each test makes, TRANCHE_FUZZ_SEED where it begins.
#include <cstdlib>
#include <random>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "../fuzz/checks.h"
#include "../fuzz/csv_case.h"
#include "base/file.h"
#include "base/text.h"

namespace tranche {
namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr std::uint64_t slowness = 10;  // of a program that is watched
#else
constexpr std::uint64_t slowness = 1;
#endif

std::uint64_t environment(const char* name, std::uint64_t fallback) {
  const char* const value = std::getenv(name);
  return value == nullptr ? fallback : std::strtoull(value, nullptr, 10);
}

class Differential : public testing::Test {
 protected:
  // Makes inputs until one is answered, or there are enough.
  template <class Make>
  void check(std::string (*target)(std::string_view), std::uint64_t inputs, Make make) {
    const std::uint64_t seed = environment("TRANCHE_FUZZ_SEED", std::random_device()());
    inputs = environment("TRANCHE_FUZZ_INPUTS", inputs / slowness);
    RecordProperty("seed", std::to_string(seed));
    for (std::uint64_t i = 0; i < inputs; ++i) {
      random_.seed(seed + i);
      const std::string input = make();
      const std::string wrong = target(input);
      ASSERT_EQ(wrong, "") << "TRANCHE_FUZZ_SEED=" << seed + i << ", input \""
                           << excerpt(input, 400) << "\", base64 " << base64(input);
    }
  }

  std::size_t below(std::size_t end) { return random_() % end; }
  bool one_in(std::size_t count) { return below(count) == 0; }
  template <std::size_t count>
  std::string one_of(const char* const (&texts)[count]) {
    return texts[below(count)];
  }
  std::string digits(std::size_t most) {
    std::string text;
    for (std::size_t i = below(most) + 1; i > 0; --i) text += static_cast<char>('0' + below(10));
    return text;
  }

  // A text that is nearly a value of some type.
  std::string value() {
    std::string text;
    switch (below(15)) {
      case 0: text = digits(20); break;
      case 1: text = "-" + digits(5); break;
      case 2: text = digits(12) + "." + digits(4); break;
      case 3: text = digits(40) + "." + digits(12); break;
      case 4: text = fmt::format("{}e{}", digits(18), static_cast<int>(below(700)) - 350); break;
      case 5:
        text = fmt::format("{:04}-{:02}-{:02}", below(10000), below(14), below(33));
        break;
      case 6:
        text = fmt::format("{:04}-{:02}-{:02}{}{:02}:{:02}:{:02}", 1960 + below(100), below(13) + 1,
                           below(31) + 1, one_in(2) ? ' ' : 'T', below(25), below(61), below(61));
        if (one_in(2)) text += "." + digits(8);
        if (one_in(3)) text += one_of({"Z", "+01", "-0130", "+05:45", "+16:00", "+1"});
        break;
      case 7: text = fmt::format("{:02}:{:02}:{:02}", below(25), below(61), below(61)); break;
      case 8:
        text = one_of({"true", "False", "t", "N", "yes", "1", "0", "truee", "nan", "-inf",
                       "infinity", "NaN", "nan(1)", "NA", "null", "\\N", "-"});
        break;
      case 9:
        text = one_of({"123e4567-e89b-12d3-a456-426614174000", "\\x00\\xFFa", "\\x0", "127", "-128",
                       "128", "32767", "-32769", "2147483647", "2147483648", "-2147483648",
                       "9223372036854775807", "9223372036854775808", "-9223372036854775808",
                       "18446744073709551615", "18446744073709551616",
                       "170141183460469231731687303715884105727",
                       "170141183460469231731687303715884105728",
                       "-170141183460469231731687303715884105728", "99999999.99", "3.4028236e38",
                       "1.7976931348623159e308", "4.9e-324", "+12026-01-31", "-0044-03-15"});
        break;
      case 12:
        text = one_in(2) ? fmt::format("{:02}.{:02}.{:04}", below(32), below(14), below(3000))
                         : fmt::format("{:02}/{:02}/{} {:02}:{:02} {}", below(14), below(32),
                                       1900 + below(200), below(14), below(61),
                                       one_of({"AM", "PM", "pm", "M"}));
        break;
      case 10: text = std::string(below(70), 'x'); break;
      case 11: text = one_of({"\xC3\xA9", "\xE2\x82\xAC", "\xF0\x9F\x98\x80", "\xC3", "\xFF",
                              "\xED\xA0\x80", "\xC0\x80", "\xF4\x90\x80\x80"}); break;
      default: break;
    }
    if (one_in(8)) text.insert(below(text.size() + 1), 1, static_cast<char>(random_()));
    if (one_in(8) && !text.empty()) text.erase(below(text.size()), 1);
    if (one_in(12)) text = " " + text;
    return text;
  }

  // A field as a writer would write it, or nearly.
  std::string field(const CsvDialect& dialect) {
    std::string text = value();
    if (dialect.quote == 0 || !one_in(3)) return text;
    if (one_in(4)) text += dialect.delimiter;
    if (one_in(4)) text += one_of({"\n", "\r\n", "\r"});
    if (one_in(4)) text += dialect.quote;
    std::string quoted(1, dialect.quote);
    for (const char c : text) {
      if (c == dialect.quote || c == dialect.escape) quoted += dialect.escape;
      quoted += c;
    }
    return quoted + dialect.quote + (one_in(20) ? " " : "");
  }

  std::string csv_input() {
    std::string input;
    for (std::size_t i = 0; i < CsvCase::head_bytes; ++i) input += static_cast<char>(random_());
    if (one_in(2)) input[0] = input[2] = 0;  // the usual dialect
    const CsvCase made = make_csv_case(input);
    const CsvDialect& dialect = made.dialect;
    const std::string line_end = one_of({"\n", "\r\n", "\r"});
    std::string text;
    for (std::size_t records = below(12); records > 0; --records) {
      if (one_in(12)) text += dialect.comment != 0 ? "#," + value() + line_end : line_end;
      std::size_t columns = made.schema.fields.size();
      if (one_in(10)) columns = below(8) + 1;
      for (std::size_t i = 0; i < columns; ++i) {
        text += (i > 0 ? dialect.delimiter : "") + field(dialect);
      }
      text += one_in(10) ? one_of({"\n", "\r\n", "\r", ""}) : line_end;
    }
    if (one_in(2)) damage(text, dialect);
    return input + text;
  }

  void damage(std::string& text, const CsvDialect& dialect) {
    const std::string special[] = {std::string(1, dialect.quote), std::string(1, dialect.escape),
                                   dialect.delimiter, dialect.delimiter.substr(0, 1), "\n", "\r",
                                   std::string(1, '\0'), "\xFF", " ", "#"};
    for (std::size_t times = below(4) + 1; times > 0; --times) {
      const std::size_t at = below(text.size() + 1);
      switch (below(4)) {
        case 0: text.insert(at, special[below(std::size(special))]); break;
        case 1: text.erase(at, below(5)); break;
        case 2: text.insert(at, text.substr(below(text.size() + 1), below(80))); break;
        default:
          if (at < text.size()) text[at] = special[below(std::size(special))][0];
      }
    }
  }

  // Text of few letters, so that everything meets everything.
  std::string dense_input() {
    std::string input;
    for (std::size_t i = 0; i < CsvCase::head_bytes; ++i) input += static_cast<char>(random_());
    const CsvDialect dialect = make_csv_case(input).dialect;
    const std::string alphabet = dialect.delimiter + dialect.delimiter + "ab #" +
                                 one_of({"\n\n\r", "\n\n\r\r\r", "\r\r", "\n\n"}) +
                                 std::string(3, dialect.quote) + dialect.escape;
    for (std::size_t bytes = below(90); bytes > 0; --bytes) {
      input += alphabet[below(alphabet.size())];
    }
    return input;
  }

  std::string json_line() {
    std::string text = one_of(
        {"{\"a\":\"x\"}", "{\"a\":1e5,\"b\":[1,{\"c\":null}]}", "{}", "[1]",
         "{\"a\":\"\\u00e9\\n\"}",
         "{\"a\":\"\xC3\xA9\"}", "{\"a\":true,\"a\":2}", "null", "{\"b\":\"\\ud83d\\ude00\"}",
         "  {\"a\" : -0.5 }  ", "{\"a\":{\"b\":{\"c\":[[[]]]}}}", "", "{\"a\":"});
    for (std::size_t times = below(3); times > 0; --times) {
      const std::size_t at = below(text.size() + 1);
      if (one_in(2)) text.insert(at, one_of({"\"", "\\", "{", "}", "[", "]", ",", ":", "\xFF", "1",
                                             "\\u", "e", " ", "\t", "true", "-"}));
      else text.erase(at, below(4));
    }
    return text;
  }

  std::string json_value(char key) {
    if (one_in(8)) return "null";
    if (one_in(10)) {
      return one_of({"\"\"", "\"a\\\"b\\\\\"", "[1, null,-3]", "{\"x\":1,\"y\":\"z\"}", "1e2", "01",
                     "-", "1.", "{\"y\" : null}", "true", "[]", "\"\xC3\xA9\"", "\"\t\"", "-0",
                     "{}", "\"2024-02-29 12:00:00\"", "nul", "\"\\u0041\\ud83d\\ude00\"", "12.50"});
    }
    switch (key) {
      case 'b':
      case 'i':
      case 's':
      case 'u':
      case 'h':
        return (one_in(4) ? "-" : "") + std::to_string(random_() >> below(64));
      case 'd':
      case 'p':
      case 'q':
        return (one_in(4) ? "-" : "") + digits(6) + "." + digits(4);
      case 't':
        return fmt::format("\"2024-{:02}-{:02} {:02}:00:59{}\"", below(12) + 1, below(29) + 1,
                           below(24), one_of({"", ".123", ".123456", "Z"}));
      case 'y':
        return fmt::format("\"2024-{:02}-{:02}\"", below(12) + 1, below(32));
      case 'k':
        return one_of({"true", "false"});
      case 'l':
        return one_of({"[]", "[1]", "[1,2,3]"});
      case 'r':
        return one_of({"{\"x\":1,\"y\":\"z\"}", "{\"y\":\"\"}", "{}"});
      default:
        return '"' + std::string(below(40), 'x') + '"';
    }
  }

  // Lines as one program writes them: the same keys in the same order, some of them left out.
  std::string json_lines() {
    std::vector<std::string> keys{
        "b", "i", "s", "u", "h", "d", "p", "q", "t", "y", "k", "v", "a name of more than 16 bytes",
        "j", "l", "r"};
    if (one_in(3)) std::shuffle(keys.begin(), keys.end(), random_);
    const std::size_t used = one_in(2) ? keys.size() : below(keys.size()) + 1;
    const std::string blank = one_in(4) ? " " : "";
    const std::size_t left_out = below(12) + 2;
    std::string text;
    for (std::size_t lines = one_in(8) ? below(200) : below(4) + 1; lines > 0; --lines) {
      std::string line;
      if (one_in(60)) std::swap(keys[below(keys.size())], keys[0]);
      for (std::size_t i = 0; i < used; ++i) {
        if (one_in(left_out)) continue;
        line += (line.empty() ? "\"" : "," + blank + "\"") + keys[i] + "\":" + blank +
                json_value(keys[i].size() == 1 ? keys[i][0] : 'v');
      }
      line = "{" + line + "}";
      for (std::size_t times = one_in(6) ? below(3) : 0; times > 0; --times) {
        const std::size_t at = below(line.size() + 1);
        if (one_in(2))
          line.erase(at, below(3));
        else
          line.insert(at, one_of({"\"", "\\", "{", "}", ",", ":", "\xFF", "1", " ", "\r", "\t",
                                  ",\"b\":1", "\"b\":1", "}\n{", ".5", "e1", "]"}));
      }
      text += line + one_of({"\n", "\n", "\n", "\n", "\r\n", "\n\n"});
    }
    if (!text.empty() && one_in(3)) text.pop_back();
    return text;
  }

  std::mt19937_64 random_;
};

TEST_F(Differential, RecordsAreCutWhereTheReferenceCutsThem) {
  check(check_cutting, 6000, [this] { return one_in(2) ? dense_input() : csv_input(); });
}

TEST_F(Differential, RowsAndRejectsAreThoseOfTheReference) {
  check(check_csv, 4000, [this] { return one_in(4) ? dense_input() : csv_input(); });
}

TEST_F(Differential, WhatIsWrittenIsReadAsTheSameRows) {
  check(check_writing, 8000, [this] { return csv_input(); });
}

TEST_F(Differential, ALineOfJsonCostsNoOtherLine) {
  check(check_jsonl, 10000, [this] {
    std::string text;
    for (std::size_t lines = below(5) + 1; lines > 0; --lines) {
      text += json_line() + one_of({"\n", "\r\n", "\n\n", " \n"});
    }
    if (one_in(10)) text.insert(below(text.size() + 1), std::string(below(700), 'x'));
    return text;
  });
}

TEST_F(Differential, LinesOfJsonAreTheSameTogetherAndByThemselves) {
  check(check_json_rows, 3000, [this] { return json_lines(); });
}

TEST_F(Differential, NumbersAreThoseOfTheReference) {
  check(check_numbers, 40000, [this] { return value(); });
}

TEST_F(Differential, DatesAreThoseOfTheReference) {
  check(check_dates, 40000, [this] {
    std::string text = value() + "\n";
    for (std::size_t parts = below(8); parts > 0; --parts) {
      text += one_of({"%Y", "%m", "%d", "%H", "%M", "%S", "%f", "%-d", "%b", "%j", "%p", "%I", "%z",
                      "%F", "%T", "-", " ", ".", "%", "%y"});
    }
    return text;
  });
}

TEST(FuzzCorpus, EveryInputIsAnsweredAsItShould) {
  const char* const sources = std::getenv("TRANCHE_SOURCE_DIR");
  ASSERT_NE(sources, nullptr) << "run it by ctest, or set TRANCHE_SOURCE_DIR";
  for (const FuzzTarget& target : fuzz_targets) {
    std::size_t inputs = 0;
    for (const auto& entry :
         fs::directory_iterator(fs::path(sources) / "fuzz" / "corpus" / target.name)) {
      EXPECT_EQ(target.check(read_file(entry.path()).value()), "") << entry.path();
      ++inputs;
    }
    EXPECT_GT(inputs, 0U) << target.name;
  }
}

}  // namespace
}  // namespace tranche
