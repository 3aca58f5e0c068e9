// Which part of an answer is whose, where a call was about several records.
//
// Threads: const functions are thread-safe. Lifetime: a value type; what is found points into the
// answer.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <tranche/core/page.h>

#include "formats/json_pointer.h"

namespace tranche {

class HttpElements {
 public:
  HttpElements() = default;
  // `answers`: where the array is. `match_by`: the member of each that says whose it is by the
  // value of the column of that name; empty: there is one a record, in their order.
  HttpElements(JsonPointer answers, std::string match_by)
      : answers_(std::move(answers)), match_by_(std::move(match_by)) {}
  // Errors: config, where there is no such column.
  Result<void> bind(const Schema& input);

  // One a row: nullopt, where there is none. Errors: bad_record, of the call as a whole: a sentence
  // part behind the status. REQUIRES JSON, with search_padding_bytes readable behind it.
  Result<std::vector<std::optional<std::string_view>>> find(
      std::string_view json, const Page& page, std::span<const std::uint32_t> rows) const;

 private:
  Result<std::vector<std::optional<std::string_view>>> match(
      const std::vector<std::string_view>& elements, const Page& page,
      std::span<const std::uint32_t> rows) const;

  JsonPointer answers_;
  std::string match_by_;
  std::size_t column_ = 0;
};

}  // namespace tranche
