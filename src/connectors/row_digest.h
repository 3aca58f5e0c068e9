// Digests of rows that don't depend on their order, so that what was encoded can be compared with
// what a table holds by now: the sum of the hashes of all rows, modulo 2^64. A row's hash is one of
// its values as a Page has them, equal numbers being equal whatever their width; JSON is compared
// as values, not as text, and lists and structs as the JSON that some databases keep them as.
//
// Threads: a RowDigest belongs to one thread, a RowsSearch to many. Lifetime: a digest keeps its
// buffer from page to page; the source outlives its search.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <tranche/core/page.h>
#include <tranche/core/source.h>

#include "connectors/json_digest.h"

namespace tranche {

class RowDigest {
 public:
  // Only these columns count, in this order; until then all of them.
  void choose(std::vector<std::size_t> columns);
  // Adds the first `rows` rows of a page, without those of these numbers, in order.
  void add(const Page& page, std::size_t rows, std::span<const std::uint32_t> left_out = {});
  void add_row(const Page& page, std::size_t row);
  std::uint64_t value() const { return sum_; }
  // Gives what was added, and begins anew.
  std::uint64_t take();

 private:
  void hash(const Page& page, std::size_t begin, std::size_t end);
  void hash_texts(const Column& column, std::size_t begin, std::size_t end);

  std::optional<std::vector<std::size_t>> columns_;
  std::vector<std::uint64_t> hashes_;
  JsonDigest json_;
  std::string text_;
  std::uint64_t sum_ = 0;
};

// What a source holds: so many rows, with this digest, and so many that its types can't hold.
struct RowsFound {
  std::uint64_t rows = 0;
  std::uint64_t digest = 0;
  std::uint64_t unreadable = 0;
  bool has_columns = true;  // else nothing was read
};

// Reads all of a source that is not bound yet, and only some of it when there are more rows than
// `rows_max`. The digest is that of these columns of it.
class RowsSearch {
 public:
  static Result<std::unique_ptr<RowsSearch>> begin(Source& source, std::span<const Field> columns,
                                                   std::uint64_t rows_max);
  // Reads parts of it until none is left. Threads: any number at once, each with its own worker.
  Result<void> take_part(WorkerScope& worker);
  bool has_parts_left() const;
  // REQUIRES that whoever took part has ended.
  const RowsFound& found() const { return found_; }

 private:
  RowsSearch(Source& source, std::uint64_t rows_max) : source_(source), rows_max_(rows_max) {}
  Result<std::optional<Slice>> next_part();

  Source& source_;
  const std::uint64_t rows_max_;
  std::vector<std::size_t> columns_;
  CutLimits limits_;
  mutable std::mutex mutex_;  // of what follows
  std::unique_ptr<SliceStream> slices_;
  bool has_parts_left_ = false;
  RowsFound found_;
};
// The same in one thread.
Result<RowsFound> find_rows(Source& source, std::span<const Field> columns, WorkerScope& worker,
                            std::uint64_t rows_max);

}  // namespace tranche
