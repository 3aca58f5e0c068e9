#include "drivers/postgres_numeric.h"

#include <algorithm>

#include <fmt/format.h>

namespace tranche::postgres_numeric {
namespace {

struct Header {
  int count;
  int weight;
  std::uint16_t sign;
  int scale;
};

bool read_header(std::string_view bytes, Header& header) {
  if (bytes.size() < 8) return false;
  header.count = get_big_endian<std::uint16_t>(bytes.data());
  header.weight = static_cast<std::int16_t>(get_big_endian<std::uint16_t>(bytes.data() + 2));
  header.sign = get_big_endian<std::uint16_t>(bytes.data() + 4);
  header.scale = get_big_endian<std::uint16_t>(bytes.data() + 6);
  return bytes.size() == 8 + 2 * static_cast<std::size_t>(header.count);
}

unsigned digit_at(std::string_view bytes, int index) {
  return get_big_endian<std::uint16_t>(bytes.data() + 8 + 2 * static_cast<std::size_t>(index));
}

constexpr UInt128 most = (UInt128{1} << 127) - 1;

}  // namespace

Status read(std::string_view bytes, unsigned scale, Int128& value) {
  Header header{};
  if (!read_header(bytes, header)) return Status::malformed;
  if (header.sign != 0 && header.sign != negative) return Status::not_finite;
  constexpr unsigned powers[] = {1, 10, 100, 1000, 10000};
  UInt128 magnitude = 0;
  int exponent = 0;  // of ten, of what the magnitude counts
  for (int i = 0; i < header.count; ++i) {
    const unsigned digit = digit_at(bytes, i);
    exponent = (header.weight - i) * 4 + static_cast<int>(scale);
    const unsigned cut = static_cast<unsigned>(std::clamp(-exponent, 0, 4));  // behind the scale
    if (digit % powers[cut] != 0) return Status::too_precise;
    if (cut == 4) continue;
    const unsigned step = powers[4 - cut];
    if (magnitude > (most + 1 - digit / powers[cut]) / step) return Status::out_of_range;
    magnitude = magnitude * step + digit / powers[cut];
  }
  for (; exponent > 0 && magnitude != 0; --exponent) {
    if (magnitude > most / 10) return Status::out_of_range;
    magnitude *= 10;
  }
  const bool is_negative = header.sign == negative;
  if (magnitude > most + (is_negative ? 1 : 0)) return Status::out_of_range;
  value = static_cast<Int128>(is_negative ? -magnitude : magnitude);
  return Status::ok;
}

std::optional<std::string> to_text(std::string_view bytes) {
  Header header{};
  if (!read_header(bytes, header)) return std::nullopt;
  if (header.sign == not_a_number) return "NaN";
  if (header.sign == infinity) return "Infinity";
  if (header.sign == minus_infinity) return "-Infinity";
  const auto group = [&](int index) {
    return index >= 0 && index < header.count ? digit_at(bytes, index) : 0U;
  };
  std::string text =
      fmt::format("{}{}", header.sign == negative ? "-" : "", header.weight < 0 ? 0U : group(0));
  for (int i = 1; i <= header.weight; ++i) text += fmt::format("{:04}", group(i));
  if (header.scale == 0) return text;
  text += '.';
  const std::size_t end = text.size() + static_cast<std::size_t>(header.scale);
  for (int i = header.weight + 1; text.size() < end; ++i) text += fmt::format("{:04}", group(i));
  text.resize(end);
  return text;
}

}  // namespace tranche::postgres_numeric
