// Writes sales records as CSV, about 85 bytes each, or as JSON Lines, about 170 bytes each: what
// the memory tests and the measurements read.
//
//   generate_sales RECORDS FILE [SEED]      "-" is standard output, FILE.jsonl is JSON Lines
//
// The same arguments give the same bytes on every machine, and the same values in both formats. One
// customer in ten is a name with a comma, in quotes in CSV; a few have quotes or a line end in
// them; six notes of ten are empty, null in JSON.
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

struct Sale {
  std::uint64_t id = 0;
  int day = 0;  // of four years of 365 days, which the records are spread over evenly and in order
  std::uint32_t milliseconds = 0;
  std::uint32_t store = 0;
  std::uint32_t sku = 0;
  std::uint32_t quantity = 0;  // 0: one is returned, as one in thirteen is
  std::uint32_t price_whole = 0;
  std::uint32_t price_cents = 0;
  std::string_view currency;
  std::string_view first_name;
  std::string_view last_name;
  std::uint32_t customer_kind = 0;
  std::string_view note;
};

Sale draw_sale(std::uint64_t record, std::uint64_t records, Random& random) {
  Sale sale;
  sale.id = record + 1;
  sale.day = static_cast<int>(record * 1460 / records);
  sale.milliseconds = random.below(86'400'000);
  sale.store = random.below(300) + 1;
  sale.sku = random.below(50'000);
  sale.quantity = random.below(13);
  sale.price_whole = random.below(500) + 1;
  sale.price_cents = random.below(100);
  sale.currency = one_of(currencies, random);
  sale.first_name = one_of(first_names, random);
  sale.last_name = one_of(last_names, random);
  sale.customer_kind = random.below(1000);
  if (random.below(10) >= 6) sale.note = one_of(notes, random);
  return sale;
}

void write_time(Writer& out, const Sale& sale) {
  constexpr int days_of_month[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  int in_year = sale.day % 365;
  int month = 0;
  while (in_year >= days_of_month[month]) in_year -= days_of_month[month++];
  out.number(static_cast<std::uint64_t>(2022 + sale.day / 365), 4);
  out.character('-');
  out.number(static_cast<std::uint64_t>(month + 1), 2);
  out.character('-');
  out.number(static_cast<std::uint64_t>(in_year + 1), 2);
  out.character(' ');
  out.number(sale.milliseconds / 3'600'000, 2);
  out.character(':');
  out.number(sale.milliseconds / 60'000 % 60, 2);
  out.character(':');
  out.number(sale.milliseconds / 1000 % 60, 2);
  out.character('.');
  out.number(sale.milliseconds % 1000, 3);
}

// `quote` is what a quote inside the name is written as, `line_end` likewise.
void write_customer(Writer& out, const Sale& sale, std::string_view quote,
                    std::string_view line_end) {
  if (sale.customer_kind >= 110) {
    out.text(sale.first_name);
    out.character(' ');
    return out.text(sale.last_name);
  }
  out.text(sale.last_name);
  if (sale.customer_kind < 2) {
    out.text(line_end);
  } else if (sale.customer_kind < 10) {
    out.text(", ");
    out.text(quote);
    out.text("the first");
    out.text(quote);
    out.text(", ");
  } else {
    out.text(", ");
  }
  out.text(sale.first_name);
}

void write_quantity(Writer& out, const Sale& sale) {
  if (sale.quantity == 0) out.character('-');
  out.number(sale.quantity == 0 ? 1 : sale.quantity);
}

void write_price(Writer& out, const Sale& sale) {
  out.number(sale.price_whole);
  out.character('.');
  out.number(sale.price_cents, 2);
}

void write_csv(Writer& out, const Sale& sale) {
  out.number(sale.id);
  out.character(',');
  write_time(out, sale);
  out.character(',');
  out.number(sale.store);
  out.text(",SKU-");
  out.number(sale.sku, 7);
  out.character(',');
  write_quantity(out, sale);
  out.character(',');
  write_price(out, sale);
  out.character(',');
  out.text(sale.currency);
  out.character(',');
  const bool quoted = sale.customer_kind < 110;
  if (quoted) out.character('"');
  write_customer(out, sale, "\"\"", "\n");
  if (quoted) out.character('"');
  out.character(',');
  out.text(sale.note);
}

void write_json(Writer& out, const Sale& sale) {
  out.text("{\"id\":");
  out.number(sale.id);
  out.text(",\"sold_at\":\"");
  write_time(out, sale);
  out.text("\",\"store\":");
  out.number(sale.store);
  out.text(",\"sku\":\"SKU-");
  out.number(sale.sku, 7);
  out.text("\",\"qty\":");
  write_quantity(out, sale);
  out.text(",\"unit_price\":");
  write_price(out, sale);
  out.text(",\"currency\":\"");
  out.text(sale.currency);
  out.text("\",\"customer\":\"");
  write_customer(out, sale, "\\\"", "\\n");
  out.text("\",\"note\":");
  if (sale.note.empty()) return out.text("null}");
  out.character('"');
  out.text(sale.note);
  out.text("\"}");
}

bool write_records(Writer& out, std::uint64_t records, std::uint64_t seed, bool as_json) {
  Random random(seed);
  if (!as_json) {
    out.text("id,sold_at,store,sku,qty,unit_price,currency,customer,note");
    if (!out.end_record()) return false;
  }
  for (std::uint64_t record = 0; record < records; ++record) {
    const Sale sale = draw_sale(record, records, random);
    if (as_json) write_json(out, sale);
    else write_csv(out, sale);
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
  const bool as_json = std::string_view(argv[2]).ends_with(".jsonl");
  const bool written = write_records(out, records, seed, as_json);
  const bool closed = to_standard_output ? std::fflush(file) == 0 : std::fclose(file) == 0;
  if (written && closed) return 0;
  std::perror(argv[2]);
  return 1;
}
