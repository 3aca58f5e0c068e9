// What a database holds besides its rows, in words that PostgreSQL, SQLite and DuckDB share: tables
// with their columns, keys and indexes, sequences, views, types, and what there are no words for.
//
// Threads: value types. Lifetime: written as JSON into the manifest of a backup, and read again
// years later: members may be added, and keep their meaning.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <tranche/base/result.h>
#include <tranche/core/schema.h>

#include "base/json.h"

namespace tranche {

// A name with its schema, where the system has schemas.
struct CatalogName {
  std::string schema;
  std::string name;
  bool operator==(const CatalogName&) const = default;
  std::string text() const { return schema.empty() ? name : schema + "." + name; }
};

// SQLite stores each value in a class of its own, whatever its column was declared as.
struct CatalogClass {
  std::string name;     // "integer", "real", "text", "blob"
  std::string example;  // where one is: "rowid 2"; empty: its table has no such numbers
};

struct CatalogColumn {
  std::string name;
  Type type;                // as which it is read
  std::string declared;     // as its system names its type
  bool is_text_of = false;  // of a type that is ours in its text only
  bool not_null = false;
  std::string default_sql;  // in its system's SQL; empty: none
  std::string generated;    // the expression that it is computed by; empty: it is not
  std::string identity;     // "always", "by default"; empty: it is none
  std::string sequence;     // CatalogName::text of the one that numbers it; empty: none
  std::string sql_name;     // of its type, where that is one of the catalog's types
  // The storage classes of its values, where its type does not keep them; else none.
  std::vector<CatalogClass> classes;

  bool has_class(std::string_view name) const;
  // Text without quotes would be taken for a blob, and the other way round.
  bool needs_literals() const { return classes.size() > 1 && has_class("blob"); }
};

struct CatalogKey {
  std::string name;
  std::vector<std::string> columns;  // none: only its definition says what it is
  bool is_primary = false;
  std::string definition;  // in its system's SQL, behind ADD CONSTRAINT name
};

struct CatalogForeignKey {
  std::string name;
  std::vector<std::string> columns;
  CatalogName table;  // that it refers to
  std::vector<std::string> referenced;
  std::string on_update;  // "CASCADE"; empty: no action
  std::string on_delete;
  std::string definition;
};

struct CatalogCheck {
  std::string name;
  std::string expression;
};

struct CatalogIndex {
  std::string name;
  std::vector<std::string> parts;  // columns or expressions, as SQL, with DESC
  bool is_unique = false;
  std::string where;  // of a partial one
  std::string definition;
};

struct CatalogTable {
  CatalogName name;
  std::vector<CatalogColumn> columns;
  std::vector<CatalogKey> keys;
  std::vector<CatalogForeignKey> foreign_keys;
  std::vector<CatalogCheck> checks;
  std::vector<CatalogIndex> indexes;
  std::string definition;     // CREATE TABLE, where the system keeps it
  std::uint64_t rows = 0;     // about
  bool has_addresses = true;  // its rows have a place or a number by which they can be divided

  const CatalogColumn* find(std::string_view column) const;
  const CatalogKey* primary_key() const;
};

struct CatalogSequence {
  CatalogName name;
  std::int64_t start = 1;
  std::int64_t increment = 1;
  std::int64_t minimum = 1;
  std::int64_t maximum = INT64_MAX;
  std::int64_t next = 1;  // what it gives next
  bool cycles = false;
  std::string type;   // "integer"; empty: the system has one type of them
  CatalogName owner;  // the table whose column it numbers; empty: nobody's
  std::string owner_column;
  bool is_identity = false;  // part of that column
};

struct CatalogView {
  CatalogName name;
  std::string query;
  bool is_materialized = false;
  std::vector<std::string> indexes;  // definitions
};

// An enumeration, or another type, by the statement that makes it.
struct CatalogType {
  CatalogName name;
  std::vector<std::string> labels;
  std::string definition;
};

struct Catalog {
  std::string system;  // "postgres", "sqlite", "duckdb"
  std::vector<CatalogTable> tables;
  std::vector<CatalogSequence> sequences;
  std::vector<CatalogView> views;
  std::vector<CatalogType> types;
  // What there are no words for: "2 functions (f, g)".
  std::vector<std::string> beyond;

  const CatalogTable* find(const CatalogName& name) const;
  const CatalogSequence* find_sequence(std::string_view text) const;
  bool is_empty() const { return tables.empty() && views.empty() && sequences.empty(); }
};

// Lists of texts, as JSON and back.
Json texts_json(const std::vector<std::string>& texts);
std::vector<std::string> texts_of(const Json& json);

Json to_json(const Catalog& catalog);
// Errors: failed, when it was written by a version that knows of types that this one does not.
Result<Catalog> catalog_from_json(const Json& json);

// What a job's columns become on the way: "table.column" patterns and types.
struct CatalogCast {
  std::string table;   // a pattern
  std::string column;  // a pattern
  Type type;
};
// Errors: config, naming the line. A line is "table.column: type"; # begins a comment.
Result<std::vector<CatalogCast>> parse_casts(std::string_view text, const std::string& file);
// Reads the columns as the casts say. Errors: config, for a cast that fits no column.
Result<void> apply_casts(Catalog& catalog, const std::vector<CatalogCast>& casts);

// Whether a name fits a pattern with * and ?, with its schema or without, in any case.
bool fits(const CatalogName& name, std::string_view pattern);
bool fits(std::string_view name, std::string_view pattern);

}  // namespace tranche
