// The catalog of a PostgreSQL database.
#include <algorithm>
#include <map>

#include <fmt/format.h>

#include "base/text.h"
#include "connectors/catalog_database.h"
#include "connectors/postgres_relation.h"
#include "drivers/postgres.h"

namespace tranche {
namespace {

// Of the user's own schemas, and of no extension. $: the row's oid and its class.
std::string own(const std::string& oid, const std::string& catalog, const std::string& schema) {
  return fmt::format(
      "{0} IN (SELECT oid FROM pg_namespace WHERE nspname !~ '^pg_' AND nspname <> "
      "'information_schema') AND NOT EXISTS (SELECT 1 FROM pg_depend WHERE classid = "
      "'pg_catalog.{1}'::regclass AND objid = {2} AND deptype = 'e')",
      schema, catalog, oid);
}

constexpr const char* columns_sql = R"(
SELECT a.attrelid, a.attname, format_type(a.atttypid, a.atttypmod), b.oid, b.modifier, b.element,
       a.attnotnull, pg_get_expr(d.adbin, d.adrelid), a.attidentity, a.attgenerated <> '',
       format_type(b.oid, b.modifier),
       (SELECT n.nspname || '.' || t.typname FROM pg_type t JOIN pg_namespace n ON n.oid =
        t.typnamespace WHERE t.oid = a.atttypid AND t.typtype = 'e'),
       (SELECT n.nspname || '.' || s.relname FROM pg_depend p JOIN pg_class s ON s.oid = p.objid
        JOIN pg_namespace n ON n.oid = s.relnamespace WHERE p.classid = 'pg_class'::regclass AND
        p.refobjid = a.attrelid AND p.refobjsubid = a.attnum AND p.deptype = 'i' AND
        s.relkind = 'S' LIMIT 1)
FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
CROSS JOIN LATERAL (
  WITH RECURSIVE chain(oid, modifier) AS (
    SELECT a.atttypid, a.atttypmod
    UNION ALL
    SELECT t.typbasetype, t.typtypmod
    FROM chain k JOIN pg_type t ON t.oid = k.oid WHERE t.typtype = 'd')
  SELECT t.oid, k.modifier, CASE WHEN t.typcategory = 'A' THEN t.typelem ELSE 0 END AS element
  FROM chain k JOIN pg_type t ON t.oid = k.oid WHERE t.typtype <> 'd') b
WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND a.attnum > 0 AND NOT a.attisdropped AND
)";

constexpr const char* constraints_sql = R"(
SELECT k.conrelid, k.conname, k.contype, pg_get_constraintdef(k.oid),
       array_to_string(ARRAY(SELECT a.attname FROM
         unnest(k.conkey) WITH ORDINALITY u(number, place)
         JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = u.number ORDER BY u.place),
         chr(31)),
       coalesce(n.nspname, ''), coalesce(r.relname, ''),
       array_to_string(ARRAY(SELECT a.attname FROM
         unnest(k.confkey) WITH ORDINALITY u(number, place)
         JOIN pg_attribute a ON a.attrelid = k.confrelid AND a.attnum = u.number ORDER BY u.place),
         chr(31)),
       k.confupdtype, k.confdeltype, coalesce(pg_get_expr(k.conbin, k.conrelid), '')
FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid
LEFT JOIN pg_class r ON r.oid = k.confrelid LEFT JOIN pg_namespace n ON n.oid = r.relnamespace
WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND k.contype IN ('p', 'u', 'f', 'c', 'x')
  AND k.conislocal AND )";

constexpr const char* indexes_sql = R"(
SELECT i.indrelid, x.relname, i.indisunique, pg_get_indexdef(i.indexrelid),
       array_to_string(ARRAY(SELECT pg_get_indexdef(i.indexrelid, place, true) ||
         CASE WHEN i.indoption[place - 1] & 1 = 1 THEN ' DESC' ELSE '' END
         FROM generate_series(1, i.indnkeyatts) place), chr(31)),
       coalesce(pg_get_expr(i.indpred, i.indrelid), ''), c.relkind
FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid JOIN pg_class c ON c.oid = i.indrelid
WHERE c.relkind IN ('r', 'p', 'm') AND NOT c.relispartition AND i.indisvalid
  AND NOT EXISTS (SELECT 1 FROM pg_constraint k WHERE k.conindid = i.indexrelid
                  AND k.contype IN ('p', 'u', 'x')) AND )";

