// A catalog as SQL of another system, or of the same: what makes the tables, what comes behind
// their rows, and what of it the target would not take.
//
// Threads: pure functions, except try_out. Lifetime: value types.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "connectors/catalog.h"
#include "connectors/catalog_database.h"

namespace tranche {

// A part of a definition that may be left out.
struct DefinitionPart {
  std::string what;  // "the default of orders.total"
  std::string sql;
  std::size_t attached_to = SIZE_MAX;  // the fixed part that it stands behind
  std::string generates = {};          // "table.column" that it has the target compute
};

// One statement: head, the parts in parentheses, tail. One without parts is its head.
struct Definition {
  std::string what;  // "table orders"
  std::string step;   // of the job: what is executed together
  std::string table;  // CatalogName::text of the one whose rows it waits for; empty: all
  bool is_behind_rows = false;
  bool is_optional = false;
  std::string head;
  std::vector<std::string> fixed;
  std::vector<DefinitionPart> parts;
  std::string tail;
  std::string undo = {};   // what takes it back
  std::string probe = {};  // a statement that fails where this one was taken in vain

  std::string sql() const;
};

struct NotCarried {
  std::string what;
  std::string why;
};

struct CatalogScript {
  std::vector<Definition> definitions;  // in the order of their execution
  std::vector<NotCarried> not_carried;
  // What becomes of columns on the way: "becomes text: a.b, c.d".
  std::vector<std::string> changes;
  std::vector<std::string> computed;  // "table.column" that the target computes
};

// How the tables of a catalog are called in another system. Errors: config, when two of them would
// have one name.
Result<std::vector<CatalogName>> target_names(const Catalog& catalog, const std::string& system);

// Where each table comes before those that refer to it, as far as that can be.
std::vector<std::size_t> order_by_references(const Catalog& catalog);

// `upserted`: tables that need their primary key before their rows come.
CatalogScript write_script(const Catalog& catalog, const std::string& system,
                           const std::vector<CatalogName>& names,
                           const std::vector<CatalogName>& upserted);

// Executes the definitions one by one, and takes out those, and their parts, that are refused.
// Errors: config, when one is refused that can't be left out.
Result<void> try_out(CatalogScript& script, CatalogDatabase& database);

// A name as the system's SQL has it, with its schema.
std::string quoted_name(const std::string& system, const CatalogName& name);
std::string quoted_name(const std::string& system, const std::string& name);

// An expression or a query of one system in the words of another, as far as that is a matter of
// words; whether it is understood shows when it is tried.
using SqlWords = std::vector<std::pair<std::string, std::string>>;  // in small letters, and others
std::string replace_words(const std::string& sql, const SqlWords& words);
std::string without_sql_casts(const std::string& sql);
std::string translate_sql(const std::string& sql, const std::string& from, const std::string& to);

}  // namespace tranche
