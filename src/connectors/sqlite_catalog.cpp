// The catalog of a SQLite database.
#include <algorithm>

#include <fmt/format.h>

#include "base/file.h"
#include "base/text.h"
#include "connectors/catalog_database.h"
#include "connectors/sqlite_shape.h"
#include "connectors/sqlite_source.h"
#include "connectors/sqlite_values.h"

namespace tranche {
namespace {

using namespace std::chrono_literals;

constexpr int sampled_rows = 1000;

// Names that a migration gives to what other systems have and SQLite does not: such that their
// affinity keeps the values, and that they can be told from SQLite's own.
std::optional<Type> type_of_marked(std::string_view declared) {
  const std::string name = to_lower(trim(declared));
  for (const std::string_view ours :
       {"int1", "int2", "int4", "uint8", "uint16", "uint32", "float4"}) {
    if (name == ours) return *parse_type(name);
  }
  if (name == "uuid_text") return Type{TypeId::uuid};
  if (name == "json_text") return Type{TypeId::json};
  constexpr std::string_view decimal = "decimal_text";
  if (!name.starts_with(decimal)) return std::nullopt;
  const auto type = parse_type("decimal" + name.substr(decimal.size()));
  return type ? std::optional(*type) : std::nullopt;
}

// Which kinds of values the first rows of a column hold.
struct Kinds {
  bool integers = false;
  bool reals = false;
  bool texts = false;
  bool blobs = false;
};

// As which a column is read: as what it is declared, unless it holds something else.
Type reading_of(const std::string& declared, const Kinds& kinds) {
  if (const auto marked = type_of_marked(declared)) return *marked;
  const auto type = sqlite::type_of_declaration(declared);
  if (type) {
    const bool is_number = is_numeric(*type) || type->id == TypeId::boolean;
    const bool is_whole = is_number && type->id != TypeId::decimal && type->id != TypeId::double_;
    const bool holds_numbers = kinds.integers || kinds.reals;
    const bool is_other = (is_number && (kinds.texts || kinds.blobs)) ||
                          (is_whole && kinds.reals) || (type->id == TypeId::blob && kinds.texts) ||
                          (type->id != TypeId::blob && kinds.blobs) ||
                          (!is_number && !is_string(*type) && holds_numbers);
    if (!is_other) return *type;
  }
  if (kinds.blobs) return Type{TypeId::blob};
  if (kinds.texts) return Type{TypeId::varchar};
  if (kinds.reals) return Type{TypeId::double_};
  return kinds.integers ? Type{TypeId::bigint} : Type{TypeId::varchar};
}

class SqliteCatalog final : public CatalogDatabase {
 public:
  explicit SqliteCatalog(std::unique_ptr<SqliteDatabase> database)
      : database_(std::move(database)) {}

  Result<HeldState> hold() override {
    TRANCHE_ASSIGN(const SqliteState state, database_->begin_reading());
    TRANCHE_ASSIGN(const std::string name, sqlite::snapshot_name(state, database_->path()));
    return HeldState{name, name};
  }

  Result<Catalog> catalog() override {
    Catalog catalog;
    catalog.system = "sqlite";
    TRANCHE_ASSIGN(auto rows, database_->prepare(
                                  "SELECT s.name, s.sql, l.type, l.wr FROM sqlite_schema s JOIN "
                                  "pragma_table_list l ON l.name = s.name AND l.schema = 'main' "
                                  "WHERE s.type = 'table' AND s.name NOT LIKE 'sqlite\\_%' ESCAPE "
                                  "'\\' AND s.name <> 'tranche_commits' ORDER BY s.name"));
    std::vector<std::string> virtual_tables;
    while (true) {
      TRANCHE_ASSIGN(const bool more, rows.step());
      if (!more) break;
      if (rows.text(2) == "virtual") virtual_tables.push_back(rows.string(0));
      if (rows.text(2) != "table") continue;
      TRANCHE_ASSIGN(auto table, table_of(rows.string(0), rows.string(1), catalog));
      table.has_addresses = rows.integer(3) == 0;
      catalog.tables.push_back(std::move(table));
    }
    TRANCHE_TRY(read_views(catalog));
    TRANCHE_ASSIGN(const auto triggers,
                   names("SELECT name FROM sqlite_schema WHERE type = 'trigger' ORDER BY name"));
    add_beyond(catalog, triggers, "trigger", "triggers");
    add_beyond(catalog, virtual_tables, "virtual table", "virtual tables");
    return catalog;
  }

