// Reads sales records with the CSV source, types all columns, and sums them up, so that none of it
// can be left out. No run, no ledger, no output: what reading alone costs.
//
//   parse_sales FILE THREADS
//
// Prints one line, fields with a bar between them: rows, rejects, sum of id, latest sold_at in
// microseconds since 1970, sums of store, bytes of sku, qty, unit_price in cents, bytes of
// currency, bytes of customer, notes, bytes of note.
#include <fmt/format.h>

#include <tranche/core/source.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "connectors/csv_source.h"

namespace tranche {
namespace {

constexpr std::size_t columns = 9;

struct Sums {
  std::uint64_t rows = 0;
  std::uint64_t rejects = 0;
  std::array<std::int64_t, columns> of_column{};
  std::uint64_t notes = 0;

  void add(const Sums& other) {
    rows += other.rows;
    rejects += other.rejects;
    notes += other.notes;
    for (std::size_t column = 0; column < columns; ++column) {
      std::int64_t& sum = of_column[column];
      sum = column == 1 ? std::max(sum, other.of_column[1]) : sum + other.of_column[column];
    }
  }
};

template <class T> std::int64_t sum_of(const Column& column, std::size_t rows) {
  const T* const values = column.values<T>();  // a null is 0
  std::int64_t sum = 0;
  for (std::size_t row = 0; row < rows; ++row) sum += values[row];
  return sum;
}

std::int64_t bytes_of(const Column& column, std::size_t rows) {
  const auto* const values = column.values<StringRef>();
  std::int64_t sum = 0;
  for (std::size_t row = 0; row < rows; ++row) sum += values[row].length;
  return sum;
}

void add_page(const Page& page, Sums& sums) {
  const std::size_t rows = page.rows();
  sums.rows += rows;
  sums.of_column[0] += sum_of<std::int64_t>(page.column(0), rows);
  const auto* const times = page.column(1).values<std::int64_t>();
  for (std::size_t row = 0; row < rows; ++row) {
    sums.of_column[1] = std::max(sums.of_column[1], times[row]);
  }
  sums.of_column[2] += sum_of<std::int32_t>(page.column(2), rows);
  sums.of_column[4] += sum_of<std::int32_t>(page.column(4), rows);
  sums.of_column[5] += sum_of<std::int64_t>(page.column(5), rows);
  for (const std::size_t column : {3U, 6U, 7U, 8U}) {
    sums.of_column[column] += bytes_of(page.column(column), rows);
  }
  const Column& note = page.column(8);
  for (std::size_t row = 0; row < rows; ++row) sums.notes += note.is_valid(row) ? 1 : 0;
}

// The source, and its cuts, which the workers fetch one at a time: each cuts the slice that it is
// going to read.
class Parse {
 public:
  Result<void> begin(const char* path) {
    const auto type = [](TypeId id) { return Type{id}; };
    Schema schema;
    schema.fields = {{"id", type(TypeId::bigint)},        {"sold_at", type(TypeId::timestamp)},
                     {"store", type(TypeId::integer)},    {"sku", type(TypeId::varchar)},
                     {"qty", type(TypeId::integer)},      {"unit_price", decimal_type(12, 2)},
                     {"currency", type(TypeId::varchar)}, {"customer", type(TypeId::varchar)},
                     {"note", type(TypeId::varchar)}};
    TRANCHE_ASSIGN(source_, make_csv_source({path}, ".", CsvDialect(), {}, {}, std::move(schema)));
    TRANCHE_ASSIGN(auto inputs, source_->inputs());
    TRANCHE_TRY(source_->use_inputs(std::move(inputs)));
    TRANCHE_TRY(source_->schema());
    limits_.bytes_max = source_->default_division().chunk_bytes;
    TRANCHE_ASSIGN(stream_, source_->divide(nullptr));
    return {};
  }

  Result<Sums> work(unsigned number) {
    WorkerScope worker(number, 0, "");
    Sums sums;
    while (true) {
      TRANCHE_ASSIGN(const std::optional<Slice> slice, next());
      if (!slice) return sums;
      TRANCHE_ASSIGN(const auto reader, source_->open(*slice, worker));
      std::vector<Reject> rejects;
      while (true) {
        TRANCHE_ASSIGN(const auto page, reader->next(rejects));
        if (page == nullptr) break;
        add_page(*page, sums);
      }
      sums.rejects += rejects.size();
    }
  }

 private:
  Result<std::optional<Slice>> next() {
    const std::lock_guard lock(mutex_);
    return stream_->next(limits_);
  }

  std::unique_ptr<Source> source_;
  std::unique_ptr<SliceStream> stream_;
  CutLimits limits_;
  std::mutex mutex_;
};

int parse(const char* path, unsigned threads) {
  Parse parse;
  if (auto begun = parse.begin(path); !begun) {
    fmt::print(stderr, "parse_sales: {}\n", begun.error().message);
    return 1;
  }
  std::vector<std::optional<Result<Sums>>> results(threads);
  {
    std::vector<std::jthread> workers;
    for (unsigned i = 0; i < threads; ++i) {
      workers.emplace_back([&, i] { results[i].emplace(parse.work(i)); });
    }
  }
  Sums sums;
  for (auto& result : results) {
    if (!*result) {
      fmt::print(stderr, "parse_sales: {}\n", result->error().message);
      return 1;
    }
    sums.add(**result);
  }
  const auto& of = sums.of_column;
  fmt::print("{}|{}|{}|{}|{}|{}|{}|{}|{}|{}|{}|{}\n", sums.rows, sums.rejects, of[0], of[1], of[2],
             of[3], of[4], of[5], of[6], of[7], sums.notes, of[8]);
  return 0;
}

}  // namespace
}  // namespace tranche

int main(int argc, char** argv) {
  const int threads = argc == 3 ? std::atoi(argv[2]) : 0;
  if (threads < 1) {
    std::fputs("usage: parse_sales FILE THREADS\n", stderr);
    return 2;
  }
  return tranche::parse(argv[1], static_cast<unsigned>(threads));
}
