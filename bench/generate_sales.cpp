// Writes sales records as CSV, about 85 bytes each: what the memory tests and the measurements
// read.
//
//   generate_sales RECORDS FILE [SEED] [--broken TRUTH]      "-" is standard output
//
// The same arguments give the same bytes on every machine. Three quantities of thirteen are not
// above 0. One customer in ten is a name with a comma, in quotes; a few have doubled quotes or a
// line end in them; six notes of ten are empty.
//
// With --broken, one record of each 10,000 is broken, and the others are as they are without it: a
// third have a number that is none, a third a date that is none, a third a column too few or too
// many. TRUTH is a CSV of what was done: record and offset count from 0, line from 1 with the
// header, as those of a reject do.
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

bool write_records(Writer& out, std::uint64_t records, std::uint64_t seed, std::FILE* truth) {
  Random random(seed);
  Breaker breaker(truth, seed);
  out.text("id,sold_at,store,sku,qty,unit_price,currency,customer,note");
  if (!out.end_record()) return false;
  for (std::uint64_t record = 0; record < records; ++record) {
    const Breaker::Fault fault = breaker.next(record, out);
    out.number(record + 1);
    out.character(',');
    std::size_t mark = out.length();
    write_time(out, record, records, random);
    if (breaker.breaks(fault, "sold_at")) out.rewrite(mark, breaker.time());
    out.character(',');
    out.number(random.below(300) + 1);
    out.text(",SKU-");
    out.number(random.below(50'000), 7);
    out.character(',');
    const std::uint32_t quantity = random.below(13);  // -2 to 10: what is below 0 was returned
    mark = out.length();
    if (quantity < 2) out.character('-');
    out.number(quantity < 2 ? 2 - quantity : quantity - 2);
    if (breaker.breaks(fault, "qty")) out.rewrite(mark, breaker.number());
    out.character(',');
    mark = out.length();
    out.number(random.below(500) + 1);
    out.character('.');
    out.number(random.below(100), 2);
    if (breaker.breaks(fault, "unit_price")) out.rewrite(mark, breaker.number());
    out.character(',');
    out.text(one_of(currencies, random));
    out.character(',');
    write_customer(out, random);
    mark = out.length();
    out.character(',');
    if (random.below(10) >= 6) out.text(one_of(notes, random));
    if (fault == Breaker::Fault::too_few) out.rewrite(mark, "");
    if (fault == Breaker::Fault::too_many) out.text(",extra");
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
  if (argc < 3 || argc > 4) {
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
  const bool written = write_records(out, records, seed, truth);
  const bool closed = to_standard_output ? std::fflush(file) == 0 : std::fclose(file) == 0;
  const bool told = truth == nullptr || std::fclose(truth) == 0;
  if (written && closed && told) return 0;
  std::perror(written && closed ? truth_path : argv[2]);
  return 1;
}
