#include "transforms/sql_lookups.h"

#include <fmt/format.h>

namespace tranche {
namespace {

constexpr std::uint64_t lookup_slice_bytes = 8ULL << 20;
constexpr std::uint64_t lookup_decoded_bytes = std::uint64_t{8} << 20;  // of a compressed one

// The rows of a lookup for DuckDB, read as it asks for them.
class LookupScan {
 public:
  LookupScan(const FixedLookup& lookup, WorkerScope& worker) : lookup_(lookup), worker_(worker) {}

  Result<PageRun> next() {
    while (true) {
      if (!reader_) {
        if (slice_ == lookup_.slices.size()) return PageRun{};
        TRANCHE_ASSIGN(reader_, lookup_.source->open(lookup_.slices[slice_++], worker_));
      }
      TRANCHE_ASSIGN(std::unique_ptr<Page> page, reader_->next(rejects_));
      if (!rejects_.empty()) return broken(rejects_.front());
      if (!page) {
        reader_.reset();
        continue;
      }
      const std::size_t rows = page->rows();
      return PageRun{std::shared_ptr<const Page>(std::move(page)), 0, rows};
    }
  }

 private:
  Error broken(const Reject& reject) const {
    return make_error(
        ErrorKind::config,
        fmt::format("The lookup table {} has a broken record: {}", lookup_.table, reject.error),
        reject.line != 0 ? fmt::format("{}:{}", reject.source, reject.line) : reject.source);
  }

  const FixedLookup& lookup_;
  WorkerScope& worker_;
  std::size_t slice_ = 0;
  std::unique_ptr<Reader> reader_;
  std::vector<Reject> rejects_;
};

}  // namespace

Result<void> fix_lookup(FixedLookup& lookup) {
  TRANCHE_ASSIGN(auto inputs, lookup.source->inputs());
  TRANCHE_TRY(lookup.source->use_inputs(std::move(inputs)));
  lookup.source->keep_decoded(lookup_decoded_bytes);
  TRANCHE_ASSIGN(lookup.schema, lookup.source->schema());
  TRANCHE_ASSIGN(const auto stream, lookup.source->divide(nullptr));
  CutLimits limits;
  limits.bytes_max = lookup_slice_bytes;
  while (true) {
    TRANCHE_ASSIGN(const auto slice, stream->next(limits));
    if (!slice) return {};
    lookup.slices.push_back(*slice);
  }
}

Result<void> make_lookup_table(DuckConnection& connection, const FixedLookup& lookup,
                               WorkerScope& worker) {
  PageFeed feed;
  feed.schema = lookup.schema;
  feed.open = [&lookup, &worker]() -> Result<PageCursor> {
    auto scan = std::make_shared<LookupScan>(lookup, worker);
    return PageCursor([scan] { return scan->next(); });
  };
  TRANCHE_ASSIGN(const std::string name, connection.add_feed(std::move(feed)));
  const auto made = connection.execute(fmt::format("CREATE TEMP TABLE {} AS SELECT * FROM {}()",
                                                   sql_identifier(lookup.table), name));
  if (!made) return made.error();
  std::uint64_t records = 0;
  for (const Slice& slice : lookup.slices) records += slice.records;
  TRANCHE_ASSIGN(const auto count, connection.query_texts(fmt::format(
                                       "SELECT count(*) FROM {}", sql_identifier(lookup.table))));
  if (count[0][0] != fmt::to_string(records))
    return make_error(ErrorKind::failed,
                      fmt::format("The lookup table {} has {} records, but {} when the run began",
                                  lookup.table, count[0][0], records));
  return {};
}

Result<void> search_files_in(DuckConnection& connection, const std::string& base) {
  if (base.empty() || base.find(',') != std::string::npos) return {};
  TRANCHE_TRY(
      connection.execute(fmt::format("SET SESSION file_search_path = {}", sql_literal(base))));
  return {};
}

}  // namespace tranche
