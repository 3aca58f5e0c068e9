// The records behind logic that answers records: what they had, and what the answers add.
//
// Threads: const functions are thread-safe. Lifetime: a value type.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <tranche/core/page.h>

namespace tranche {

// The columns of the input, those that are added in their place or behind them.
Schema columns_with(const Schema& input, const Schema& added);

// The record's number in its step, which is the same whenever it is processed again; the second row
// that came of one is N.1. REQUIRES a page whose rows are records of the source.
std::vector<std::string> record_ids(const Page& page);

class AnsweredColumns {
 public:
  // REQUIRES columns_with of the two.
  AnsweredColumns(const Schema& input, const Schema& added, SchemaPtr output);

  using RowAndAnswer = std::pair<std::uint32_t, std::uint32_t>;
  // Rows of `asked`, each with one of `answers`, whose first columns are those added.
  std::unique_ptr<Page> join(const Page& asked, const Page& answers,
                             std::span<const RowAndAnswer> rows) const;

 private:
  struct Source {
    bool is_answer = false;
    std::size_t column = 0;
  };
  SchemaPtr output_;
  std::vector<Source> sources_;  // of each column
};

}  // namespace tranche
