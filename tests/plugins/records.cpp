// A plugin in C++: every type that fields can have, optional ones, functions that filter, make
// many, throw, and take options. For tests.
#include <tranche/plugin_function.h>

namespace {

struct Everything {
  bool yes;
  std::int8_t tiny;
  std::int16_t small;
  std::int32_t number;
  std::int64_t big;
  std::uint8_t utiny;
  std::uint16_t usmall;
  std::uint32_t unumber;
  std::uint64_t ubig;
  float real;
  double precise;
  tranche::Decimal<4, 1> d4;
  tranche::Decimal<9, 2> d9;
  tranche::Decimal<18, 3> d18;
  tranche::Decimal<38, 4> d38;
  tranche::Date day;
  tranche::Time time;
  tranche::Timestamp at;
  tranche::TimestampTz at_utc;
  std::string_view text;
  std::optional<bool> maybe_yes;
  std::optional<std::int64_t> maybe_big;
  std::optional<tranche::Decimal<9, 2>> maybe_d9;
  std::optional<std::string> maybe_text;
};
TRANCHE_PLUGIN(same, [](const Everything& record) { return record; });

struct Number {
  std::int64_t n;
};
struct Named {
  std::int64_t n;
  std::string name;
  std::optional<std::string> half;
  bool even;
};
std::string name_of(std::int64_t n) { return "number " + std::to_string(n) + " of many"; }
Named named(std::int64_t n) {
  Named made{n, name_of(n), std::nullopt, n % 2 == 0};
  if (made.even) made.half = name_of(n / 2);
  return made;
}

// What it throws in the midst of its rows leaves none of them.
TRANCHE_PLUGIN(deeds, [](const Number& record) -> std::optional<Named> {
  switch (record.n) {
    case 1:
      return std::nullopt;
    case 2:
      throw tranche::Reject("2 is refused");
    case 3:
      throw std::runtime_error("3 is thrown");
    case 4:
      throw 4;
    default:
      return named(record.n);
  }
});

TRANCHE_PLUGIN(many, [](const Number& record) {
  return std::vector<Named>(static_cast<std::size_t>(record.n), named(record.n));
});

TRANCHE_PLUGIN(transient, [](const Number& record) -> Number {
  throw tranche::Transient("try " + std::to_string(record.n) + " again");
});

struct Sum {
  std::int64_t sum;
};
TRANCHE_PLUGIN(plus, [](const tranche::PluginOptions& options) {
  return [more = options.whole_number("more"), scale = options.number("scale", 1),
          calls = std::int64_t{0}](const Number& record) mutable {
    ++calls;
    return Sum{static_cast<std::int64_t>(static_cast<double>(record.n + more) * scale)};
  };
});

// Not UTF-8, so no value of a varchar.
struct Text {
  std::string text;
};
TRANCHE_PLUGIN(broken_text, [](const Number& record) {
  return Text{record.n == 1 ? "whole \xC3" : "\xA4 tail"};
});

}  // namespace
