// Rows of Pages bound to the parameters of an INSERT, without an allocation a row.
//
// Types: integers, booleans and decimals without a fraction become INTEGER; floats REAL; decimals
// with a fraction TEXT with all their digits; dates, times and timestamps ISO 8601 TEXT; uuids
// TEXT; blobs BLOB. What SQLite could only store as something else (NaN, an integer beyond 64 bits)
// is refused.
// Threads: one. Lifetime: a bound row refers to the page and to the binder until it is stepped.
#pragma once

#include <array>
#include <span>
#include <string>
#include <vector>

#include <tranche/core/page.h>
#include <tranche/core/value.h>

#include "drivers/sqlite.h"

namespace tranche::sqlite {

class RowBinder {
 public:
  // `key`: columns that must not be null, since a null is equal to no key.
  // `literals`: columns of text whose literals are stored as what they say (sqlite_literals.h).
  RowBinder(const Schema& schema, std::span<const std::string> key,
            std::span<const std::string> literals);

  // Binds row `row` to the parameters 1, 2, ...; false when SQLite can't hold one of its values:
  // refusal() then says why.
  bool bind(SqliteStatement& statement, const Page& page, std::size_t row);
  std::string refusal(const Page& page, std::size_t row) const;

 private:
  enum class Refusal { null_key, not_a_number, no_literal, beyond_64_bits };
  bool bind_integer(SqliteStatement& statement, int parameter, const Column& column,
                    std::size_t row);
  bool bind_value(SqliteStatement& statement, std::size_t index, const Column& column,
                  std::size_t row);
  bool refuse(Refusal why);

  enum class Storage : std::uint8_t { integer, real, text_of_value, text, blob, json, literal };
  std::vector<Storage> storage_;
  std::vector<bool> is_key_;
  std::vector<std::array<char, value_text_bytes_max>> texts_;  // one a column
  std::vector<std::string> nested_;  // as JSON, or of a literal, one a column
  std::size_t refused_column_ = 0;
  Refusal refusal_ = Refusal::null_key;
};

}  // namespace tranche::sqlite
