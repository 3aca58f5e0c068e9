// The rows of a batch as the table function reads them: all of them, or a range, without some.
//
// Threads: belongs to one worker. Lifetime: REQUIRES that the pages outlive every scan.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include <tranche/core/breadcrumb.h>

#include "drivers/duckdb_database.h"

namespace tranche {

class BatchRows {
 public:
  // `breadcrumb`: of the worker; each part that a scan gives is progress.
  explicit BatchRows(Breadcrumb& breadcrumb) : breadcrumb_(breadcrumb) {}
  // Rows are numbered through the pages, from 0.
  void set(std::span<const std::unique_ptr<Page>> pages);
  void clear() { set({}); }
  std::size_t rows() const { return rows_; }
  // What scans give from now on: rows [begin, end).
  void limit(std::size_t begin, std::size_t end);
  // Leaves rows out; in ascending order.
  void exclude(std::vector<std::size_t> rows) { excluded_ = std::move(rows); }
  PageCursor scan() const;
  // The page and the row in it of a row of the batch.
  std::pair<const Page*, std::size_t> find(std::size_t row) const;

 private:
  Breadcrumb& breadcrumb_;
  std::span<const std::unique_ptr<Page>> pages_;
  std::vector<std::size_t> first_rows_;  // of each page, and the end
  std::size_t rows_ = 0;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
  std::vector<std::size_t> excluded_;
};

}  // namespace tranche