constexpr const char* sequences_sql = R"(
SELECT n.nspname, c.relname, s.seqstart, s.seqincrement, s.seqmin, s.seqmax, s.seqcycle,
       format_type(s.seqtypid, NULL), c.oid, coalesce(tn.nspname, ''), coalesce(t.relname, ''),
       coalesce(a.attname, ''), coalesce(d.deptype, '')
FROM pg_sequence s JOIN pg_class c ON c.oid = s.seqrelid
JOIN pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = c.oid AND
  d.refclassid = 'pg_class'::regclass AND d.refobjsubid > 0 AND d.deptype IN ('a', 'i')
LEFT JOIN pg_class t ON t.oid = d.refobjid LEFT JOIN pg_namespace tn ON tn.oid = t.relnamespace
LEFT JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
WHERE )";

// What there is of a kind that nobody carries: SQL that gives names, and what it is called.
struct Beyond {
  const char* one;
  const char* many;
  std::string sql;
};

std::vector<Beyond> beyond() {
  return {
      {"function or procedure", "functions and procedures",
       "SELECT proname FROM pg_proc WHERE " + own("pg_proc.oid", "pg_proc", "pronamespace")},
      {"trigger", "triggers",
       "SELECT tgname FROM pg_trigger JOIN pg_class c ON c.oid = tgrelid WHERE NOT tgisinternal "
       "AND " +
           own("c.oid", "pg_class", "c.relnamespace")},
      {"rule", "rules",
       "SELECT rulename FROM pg_rewrite JOIN pg_class c ON c.oid = ev_class WHERE rulename <> "
       "'_RETURN' AND " +
           own("c.oid", "pg_class", "c.relnamespace")},
      {"row security policy", "row security policies", "SELECT polname FROM pg_policy"},
      {"foreign table", "foreign tables",
       "SELECT relname FROM pg_class c WHERE relkind = 'f' AND " +
           own("c.oid", "pg_class", "c.relnamespace")},
      {"composite type", "composite types",
       "SELECT relname FROM pg_class c WHERE relkind = 'c' AND " +
           own("c.oid", "pg_class", "c.relnamespace")},
      {"range type", "range types",
       "SELECT typname FROM pg_type t WHERE typtype = 'r' AND " +
           own("t.oid", "pg_type", "t.typnamespace")},
      {"extension", "extensions", "SELECT extname FROM pg_extension WHERE extname <> 'plpgsql'"},
      {"table without its partitions, as one table", "tables without their partitions, as one each",
       "SELECT relname FROM pg_class c WHERE relkind = 'p' AND NOT relispartition AND " +
           own("c.oid", "pg_class", "c.relnamespace")},
      {"comment", "comments",
       "SELECT coalesce(c.relname, d.objoid::text) FROM pg_description d LEFT JOIN pg_class c ON "
       "c.oid = d.objoid AND d.classoid = 'pg_class'::regclass WHERE d.classoid = "
       "'pg_class'::regclass AND " +
           own("c.oid", "pg_class", "c.relnamespace")},
      {"table or sequence without its grants", "tables and sequences without their grants",
       "SELECT relname FROM pg_class c WHERE relacl IS NOT NULL AND " +
           own("c.oid", "pg_class", "c.relnamespace")},
      {"event trigger", "event triggers", "SELECT evtname FROM pg_event_trigger"},
      {"publication", "publications", "SELECT pubname FROM pg_publication"},
  };
}

std::vector<std::string> names_of(const std::string& joined) {
  return joined.empty() ? std::vector<std::string>() : split(joined, '\x1f');
}

std::string action_of(std::string_view letter) {
  if (letter == "c") return "CASCADE";
  if (letter == "n") return "SET NULL";
  if (letter == "d") return "SET DEFAULT";
  return letter == "r" ? "RESTRICT" : "";
}

// The sequence of nextval('public.t_id_seq'::regclass), as CatalogName::text has it.
std::string numbering_sequence(const std::string& default_sql) {
  constexpr std::string_view head = "nextval('";
  const std::size_t end = default_sql.find("'::regclass)");
  if (!default_sql.starts_with(head) || end == std::string::npos) return {};
  std::string name = default_sql.substr(head.size(), end - head.size());
  std::erase(name, '"');
  return name;
}

class PostgresCatalog final : public CatalogDatabase {
 public:
  explicit PostgresCatalog(std::unique_ptr<PostgresConnection> connection)
      : connection_(std::move(connection)) {}