  Result<void> begin_trial() override { return database_->execute("SAVEPOINT trial"); }
  Result<void> execute(const std::string& sql) override {
    auto executed = database_->execute(sql);
    // Which database it was that refused it, nobody wants to know.
    constexpr std::string_view head = " refuses a statement: ";
    if (!executed) {
      std::string& message = executed.error().message;
      const std::size_t at = message.find(head);
      if (at != std::string::npos) message.erase(0, at + head.size());
    }
    return executed;
  }
  Result<void> keep_trial() override { return database_->execute("RELEASE trial"); }
  void undo_trial() override {
    static_cast<void>(database_->execute("ROLLBACK TO trial; RELEASE trial"));
  }

 private:
  static void add_beyond(Catalog& catalog, const std::vector<std::string>& names, const char* one,
                         const char* many) {
    if (names.empty()) return;
    catalog.beyond.push_back(
        fmt::format("{} {} ({})", names.size(), names.size() == 1 ? one : many, join(names, ", ")));
  }

  Result<std::vector<std::string>> names(const std::string& sql) {
    TRANCHE_ASSIGN(auto rows, database_->prepare(sql));
    std::vector<std::string> found;
    while (true) {
      TRANCHE_ASSIGN(const bool more, rows.step());
      if (!more) return found;
      found.push_back(rows.string(0));
    }
  }

  Result<CatalogTable> table_of(const std::string& name, const std::string& sql, Catalog& catalog) {
    CatalogTable table;
    table.name.name = name;
    table.definition = sql;
    const CreateTableParts parts = parse_create_table(sql);
    table.checks = parts.checks;
    TRANCHE_TRY(read_columns(table, parts));
    TRANCHE_TRY(read_foreign_keys(table));
    TRANCHE_TRY(read_indexes(table));
    TRANCHE_TRY(find_numbering(table, parts, catalog));
    return table;
  }

  Result<void> read_columns(CatalogTable& table, const CreateTableParts& parts) {
    TRANCHE_ASSIGN(auto rows,
                   database_->query("SELECT name, type, \"notnull\", coalesce(dflt_value, ''), pk, "
                                    "hidden FROM pragma_table_xinfo(?) WHERE hidden <> 1 ORDER BY "
                                    "cid",
                                    table.name.name));
    std::vector<std::pair<std::int64_t, std::string>> primary;
    while (true) {
      TRANCHE_ASSIGN(const bool more, rows.step());
      if (!more) break;
      CatalogColumn column;
      column.name = rows.string(0);
      column.declared = rows.string(1);
      column.not_null = rows.integer(2) != 0;
      column.default_sql = rows.string(3);
      if (rows.integer(4) > 0) primary.emplace_back(rows.integer(4), column.name);
      for (const auto& [name, expression] : parts.generated)
        if (rows.integer(5) > 1 && to_lower(name) == to_lower(column.name))
          column.generated = expression;
      table.columns.push_back(std::move(column));
    }
    if (!primary.empty()) {
      std::sort(primary.begin(), primary.end());
      CatalogKey key;
      key.is_primary = true;
      for (const auto& [place, name] : primary) key.columns.push_back(name);
      table.keys.push_back(std::move(key));
    }
    return find_types(table);
  }

  // The first rows tell the type; then all are asked for what it would not keep.
  Result<void> find_types(CatalogTable& table) {
    const std::string from = sqlite_identifier(table.name.name);
    std::string list;
    for (const CatalogColumn& column : table.columns)
      for (const char* kind : {"integer", "real", "text", "blob"})
        list += fmt::format("{}max(typeof({}) = '{}')", list.empty() ? "" : ", ",
                            sqlite_identifier(column.name), kind);
    TRANCHE_ASSIGN(auto kinds, database_->prepare(fmt::format("SELECT {} FROM (SELECT * FROM {} "
                                                              "LIMIT {})",
                                                              list, from, sampled_rows)));
    TRANCHE_TRY(kinds.step());
    TRANCHE_ASSIGN(const auto shape, sqlite::read_shape(*database_, table.name.name));
    std::string others = "count(*)";
    int at = 0;
    for (CatalogColumn& column : table.columns) {
      const auto has = [&](int kind) { return kinds.integer(at + kind) != 0; };
      column.type = reading_of(column.declared, {has(0), has(1), has(2), has(3)});
      at += 4;
      others += ", " + other_classes_sql(column, *shape);
    }
    TRANCHE_ASSIGN(auto all, database_->prepare(fmt::format("SELECT {} FROM {}", others, from)));
    TRANCHE_TRY(all.step());
    table.rows = all.natural(0);
    for (at = 0; at < static_cast<int>(table.columns.size()); ++at) {
      if (all.integer(at + 1) == 0) continue;
      TRANCHE_TRY(find_classes(table, table.columns[static_cast<std::size_t>(at)], *shape));
    }
    return {};
  }

