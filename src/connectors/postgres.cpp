#include "connectors/postgres.h"

#include <fmt/format.h>

#include "connectors/postgres_script.h"
#include "connectors/postgres_sink.h"
#include "connectors/postgres_source.h"
#include "drivers/postgres_copy.h"

namespace tranche {
namespace {

const OptionTable& write_options() {
  static const OptionTable table = {
      postgres::database_option(),
      Option{.name = "table",
             .kind = OptionKind::text,
             .doc = "The table that takes the records, with its schema or without; it is created "
                    "when missing.",
             .required = true,
             .example = "sales"},
      table_mode_option(),
      table_key_option(),
      commits_table_option(
          "The table of the database that records which batches are committed; in the "
          "schema of the other one when it names none."),
      postgres::lock_wait_option(),
  };
  return table;
}

// What the option table can't say.
Result<void> check_target(const postgres::Target& target) {
  if (target.table == target.commits_table ||
      (target.table.table == target.commits_table.table && target.commits_table.schema.empty())) {
    return records_and_commits_are_one(target.table.text());
  }
  return check_table_key(target.mode, target.key);
}

Result<std::unique_ptr<Sink>> make_postgres_sink(const Node& node, const std::filesystem::path&) {
  const OptionReader options(node, write_options());
  postgres::Target target;
  target.url = options.text("postgres");
  TRANCHE_ASSIGN(target.place, parse_postgres_url(target.url));
  TRANCHE_ASSIGN(target.table, postgres::read_table_name(options.text("table"), "table"));
  TRANCHE_ASSIGN(target.commits_table,
                 postgres::read_table_name(options.text("commits_table"), "commits_table"));
  target.mode = read_table_mode(options);
  target.key = options.texts("key");
  target.timeouts.lock = options.duration("lock_wait");
  TRANCHE_TRY(check_target(target));
  return std::unique_ptr<Sink>(std::make_unique<postgres::TableSink>(std::move(target)));
}

// The nearest whole numbers that the server has, and what holds the values of other types.
Type kept_as(Type type) {
  if (is_nested(type) && postgres_type_for(type).wire == PostgresWire::jsonb)
    return Type{TypeId::json};
  switch (type.id) {
    case TypeId::tinyint:
    case TypeId::utinyint:
      return Type{TypeId::smallint};
    case TypeId::usmallint:
      return Type{TypeId::integer};
    case TypeId::uinteger:
      return Type{TypeId::bigint};
    case TypeId::ubigint:
      return decimal_type(20, 0);
    case TypeId::hugeint:
      return Type{TypeId::varchar};  // more digits than a decimal has
    default:
      return type;
  }
}

}  // namespace

Connector postgres_connector() {
  Connector connector;
  connector.name = "postgres";
  connector.summary =
      "Tables of a PostgreSQL database: read in one snapshot, in ranges of a key; "
      "written batch by batch, or all at once.";
  connector.read_options = postgres_read_options();
  connector.make_source = make_postgres_source;
  connector.write_options = write_options();
  connector.make_sink = make_postgres_sink;
  connector.execute_options = postgres_execute_options();
  connector.make_script = make_postgres_script;
  connector.sql_value = postgres_value;
  connector.kept_as = kept_as;
  return connector;
}

}  // namespace tranche
