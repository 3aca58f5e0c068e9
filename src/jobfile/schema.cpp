#include "jobfile/schema.h"

#include <tranche/api/job.h>

#include "base/json.h"
#include "jobfile/tables.h"

namespace tranche {
namespace {

Json text_schema() { return Json().set("type", Json::Array{"string", "number", "boolean"}); }

// A value of another type may always be a parameter: ${name}.
Json or_parameter(Json schema) {
  Json parameter = Json().set("type", "string").set("pattern", "\\$\\{");
  return Json().set("anyOf", Json::Array{std::move(schema), std::move(parameter)});
}

Json strings(const std::vector<std::string>& texts) {
  Json list{Json::Array{}};
  for (const std::string& text : texts) list.push(text);
  return list;
}

// The choices as an editor sees them: YAML takes some spellings for other things than texts.
Json choices(const std::vector<std::string>& texts) {
  Json list = strings(texts);
  for (const std::string& text : texts) {
    if (text == "null") list.push(nullptr);
    if (text == "true" || text == "false") list.push(text == "true");
  }
  return list;
}

Json table_schema(const OptionTable& table);

Json columns_schema() {
  Json field;
  field.set("type", "object");
  field.set("properties", Json()
                              .set("type", Json().set("type", "string"))
                              .set("null", Json().set("enum", Json::Array{"error", "ok"})));
  field.set("required", Json::Array{"type"});
  field.set("additionalProperties", false);
  Json one;
  one.set("anyOf", Json::Array{Json().set("type", "string"), std::move(field)});
  return Json().set("type", "object").set("additionalProperties", std::move(one));
}

Json option_schema(const Option& option) {
  switch (option.kind) {
    case OptionKind::text: {
      Json made = text_schema();
      if (!option.choices.empty()) made.set("examples", strings(option.choices));
      return made;
    }
    case OptionKind::boolean:
      return or_parameter(Json().set("type", "boolean"));
    case OptionKind::count:
      return or_parameter(Json().set("type", "integer").set("minimum", 0));
    case OptionKind::size:
      return Json().set("type", Json::Array{"integer", "string"});
    case OptionKind::duration:
      return Json().set("type", "string");
    case OptionKind::choice:
      return or_parameter(Json().set("enum", choices(option.choices)));
    case OptionKind::texts: {
      Json list = Json().set("type", "array").set("items", text_schema());
      return Json().set("anyOf", Json::Array{text_schema(), std::move(list)});
    }
    case OptionKind::columns:
      return columns_schema();
    case OptionKind::map:
      return table_schema(option.children);
    case OptionKind::any:
      return Json{Json::Object{}};
  }
  return Json{Json::Object{}};
}

Json documented(Json schema, const Option& option) {
  std::string text = option.doc;
  if (!option.default_text.empty()) text += " Default: " + option.default_text + ".";
  if (!text.empty()) schema.set("description", text);
  if (!option.example.empty() && schema["examples"].is_null())
    schema.set("examples", Json::Array{option.example});
  return schema;
}

Json table_schema(const OptionTable& table) {
  Json properties{Json::Object{}};
  Json required{Json::Array{}};
  for (const Option& option : table) {
    properties.set(option.name, documented(option_schema(option), option));
    if (option.required) required.push(option.name);
  }
  Json made;
  made.set("type", "object").set("properties", std::move(properties));
  if (!required.items().empty()) made.set("required", std::move(required));
  made.set("additionalProperties", false);
  return made;
}

Json system_schema(SystemPlace place) {
  Json::Array systems;
  for (const Connector& known : connectors()) {
    const OptionTable table = options_at(known, place);
    if (table.empty()) continue;
    Json made = table_schema(table);
    made.set("title", known.name);
    made.set("required", Json::Array{known.name});
    for (const Option& option : table)
      if (option.required && option.name != known.name) {
        Json required = made["required"];
        made.set("required", required.push(option.name));
      }
    systems.push_back(std::move(made));
  }
  return Json().set("anyOf", std::move(systems));
}

// Puts what the tables leave to their owners (kind any) into its place, documentation kept.
void fill(Json& schema, const OptionTable& table, std::string_view name, Json with) {
  Json properties = schema["properties"];
  for (const Option& option : table)
    if (option.name == name) properties.set(option.name, documented(std::move(with), option));
  schema.set("properties", std::move(properties));
}

Json map_of(Json values) {
  return Json().set("type", "object").set("additionalProperties", std::move(values));
}

Json http_schema() {
  Json schema = table_schema(http_options());
  Json field = Json().set("type", "object");
  field.set("properties", Json()
                              .set("type", Json().set("type", "string"))
                              .set("pointer", Json().set("type", "string"))
                              .set("null", Json().set("enum", Json::Array{"error", "ok"})));
  field.set("required", Json::Array{"type"});
  field.set("additionalProperties", false);
  Json column = Json().set("anyOf", Json::Array{Json().set("type", "string"), std::move(field)});
  Json action = Json().set("enum", Json::Array{nullptr, "null", "reject", "retry", "skip"});
  fill(schema, http_options(), "into", map_of(std::move(column)));
  fill(schema, http_options(), "on_status", map_of(std::move(action)));
  fill(schema, http_options(), "headers", map_of(text_schema()));
  return schema;
}

Json process_schema() {
  Json transform = table_schema(sql_options());
  Json properties = transform["properties"];
  Json tables = Json().set("type", "object");
  tables.set("additionalProperties", Json().set("$ref", "#/definitions/read"));
  tables.set("description", "Lookup tables that the SQL may join: name: { csv: path }.");
  properties.set("tables", std::move(tables));
  transform.set("properties", std::move(properties));
  Json kinds{Json::Array{}};
  kinds.push(std::move(transform));
  kinds.push(table_schema(command_options()));
  Json plugin = table_schema(plugin_options());
  fill(plugin, plugin_options(), "options", map_of(text_schema()));
  kinds.push(std::move(plugin));
  kinds.push(http_schema());
  return Json().set("type", "array").set("items", Json().set("anyOf", std::move(kinds)));
}

Json batch_schema() {
  return Json().set(
      "anyOf", Json::Array{Json().set("enum", Json::Array{"auto"}), table_schema(batch_options())});
}

Json workers_schema() {
  Json number = Json().set("type", "integer").set("minimum", 1);
  return or_parameter(
      Json().set("anyOf", Json::Array{Json().set("enum", Json::Array{"auto"}), std::move(number),
                                      table_schema(workers_options())}));
}

Json params_schema() {
  Json one;
  one.set("anyOf", Json::Array{Json().set("type", "string"), table_schema(parameter_options())});
  return Json().set("type", "object").set("additionalProperties", std::move(one));
}

Json report_schema() {
  Json report = table_schema(report_step_options());
  Json sections = Json().set("type", "array").set("minItems", 1);
  sections.set("items", table_schema(report_section_options()));
  fill(report, report_step_options(), "sections", std::move(sections));
  fill(report, report_step_options(), "tables",
       map_of(Json().set("$ref", "#/definitions/read")));
  return report;
}

Json move_schema(const OptionTable& table, const char* kind) {
  Json step = table_schema(table);
  const auto of_move = std::find_if(table.begin(), table.end(),
                                    [&](const Option& option) { return option.name == kind; });
  Json move = table_schema(of_move->children);
  fill(move, of_move->children, "cast", map_of(text_schema()));
  fill(step, table, kind, std::move(move));
  return step;
}

Json steps_schema() {
  const OptionTable& table = step_options();
  Json step = table_schema(table);
  const auto reference = [](const char* to) { return Json::Array{Json().set("$ref", to)}; };
  Json list = Json().set("type", "array").set("minItems", 1);
  list.set("items", Json().set("$ref", "#/definitions/read_of_list"));
  Json sources =
      Json().set("anyOf", Json::Array{Json().set("$ref", "#/definitions/read"), std::move(list)});
  fill(step, table, "read", std::move(sources));
  fill(step, table, "write", Json().set("allOf", reference("#/definitions/write")));
  fill(step, table, "batch", batch_schema());
  fill(step, table, "process", process_schema());
  fill(step, table, "workers", workers_schema());
  Json query = table_schema(query_step_options());
  fill(query, query_step_options(), "write",
       Json().set("allOf", reference("#/definitions/write")));
  fill(query, query_step_options(), "workers", workers_schema());
  Json execute = table_schema(execute_step_options());
  fill(execute, execute_step_options(), "execute",
       Json().set("allOf", reference("#/definitions/execute")));
  Json either = Json().set("anyOf", Json::Array{std::move(step), std::move(execute),
                                                table_schema(exec_step_options()),
                                                move_schema(backup_step_options(), "backup"),
                                                move_schema(restore_step_options(), "restore"),
                                                std::move(query), report_schema()});
  return Json().set("type", "array").set("minItems", 1).set("items", std::move(either));
}

}  // namespace

std::string job_schema_json() {
  Json root = table_schema(job_options());
  fill(root, job_options(), "params", params_schema());
  fill(root, job_options(), "steps", steps_schema());
  Json made;
  made.set("$schema", "http://json-schema.org/draft-07/schema#");
  made.set("title", "Tranche job file");
  for (const auto& [key, value] : root.entries()) made.set(key, value);
  Json definitions;
  definitions.set("read", system_schema(SystemPlace::read));
  definitions.set("read_of_list", system_schema(SystemPlace::read_list));
  definitions.set("write", system_schema(SystemPlace::write));
  definitions.set("execute", system_schema(SystemPlace::execute));
  made.set("definitions", std::move(definitions));
  return made.dump(2) + "\n";
}

}  // namespace tranche
