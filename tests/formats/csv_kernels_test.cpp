// Columns of usual values, four rows at a time: the values of the strict parsers, whatever stands
// between the usual ones.
#include "formats/csv_kernels.h"

#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <tranche/core/value.h>

#include "base/simd.h"
#include "formats/number_kernels.h"

namespace tranche {
namespace {

// Fields of one column, with the padding that the kernels may read, and other fields between them.
class FieldColumn {
 public:
  explicit FieldColumn(std::vector<std::string> texts) : texts_(std::move(texts)) {
    bytes_.assign(number_padding_bytes, '7');
    for (const std::string& text : texts_) {
      fields_.push_back(
          {static_cast<std::uint32_t>(bytes_.size()), static_cast<std::uint32_t>(text.size())});
      fields_.push_back({0, 1});
      bytes_ += text + ",3";
    }
    bytes_.append(search_padding_bytes, '5');
  }
  CsvFieldColumn view() const { return {bytes_.data(), fields_.data(), 2, texts_.size()}; }
  void mark(std::size_t row, std::uint32_t marks) { fields_[2 * row].marks |= marks; }
  const std::vector<std::string>& texts() const { return texts_; }

 private:
  std::vector<std::string> texts_;
  std::string bytes_;
  std::vector<CsvField> fields_;
};

// Reads on behind each row that is left to the caller. `read_many`: from a row on; `parse`: a text.
// Gives how many rows were read.
template <class T, class ReadMany, class Parse>
std::size_t expect_those_of_the_parser(const FieldColumn& column, ReadMany read_many, Parse parse) {
  const auto& texts = column.texts();
  std::vector<T> values(texts.size() + 4, T{77});
  std::size_t read = 0;
  for (std::size_t row = 0; row < texts.size(); ++row) {
    const std::size_t end = read_many(column.view(), row, values.data());
    EXPECT_LE(end, texts.size());
    for (; row < end; ++row, ++read) {
      T strict{};
      EXPECT_EQ(parse(std::string_view(texts[row]), strict), ParseStatus::ok) << texts[row];
      EXPECT_EQ(values[row], strict) << texts[row];
    }
  }
  return read;
}

template <class T> std::size_t expect_integers(const FieldColumn& column) {
  return expect_those_of_the_parser<T>(
      column,
      [](const CsvFieldColumn& from, std::size_t row, T* out) {
        return read_integers(from, row, out);
      },
      [](std::string_view text, T& out) { return parse_integer(text, out); });
}

template <class T>
std::size_t expect_decimals(const FieldColumn& column, unsigned width, unsigned scale) {
  return expect_those_of_the_parser<T>(
      column,
      [&](const CsvFieldColumn& from, std::size_t row, T* out) {
        return read_decimals(from, row, scale, out);
      },
      [&](std::string_view text, T& out) { return parse_decimal(text, width, scale, out); });
}

std::size_t expect_timestamps(const FieldColumn& column) {
  CsvTimestamps timestamps;
  return expect_those_of_the_parser<std::int64_t>(
      column,
      [&](const CsvFieldColumn& from, std::size_t row, std::int64_t* out) {
        return timestamps.read(from, row, out);
      },
      parse_timestamp);
}

class CsvKernels : public testing::Test {
 protected:
  void SetUp() override {
    if (simd_level() < SimdLevel::avx2) GTEST_SKIP() << "this machine has no AVX2";
  }
  std::size_t below(std::size_t end) { return random_() % end; }

  // `rows` of what `usual` makes; one in `oddity` has a letter changed, put in or taken out, none
  // of them where that is 0.
  template <class Make> FieldColumn column(std::size_t rows, std::size_t oddity, Make usual) {
    constexpr std::string_view letters = "0123456789-+.:T /,e\xFF";
    std::vector<std::string> texts;
    for (std::size_t row = 0; row < rows; ++row) {
      std::string text = usual();
      if (oddity != 0 && below(oddity) == 0) {
        const std::size_t at = below(text.size());
        const char letter = letters[below(letters.size())];
        switch (below(3)) {
          case 0:
            text[at] = letter;
            break;
          case 1:
            text.insert(at, 1, letter);
            break;
          default:
            text.erase(at, 1);
        }
      }
      texts.push_back(std::move(text));
    }
    return FieldColumn(std::move(texts));
  }
  // Up to so many digits, a minus before some.
  std::string number(std::size_t digits_max) {
    std::string text = below(4) == 0 ? "-" : "";
    for (std::size_t digits = 1 + below(digits_max); digits > 0; --digits)
      text += static_cast<char>('0' + below(10));
    return text;
  }

