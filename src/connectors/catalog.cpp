#include "connectors/catalog.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/text.h"

namespace tranche {
namespace {

// Members that say nothing are left out, so that a manifest can be read by people.
class Object {
 public:
  Object& text(const char* key, const std::string& value) {
    if (!value.empty()) json_.set(key, value);
    return *this;
  }
  Object& flag(const char* key, bool value) {
    if (value) json_.set(key, true);
    return *this;
  }
  Object& list(const char* key, Json value) {
    if (!value.items().empty()) json_.set(key, std::move(value));
    return *this;
  }
  Object& name(const CatalogName& value, const char* key = "name") {
    text("schema", value.schema);
    return text(key, value.name);
  }
  Json take() { return std::move(json_); }

 private:
  Json json_{Json::Object{}};
};

template <class Item, class Write> Json list_of(const std::vector<Item>& items, Write write) {
  Json json{Json::Array{}};
  for (const Item& item : items) json.push(write(item));
  return json;
}

CatalogName name_of(const Json& json, const char* key = "name") {
  return {json["schema"].text(), json[key].text()};
}

Json class_json(const CatalogClass& one) {
  return Object().text("name", one.name).text("example", one.example).take();
}

Json column_json(const CatalogColumn& column) {
  return Object()
      .text("name", column.name)
      .text("type", to_string(column.type))
      .text("declared", column.declared)
      .flag("text_of", column.is_text_of)
      .flag("not_null", column.not_null)
      .text("default", column.default_sql)
      .text("generated", column.generated)
      .text("identity", column.identity)
      .text("sequence", column.sequence)
      .text("sql_name", column.sql_name)
      .list("classes", list_of(column.classes, class_json))
      .take();
}

Result<CatalogColumn> column_of(const Json& json) {
  CatalogColumn column;
  column.name = json["name"].text();
  TRANCHE_ASSIGN(column.type, parse_type(json["type"].text()));
  column.declared = json["declared"].text();
  column.is_text_of = json["text_of"].boolean();
  column.not_null = json["not_null"].boolean();
  column.default_sql = json["default"].text();
  for (const Json& item : json["classes"].items())
    column.classes.push_back({item["name"].text(), item["example"].text()});
  column.generated = json["generated"].text();
  column.identity = json["identity"].text();
  column.sequence = json["sequence"].text();
  column.sql_name = json["sql_name"].text();
  return column;
}

Json key_json(const CatalogKey& key) {
  return Object()
      .text("name", key.name)
      .list("columns", texts_json(key.columns))
      .flag("primary", key.is_primary)
      .text("definition", key.definition)
      .take();
}

CatalogKey key_of(const Json& json) {
  return {json["name"].text(), texts_of(json["columns"]), json["primary"].boolean(),
          json["definition"].text()};
}

Json foreign_key_json(const CatalogForeignKey& key) {
  return Object()
      .text("name", key.name)
      .list("columns", texts_json(key.columns))
      .name(key.table, "table")
      .list("referenced", texts_json(key.referenced))
      .text("on_update", key.on_update)
      .text("on_delete", key.on_delete)
      .text("definition", key.definition)
      .take();
}

CatalogForeignKey foreign_key_of(const Json& json) {
  return {json["name"].text(),          texts_of(json["columns"]), name_of(json, "table"),
          texts_of(json["referenced"]), json["on_update"].text(),  json["on_delete"].text(),
          json["definition"].text()};
}

Json index_json(const CatalogIndex& index) {
  return Object()
      .text("name", index.name)
      .list("parts", texts_json(index.parts))
      .flag("unique", index.is_unique)
      .text("where", index.where)
      .text("definition", index.definition)
      .take();
}

CatalogIndex index_of(const Json& json) {
  return {json["name"].text(), texts_of(json["parts"]), json["unique"].boolean(),
          json["where"].text(), json["definition"].text()};
}

Json table_json(const CatalogTable& table) {
  Json json = Object()
                  .name(table.name)
                  .list("columns", list_of(table.columns, column_json))
                  .list("keys", list_of(table.keys, key_json))
                  .list("foreign_keys", list_of(table.foreign_keys, foreign_key_json))
                  .list("checks", list_of(table.checks,
                                          [](const CatalogCheck& check) {
                                            return Object()
                                                .text("name", check.name)
                                                .text("expression", check.expression)
                                                .take();
                                          }))
                  .list("indexes", list_of(table.indexes, index_json))
                  .text("definition", table.definition)
                  .take();
  json.set("rows_about", table.rows);
  json.set("has_addresses", table.has_addresses);
  return json;
}

Result<CatalogTable> table_of(const Json& json) {
  CatalogTable table;
  table.name = name_of(json);
  for (const Json& item : json["columns"].items()) {
    TRANCHE_ASSIGN(auto column, column_of(item));
    table.columns.push_back(std::move(column));
  }
  for (const Json& item : json["keys"].items()) table.keys.push_back(key_of(item));
  for (const Json& item : json["foreign_keys"].items())
    table.foreign_keys.push_back(foreign_key_of(item));
  for (const Json& item : json["checks"].items())
    table.checks.push_back({item["name"].text(), item["expression"].text()});
  for (const Json& item : json["indexes"].items()) table.indexes.push_back(index_of(item));
  table.definition = json["definition"].text();
  table.rows = json["rows_about"].natural();
  table.has_addresses = json["has_addresses"].boolean();
  return table;
}

Json sequence_json(const CatalogSequence& sequence) {
  Json json = Object().name(sequence.name).text("type", sequence.type).take();
  json.set("start", sequence.start).set("increment", sequence.increment);
  json.set("minimum", sequence.minimum).set("maximum", sequence.maximum);
  json.set("next", sequence.next).set("cycles", sequence.cycles);
  if (sequence.owner.name.empty()) return json;
  json.set("owner", Object().name(sequence.owner).text("column", sequence.owner_column).take());
  return json.set("identity", sequence.is_identity);
}

CatalogSequence sequence_of(const Json& json) {
  CatalogSequence sequence;
  sequence.name = name_of(json);
  sequence.type = json["type"].text();
  sequence.start = json["start"].integer();
  sequence.increment = json["increment"].integer();
  sequence.minimum = json["minimum"].integer();
  sequence.maximum = json["maximum"].integer();
  sequence.next = json["next"].integer();
  sequence.cycles = json["cycles"].boolean();
  sequence.owner = name_of(json["owner"]);
  sequence.owner_column = json["owner"]["column"].text();
  sequence.is_identity = json["identity"].boolean();
  return sequence;
}

Json view_json(const CatalogView& view) {
  return Object()
      .name(view.name)
      .text("query", view.query)
      .flag("materialized", view.is_materialized)
      .list("indexes", texts_json(view.indexes))
      .take();
}

Json type_json(const CatalogType& type) {
  return Object()
      .name(type.name)
      .list("labels", texts_json(type.labels))
      .text("definition", type.definition)
      .take();
}

// Whether some values of the class can be read as the type.
bool can_be_read(const std::string& storage_class, Type type) {
  if (storage_class == "text") return type.id != TypeId::blob;
  if (storage_class == "blob") return type.id == TypeId::blob;
  return is_numeric(type) || type.id == TypeId::varchar ||
         (storage_class == "integer" && type.id == TypeId::boolean);
}

Result<void> check_cast(const CatalogTable& table, const CatalogColumn& column,
                        const CatalogCast& cast) {
  for (const CatalogClass& one : column.classes) {
    if (can_be_read(one.name, cast.type)) continue;
    return make_error(
        ErrorKind::config,
        fmt::format("The cast of {}.{} to {} can't read the values that SQLite stores as {}{}. "
                    "Leave the cast out: then nothing is lost.",
                    table.name.text(), column.name, to_string(cast.type), one.name,
                    one.example.empty() ? "" : ", as in " + one.example));
  }
  return {};
}

}  // namespace

Json texts_json(const std::vector<std::string>& texts) {
  Json json{Json::Array{}};
  for (const std::string& text : texts) json.push(text);
  return json;
}

std::vector<std::string> texts_of(const Json& json) {
  std::vector<std::string> list;
  for (const Json& item : json.items()) list.push_back(item.text());
  return list;
}

bool CatalogColumn::has_class(std::string_view wanted) const {
  return std::any_of(classes.begin(), classes.end(),
                     [&](const CatalogClass& one) { return one.name == wanted; });
}

const CatalogColumn* CatalogTable::find(std::string_view column) const {
  const auto found = std::find_if(columns.begin(), columns.end(),
                                  [&](const CatalogColumn& one) { return one.name == column; });
  return found == columns.end() ? nullptr : &*found;
}

const CatalogKey* CatalogTable::primary_key() const {
  const auto found =
      std::find_if(keys.begin(), keys.end(), [](const CatalogKey& key) { return key.is_primary; });
  return found == keys.end() ? nullptr : &*found;
}

const CatalogTable* Catalog::find(const CatalogName& name) const {
  const auto found = std::find_if(tables.begin(), tables.end(),
                                  [&](const CatalogTable& table) { return table.name == name; });
  return found == tables.end() ? nullptr : &*found;
}

const CatalogSequence* Catalog::find_sequence(std::string_view text) const {
  const auto found = std::find_if(sequences.begin(), sequences.end(), [&](const auto& sequence) {
    return sequence.name.text() == text;
  });
  return found == sequences.end() ? nullptr : &*found;
}

Json to_json(const Catalog& catalog) {
  return Json()
      .set("system", catalog.system)
      .set("tables", list_of(catalog.tables, table_json))
      .set("sequences", list_of(catalog.sequences, sequence_json))
      .set("views", list_of(catalog.views, view_json))
      .set("types", list_of(catalog.types, type_json))
      .set("beyond", texts_json(catalog.beyond));
}

Result<Catalog> catalog_from_json(const Json& json) {
  Catalog catalog;
  catalog.system = json["system"].text();
  for (const Json& item : json["tables"].items()) {
    auto table = table_of(item);
    if (!table) {
      return make_error(ErrorKind::failed,
                        fmt::format("The catalog speaks of what this version of Tranche does not "
                                    "know: {}",
                                    table.error().message));
    }
    catalog.tables.push_back(*std::move(table));
  }
  for (const Json& item : json["sequences"].items()) catalog.sequences.push_back(sequence_of(item));
  for (const Json& item : json["views"].items()) {
    catalog.views.push_back({name_of(item), item["query"].text(), item["materialized"].boolean(),
                             texts_of(item["indexes"])});
  }
  for (const Json& item : json["types"].items())
    catalog.types.push_back({name_of(item), texts_of(item["labels"]), item["definition"].text()});
  catalog.beyond = texts_of(json["beyond"]);
  return catalog;
}

bool fits(std::string_view name, std::string_view pattern) {
  const std::string text = to_lower(name);
  const std::string wanted = to_lower(pattern);
  std::size_t at = 0;
  std::size_t in = 0;
  std::size_t star = std::string::npos;  // the last one, to which a mismatch goes back
  std::size_t star_text = 0;
  while (at < text.size()) {
    if (in < wanted.size() && wanted[in] == '*') {
      star = in++;
      star_text = at;
    } else if (in < wanted.size() && (wanted[in] == '?' || wanted[in] == text[at])) {
      ++in;
      ++at;
    } else if (star != std::string::npos) {
      in = star + 1;
      at = ++star_text;
    } else {
      return false;
    }
  }
  while (in < wanted.size() && wanted[in] == '*') ++in;
  return in == wanted.size();
}

bool fits(const CatalogName& name, std::string_view pattern) {
  return fits(name.name, pattern) || fits(name.text(), pattern);
}

Result<std::vector<CatalogCast>> parse_casts(std::string_view text, const std::string& file) {
  std::vector<CatalogCast> casts;
  std::size_t number = 0;
  for (const std::string& whole : split(text, '\n')) {
    ++number;
    const std::string_view line = trim(std::string_view(whole).substr(0, whole.find('#')));
    if (line.empty()) continue;
    const std::string where = fmt::format("{}:{}", file, number);
    const std::size_t colon = line.find(':');
    const std::string_view name = trim(line.substr(0, colon));
    const std::size_t dot = name.rfind('.');
    if (colon == std::string_view::npos || dot == std::string_view::npos) {
      return make_error(ErrorKind::config,
                        "A cast is a table, a column and a type, as in orders.total: "
                        "decimal(18,2)",
                        where);
    }
    auto type = parse_type(trim(line.substr(colon + 1)));
    if (!type) return make_error(ErrorKind::config, type.error().message, where);
    casts.push_back({std::string(name.substr(0, dot)), std::string(name.substr(dot + 1)), *type});
  }
  return casts;
}

Result<void> apply_casts(Catalog& catalog, const std::vector<CatalogCast>& casts) {
  for (const CatalogCast& cast : casts) {
    bool is_used = false;
    for (CatalogTable& table : catalog.tables) {
      if (!fits(table.name, cast.table)) continue;
      for (CatalogColumn& column : table.columns) {
        if (!fits(column.name, cast.column)) continue;
        is_used = true;
        TRANCHE_TRY(check_cast(table, column, cast));
        column.classes.clear();
        column.type = cast.type;
        column.is_text_of = false;
        column.declared.clear();  // whichever the target's system calls this type
        table.definition.clear();
      }
    }
    if (is_used) continue;
    return make_error(ErrorKind::config, fmt::format("The cast {}.{} fits no column of the tables.",
                                                     cast.table, cast.column));
  }
  return {};
}

}  // namespace tranche
