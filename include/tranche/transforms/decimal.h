// Exact decimal numbers, dates and timestamps for records in C++.
//
// Threads: value types. Errors: an operation whose result does not fit throws Reject, which rejects
// the record that is being processed; nothing is rounded or wrapped silently.
#pragma once

#include <compare>
#include <concepts>
#include <cstdint>
#include <limits>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>

#include <tranche/core/reject.h>

namespace tranche {

// Thrown by business logic: this may pass by itself; the batch is tried again.
class Transient : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

namespace decimal {

constexpr Int128 power_of_ten(unsigned exponent) {
  Int128 value = 1;
  while (exponent-- > 0) value *= 10;
  return value;
}

inline void refuse_overflow(bool overflow) {
  if (overflow) throw Reject("A decimal number grew beyond 38 digits.");
}
// Two numbers of up to 64 bits need no look at the result.
template <class A, class B> Int128 multiply(A a, B b) {
  if constexpr (sizeof(A) <= 8 && sizeof(B) <= 8) {
    return Int128{a} * b;
  } else {
    Int128 product = 0;
    refuse_overflow(__builtin_mul_overflow(Int128{a}, Int128{b}, &product));
    return product;
  }
}
// scaled * 10^exponent
template <unsigned exponent, class A> Int128 scale_up(A scaled) {
  if constexpr (exponent == 0) return scaled;
  else if constexpr (exponent <= 18)
    return multiply(scaled, static_cast<std::int64_t>(power_of_ten(exponent)));
  else return multiply(scaled, power_of_ten(exponent));
}
inline Int128 add(Int128 a, Int128 b) {
  Int128 sum = 0;
  refuse_overflow(__builtin_add_overflow(a, b, &sum));
  return sum;
}

}  // namespace decimal

// A number of at most `Width` digits, `Scale` of them behind the point: exactly DuckDB's
// decimal(Width, Scale).
template <unsigned Width, unsigned Scale> class Decimal {
  static_assert(Width >= 1 && Width <= 38 && Scale <= Width,
                "Decimal<Width, Scale>: 1 to 38 digits");

 public:
  using Value = std::conditional_t<(Width <= 18), std::int64_t, Int128>;
  static constexpr unsigned width = Width;
  static constexpr unsigned scale = Scale;

  constexpr Decimal() = default;
  // From a decimal of no larger scale. Throws Reject when it does not fit.
  template <unsigned W, unsigned S>
  requires(S <= Scale && !(W == Width && S == Scale))
      Decimal(Decimal<W, S> other)  // NOLINT(implicit)
      : Decimal(from_scaled(decimal::scale_up<Scale - S>(other.scaled()))) {}
  template <std::integral T>
  Decimal(T number)  // NOLINT(implicit)
      : Decimal(from_scaled(decimal::scale_up<Scale>(number))) {}

  // The number times 10^Scale. Throws Reject when it has more than Width digits.
  static Decimal from_scaled(Int128 scaled) {
    if (scaled >= decimal::power_of_ten(Width) || scaled <= -decimal::power_of_ten(Width)) {
      throw Reject("A number does not fit decimal(" + std::to_string(Width) + "," +
                   std::to_string(Scale) + ").");
    }
    return from_stored(static_cast<Value>(scaled));
  }
  // The same for a value that is known to fit, such as one of a column of this type.
  static constexpr Decimal from_stored(Value scaled) {
    Decimal result;
    result.value_ = scaled;
    return result;
  }
  constexpr Value scaled() const { return value_; }

  // Rounded half away from zero to another scale.
  template <unsigned S> Decimal<Width, S> round() const {
    if constexpr (S >= Scale) {
      return Decimal<Width, S>::from_scaled(decimal::scale_up<S - Scale>(value_));
    } else {
      const Int128 unit = decimal::power_of_ten(Scale - S);
      const Int128 half = value_ < 0 ? -unit / 2 : unit / 2;
      return Decimal<Width, S>::from_scaled((value_ + half) / unit);
    }
  }
  double to_double() const {
    return static_cast<double>(value_) / static_cast<double>(decimal::power_of_ten(Scale));
  }

  Decimal operator-() const { return from_scaled(-Int128{value_}); }
  friend constexpr auto operator<=>(Decimal, Decimal) = default;
  friend constexpr bool operator==(Decimal, Decimal) = default;

 private:
  Value value_ = 0;
};

namespace decimal {
constexpr unsigned at_most_38(unsigned width) { return width < 38 ? width : 38; }
constexpr unsigned larger(unsigned a, unsigned b) { return a > b ? a : b; }
}  // namespace decimal

// A whole number times a decimal keeps its scale and may need up to 19 digits more.
template <std::integral T, unsigned W, unsigned S> auto operator*(T number, Decimal<W, S> factor) {
  return Decimal<decimal::at_most_38(W + 19), S>::from_scaled(
      decimal::multiply(number, factor.scaled()));
}
template <std::integral T, unsigned W, unsigned S> auto operator*(Decimal<W, S> factor, T number) {
  return number * factor;
}
template <unsigned W1, unsigned S1, unsigned W2, unsigned S2>
auto operator*(Decimal<W1, S1> a, Decimal<W2, S2> b) {
  return Decimal<decimal::at_most_38(W1 + W2), S1 + S2>::from_scaled(
      decimal::multiply(a.scaled(), b.scaled()));
}
template <unsigned W1, unsigned S1, unsigned W2, unsigned S2>
auto operator+(Decimal<W1, S1> a, Decimal<W2, S2> b) {
  constexpr unsigned scale = decimal::larger(S1, S2);
  constexpr unsigned width = decimal::at_most_38(decimal::larger(W1 - S1, W2 - S2) + scale + 1);
  return Decimal<width, scale>::from_scaled(
      decimal::add(decimal::scale_up<scale - S1>(a.scaled()),
                   decimal::scale_up<scale - S2>(b.scaled())));
}
template <unsigned W1, unsigned S1, unsigned W2, unsigned S2>
auto operator-(Decimal<W1, S1> a, Decimal<W2, S2> b) {
  return a + (-b);
}

// Days since 1970-01-01.
struct Date {
  std::int32_t days = 0;
  friend auto operator<=>(const Date&, const Date&) = default;
};
// Microseconds since 1970-01-01 00:00:00, without a zone.
struct Timestamp {
  std::int64_t microseconds = 0;
  friend auto operator<=>(const Timestamp&, const Timestamp&) = default;
};
// Microseconds since 1970-01-01 00:00:00 UTC.
struct TimestampTz {
  std::int64_t microseconds = 0;
  friend auto operator<=>(const TimestampTz&, const TimestampTz&) = default;
};
// Microseconds since midnight.
struct Time {
  std::int64_t microseconds = 0;
  friend auto operator<=>(const Time&, const Time&) = default;
};

}  // namespace tranche
