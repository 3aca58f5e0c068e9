// Microbenchmarks of what reading and writing CSV is made of, on one core: the planner's cuts, the
// parsing and typing of all columns, and the writing of all columns. GB/s of the file's bytes; for
// the writing, of those written.
//
//   kernels FILE [flags of Google Benchmark]      FILE is what generate_sales writes
#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <tranche/core/source.h>

#include "connectors/csv_source.h"
#include "formats/csv_writer.h"

namespace tranche {
namespace {

constexpr std::pair<const char*, const char*> columns[] = {
    {"id", "bigint"},        {"sold_at", "timestamp"}, {"store", "integer"},
    {"sku", "varchar"},      {"qty", "integer"},       {"unit_price", "decimal(12,2)"},
    {"currency", "varchar"}, {"customer", "varchar"},  {"note", "varchar"}};

std::string file_path;  // NOLINT: set by main before anything is measured

template <class T> T or_end(Result<T> result) {
  if (result) return std::move(*result);
  fmt::print(stderr, "kernels: {}\n", result.error().message);
  std::exit(1);
}

std::unique_ptr<Source> open_source() {
  Schema schema;
  for (const auto& [name, type] : columns) {
    schema.fields.push_back({name, or_end(parse_type(type))});
  }
  auto source = or_end(make_csv_source({file_path}, ".", CsvDialect(), {}, {}, std::move(schema)));
  if (auto used = source->use_inputs(or_end(source->inputs())); !used) std::exit(1);
  or_end(source->schema());
  return source;
}

std::vector<Slice> cut(Source& source) {
  CutLimits limits;
  limits.bytes_max = source.default_division().chunk_bytes;
  const auto stream = or_end(source.divide(nullptr));
  std::vector<Slice> slices;
  while (auto slice = or_end(stream->next(limits))) slices.push_back(*slice);
  return slices;
}

std::size_t bytes_of(const std::vector<Slice>& slices) {
  std::size_t bytes = 0;
  for (const Slice& slice : slices) bytes += slice.bytes;
  return bytes;
}

// Reads the slices once; `take` gets each page.
template <class Take> void read(const Source& source, const std::vector<Slice>& slices, Take take) {
  WorkerScope worker(0, 0, "");
  std::vector<Reject> rejects;
  for (const Slice& slice : slices) {
    const auto reader = or_end(source.open(slice, worker));
    while (auto page = or_end(reader->next(rejects))) take(std::move(page));
  }
}

void count_bytes(benchmark::State& state, std::size_t bytes) {
  state.SetBytesProcessed(static_cast<std::int64_t>(bytes) *
                          static_cast<std::int64_t>(state.iterations()));
}

void cut_csv(benchmark::State& state) {
  const auto source = open_source();
  std::size_t bytes = 0;
  for (auto _ : state) bytes = bytes_of(cut(*source));
  count_bytes(state, bytes);
}

void parse_csv(benchmark::State& state) {
  const auto source = open_source();
  const std::vector<Slice> slices = cut(*source);
  for (auto _ : state) {
    read(*source, slices, [](std::unique_ptr<Page> page) { benchmark::DoNotOptimize(page.get()); });
  }
  count_bytes(state, bytes_of(slices));
}

void write_csv(benchmark::State& state) {
  constexpr std::size_t pages_max = 64;  // enough to be no longer in the cache
  const auto source = open_source();
  std::vector<std::unique_ptr<Page>> pages;
  std::vector<Slice> slices = cut(*source);
  slices.resize(std::min(slices.size(), pages_max));
  read(*source, slices, [&](std::unique_ptr<Page> page) {
    if (pages.size() < pages_max) pages.push_back(std::move(page));
  });
  CsvWriter writer(or_end(source->schema()), CsvOutput());
  std::size_t bytes = 0;
  for (auto _ : state) {
    bytes = 0;
    for (const auto& page : pages) {
      writer.add(*page);
      bytes += writer.take().size();
    }
  }
  count_bytes(state, bytes);
}

BENCHMARK(cut_csv)->Unit(benchmark::kMillisecond);
BENCHMARK(parse_csv)->Unit(benchmark::kMillisecond);
BENCHMARK(write_csv)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace tranche

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  if (argc != 2) {
    fmt::print(stderr, "usage: kernels FILE [flags of Google Benchmark]\n");
    return 2;
  }
  tranche::file_path = argv[1];
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
