// Writes sales records as CSV, about 85 bytes each: what the memory tests and the measurements
// read.
//
//   generate_sales RECORDS FILE [SEED]      "-" is standard output
//
// The same arguments give the same bytes on every machine. One customer in ten is a name with a
// comma, in quotes; a few have doubled quotes or a line end in them; six notes of ten are empty.
#include <cinttypes>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>

namespace {

constexpr std::size_t buffer_bytes = std::size_t{1} << 20;
constexpr std::size_t record_bytes_max = 512;

// Sebastiano Vigna's splitmix64: https://prng.di.unimi.it/splitmix64.c
class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed) {}
  std::uint64_t next() {
    std::uint64_t z = (state_ += 0x9E3779B97F4A7C15ULL);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ULL;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBULL;
    return z ^ (z >> 31);
  }
  std::uint32_t below(std::uint32_t limit) {
    return static_cast<std::uint32_t>(((next() >> 32) * limit) >> 32);
  }

 private:
  std::uint64_t state_;
};

class Writer {
 public:
  explicit Writer(std::FILE* file) : file_(file) {
    buffer_.resize(buffer_bytes + record_bytes_max);
  }

  void text(std::string_view bytes) {
    std::memcpy(buffer_.data() + length_, bytes.data(), bytes.size());
    length_ += bytes.size();
  }
  void character(char c) { buffer_[length_++] = c; }
  // At least `digits` digits, zeros in front.
  void number(std::uint64_t value, int digits = 1) {
    char reversed[20];
    int count = 0;
    do {
      reversed[count++] = static_cast<char>('0' + value % 10);
      value /= 10;
    } while (value != 0 || count < digits);
    while (count > 0) character(reversed[--count]);
  }
  bool end_record() {
    character('\n');
    return length_ < buffer_bytes || flush();
  }
  bool flush() {
    const bool written = std::fwrite(buffer_.data(), 1, length_, file_) == length_;
    length_ = 0;
    return written;
  }

 private:
  std::FILE* file_;
  std::string buffer_;
  std::size_t length_ = 0;
};

constexpr std::string_view currencies[] = {"EUR", "USD", "GBP", "CHF", "SEK", "PLN"};
constexpr std::string_view first_names[] = {"Ada",  "Grace", "Edsger", "Barbara",    "Tony",
                                            "Lise", "Emmy",  "Alan",   "Zo\xC3\xAB", "Niklaus"};
constexpr std::string_view last_names[] = {"Lovelace",      "Hopper",  "Dijkstra", "Liskov",
                                           "Hoare",         "Meitner", "Noether",  "Turing",
                                           "M\xC3\xBCller", "Wirth"};
constexpr std::string_view notes[] = {"a gift: no bill inside",
                                      "call before you come",
                                      "leave it at the door",
                                      "express",
                                      "fragile",
                                      "second floor",
                                      "invoice by mail; not with it"};

template <std::size_t count>
std::string_view one_of(const std::string_view (&texts)[count], Random& random) {
  return texts[random.below(static_cast<std::uint32_t>(count))];
}

// Four years of days of 86,400 seconds, spread evenly and in order.
void write_time(Writer& out, std::uint64_t record, std::uint64_t records, Random& random) {
  constexpr int days_of_month[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  const auto day = static_cast<int>(record * 1460 / records);
  int in_year = day % 365;
  int month = 0;
  while (in_year >= days_of_month[month]) in_year -= days_of_month[month++];
  const std::uint32_t milliseconds = random.below(86'400'000);
  out.number(static_cast<std::uint64_t>(2022 + day / 365), 4);
  out.character('-');
  out.number(static_cast<std::uint64_t>(month + 1), 2);
  out.character('-');
  out.number(static_cast<std::uint64_t>(in_year + 1), 2);
  out.character(' ');
  out.number(milliseconds / 3'600'000, 2);
  out.character(':');
  out.number(milliseconds / 60'000 % 60, 2);
  out.character(':');
  out.number(milliseconds / 1000 % 60, 2);
  out.character('.');
  out.number(milliseconds % 1000, 3);
}

void write_customer(Writer& out, Random& random) {
  const std::string_view first = one_of(first_names, random);
  const std::string_view last = one_of(last_names, random);
  const std::uint32_t kind = random.below(1000);
  if (kind >= 110) {
    out.text(first);
    out.character(' ');
    return out.text(last);
  }
  out.character('"');
  out.text(last);
  out.text(kind < 2 ? "\n" : kind < 10 ? ", \"\"the first\"\", " : ", ");
  out.text(first);
  out.character('"');
}

bool write_records(Writer& out, std::uint64_t records, std::uint64_t seed) {
  Random random(seed);
  out.text("id,sold_at,store,sku,qty,unit_price,currency,customer,note");
  if (!out.end_record()) return false;
  for (std::uint64_t record = 0; record < records; ++record) {
    out.number(record + 1);
    out.character(',');
    write_time(out, record, records, random);
    out.character(',');
    out.number(random.below(300) + 1);
    out.text(",SKU-");
    out.number(random.below(50'000), 7);
    out.character(',');
    const std::uint32_t quantity = random.below(13);  // one in thirteen is returned
    if (quantity == 0) out.character('-');
    out.number(quantity == 0 ? 1 : quantity);
    out.character(',');
    out.number(random.below(500) + 1);
    out.character('.');
    out.number(random.below(100), 2);
    out.character(',');
    out.text(one_of(currencies, random));
    out.character(',');
    write_customer(out, random);
    out.character(',');
    if (random.below(10) >= 6) out.text(one_of(notes, random));
    if (!out.end_record()) return false;
  }
  return out.flush();
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3 || argc > 4) {
    std::fputs("usage: generate_sales RECORDS FILE [SEED]\n", stderr);
    return 2;
  }
  const std::uint64_t records = std::strtoull(argv[1], nullptr, 10);
  const std::uint64_t seed = argc > 3 ? std::strtoull(argv[3], nullptr, 10) : 1;
  const bool to_standard_output = std::strcmp(argv[2], "-") == 0;
  std::FILE* const file = to_standard_output ? stdout : std::fopen(argv[2], "wb");
  if (file == nullptr) {
    std::perror(argv[2]);
    return 1;
  }
  Writer out(file);
  const bool written = write_records(out, records, seed);
  const bool closed = to_standard_output ? std::fflush(file) == 0 : std::fclose(file) == 0;
  if (written && closed) return 0;
  std::perror(argv[2]);
  return 1;
}
