#include "connectors/catalog_script.h"

#include <algorithm>
#include <functional>
#include <map>
#include <set>
#include <utility>

#include <fmt/format.h>

#include "base/text.h"
#include "connectors/catalog_types.h"
#include "drivers/duckdb_database.h"
#include "drivers/postgres.h"

namespace tranche {
namespace {

constexpr std::size_t step_name_bytes_max = 100;

// Letters, digits, "-", "_" and "." are what names of steps are made of.
std::string step_name(std::string_view prefix, const CatalogName& table) {
  std::string name(prefix);
  for (const char c : table.text()) {
    const bool is_plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                          (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.';
    name += is_plain ? c : '_';
  }
  return name.substr(0, step_name_bytes_max);
}

class ScriptWriter {
 public:
  ScriptWriter(const Catalog& catalog, const std::string& system,
               const std::vector<CatalogName>& names, const std::vector<CatalogName>& upserted)
      : catalog_(catalog),
        system_(system),
        names_(names),
        upserted_(upserted),
        is_same_(catalog.system == system),
        order_(order_by_references(catalog)) {}

  CatalogScript write() {
    if (system_ == "postgres") add_schemas();
    if (system_ != "sqlite") add_sequences();
    for (const std::size_t at : order_) {
      add_table(catalog_.tables[at], names_[at]);
      made_.insert(catalog_.tables[at].name.text());
    }
    for (const std::size_t at : order_) {
      const std::size_t before = script_.definitions.size();
      add_behind(catalog_.tables[at], names_[at]);
      for (std::size_t one = before; one < script_.definitions.size(); ++one)
        script_.definitions[one].table = catalog_.tables[at].name.text();
    }
    if (system_ == "postgres") add_foreign_keys();
    add_numbers();
    for (const CatalogView& view : catalog_.views) add_view(view);
    note_changes();
    for (const std::string& what : catalog_.beyond)
      script_.not_carried.push_back({what, "Tranche has no words for it"});
    return std::move(script_);
  }

 private:
  std::string quoted(const CatalogName& name) const { return quoted_name(system_, name); }
  std::string quoted(const std::string& name) const { return quoted_name(system_, name); }
  std::string translated(const std::string& sql) const {
    return translate_sql(sql, catalog_.system, system_);
  }
  std::string listed(const std::vector<std::string>& columns) const {
    std::string list;
    for (const std::string& column : columns) list += (list.empty() ? "" : ", ") + quoted(column);
    return list;
  }
  CatalogName target_of(const CatalogName& name) const {
    for (std::size_t at = 0; at < names_.size(); ++at)
      if (catalog_.tables[at].name == name) return names_[at];
    return moved_name(name);
  }
  // Of what is no table.
  CatalogName moved_name(const CatalogName& name) const {
    if (is_same_) return name;
    return system_ == "postgres" ? CatalogName{"public", name.name} : CatalogName{"", name.name};
  }

  Definition& add(std::string what, std::string step, bool is_behind, bool is_optional,
                  std::string head) {
    Definition made;
    made.what = std::move(what);
    made.step = std::move(step);
    made.is_behind_rows = is_behind;
    made.is_optional = is_optional;
    made.head = std::move(head);
    return script_.definitions.emplace_back(std::move(made));
  }

  void add_schemas() {
    std::set<std::string> schemas;
    for (const CatalogName& name : names_) schemas.insert(name.schema);
    if (is_same_) {
      for (const CatalogView& view : catalog_.views) schemas.insert(view.name.schema);
      for (const CatalogType& type : catalog_.types) schemas.insert(type.name.schema);
    }
    for (const std::string& schema : schemas)
      add("schema " + schema, "tables", false, false,
          "CREATE SCHEMA IF NOT EXISTS " + quoted(schema));
    if (!is_same_) return;
    for (const CatalogType& type : catalog_.types)
      add("type " + type.name.text(), "tables", false, false, type.definition).undo =
          "DROP TYPE IF EXISTS " + quoted(type.name);
  }

  // Those that number a column of their own: of identities the system makes them itself.
  void add_sequences() {
    for (const CatalogSequence& sequence : catalog_.sequences) {
      if (sequence.is_identity && system_ == "postgres") continue;
      std::string sql = fmt::format("CREATE SEQUENCE {}", quoted(moved_name(sequence.name)));
      if (is_same_ && !sequence.type.empty()) sql += " AS " + sequence.type;
      // DuckDB can't set one afterwards.
      const std::int64_t start = system_ == "duckdb" ? sequence.next : sequence.start;
      sql += fmt::format(" INCREMENT BY {} MINVALUE {} MAXVALUE {} START WITH {}{}",
                         sequence.increment, sequence.minimum, sequence.maximum, start,
                         sequence.cycles ? " CYCLE" : "");
      add("sequence " + sequence.name.text(), "tables", false, true, std::move(sql)).undo =
          "DROP SEQUENCE IF EXISTS " + quoted(moved_name(sequence.name));
    }
  }

  // A column that can take its values only as text is one for the time being.
  bool is_text_at_first(const CatalogColumn& column) const {
    return is_same_ && column.generated.empty() && loads_as_text(column, system_);
  }

  bool is_upserted(const CatalogTable& table) const {
    return std::find(upserted_.begin(), upserted_.end(), table.name) != upserted_.end();
  }

  void add_table(const CatalogTable& table, const CatalogName& name) {
    const std::string what = "table " + table.name.text();
    const std::string undo = fmt::format("DROP TABLE IF EXISTS {}{}", quoted(name),
                                         system_ == "postgres" ? " CASCADE" : "");
    const bool has_texts =
        std::any_of(table.columns.begin(), table.columns.end(),
                    [&](const auto& column) { return is_text_at_first(column); });
    if (is_same_ && !table.definition.empty() && !refers_ahead(table) && !has_texts) {
      add(what, "tables", false, false, table.definition).undo = undo;
      return;
    }
    Definition& made = add(what, "tables", false, false, "CREATE TABLE " + quoted(name));
    made.undo = undo;
    for (const CatalogColumn& column : table.columns) {
      made.fixed.push_back(column_sql(table, column));
      add_column_parts(made, table, column);
    }
    if (system_ == "postgres") {
      const CatalogKey* const key = table.primary_key();
      if (is_upserted(table) && key != nullptr)
        made.fixed.push_back(fmt::format("PRIMARY KEY ({})", listed(key->columns)));
    } else {
      add_inline_keys(made, table);
    }
    for (const CatalogCheck& check : table.checks) {
      const std::string checked =
          constraint(check.name) + fmt::format("CHECK ({})", translated(check.expression));
      const std::string of =
          fmt::format("the check {} of table {}", excerpt(check.expression), table.name.text());
      if (has_texts && system_ == "postgres") {
        add(of, step_name("keys-", table.name), true, true,
            fmt::format("ALTER TABLE {} ADD {}", quoted(name), checked));
        continue;
      }
      find(what).parts.push_back({of, checked});
    }
  }

  Definition& find(const std::string& what) {
    return *std::find_if(script_.definitions.begin(), script_.definitions.end(),
                         [&](const Definition& one) { return one.what == what; });
  }

  std::string constraint(const std::string& name) const {
    return name.empty() ? std::string() : fmt::format("CONSTRAINT {} ", quoted(name));
  }

  // Whether SQLite numbers the rows of the table by this column.
  bool is_row_number(const CatalogTable& table, const CatalogColumn& column) const {
    const CatalogKey* const key = table.primary_key();
    return system_ == "sqlite" && key != nullptr && key->columns.size() == 1 &&
           key->columns[0] == column.name && is_whole_number(column.type);
  }

  std::string column_sql(const CatalogTable& table, const CatalogColumn& column) const {
    if (is_row_number(table, column)) {
      const bool is_numbered = !column.identity.empty() || !column.sequence.empty();
      return fmt::format("{} INTEGER PRIMARY KEY{}", quoted(column.name),
                         is_numbered ? " AUTOINCREMENT" : "");
    }
    std::string type = column_type(column, catalog_.system, system_);
    if (is_text_at_first(column)) type = system_ == "postgres" ? "text" : "VARCHAR";
    return fmt::format("{} {}{}", quoted(column.name), type, column.not_null ? " NOT NULL" : "");
  }

  void add_column_parts(Definition& made, const CatalogTable& table, const CatalogColumn& column) {
    const std::string of = fmt::format("{}.{}", table.name.text(), column.name);
    const auto attach = [&](std::string what, std::string sql, std::string generates = {}) {
      made.parts.push_back(
          {std::move(what), std::move(sql), made.fixed.size() - 1, std::move(generates)});
    };
    if (!column.generated.empty() && !is_same_ && column.is_text_of) {
      script_.not_carried.push_back(
          {"the expression that computes " + of, "its values are kept as text there, as they are"});
      return;
    }
    if (!column.generated.empty()) {
      const bool is_stored = system_ != "duckdb";
      attach("the expression that computes " + of,
             fmt::format("GENERATED ALWAYS AS ({}){}", translated(column.generated),
                         is_stored ? " STORED" : ""),
             of);
      return;
    }
    if (is_row_number(table, column)) return;
    const CatalogSequence* const sequence = catalog_.find_sequence(column.sequence);
    if (sequence != nullptr && system_ != "sqlite" &&
        (sequence->is_identity || !column.default_sql.empty())) {
      const std::string numbering = "the numbering of " + of;
      if (sequence->is_identity && system_ == "postgres") {
        attach(numbering, identity_sql(column, *sequence));
      } else {
        attach(numbering,
               fmt::format("DEFAULT nextval({})", sql_literal(quoted(moved_name(sequence->name)))));
      }
      return;
    }
    if (column.sequence.empty() && column.default_sql.empty()) return;
    if (!column.sequence.empty()) {
      script_.not_carried.push_back(
          {"the numbering of " + of, "SQLite numbers a primary key of one whole number only"});
      return;
    }
    if (is_text_at_first(column)) return;  // behind the rows, when it has its type
    attach("the default of " + of, fmt::format("DEFAULT {}", default_sql(column)));
  }

  std::string default_sql(const CatalogColumn& column) const {
    std::string sql = translated(column.default_sql);
    // The cast names a type that is not there.
    if (!is_same_ && column.is_text_of) sql = without_sql_casts(sql);
    if (is_same_ && system_ == "postgres") return sql;
    const bool is_boolean = column.type.id == TypeId::boolean && catalog_.system == "sqlite";
    if (is_boolean && (sql == "0" || sql == "1")) sql = sql == "0" ? "false" : "true";
    return "(" + sql + ")";
  }

  static std::string identity_sql(const CatalogColumn& column, const CatalogSequence& sequence) {
    return fmt::format(
        "GENERATED {} AS IDENTITY (INCREMENT BY {} MINVALUE {} MAXVALUE {} START WITH {}{})",
        column.identity == "always" ? "ALWAYS" : "BY DEFAULT", sequence.increment, sequence.minimum,
        identity_maximum(column, sequence), sequence.start, sequence.cycles ? " CYCLE" : "");
  }
  static std::int64_t identity_maximum(const CatalogColumn& column,
                                       const CatalogSequence& sequence) {
    const std::int64_t fitting = column.type.id == TypeId::smallint  ? INT16_MAX
                                 : column.type.id == TypeId::integer ? INT32_MAX
                                                                     : INT64_MAX;
    return std::min(fitting, sequence.maximum);
  }

  // Whether it refers to a table that is made later, or to itself.
  bool refers_ahead(const CatalogTable& table) const {
    return system_ == "duckdb" &&
           std::any_of(table.foreign_keys.begin(), table.foreign_keys.end(),
                       [&](const auto& key) { return !made_.contains(key.table.text()); });
  }

  std::string foreign_key_sql(const CatalogForeignKey& key) const {
    std::string sql = fmt::format("FOREIGN KEY ({}) REFERENCES {}", listed(key.columns),
                                  quoted(target_of(key.table)));
    if (!key.referenced.empty()) sql += fmt::format(" ({})", listed(key.referenced));
    if (system_ == "duckdb") return sql;  // which has no actions
    if (!key.on_update.empty()) sql += " ON UPDATE " + key.on_update;
    if (!key.on_delete.empty()) sql += " ON DELETE " + key.on_delete;
    return sql;
  }
  static std::string foreign_key_name(const CatalogTable& table, const CatalogForeignKey& key) {
    return fmt::format("the foreign key of {} ({}) to {}", table.name.text(),
                       join(key.columns, ", "), key.table.text());
  }

  void add_inline_keys(Definition& made, const CatalogTable& table) {
    for (const CatalogKey& key : table.keys) {
      const std::string of =
          fmt::format("the key {} of table {}",
                      key.name.empty() ? join(key.columns, ", ") : key.name, table.name.text());
      if (key.columns.empty()) {
        script_.not_carried.push_back({of, "only PostgreSQL has exclusion constraints"});
      } else if (!key.is_primary) {
        made.parts.push_back({of, fmt::format("UNIQUE ({})", listed(key.columns))});
      } else if (key.columns.size() != 1 || !is_row_number(table, *table.find(key.columns[0]))) {
        made.fixed.push_back(fmt::format("PRIMARY KEY ({})", listed(key.columns)));
      }
    }
    for (const CatalogForeignKey& key : table.foreign_keys) {
      const bool is_ahead = system_ == "duckdb" && !made_.contains(key.table.text());
      if (is_ahead) {
        script_.not_carried.push_back(
            {foreign_key_name(table, key),
             "DuckDB checks it row by row, and has no way to add it behind the rows"});
        continue;
      }
      if (system_ == "duckdb" && !is_same_ && !(key.on_update + key.on_delete).empty())
        script_.not_carried.push_back({"the actions of " + foreign_key_name(table, key),
                                       "DuckDB has none; the key itself is carried over"});
      made.parts.push_back({foreign_key_name(table, key), foreign_key_sql(key)});
    }
  }

  // What comes behind the rows of a table: its own types, keys and indexes.
  void add_behind(const CatalogTable& table, const CatalogName& name) {
    const std::string step = step_name(system_ == "postgres" ? "keys-" : "indexes-", table.name);
    add_types_behind(table, name, step);
    if (system_ == "postgres") add_keys_behind(table, name, step);
    for (const CatalogIndex& index : table.indexes) {
      const std::string what = fmt::format("index {}", index.name);
      if (is_same_) {
        add(what, step, true, true, index.definition);
        continue;
      }
      const bool is_tree = catalog_.system != "postgres" ||
                           index.definition.find(" USING btree ") != std::string::npos;
      if (!is_tree) {
        script_.not_carried.push_back({what, "it is of a kind that only PostgreSQL has"});
        continue;
      }
      std::string sql =
          fmt::format("CREATE {}INDEX {} ON {} ({})", index.is_unique ? "UNIQUE " : "",
                      quoted(index.name), quoted(name), translated(join(index.parts, ", ")));
      if (!index.where.empty()) sql += " WHERE " + translated(index.where);
      add(what, step, true, true, std::move(sql));
    }
  }

  void add_types_behind(const CatalogTable& table, const CatalogName& name,
                        const std::string& step) {
    // In PostgreSQL one statement writes the table anew for all of them; DuckDB has one for each.
    std::string alter;
    for (const CatalogColumn& column : table.columns) {
      if (!is_text_at_first(column)) continue;
      const std::string one = fmt::format("ALTER COLUMN {0} TYPE {1} USING CAST({0} AS {1})",
                                          quoted(column.name), column.declared);
      if (system_ == "postgres") {
        alter += (alter.empty() ? " " : ", ") + one;
        continue;
      }
      add(fmt::format("the type {} of {}.{}", column.declared, table.name.text(), column.name),
          step, true, true, fmt::format("ALTER TABLE {} {}", quoted(name), one));
    }
    if (!alter.empty())
      add("the types of table " + table.name.text(), step, true, false,
          fmt::format("ALTER TABLE {}{}", quoted(name), alter));
    for (const CatalogColumn& column : table.columns) {
      if (!is_text_at_first(column) || column.default_sql.empty()) continue;
      add(fmt::format("the default of {}.{}", table.name.text(), column.name), step, true, true,
          fmt::format("ALTER TABLE {} ALTER COLUMN {} SET DEFAULT {}", quoted(name),
                      quoted(column.name), column.default_sql));
    }
  }

  void add_keys_behind(const CatalogTable& table, const CatalogName& name,
                       const std::string& step) {
    for (const CatalogKey& key : table.keys) {
      if (key.is_primary && is_upserted(table)) continue;
      const std::string of =
          fmt::format("the key {} of table {}",
                      key.name.empty() ? join(key.columns, ", ") : key.name, table.name.text());
      const std::string definition =
          is_same_ ? key.definition
                   : fmt::format("{} ({})", key.is_primary ? "PRIMARY KEY" : "UNIQUE",
                                 listed(key.columns));
      add(of, step, true, !key.is_primary,
          fmt::format("ALTER TABLE {} ADD {}{}", quoted(name), constraint(key.name), definition));
    }
  }

  void add_foreign_keys() {
    for (const std::size_t at : order_) {
      const CatalogTable& table = catalog_.tables[at];
      for (const CatalogForeignKey& key : table.foreign_keys) {
        add(foreign_key_name(table, key), "foreign-keys", true, true,
            fmt::format("ALTER TABLE {} ADD {}{}", quoted(names_[at]), constraint(key.name),
                        is_same_ ? key.definition : foreign_key_sql(key)));
      }
    }
  }

  // Sequences go on where those of the source would.
  void add_numbers() {
    for (const CatalogSequence& sequence : catalog_.sequences) {
      const std::string what = "the next number of " + sequence.name.text();
      const CatalogTable* const owner = catalog_.find(sequence.owner);
      if (system_ == "postgres") {
        std::string name = sql_literal(quoted(moved_name(sequence.name)));
        if (sequence.is_identity) {
          if (owner == nullptr) continue;
          name = fmt::format("pg_get_serial_sequence({}, {})",
                             sql_literal(quoted(target_of(owner->name))),
                             sql_literal(sequence.owner_column));
        } else if (owner != nullptr) {
          add("the owner of " + sequence.name.text(), "sequences", true, true,
              fmt::format("ALTER SEQUENCE {} OWNED BY {}.{}", quoted(moved_name(sequence.name)),
                          quoted(target_of(owner->name)), quoted(sequence.owner_column)));
        }
        add(what, "sequences", true, true,
            fmt::format("SELECT setval({}, {}, false)", name, sequence.next));
      } else if (system_ == "sqlite" && is_numbered_in_sqlite(sequence)) {
        const std::string table = sql_literal(target_of(sequence_table(sequence)->name).name);
        add(what, "sequences", true, true,
            fmt::format("DELETE FROM sqlite_sequence WHERE name = {}", table));
        add(what, "sequences", true, true,
            fmt::format("INSERT INTO sqlite_sequence (name, seq) VALUES ({}, {})", table,
                        sequence.next - sequence.increment));
      }
    }
  }

  // The table that the sequence numbers, as its owner or by a default.
  const CatalogTable* sequence_table(const CatalogSequence& sequence) const {
    for (const CatalogTable& table : catalog_.tables)
      for (const CatalogColumn& column : table.columns)
        if (column.sequence == sequence.name.text()) return &table;
    return nullptr;
  }

  bool is_numbered_in_sqlite(const CatalogSequence& sequence) const {
    const CatalogTable* const table = sequence_table(sequence);
    if (table == nullptr) return false;
    if (is_same_) return parse_create_table(table->definition).has_autoincrement;
    const CatalogKey* const key = table->primary_key();
    return key != nullptr && key->columns.size() == 1 &&
           table->find(key->columns[0])->sequence == sequence.name.text() &&
           is_row_number(*table, *table->find(key->columns[0]));
  }

  // Names with another schema than before, or none, as a view's query has them.
  SqlWords moved_names() const {
    SqlWords words;
    if (is_same_) return words;
    const auto add_name = [&](const CatalogName& before, const CatalogName& now) {
      if (before.schema.empty() || before.schema == "public") return;
      for (const std::string& name :
           {before.text(), quoted_name(catalog_.system, before),
            before.schema + "." + quoted_name(catalog_.system, before.name)})
        words.emplace_back(to_lower(name), quoted(now));
      words.emplace_back(to_lower(before.name) + ".", quoted(now) + ".");
    };
    for (std::size_t at = 0; at < names_.size(); ++at)
      add_name(catalog_.tables[at].name, names_[at]);
    for (const CatalogView& view : catalog_.views) add_name(view.name, moved_name(view.name));
    return words;
  }

  void add_view(const CatalogView& view) {
    const std::string name = quoted(moved_name(view.name));
    const std::string query = replace_words(translated(view.query), moved_names());
    const bool is_materialized = view.is_materialized && system_ == "postgres";
    if (view.is_materialized && !is_materialized)
      script_.changes.push_back(
          fmt::format("materialized view {} becomes a view", view.name.text()));
    Definition& made = add(
        "view " + view.name.text(), "views", true, true,
        fmt::format("CREATE {}VIEW {} AS {}", is_materialized ? "MATERIALIZED " : "", name, query));
    if (system_ == "sqlite") made.probe = fmt::format("SELECT * FROM {} LIMIT 0", name);
    made.undo =
        fmt::format("DROP {}VIEW IF EXISTS {}", is_materialized ? "MATERIALIZED " : "", name);
    if (!is_materialized) return;
    for (const std::string& index : view.indexes)
      add("an index of view " + view.name.text(), "views", true, true, index);
  }

  void note_changes() {
    if (is_same_) return;
    std::map<std::string, std::vector<std::string>> columns;
    for (const CatalogTable& table : catalog_.tables) {
      for (const CatalogColumn& column : table.columns) {
        const std::string change = type_change(column, system_);
        if (!change.empty())
          columns[change].push_back(fmt::format("{}.{}", table.name.text(), column.name));
      }
    }
    constexpr std::size_t shown = 4;
    for (auto& [change, of] : columns) {
      const std::size_t count = of.size();
      if (count > shown) of.resize(shown);
      script_.changes.push_back(
          fmt::format("{}: {}{}", change, join(of, ", "),
                      count > shown ? fmt::format(" and {} more", count - shown) : std::string()));
    }
  }

  const Catalog& catalog_;
  const std::string& system_;
  const std::vector<CatalogName>& names_;
  const std::vector<CatalogName>& upserted_;
  bool is_same_;
  std::vector<std::size_t> order_;
  std::set<std::string> made_;
  CatalogScript script_;
};

}  // namespace

std::string quoted_name(const std::string& system, const std::string& name) {
  return system == "postgres" ? postgres_identifier(name) : sql_identifier(name);
}

std::string quoted_name(const std::string& system, const CatalogName& name) {
  if (name.schema.empty()) return quoted_name(system, name.name);
  return quoted_name(system, name.schema) + "." + quoted_name(system, name.name);
}

std::string Definition::sql() const {
  if (fixed.empty()) return head + tail;
  std::string list;
  for (std::size_t at = 0; at < fixed.size(); ++at) {
    list += (at == 0 ? "" : ", ") + fixed[at];
    for (const DefinitionPart& part : parts)
      if (part.attached_to == at) list += " " + part.sql;
  }
  for (const DefinitionPart& part : parts)
    if (part.attached_to == SIZE_MAX) list += ", " + part.sql;
  return fmt::format("{} ({}){}", head, list, tail);
}

Result<std::vector<CatalogName>> target_names(const Catalog& catalog, const std::string& system) {
  std::set<std::string> schemas;
  for (const CatalogTable& table : catalog.tables) schemas.insert(table.name.schema);
  std::vector<CatalogName> names;
  std::map<std::string, std::string> taken;
  for (const CatalogTable& table : catalog.tables) {
    CatalogName name = table.name;
    if (catalog.system != system) {
      const bool is_in_name = schemas.size() > 1 && name.schema != "public";
      if (is_in_name) name.name = name.schema + "_" + name.name;
      name.schema = system == "postgres" ? "public" : "";
    }
    const std::string key = system == "postgres" ? name.text() : to_lower(name.text());
    const auto [found, is_new] = taken.emplace(key, table.name.text());
    if (!is_new) {
      return make_error(ErrorKind::config,
                        fmt::format("The tables {} and {} would both be called {} there; leave one "
                                    "of them out with --exclude.",
                                    found->second, table.name.text(), name.text()));
    }
    names.push_back(std::move(name));
  }
  return names;
}

std::vector<std::size_t> order_by_references(const Catalog& catalog) {
  std::vector<std::size_t> order;
  std::vector<bool> is_seen(catalog.tables.size());
  const std::function<void(std::size_t)> visit = [&](std::size_t at) {
    if (is_seen[at]) return;
    is_seen[at] = true;
    for (const CatalogForeignKey& key : catalog.tables[at].foreign_keys) {
      const CatalogTable* const referenced = catalog.find(key.table);
      if (referenced != nullptr)
        visit(static_cast<std::size_t>(referenced - catalog.tables.data()));
    }
    order.push_back(at);
  };
  for (std::size_t at = 0; at < catalog.tables.size(); ++at) visit(at);
  return order;
}

CatalogScript write_script(const Catalog& catalog, const std::string& system,
                           const std::vector<CatalogName>& names,
                           const std::vector<CatalogName>& upserted) {
  return ScriptWriter(catalog, system, names, upserted).write();
}

}  // namespace tranche
