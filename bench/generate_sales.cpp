// Writes sales records as CSV, about 85 bytes each, or as JSON Lines, about 170 bytes each: what
// the memory tests and the measurements read.
//
//   generate_sales RECORDS FILE [SEED] [--broken TRUTH]
//
// "-" is standard output, FILE.jsonl is JSON Lines. The same arguments give the same bytes on every
// machine, and the same values in both formats. Three quantities of thirteen are not above 0. One
// customer in ten is a name with a comma, in quotes in CSV; a few have quotes or a line end in
// them; six notes of ten are empty, null in JSON.
//
// With --broken, one record of each 10,000 of a CSV file is broken, and the others are as they are
// without it: a third have a number that is none, a third a date that is none, a third a column too
// few or too many. TRUTH is a CSV of what was done: record and offset count from 0, line from 1
// with the header, as those of a reject do.
#include <algorithm>
#include <cinttypes>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <iterator>
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
  // Takes back what was written since `mark`, a length() of this record, and writes `bytes` there.
  void rewrite(std::size_t mark, std::string_view bytes) {
    length_ = mark;
    text(bytes);
  }
  bool end_record() {
    character('\n');
    return length_ < buffer_bytes || flush();
  }
  bool flush() {
    const bool written = std::fwrite(buffer_.data(), 1, length_, file_) == length_;
    lines_flushed_ += line_ends();
    bytes_flushed_ += length_;
    length_ = 0;
    return written;
  }

  std::size_t length() const { return length_; }
  std::uint64_t offset() const { return bytes_flushed_ + length_; }        // from 0
  std::uint64_t line() const { return lines_flushed_ + line_ends() + 1; }  // from 1

 private:
  std::uint64_t line_ends() const {
    const auto end = buffer_.begin() + static_cast<std::ptrdiff_t>(length_);
    return static_cast<std::uint64_t>(std::count(buffer_.begin(), end, '\n'));
  }

  std::FILE* file_;
  std::string buffer_;
  std::size_t length_ = 0;
  std::uint64_t bytes_flushed_ = 0;
  std::uint64_t lines_flushed_ = 0;
};

constexpr std::uint64_t records_a_broken_one = 10'000;

// Says which records are broken and how, and keeps account of it. It draws from a source of chance
// of its own, so that the other records are those of a file without broken ones.
class Breaker {
 public:
  enum class Fault { none, number, date, too_few, too_many };

  Breaker(std::FILE* truth, std::uint64_t seed) : truth_(truth), random_(~seed) {
    if (truth_ != nullptr) std::fputs("record,line,offset,kind,column\n", truth_);
  }

  // What to do to the record that begins now; it is called for each, in order.
  Fault next(std::uint64_t record, const Writer& out) {
    if (truth_ == nullptr) return Fault::none;
    const std::uint64_t in_block = record % records_a_broken_one;
    if (in_block == 0) chosen_ = random_.below(static_cast<std::uint32_t>(records_a_broken_one));
    if (in_block != chosen_) return Fault::none;
    constexpr Fault faults[] = {Fault::number, Fault::date, Fault::too_few,
                                Fault::number, Fault::date, Fault::too_many};
    const Fault fault = faults[broken_++ % std::size(faults)];
    column_ = fault == Fault::date ? "sold_at" : "";
    if (fault == Fault::number) column_ = random_.below(2) == 0 ? "qty" : "unit_price";
    const char* const kind = fault == Fault::number    ? "number"
                             : fault == Fault::date    ? "date"
                             : fault == Fault::too_few ? "too_few_columns"
                                                       : "too_many_columns";
    std::fprintf(truth_, "%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%s,%s\n", record, out.line(),
                 out.offset(), kind, column_.data());
    return fault;
  }
  bool breaks(Fault fault, std::string_view column) const {
    return fault != Fault::none && column == column_;
  }
  std::string_view number() {
    constexpr std::string_view texts[] = {"7x", "1.2.3", "--4",    "O.50",
                                          "1e", "0x10",  "12 pcs", "?"};
    return texts[random_.below(static_cast<std::uint32_t>(std::size(texts)))];
  }
  std::string_view time() {
    constexpr std::string_view texts[] = {"2023-02-30 10:00:00.000", "2023-13-01 10:00:00.000",
                                          "2022-06-31 08:15:00.500", "2024-05-05 24:01:00.000",
                                          "2025-01-01 10:61:00.000", "yesterday",
                                          "31.12.2023 10:00",        "2023-00-10 10:00:00.000"};
    return texts[random_.below(static_cast<std::uint32_t>(std::size(texts)))];
  }