  // Whether some row holds what its column's type would not give back as it was.
  static std::string other_classes_sql(const CatalogColumn& column,
                                       const sqlite::TableShape& shape) {
    const sqlite::TableColumn* const declared = shape.find(column.name);
    if (declared == nullptr || declared == shape.rowid_alias()) return "0";
    const auto affinity = sqlite::affinity_of(*declared, shape.is_strict);
    const std::string name = sqlite_identifier(column.name);
    if (!sqlite::keeps(affinity, column.type)) return fmt::format("count({})", name);
    return fmt::format("max(typeof({}) NOT IN ('null', {}))", name,
                       kept_classes(column.type, affinity));
  }

  // As which classes a column of the affinity gives the values of the type back.
  static std::string_view kept_classes(Type type, sqlite::Affinity affinity) {
    if (type.id == TypeId::blob) return "'blob'";
    const bool is_number = is_numeric(type) || type.id == TypeId::boolean;
    if (!is_number || affinity == sqlite::Affinity::text) return "'text'";
    if (sqlite::declared_type(type) == "INTEGER") return "'integer'";
    // Of numbers SQLite makes whole ones by itself, but where nothing was declared.
    if (affinity != sqlite::Affinity::blob) return "'integer', 'real'";
    return "'real'";
  }

  Result<void> find_classes(const CatalogTable& table, CatalogColumn& column,
                            const sqlite::TableShape& shape) {
    const std::string name = sqlite_identifier(column.name);
    const std::string from = sqlite_identifier(table.name.name);
    const bool has_numbers = shape.has_rowid && shape.find("rowid") == nullptr;
    for (const char* kind : {"integer", "real", "text", "blob"}) {
      TRANCHE_ASSIGN(auto row, database_->prepare(
                                   fmt::format("SELECT {} FROM {} WHERE typeof({}) = '{}' LIMIT 1",
                                               has_numbers ? "rowid" : "0", from, name, kind)));
      TRANCHE_ASSIGN(const bool is_there, row.step());
      if (!is_there) continue;
      column.classes.push_back(
          {kind, has_numbers ? fmt::format("rowid {}", row.integer(0)) : std::string()});
    }
    const Kinds kinds{column.has_class("integer"), column.has_class("real"),
                      column.has_class("text"), column.has_class("blob")};
    column.type = reading_of(column.declared, kinds);
    const bool is_mixed_text = kinds.texts && (kinds.integers || kinds.reals);
    if (column.needs_literals() || is_mixed_text) column.type = Type{TypeId::varchar};
    if (column.type.id != TypeId::double_ || !kinds.integers) return {};
    // Doubles have 53 bits.
    TRANCHE_ASSIGN(auto wide, database_->prepare(fmt::format(
                                  "SELECT 1 FROM {0} WHERE typeof({1}) = 'integer' AND {1} NOT "
                                  "BETWEEN -9007199254740992 AND 9007199254740992 LIMIT 1",
                                  from, name)));
    TRANCHE_ASSIGN(const bool is_wide, wide.step());
    if (is_wide) column.type = Type{TypeId::varchar};
    return {};
  }

  Result<void> read_foreign_keys(CatalogTable& table) {
    TRANCHE_ASSIGN(auto rows,
                   database_->query("SELECT id, \"table\", \"from\", coalesce(\"to\", ''), "
                                    "on_update, on_delete FROM pragma_foreign_key_list(?) ORDER "
                                    "BY id DESC, seq",
                                    table.name.name));
    std::int64_t last = -1;
    while (true) {
      TRANCHE_ASSIGN(const bool more, rows.step());
      if (!more) return {};
      if (rows.integer(0) != std::exchange(last, rows.integer(0))) {
        CatalogForeignKey key;
        key.table.name = rows.string(1);
        key.on_update = rows.text(4) == "NO ACTION" ? "" : rows.string(4);
        key.on_delete = rows.text(5) == "NO ACTION" ? "" : rows.string(5);
        table.foreign_keys.push_back(std::move(key));
      }
      CatalogForeignKey& key = table.foreign_keys.back();
      key.columns.push_back(rows.string(2));
      if (!rows.text(3).empty()) key.referenced.push_back(rows.string(3));
    }
  }

