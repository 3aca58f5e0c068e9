// What is read from PostgreSQL: a table or a query, its columns, and by which key it is cut.
//
// Threads: value types; describe_relation uses the connection that it is given.
// Errors: config, what can't be read, and what would do.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <tranche/core/schema.h>

#include "connectors/key_ranges.h"
#include "connectors/table_increment.h"
#include "drivers/postgres.h"
#include "drivers/postgres_copy.h"

namespace tranche::postgres {

// As the job names it.
struct RelationUse {
  std::string table;  // "sales" or "public.sales"; empty: a query
  std::string query;
  Schema columns;  // those to read, of these types; none: all, of their own
};

struct RelationColumn {
  std::string expression;  // what is selected
  PostgresType wire;       // as which it comes
};

struct RelationKey {
  std::string expression;
  std::string type;         // as SQL names it
  std::string name;         // for people
  std::string tie_breaker;  // what orders the records of one key; empty: there is one
  bool is_address = false;  // where the row lies in the table: valid in one snapshot only
  bool may_be_null = false;
  bool may_repeat = false;
  bool has_index = true;
};

struct Relation {
  std::string name;  // for people, and as the source of rejects
  std::string from;  // behind FROM
  SchemaPtr schema;
  std::vector<RelationColumn> columns;  // one a field
  std::uint64_t bytes = 0;              // of the whole table, about; 0: unknown
  std::uint64_t record_bytes = 1;
  std::uint64_t record_memory_bytes = 1;
  std::optional<RelationKey> own_key;  // by which it is cut when the job names none
  bool has_addresses = false;
  std::uint32_t oid = 0;  // of a table
  std::vector<std::string> notes;

  std::vector<PostgresType> wires() const;
};

// A column as the server has it.
struct ServerColumn {
  std::string name;
  std::uint32_t oid = 0;
  std::int32_t modifier = -1;
  std::uint32_t element = 0;  // of an array: its element's type
  std::string type;           // as SQL names it
};
// As which a column is read when nobody says so; a numeric without bounds as text.
struct ColumnReading {
  Type type;
  bool is_text_of = false;  // of a type that is ours in text only
};
ColumnReading reading_of(const ServerColumn& column);

Result<Relation> describe_relation(PostgresConnection& connection, const RelationUse& use);
// A key that the job names. Errors: config, when there is no such column, or none with an order.
Result<RelationKey> describe_key(PostgresConnection& connection, const Relation& relation,
                                 const std::string& column);

// Where an increment that begins at `from` ends: the server's clock, or the greatest value, less
// the lag. Errors: config, when the column is neither a time nor a whole number, or the lag does
// not go with it.
Result<std::string> increment_end(PostgresConnection& connection, const Relation& relation,
                                  const IncrementUse& use, const std::string& from);
// A condition on the records of an increment; an empty text is no bound.
Result<std::string> increment_condition(PostgresConnection& connection, const Relation& relation,
                                        const IncrementUse& use, const std::string& from,
                                        const std::string& until);

// "key > '17'::bigint AND key <= '42'::bigint"; "true" for all.
std::string condition(const RelationKey& key, const KeyRange& range);

}  // namespace tranche::postgres
