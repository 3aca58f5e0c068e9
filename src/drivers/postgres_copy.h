// Pages as tuples of PostgreSQL's binary COPY, and back.
//
// A stream of COPY is copy_header, tuples, copy_trailer. A tuple is the number of its fields (i16)
// and, for each, its length (i32, -1: null) and its bytes, big-endian. The server takes no field of
// another type than the column's: whoever encodes knows the types of the table.
//
// Exact both ways. The infinities of dates and timestamps are PostgreSQL's; a list of scalars is an
// array; structs, and lists of anything else, are JSON.
// Threads: an encoder or reader belongs to one thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <tranche/base/result.h>
#include <tranche/core/page.h>

namespace tranche {

inline constexpr std::string_view copy_header{"PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0\0", 19};
inline constexpr std::string_view copy_trailer{"\377\377", 2};

// How the values of a type travel. Text is that of varchar, char(n), enums, citext, ... too.
enum class PostgresWire : std::uint8_t {
  boolean,
  int2,
  int4,
  int8,
  float4,
  float8,
  numeric,
  date,
  time,
  timestamp,
  timestamptz,
  text,
  bytea,
  uuid,
  json,
  jsonb,
  array,
};
struct PostgresType {
  PostgresWire wire = PostgresWire::text;
  PostgresWire element = PostgresWire::text;  // of an array
  std::uint32_t element_oid = 0;              // of an array: the oid of its type
  bool operator==(const PostgresType&) const = default;
};
// Of a type that is built in; nullopt: of one that this file does not know, or of an array.
std::optional<PostgresWire> postgres_wire(std::uint32_t oid);
// The type of a column that is made for `type`: its wire, and its name in SQL.
PostgresType postgres_type_for(Type type);
std::string postgres_type_name(Type type);
// Whether every value of `type` can be encoded so, except those that refusal() speaks of.
bool postgres_takes(Type type, const PostgresType& into);

class PostgresTupleEncoder {
 public:
  // REQUIRES a type a field, each of which takes its field (postgres_takes).
  PostgresTupleEncoder(const Schema& schema, std::vector<PostgresType> types);
  // Columns of which a null is refused, beside what the server refuses.
  void refuse_nulls_of(std::size_t column) { plans_[column].refuses_null = true; }

  // Appends the first `rows` rows of the page as tuples. Rows that hold a value beyond their
  // column's type are left out: their numbers are appended to `refused`, in order.
  void append(std::string& out, const Page& page, std::size_t rows,
              std::vector<std::uint32_t>& refused);
  // Why a row was refused: a sentence.
  std::string refusal(const Page& page, std::size_t row) const;

 private:
  struct Plan {
    Type type;
    PostgresType into;
    bool is_nested = false;  // of any length, made in `text` before the row is written
    bool refuses_null = false;
    const Column* column = nullptr;
    std::string text;
  };
  std::size_t room_for(std::size_t rows) const;
  bool prepare_nested(const Page& page, std::size_t row, std::size_t& bytes);
  char* put_row(char* out, std::size_t row) const;

  std::vector<Plan> plans_;
  std::size_t fixed_bytes_ = 2;  // that a row takes at most, without strings
  bool has_nested_ = false;
};

class PostgresTupleReader {
 public:
  // REQUIRES types that take their fields (postgres_takes), and no struct, nor list but of arrays:
  // JSON that stands for one is read as json. A numeric may be read as varchar, too.
  PostgresTupleReader(SchemaPtr schema, std::vector<PostgresType> types)
      : schema_(std::move(schema)), types_(std::move(types)) {}

  // Takes one tuple off the front of `bytes` and puts it into row `row` of `page`, long strings
  // into its arena. The tuple is taken off also when a value of it is refused. Errors: bad_record,
  // a value that the field's type can't hold, named; failed: the bytes are no tuple.
  Result<void> read(std::string_view& bytes, Page& page, std::size_t row);

 private:
  SchemaPtr schema_;
  std::vector<PostgresType> types_;
};

// Appends a tuple of `number`, a bigint, and the fields of the tuple at the front of `bytes` that
// `fields` names, from 0, ascending; takes that tuple off. REQUIRES a whole tuple that has them.
void append_numbered_fields(std::string& out, std::int64_t number, std::string_view& bytes,
                            std::span<const std::size_t> fields);
// The bytes of the tuple at the front; 0: they are no whole tuple, or the trailer.
std::size_t postgres_tuple_bytes(std::string_view bytes);

}  // namespace tranche