 private:
  std::FILE* truth_;
  Random random_;
  std::uint64_t chosen_ = 0;
  std::size_t broken_ = 0;
  std::string_view column_;
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
  int quantity = 0;  // -2 to 10: what is below 0 was returned
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
  sale.quantity = static_cast<int>(random.below(13)) - 2;
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
  if (sale.quantity < 0) out.character('-');
  out.number(static_cast<std::uint64_t>(sale.quantity < 0 ? -sale.quantity : sale.quantity));
}

void write_price(Writer& out, const Sale& sale) {
  out.number(sale.price_whole);
  out.character('.');
  out.number(sale.price_cents, 2);
}

void write_csv(Writer& out, const Sale& sale, Breaker& breaker, Breaker::Fault fault) {
  out.number(sale.id);
  out.character(',');
  std::size_t mark = out.length();
  write_time(out, sale);
  if (breaker.breaks(fault, "sold_at")) out.rewrite(mark, breaker.time());
  out.character(',');
  out.number(sale.store);
  out.text(",SKU-");
  out.number(sale.sku, 7);
  out.character(',');
  mark = out.length();
  write_quantity(out, sale);
  if (breaker.breaks(fault, "qty")) out.rewrite(mark, breaker.number());
  out.character(',');
  mark = out.length();
  write_price(out, sale);
  if (breaker.breaks(fault, "unit_price")) out.rewrite(mark, breaker.number());
  out.character(',');
  out.text(sale.currency);
  out.character(',');
  const bool quoted = sale.customer_kind < 110;
  if (quoted) out.character('"');
  write_customer(out, sale, "\"\"", "\n");
  if (quoted) out.character('"');
  mark = out.length();
  out.character(',');
  out.text(sale.note);
  if (fault == Breaker::Fault::too_few) out.rewrite(mark, "");
  if (fault == Breaker::Fault::too_many) out.text(",extra");
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

bool write_records(Writer& out, std::uint64_t records, std::uint64_t seed, bool as_json,
                   std::FILE* truth) {
  Random random(seed);
  Breaker breaker(truth, seed);
  if (!as_json) {
    out.text("id,sold_at,store,sku,qty,unit_price,currency,customer,note");
    if (!out.end_record()) return false;
  }
  for (std::uint64_t record = 0; record < records; ++record) {
    const Sale sale = draw_sale(record, records, random);
    if (as_json) write_json(out, sale);
    else write_csv(out, sale, breaker, breaker.next(record, out));
    if (!out.end_record()) return false;
  }
  return out.flush();
}

}  // namespace

int main(int argc, char** argv) {
  const char* truth_path = nullptr;
  if (argc >= 5 && std::strcmp(argv[argc - 2], "--broken") == 0) {
    truth_path = argv[argc - 1];
    argc -= 2;
  }
  const bool as_json = argc >= 3 && std::string_view(argv[2]).ends_with(".jsonl");
  if (argc < 3 || argc > 4 || (as_json && truth_path != nullptr)) {
    std::fputs("usage: generate_sales RECORDS FILE [SEED] [--broken TRUTH]\n", stderr);
    return 2;
  }
  const std::uint64_t records = std::strtoull(argv[1], nullptr, 10);
  const std::uint64_t seed = argc > 3 ? std::strtoull(argv[3], nullptr, 10) : 1;
  const bool to_standard_output = std::strcmp(argv[2], "-") == 0;
  std::FILE* const file = to_standard_output ? stdout : std::fopen(argv[2], "wb");
  std::FILE* const truth = truth_path == nullptr ? nullptr : std::fopen(truth_path, "wb");
  if (file == nullptr || (truth_path != nullptr && truth == nullptr)) {
    std::perror(file == nullptr ? argv[2] : truth_path);
    return 1;
  }
  Writer out(file);
  const bool written = write_records(out, records, seed, as_json, truth);
  const bool closed = to_standard_output ? std::fflush(file) == 0 : std::fclose(file) == 0;
  const bool told = truth == nullptr || std::fclose(truth) == 0;
  if (written && closed && told) return 0;
  std::perror(written && closed ? truth_path : argv[2]);
  return 1;
}