  const std::uint64_t seed_ = std::random_device{}();
  const testing::ScopedTrace trace_{__FILE__, __LINE__, fmt::format("seed {}", seed_)};
  std::mt19937_64 random_{seed_};
};

TEST_F(CsvKernels, ReadWholeNumbersOfEveryLength) {
  for (std::size_t digits = 1; digits <= 16; ++digits) {
    const auto numbers = column(400, 0, [&] {
      std::string text = number(1) + std::string(digits - 1, static_cast<char>('0' + below(10)));
      return text.size() > 16 ? text.substr(1) : text;
    });
    EXPECT_EQ(expect_integers<std::int64_t>(numbers), 400U) << digits;
    if (digits == 7) {
      EXPECT_EQ(expect_integers<std::int32_t>(numbers), 400U);
    }
  }
}

TEST_F(CsvKernels, ReadWholeNumbersAsTheStrictParserOrLeaveThem) {
  for (int i = 0; i < 2000; ++i) {
    const std::size_t digits_max = 1 + below(18);
    const auto numbers = column(60, 2 + below(60), [&] { return number(digits_max); });
    expect_integers<std::int32_t>(numbers);
    expect_integers<std::int64_t>(numbers);
    if (HasFailure()) return;
  }
}

TEST_F(CsvKernels, ReadDecimalsAsTheStrictParserOrLeaveThem) {
  for (int i = 0; i < 3000; ++i) {
    const auto scale = static_cast<unsigned>(1 + below(7));
    const auto decimals = column(60, 2 + below(60), [&] {
      std::string behind;
      while (behind.size() < scale) behind += static_cast<char>('0' + below(10));
      return number(9 - scale) + "." + behind;
    });
    expect_decimals<std::int32_t>(decimals, 9, scale);
    expect_decimals<std::int64_t>(decimals, 18, scale);
    if (HasFailure()) return;
  }
}

TEST_F(CsvKernels, ReadPricesAndLeaveNone) {
  const auto prices = column(4000, 0, [&] { return number(5) + ".25"; });
  EXPECT_EQ(expect_decimals<std::int64_t>(prices, 12, 2), 4000U);
}

TEST_F(CsvKernels, ReadTimestampsAsTheStrictParserOrLeaveThem) {
  for (int i = 0; i < 3000; ++i) {
    const std::size_t years = 1 + below(60);
    const auto timestamps = column(60, 2 + below(60), [&] {
      std::string text =
          fmt::format("{:04}-{:02}-{:02}{}{:02}:{:02}:{:02}", 1980 + below(years), 1 + below(12),
                      1 + below(31), below(2) == 0 ? ' ' : 'T', below(24), below(60), below(60));
      if (below(2) == 0) text += fmt::format(".{:03}", below(1000));
      return text;
    });
    expect_timestamps(timestamps);
    if (HasFailure()) return;
  }
}

TEST_F(CsvKernels, KnowTheCalendar) {
  std::vector<std::string> texts;
  for (const int year : {1600, 1900, 1970, 2000, 2023, 2024, 9999}) {
    for (int month = 1; month <= 12; ++month) {
      for (int day = 1; day <= 28; ++day)
        texts.push_back(fmt::format("{:04}-{:02}-{:02} 23:59:59.999", year, month, day));
    }
  }
  const std::size_t days = texts.size();
  EXPECT_EQ(expect_timestamps(FieldColumn(texts)), days);
  for (const char* none : {"2023-02-29 00:00:00", "1900-02-29 00:00:00", "2024-04-31T00:00:00",
                           "2024-00-10 00:00:00", "2024-13-10 00:00:00", "2024-01-00 00:00:00",
                           "2024-01-01 24:00:00", "2024-01-01 23:60:00", "2024-01-01 23:00:60"}) {
    EXPECT_EQ(expect_timestamps(FieldColumn({none})), 0U) << none;
  }
  EXPECT_EQ(expect_timestamps(FieldColumn({"2024-02-29 00:00:00", "2000-02-29 00:00:00"})), 2U);
}

TEST_F(CsvKernels, LeaveFieldsWithMarksAndEmptyOnes) {
  for (const std::uint32_t marks :
       {CsvField::quoted_mark, CsvField::escaped_mark, CsvField::absent_mark}) {
    FieldColumn numbers({"1", "2", "3", "4", "5", "6", "7", "8"});
    numbers.mark(6, marks);
    std::int64_t values[8];
    EXPECT_EQ(read_integers(numbers.view(), 0, values), 4U);
  }
  std::int64_t values[8];
  EXPECT_EQ(read_integers(FieldColumn({"1", "2", "", "4", "5"}).view(), 0, values), 0U);
  EXPECT_EQ(read_decimals(FieldColumn({"1.5", "2.5", "", "4.5"}).view(), 0, 1, values), 0U);
  EXPECT_EQ(CsvTimestamps().read(FieldColumn({"", "2024-01-01 00:00:00"}).view(), 0, values), 0U);
}

}  // namespace
}  // namespace tranche