  Result<void> read_indexes(CatalogTable& table) {
    TRANCHE_ASSIGN(auto rows,
                   database_->query("SELECT l.name, l.\"unique\", l.origin, coalesce(s.sql, '') "
                                    "FROM pragma_index_list(?) l LEFT JOIN sqlite_schema s ON "
                                    "s.type = 'index' AND s.name = l.name ORDER BY l.seq DESC",
                                    table.name.name));
    while (true) {
      TRANCHE_ASSIGN(const bool more, rows.step());
      if (!more) return {};
      const std::string sql = rows.string(3);
      if (rows.text(2) == "u") {
        TRANCHE_ASSIGN(auto columns, names(fmt::format("SELECT name FROM pragma_index_info({})",
                                                       sqlite_literal(rows.string(0)))));
        table.keys.push_back({"", std::move(columns), false, ""});
      } else if (rows.text(2) == "c") {
        const IndexParts parts = parse_create_index(sql);
        table.indexes.push_back(
            {rows.string(0), parts.parts, rows.integer(1) != 0, parts.where, sql});
      }
    }
  }

  // An INTEGER PRIMARY KEY is the number of the row, which SQLite gives where nobody does.
  Result<void> find_numbering(CatalogTable& table, const CreateTableParts& parts,
                              Catalog& catalog) {
    const CatalogKey* const key = table.primary_key();
    if (key == nullptr || key->columns.size() != 1) return {};
    for (CatalogColumn& column : table.columns) {
      if (column.name != key->columns[0] || to_lower(column.declared) != "integer") continue;
      const std::string name = sqlite_identifier(table.name.name);
      TRANCHE_ASSIGN(std::int64_t last,
                     database_->query_integer(fmt::format("SELECT coalesce(max({}), 0) FROM {}",
                                                          sqlite_identifier(column.name), name)));
      if (parts.has_autoincrement) {
        TRANCHE_ASSIGN(
            const std::int64_t given,
            database_->query_integer(fmt::format("SELECT seq FROM sqlite_sequence WHERE name = {}",
                                                 sqlite_literal(table.name.name))));
        last = std::max(last, given);
      }
      CatalogSequence sequence;
      sequence.name.name = fmt::format("{}_{}_seq", table.name.name, column.name);
      sequence.owner = table.name;
      sequence.owner_column = column.name;
      sequence.is_identity = true;
      sequence.next = last == INT64_MAX ? last : std::max<std::int64_t>(last + 1, 1);
      column.identity = "by default";
      column.sequence = sequence.name.text();
      catalog.sequences.push_back(std::move(sequence));
    }
    return {};
  }

  Result<void> read_views(Catalog& catalog) {
    TRANCHE_ASSIGN(auto rows, database_->prepare("SELECT name, sql FROM sqlite_schema WHERE type = "
                                                 "'view' ORDER BY rowid"));
    while (true) {
      TRANCHE_ASSIGN(const bool more, rows.step());
      if (!more) return {};
      catalog.views.push_back(
          {CatalogName{"", rows.string(0)}, parse_create_view(rows.text(1)), false, {}});
    }
  }

  std::unique_ptr<SqliteDatabase> database_;
};

}  // namespace

Result<std::unique_ptr<CatalogDatabase>> open_sqlite_catalog(const std::filesystem::path& path) {
  TRANCHE_TRY(file_status(path));
  TRANCHE_ASSIGN(auto database, SqliteDatabase::open(path, SqliteDatabase::Access::read_only, 10s));
  return std::unique_ptr<CatalogDatabase>(std::make_unique<SqliteCatalog>(std::move(database)));
}

Result<std::unique_ptr<CatalogDatabase>> try_in_sqlite() {
  TRANCHE_ASSIGN(auto database,
                 SqliteDatabase::open(":memory:", SqliteDatabase::Access::create, 10s));
  return std::unique_ptr<CatalogDatabase>(std::make_unique<SqliteCatalog>(std::move(database)));
}

}  // namespace tranche
