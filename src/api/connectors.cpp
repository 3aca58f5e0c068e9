#include <tranche/api/job.h>
#include "connectors/csv.h"
#include "connectors/duckdb_connector.h"
#include "connectors/jsonl.h"
#include "connectors/parquet_connector.h"
#include "connectors/postgres.h"
#include "connectors/sqlite.h"

namespace tranche {

// Explicit, since static initialisers vanish from archives.
const std::vector<Connector>& connectors() {
  static const std::vector<Connector> table = {csv_connector(), jsonl_connector(),
                                               parquet_connector(), postgres_connector(),
                                               sqlite_connector(), duckdb_connector()};
  return table;
}

const Connector* find_connector(std::string_view name) {
  for (const auto& connector : connectors()) {
    if (connector.name == name) return &connector;
  }
  return nullptr;
}

const OptionTable& sql_options() {
  static const OptionTable table = {
      Option{.name = "sql",
             .kind = OptionKind::text,
             .doc = "A SELECT over `batch`, the records of one batch, in DuckDB's SQL.",
             .required = true,
             .example = "SELECT id, qty * price AS total FROM batch WHERE qty > 0"},
      Option{.name = "tables",
             .kind = OptionKind::any,
             .doc = "Lookup tables for the SELECT: a name and what to read, as in `read:`.",
             .example = "rates: { csv: rates.csv }"},
      Option{.name = "per_batch",
             .kind = OptionKind::boolean,
             .doc = "Aggregates, windows, DISTINCT, LIMIT and ORDER BY are meant within one batch.",
             .default_text = "false"},
  };
  return table;
}

}  // namespace tranche