  Result<HeldState> hold() override {
    TRANCHE_TRY(connection_->execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"));
    TRANCHE_ASSIGN(
        const auto row,
        connection_->query("SELECT pg_export_snapshot(), extract(epoch FROM "
                           "pg_postmaster_start_time())::bigint, (SELECT system_identifier FROM "
                           "pg_control_system()), pg_current_snapshot()"));
    // Without a transaction in between that has written something, the contents are the same.
    const std::string state = fmt::format("{}:{}", row.text(0, 2), row.text(0, 3));
    return HeldState{state, fmt::format("{}/{}@{}", row.text(0, 0), row.text(0, 1), state)};
  }

  Result<Catalog> catalog() override {
    if (!connection_->in_transaction())
      TRANCHE_TRY(connection_->execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"));
    // So that all names come with their schema.
    TRANCHE_TRY(connection_->execute("SET LOCAL search_path TO pg_catalog"));
    Catalog catalog;
    catalog.system = "postgres";
    TRANCHE_TRY(read_tables(catalog));
    TRANCHE_TRY(read_columns(catalog));
    TRANCHE_TRY(read_constraints(catalog));
    TRANCHE_TRY(read_sequences(catalog));
    TRANCHE_TRY(read_views(catalog));
    TRANCHE_TRY(read_indexes(catalog));
    TRANCHE_TRY(read_types(catalog));
    TRANCHE_TRY(read_beyond(catalog));
    return catalog;
  }

  Result<void> begin_trial() override { return connection_->execute("SAVEPOINT trial"); }
  Result<void> execute(const std::string& sql) override {
    auto executed = connection_->execute(sql);
    if (!executed && !connection_->last_failure().message.empty())
      executed.error().message = connection_->last_failure().message;
    return executed;
  }
  Result<void> keep_trial() override { return connection_->execute("RELEASE trial"); }
  void undo_trial() override {
    static_cast<void>(connection_->execute("ROLLBACK TO trial; RELEASE trial"));
  }

 private:
  CatalogTable* table_of(Catalog& catalog, const std::string& oid) {
    const auto found = tables_.find(oid);
    return found == tables_.end() ? nullptr : &catalog.tables[found->second];
  }

  Result<void> read_tables(Catalog& catalog) {
    TRANCHE_ASSIGN(
        const auto rows,
        connection_->query(
            "SELECT c.oid, n.nspname, c.relname, c.reltuples::bigint, c.relkind, EXISTS "
            "(SELECT 1 FROM pg_inherits i JOIN pg_class k ON k.oid = i.inhrelid WHERE "
            "i.inhparent = c.oid AND NOT k.relispartition) FROM pg_class c JOIN "
            "pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind IN ('r', 'p') AND "
            "NOT c.relispartition AND c.relpersistence <> 't' AND c.relname <> "
            "'tranche_commits' AND " +
            own("c.oid", "pg_class", "c.relnamespace") + " ORDER BY n.nspname, c.relname"));
    for (std::size_t row = 0; row < rows.size(); ++row) {
      CatalogTable table;
      table.name = {rows.string(row, 1), rows.string(row, 2)};
      table.rows = rows.integer(row, 3) > 0 ? rows.natural(row, 3) : 0;
      table.has_addresses = rows.text(row, 4) == "r";
      if (rows.boolean(row, 5)) {
        catalog.beyond.push_back(fmt::format(
            "the inheritance of table {}, whose rows hold those of the tables that inherit it",
            table.name.text()));
      }
      tables_.emplace(rows.string(row, 0), catalog.tables.size());
      catalog.tables.push_back(std::move(table));
    }
    return {};
  }

  Result<void> read_columns(Catalog& catalog) {
    TRANCHE_ASSIGN(const auto rows,
                   connection_->query(columns_sql + own("c.oid", "pg_class", "c.relnamespace") +
                                      " ORDER BY a.attrelid, a.attnum"));
    for (std::size_t row = 0; row < rows.size(); ++row) {
      CatalogTable* const table = table_of(catalog, rows.string(row, 0));
      if (table == nullptr) continue;
      CatalogColumn column;
      column.name = rows.string(row, 1);
      column.declared = rows.string(row, 2);
      const auto reading = postgres::reading_of(
          {column.name, static_cast<std::uint32_t>(rows.natural(row, 3)),
           static_cast<std::int32_t>(rows.integer(row, 4)),
           static_cast<std::uint32_t>(rows.natural(row, 5)), rows.string(row, 10)});
      column.type = reading.type;
      column.is_text_of = reading.is_text_of;
      column.not_null = rows.boolean(row, 6);
      const std::string expression = rows.string(row, 7);
      (rows.boolean(row, 9) ? column.generated : column.default_sql) = expression;
      if (rows.text(row, 8) == "a") column.identity = "always";
      if (rows.text(row, 8) == "d") column.identity = "by default";
      column.sql_name = rows.string(row, 11);
      column.sequence = rows.string(row, 12);
      if (column.sequence.empty()) column.sequence = numbering_sequence(column.default_sql);
      table->columns.push_back(std::move(column));
    }
    return {};
  }

  Result<void> read_constraints(Catalog& catalog) {
    TRANCHE_ASSIGN(const auto rows,
                   connection_->query(constraints_sql + own("c.oid", "pg_class", "c.relnamespace") +
                                      " ORDER BY k.conrelid, k.contype = 'p' DESC, k.conname"));
    for (std::size_t row = 0; row < rows.size(); ++row) {
      CatalogTable* const table = table_of(catalog, rows.string(row, 0));
      if (table == nullptr) continue;
      const std::string_view kind = rows.text(row, 2);
      if (kind == "c") {
        table->checks.push_back({rows.string(row, 1), rows.string(row, 10)});
      } else if (kind == "f") {
        table->foreign_keys.push_back({rows.string(row, 1), names_of(rows.string(row, 4)),
                                       CatalogName{rows.string(row, 5), rows.string(row, 6)},
                                       names_of(rows.string(row, 7)), action_of(rows.text(row, 8)),
                                       action_of(rows.text(row, 9)), rows.string(row, 3)});
      } else {
        CatalogKey key{rows.string(row, 1), names_of(rows.string(row, 4)), kind == "p",
                       rows.string(row, 3)};
        if (kind == "x") key.columns.clear();  // an exclusion
        table->keys.push_back(std::move(key));
      }
    }
    return {};
  }

  Result<void> read_indexes(Catalog& catalog) {
    TRANCHE_ASSIGN(const auto rows,
                   connection_->query(indexes_sql + own("c.oid", "pg_class", "c.relnamespace") +
                                      " ORDER BY i.indrelid, x.relname"));
    for (std::size_t row = 0; row < rows.size(); ++row) {
      const std::string definition = rows.string(row, 3);
      if (rows.text(row, 6) == "m") {
        const auto view = views_.find(rows.string(row, 0));
        if (view != views_.end()) catalog.views[view->second].indexes.push_back(definition);
        continue;
      }
      CatalogTable* const table = table_of(catalog, rows.string(row, 0));
      if (table == nullptr) continue;
      table->indexes.push_back({rows.string(row, 1), names_of(rows.string(row, 4)),
                                rows.boolean(row, 2), rows.string(row, 5), definition});
    }
    return {};
  }

  Result<void> read_sequences(Catalog& catalog) {
    TRANCHE_ASSIGN(const auto rows,
                   connection_->query(sequences_sql + own("c.oid", "pg_class", "c.relnamespace") +
                                      " ORDER BY 1, 2"));
    for (std::size_t row = 0; row < rows.size(); ++row) {
      CatalogSequence sequence;
      sequence.name = {rows.string(row, 0), rows.string(row, 1)};
      sequence.start = rows.integer(row, 2);
      sequence.increment = rows.integer(row, 3);
      sequence.minimum = rows.integer(row, 4);
      sequence.maximum = rows.integer(row, 5);
      sequence.cycles = rows.boolean(row, 6);
      sequence.type = rows.string(row, 7);
      sequence.owner = {rows.string(row, 9), rows.string(row, 10)};
      sequence.owner_column = rows.string(row, 11);
      sequence.is_identity = rows.text(row, 12) == "i";
      TRANCHE_ASSIGN(const auto at,
                     connection_->query(fmt::format("SELECT last_value, is_called FROM {}.{}",
                                                    postgres_identifier(sequence.name.schema),
                                                    postgres_identifier(sequence.name.name))));
      sequence.next = at.integer(0, 0) + (at.boolean(0, 1) ? sequence.increment : 0);
      catalog.sequences.push_back(std::move(sequence));
    }
    return {};
  }

  Result<void> read_views(Catalog& catalog) {
    TRANCHE_ASSIGN(const auto rows,
                   connection_->query(
                       "SELECT n.nspname, c.relname, pg_get_viewdef(c.oid), c.relkind = 'm', c.oid "
                       "FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE "
                       "c.relkind IN ('v', 'm') AND " +
                       own("c.oid", "pg_class", "c.relnamespace") + " ORDER BY c.oid"));
    for (std::size_t row = 0; row < rows.size(); ++row) {
      std::string query = rows.string(row, 2);
      while (!query.empty() && (query.back() == ';' || query.back() == '\n')) query.pop_back();
      views_.emplace(rows.string(row, 4), catalog.views.size());
      catalog.views.push_back({CatalogName{rows.string(row, 0), rows.string(row, 1)},
                               std::string(trim(query)),
                               rows.boolean(row, 3),
                               {}});
    }
    return {};
  }

  Result<void> read_types(Catalog& catalog) {
    TRANCHE_ASSIGN(
        const auto rows,
        connection_->query(
            "SELECT n.nspname, t.typname, t.typtype, format_type(t.typbasetype, t.typtypmod), "
            "coalesce(t.typdefault, ''), t.typnotnull, array_to_string(ARRAY(SELECT enumlabel FROM "
            "pg_enum WHERE enumtypid = t.oid ORDER BY enumsortorder), chr(31)), "
            "array_to_string(ARRAY(SELECT 'CONSTRAINT ' || quote_ident(conname) || ' ' || "
            "pg_get_constraintdef(oid) FROM pg_constraint WHERE contypid = t.oid AND contype = "
            "'c'), ' ') FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace WHERE "
            "t.typtype IN ('e', 'd') AND " +
            own("t.oid", "pg_type", "t.typnamespace") + " ORDER BY t.oid"));
    for (std::size_t row = 0; row < rows.size(); ++row) {
      CatalogType type;
      type.name = {rows.string(row, 0), rows.string(row, 1)};
      const std::string name = fmt::format("{}.{}", postgres_identifier(type.name.schema),
                                           postgres_identifier(type.name.name));
      if (rows.text(row, 2) == "e") {
        type.labels = names_of(rows.string(row, 6));
        std::string list;
        for (const std::string& label : type.labels)
          list += (list.empty() ? "" : ", ") + postgres_literal(label);
        type.definition = fmt::format("CREATE TYPE {} AS ENUM ({})", name, list);
      } else {
        type.definition = fmt::format("CREATE DOMAIN {} AS {}", name, rows.text(row, 3));
        if (!rows.text(row, 4).empty())
          type.definition += fmt::format(" DEFAULT {}", rows.text(row, 4));
        if (rows.boolean(row, 5)) type.definition += " NOT NULL";
        if (!rows.text(row, 7).empty()) type.definition += fmt::format(" {}", rows.text(row, 7));
      }
      catalog.types.push_back(std::move(type));
    }
    return {};
  }

  Result<void> read_beyond(Catalog& catalog) {
    for (const Beyond& kind : beyond()) {
      TRANCHE_ASSIGN(const auto rows,
                     connection_->query(fmt::format("SELECT DISTINCT name FROM ({}) AS found(name) "
                                                    "ORDER BY 1",
                                                    kind.sql)));
      if (rows.size() == 0) continue;
      std::vector<std::string> names;
      for (std::size_t row = 0; row < std::min<std::size_t>(rows.size(), 5); ++row)
        names.push_back(rows.string(row, 0));
      catalog.beyond.push_back(fmt::format("{} {} ({}{})", rows.size(),
                                           rows.size() == 1 ? kind.one : kind.many,
                                           join(names, ", "), rows.size() > 5 ? ", ..." : ""));
    }
    return {};
  }

  std::unique_ptr<PostgresConnection> connection_;
  std::map<std::string, std::size_t> tables_;  // by oid
  std::map<std::string, std::size_t> views_;
};

}  // namespace

Result<std::unique_ptr<CatalogDatabase>> open_postgres_catalog(const std::string& url) {
  TRANCHE_ASSIGN(auto connection, PostgresConnection::open(url));
  return std::unique_ptr<CatalogDatabase>(std::make_unique<PostgresCatalog>(std::move(connection)));
}

// What is tried never commits.
Result<std::unique_ptr<CatalogDatabase>> try_in_postgres(const std::string& url) {
  TRANCHE_ASSIGN(auto connection, PostgresConnection::open(url));
  TRANCHE_TRY(connection->begin());
  return std::unique_ptr<CatalogDatabase>(std::make_unique<PostgresCatalog>(std::move(connection)));
}

}  // namespace tranche
