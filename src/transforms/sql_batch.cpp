#include "transforms/sql_batch.h"

#include <algorithm>
#include <utility>

namespace tranche {

void BatchRows::set(std::span<const std::unique_ptr<Page>> pages) {
  pages_ = pages;
  first_rows_.assign(1, 0);
  for (const auto& page : pages) first_rows_.push_back(first_rows_.back() + page->rows());
  rows_ = first_rows_.back();
  excluded_.clear();
  limit(0, rows_);
}

void BatchRows::limit(std::size_t begin, std::size_t end) {
  begin_ = begin;
  end_ = end;
}

std::pair<const Page*, std::size_t> BatchRows::find(std::size_t row) const {
  const auto behind = std::upper_bound(first_rows_.begin(), first_rows_.end(), row);
  const auto index = static_cast<std::size_t>(behind - first_rows_.begin()) - 1;
  return {pages_[index].get(), row - first_rows_[index]};
}

PageCursor BatchRows::scan() const {
  return [this, row = begin_]() mutable -> Result<PageRun> {
    auto next = std::lower_bound(excluded_.begin(), excluded_.end(), row);
    while (next != excluded_.end() && *next == row) {
      ++row;
      ++next;
    }
    if (row >= end_) return PageRun{};
    breadcrumb_.beat();
    const auto [page, at] = find(row);
    std::size_t end = std::min(end_, row + (page->rows() - at));
    if (next != excluded_.end()) end = std::min(end, *next);
    PageRun run{std::shared_ptr<const Page>(std::shared_ptr<void>(), page), at, at + (end - row)};
    row = end;
    return run;
  };
}

}  // namespace tranche
