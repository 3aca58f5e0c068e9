#include "api/assemble.h"

#include <algorithm>
#include <charconv>
#include <cstdlib>

#include <fmt/format.h>

#include "api/http_use.h"
#include "api/move_use.h"
#include "api/report_use.h"
#include "base/json.h"
#include "base/process.h"
#include "base/program.h"
#include "base/text.h"
#include "connectors/remote_places.h"
#include "connectors/several_sources.h"
#include "connectors/standard_output.h"
#include "transforms/command.h"
#include "transforms/plugin.h"
#include "transforms/sql.h"

namespace tranche {
namespace {

// The key of an object that stands for a text which needs the environment.
constexpr const char* unresolved_key = "${}";

Json node_to_json(const Node& node) {
  switch (node.kind) {
    case Node::Kind::null:
      return {};
    case Node::Kind::scalar:
      if (!node.unresolved.empty()) return Json().set(unresolved_key, node.unresolved);
      return url_without_password(node.text);
    case Node::Kind::list: {
      Json list(Json::Array{});
      for (const auto& item : node.items) list.push(node_to_json(item));
      return list;
    }
    case Node::Kind::map: {
      Json map(Json::Object{});
      for (const auto& entry : node.entries) map.set(entry.key, node_to_json(entry.value));
      return map;
    }
  }
  return {};
}

// Puts the environment's values in the place of ${env:NAME}.
Result<Node> resolve(const std::string& unresolved) {
  Node node = Node::scalar({});
  node.unresolved = unresolved;
  for (std::size_t i = 0; i < unresolved.size(); ++i) {
    if (unresolved[i] != '$' || i + 1 == unresolved.size()) {
      node.text += unresolved[i];
    } else if (unresolved[i + 1] != '{') {
      node.text += unresolved[++i] == '$' ? "$" : std::string("$") + unresolved[i];
    } else {
      const std::size_t end = unresolved.find('}', i);
      const std::string name = unresolved.substr(i + 6, end - i - 6);  // behind "${env:"
      const char* const value = std::getenv(name.c_str());
      if (value == nullptr) {
        return make_error(ErrorKind::config,
                          fmt::format("The environment variable {} is not set; the job took from "
                                      "it where it writes, so set it as it was then.",
                                      excerpt(name)));
      }
      node.text += value;
      i = end;
    }
  }
  return node;
}

Result<Node> node_from_json(const Json& json) {
  if (json.is_string()) return Node::scalar(json.text());
  if (json.is_array()) {
    std::vector<Node> items;
    for (const auto& item : json.items()) {
      TRANCHE_ASSIGN(auto node, node_from_json(item));
      items.push_back(std::move(node));
    }
    return Node::list(std::move(items));
  }
  if (!json.is_object()) return Node();
  if (const Json& text = json[unresolved_key]; text.is_string()) return resolve(text.text());
  Node map = Node::map();
  for (const auto& [key, value] : json.entries()) {
    TRANCHE_ASSIGN(auto node, node_from_json(value));
    map.set(key, std::move(node));
  }
  return map;
}

// Of `tables:`, nullptr when there are none.
Result<std::vector<SqlLookup>> make_lookups(const JobSpec& job, const Node* tables) {
  std::vector<SqlLookup> lookups;
  if (tables == nullptr) return lookups;
  for (const auto& entry : tables->entries) {
    TRANCHE_ASSIGN(const auto lookup, connector_use(entry.value));
    TRANCHE_ASSIGN(auto source, make_source(lookup, job.base));
    if (source->is_fetched()) {
      return make_error(ErrorKind::config,
                        fmt::format("Table \"{}\" can't be a web API, which every worker would ask "
                                    "anew; a step before this one can write what it gives into a "
                                    "file, or a table.",
                                    entry.key),
                        place(job, entry.mark));
    }
    lookups.push_back(SqlLookup{entry.key, std::move(source)});
  }
  return lookups;
}

Result<std::unique_ptr<Transform>> make_sql(const JobSpec& job, const TransformUse& use) {
  const OptionReader options(use.options, sql_options());
  SqlOptions sql;
  sql.text = options.text("sql");
  sql.place = place(job, options.mark("sql"));
  sql.per_batch = options.boolean("per_batch");
  sql.base = base_folder(job).string();
  sql.parameters = job.parameters;
  TRANCHE_ASSIGN(sql.tables, make_lookups(job, options.node("tables")));
  return make_sql_transform(std::move(sql));
}

Result<std::unique_ptr<Transform>> make_command(const JobSpec& job, const TransformUse& use,
                                                const WorkersSpec& workers) {
  const OptionReader options(use.options, command_options());
  if (options.has("workers") && workers.kind == WorkersSpec::Kind::processes) {
    return make_error(ErrorKind::config,
                      "\"workers\" of a command is for steps whose workers are threads: worker "
                      "processes have a program each. Leave it out, or say `workers:` of the step.",
                      place(job, options.mark("workers")));
  }
  CommandOptions command;
  command.arguments = options.texts("command");
  command.place = place(job, options.mark("command"));
  command.base = base_folder(job);
  command.columns = options.columns("columns");
  const std::string format = options.text("format");
  command.format = format == "csv"     ? ProgramFormat::csv
                   : format == "arrow" ? ProgramFormat::arrow
                                       : ProgramFormat::jsonl;
  command.times = {options.duration("startup_timeout"), options.duration("timeout")};
  if (options.has("workers")) command.programs_max = options.count("workers");
  command.depends_on = options.texts("depends_on");
  return make_command_transform(std::move(command));
}

Result<std::unique_ptr<Transform>> make_plugin(const JobSpec& job, const TransformUse& use) {
  const OptionReader options(use.options, plugin_options());
  PluginUse plugin;
  plugin.file_text = options.text("plugin");
  plugin.place = plugin.function_place = place(job, options.mark("plugin"));
  plugin.base = base_folder(job);
  plugin.file = (plugin.base / plugin.file_text).lexically_normal();
  plugin.keep_columns = options.boolean("keep_columns");
  plugin.depends_on = options.texts("depends_on");
  if (options.has("function")) {
    plugin.function = options.text("function");
    plugin.function_place = place(job, options.mark("function"));
  }
  if (const Node* const given = options.node("options")) {
    plugin.options_place = place(job, given->mark);
    for (const Node::Entry& entry : given->entries)
      plugin.options.emplace_back(entry.key, entry.value.text);
  }
  return make_plugin_transform(std::move(plugin));
}

Result<std::unique_ptr<Transform>> make_transform(const JobSpec& job, const TransformUse& use,
                                                  const WorkersSpec& workers, std::size_t stage) {
  if (use.make) return use.make();
  if (use.kind == "http") return make_http(job, use, workers, stage);
  if (use.kind == "plugin") return make_plugin(job, use);
  return use.kind == "command" ? make_command(job, use, workers) : make_sql(job, use);
}

// Adds the place of the step to an error that has none.
Error placed(Error error, const JobSpec& job, const StepSpec& spec) {
  if (error.where.empty()) error.where = place(job, spec.mark);
  return error;
}

// They tell new files by what is in them, and move them.
Result<void> check_remote(const BatchStep& step) {
  for (const FileIncrement& increment : step.files) {
    for (const auto& path : increment.files.patterns) {
      if (!is_remote(path)) continue;
      return make_error(ErrorKind::config,
                        fmt::format("{} is remote, and `incremental:` and `on_done:` are for files "
                                    "here. Leave them out, or download it first.",
                                    url_without_password(path)));
    }
  }
  return {};
}

// What an increment brings is not all that was there: it can't take the place of that.
Result<void> check_increment(const BatchStep& step, const StepSpec& spec) {
  const bool is_incremental = step.source->is_incremental() || step.file_increment() != nullptr;
  const Node* const mode = spec.write.options.find("mode");
  if (!is_incremental || writes_one_file(spec.write) || mode == nullptr || mode->text != "replace")
    return {};
  return make_error(ErrorKind::config,
                    "\"incremental\" reads only what is new, and mode: replace would put it in the "
                    "place of all that was loaded before; write it with mode: append or upsert.");
}

std::vector<const ConnectorUse*> uses_of(const StepSpec& spec) {
  std::vector<const ConnectorUse*> uses{&spec.read};
  for (const ConnectorUse& use : spec.also_read) uses.push_back(&use);
  return uses;
}

bool names(const ConnectorUse& use, std::string_view name) {
  if (use.connector != "csv" && use.connector != "jsonl") return false;
  const Node* const given = use.options.find(use.connector);
  if (given == nullptr) return false;
  return given->text == name || std::any_of(given->items.begin(), given->items.end(),
                                            [&](const Node& item) { return item.text == name; });
}

// One pipe is of one step.
Result<void> check_standard_streams(const JobSpec& job, const StepSpec& spec) {
  const auto count = [&](auto uses_it) {
    return std::count_if(job.steps.begin(), job.steps.end(), uses_it);
  };
  const auto reads = [](const StepSpec& step) { return reads_standard_input(step); };
  const auto writes = [](const StepSpec& step) { return writes_standard_output(step); };
  if (writes(spec) && count(writes) > 1) {
    return make_error(ErrorKind::config,
                      "Two steps of the job write to standard output; only one of them can.");
  }
  if (!reads(spec)) return {};
  if (count(reads) > 1) {
    return make_error(ErrorKind::config,
                      "Two steps of the job read standard input; only one of them can.");
  }
  for (const ConnectorUse* use : uses_of(spec)) {
    const bool has_increment = use->options.find("incremental") || use->options.find("on_done");
    if (!names(*use, standard_input_name) || !has_increment) continue;
    return make_error(ErrorKind::config,
                      "Standard input (\"-\") is no file: there is nothing to remember of it, or "
                      "to move; leave out \"incremental\" and \"on_done\".");
  }
  return {};
}

// A source among others, for people. Of a database not its address, which may hold a password.
std::string source_name(const ConnectorUse& use) {
  for (const char* key : {"table", "query"}) {
    const Node* const given = use.options.find(key);
    if (given != nullptr) return fmt::format("{} {}", use.connector, excerpt(given->text, 40));
  }
  const Node* const given = use.options.find(use.connector);
  if (given == nullptr) return use.connector;
  const bool is_list = given->kind == Node::Kind::list && !given->items.empty();
  const std::string& first = is_list ? given->items.front().text : given->text;
  return fmt::format("{} {}{}", use.connector, first,
                     is_list && given->items.size() > 1 ? ", ..." : "");
}

// What was read up to where is remembered for a step, not for each of its sources.
Result<void> check_not_incremental(const JobSpec& job, const ConnectorUse& use) {
  const Node* const given = use.options.find("incremental");
  if (given == nullptr) return {};
  Error error = make_error(ErrorKind::config,
                           fmt::format("\"incremental\" belongs to a step with one source, and {} "
                                       "is one of several; make a step of each source.",
                                       source_name(use)));
  error.where = place(job, given->mark);
  return error;
}

// All that the step reads, as one source.
Result<std::unique_ptr<Source>> make_sources(const JobSpec& job, const StepSpec& spec) {
  const auto uses = uses_of(spec);
  if (uses.size() == 1 && spec.source_column.empty()) return make_source(spec.read, job.base);
  std::vector<SourceItem> items;
  for (const ConnectorUse* use : uses) {
    if (uses.size() > 1) TRANCHE_TRY(check_not_incremental(job, *use));
    SourceItem item = read_source_item(use->options);
    item.name = source_name(*use);
    auto source = make_source(*use, job.base);
    if (!source) {
      if (source.error().where.empty()) source.error().where = place(job, use->options.mark);
      return source;
    }
    item.source = *std::move(source);
    items.push_back(std::move(item));
  }
  return make_several_sources(std::move(items), spec.source_column);
}

std::vector<FileIncrement> increments_of(const JobSpec& job, const StepSpec& spec) {
  std::vector<FileIncrement> increments;
  std::uint32_t number = 0;
  for (const ConnectorUse* use : uses_of(spec)) {
    const auto& table = find_connector(use->connector)->read_options;
    const OptionReader read(use->options, table);
    auto increment = read_file_increment(use->options, table,
                                         {use->connector, read.texts(use->connector), job.base});
    if (increment) {
      increment->source = number;
      increments.push_back(*std::move(increment));
    }
    ++number;
  }
  return increments;
}

// Which snapshot is read says the fingerprint of the input.
Node without_snapshot(Node options) {
  std::erase_if(options.entries, [](const Node::Entry& entry) { return entry.key == "snapshot"; });
  return options;
}

}  // namespace

fs::path base_folder(const JobSpec& job) {
  return job.base.empty() ? fs::current_path() : fs::absolute(job.base);
}

std::string place(const JobSpec& job, Mark mark) {
  if (job.file.empty() || mark.line == 0) return {};
  return fmt::format("{}:{}:{}", job.file.string(), mark.line, mark.column);
}

Result<ConnectorUse> connector_use(const Node& node) {
  for (const auto& entry : node.entries) {
    if (find_connector(entry.key) != nullptr) return ConnectorUse{entry.key, node};
  }
  return make_error(ErrorKind::config,
                    "Here a system is missing: csv, jsonl, parquet, postgres, sqlite, duckdb or "
                    "http.");
}

Result<std::unique_ptr<Source>> make_source(const ConnectorUse& use,
                                            const std::filesystem::path& base) {
  const auto* connector = find_connector(use.connector);
  if (connector == nullptr || !connector->make_source) {
    return make_error(ErrorKind::config, fmt::format("\"{}\" can't be read from.", use.connector));
  }
  return connector->make_source(use.options, base);
}

Result<std::unique_ptr<Sink>> make_sink(const ConnectorUse& use,
                                        const std::filesystem::path& base) {
  const auto* connector = find_connector(use.connector);
  if (connector == nullptr || !connector->make_sink) {
    return make_error(ErrorKind::config, fmt::format("\"{}\" can't be written to.", use.connector));
  }
  return connector->make_sink(use.options, base);
}

Result<std::unique_ptr<Script>> make_script(const ConnectorUse& use,
                                            const std::filesystem::path& base) {
  const auto* connector = find_connector(use.connector);
  if (connector == nullptr || !connector->make_script) {
    return make_error(ErrorKind::config, fmt::format("\"{}\" executes no SQL.", use.connector));
  }
  return connector->make_script(use.options, base);
}

bool is_fetched(const StepSpec& spec) {
  const auto uses = uses_of(spec);
  return std::any_of(uses.begin(), uses.end(),
                     [](const ConnectorUse* use) { return use->connector == "http"; });
}

bool reads_standard_input(const StepSpec& spec) {
  const auto uses = uses_of(spec);
  return std::any_of(uses.begin(), uses.end(),
                     [](const ConnectorUse* use) { return names(*use, standard_input_name); });
}

bool reads_standard_input(const JobSpec& job) {
  return std::any_of(job.steps.begin(), job.steps.end(),
                     [](const StepSpec& spec) { return reads_standard_input(spec); });
}

bool writes_standard_output(const StepSpec& spec) {
  return names(spec.write, standard_output_name);
}

bool writes_standard_output(const JobSpec& job) {
  return std::any_of(job.steps.begin(), job.steps.end(),
                     [](const StepSpec& spec) { return writes_standard_output(spec); });
}

Result<BatchStep> assemble(const JobSpec& job, const StepSpec& spec, const RunOptions& options,
                           std::vector<Error>* others) {
  BatchStep step;
  step.name = spec.name;
  step.division = spec.division;
  step.same_failures_max = spec.same_failures_max;
  step.reject_limit = options.max_rejects.value_or(spec.reject_limit);
  step.retry = spec.retry;
  step.workers = options.workers.value_or(spec.workers);
  std::vector<Error> wrong;
  const auto take = [&](auto part, auto keep) {
    if (part)
      keep(*std::move(part));
    else
      wrong.push_back(placed(std::move(part).error(), job, spec));
  };
  take(make_sources(job, spec), [&](auto source) { step.source = std::move(source); });
  for (const auto& use : spec.process)
    take(make_transform(job, use, step.workers, step.transforms.size()),
         [&](auto transform) { step.transforms.push_back(std::move(transform)); });
  take(make_sink(spec.write, job.base), [&](auto sink) { step.sink = std::move(sink); });
  if (auto streams = check_standard_streams(job, spec); !streams)
    wrong.push_back(placed(std::move(streams).error(), job, spec));
  if (wrong.empty()) {
    step.files = increments_of(job, spec);
    auto checked = check_remote(step);
    if (checked) checked = check_increment(step, spec);
    if (!checked) wrong.push_back(placed(std::move(checked).error(), job, spec));
  }
  if (wrong.empty()) return step;
  if (others != nullptr) {
    WorkerScope scope(0, 0, {});
    for (const auto& transform : step.transforms) {
      if (auto checked = transform->check_alone(scope); !checked)
        wrong.push_back(placed(std::move(checked).error(), job, spec));
    }
  }
  if (others != nullptr) others->insert(others->end(), wrong.begin() + 1, wrong.end());
  return wrong.front();
}

Result<ExecuteStep> assemble_execute(const JobSpec& job, const StepSpec& spec) {
  ExecuteStep step;
  step.name = spec.name;
  step.retry = spec.retry;
  auto script = make_script(*spec.execute, job.base);
  if (!script) return placed(std::move(script).error(), job, spec);
  step.script = *std::move(script);
  return step;
}

Result<QueryStep> assemble_query(const JobSpec& job, const StepSpec& spec) {
  const OptionReader options(*spec.query, query_options());
  return assemble_query(job, options.text("query"), options.mark("query"), options.node("tables"));
}

Result<QueryStep> assemble_query(const JobSpec& job, std::string text, Mark mark,
                                 const Node* tables) {
  QueryStep query;
  query.text = std::move(text);
  query.place = place(job, mark);
  query.base = base_folder(job).string();
  TRANCHE_ASSIGN(query.tables, make_lookups(job, tables));
  return query;
}

Result<ExecStep> assemble_exec(const JobSpec& job, const StepSpec& spec) {
  const OptionReader options(*spec.exec, exec_options());
  ExecStep step;
  step.name = spec.name;
  step.retry = spec.retry;
  step.program = options.texts("exec");
  step.folder = base_folder(job);
  if (options.has("timeout")) step.timeout = options.duration("timeout");
  step.exit_codes.clear();
  for (const std::string& text : options.texts("exit_codes")) {
    int code = -1;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), code);
    if (error != std::errc() || end != text.data() + text.size() || code < 0 || code > 255) {
      return make_error(ErrorKind::config,
                        fmt::format("\"exit_codes\" are numbers from 0 to 255, and \"{}\" is none.",
                                    excerpt(text, 40)),
                        place(job, options.mark("exit_codes")));
    }
    step.exit_codes.push_back(code);
  }
  auto program = step.program.empty() ? make_error(ErrorKind::config, "\"exec\" names no program.")
                                      : find_program(step.program.front(), step.folder);
  if (!program) {
    program.error().where = place(job, options.mark("exec"));
    return std::move(program).error();
  }
  return step;
}

std::string deed_of(const StepSpec& spec) {
  return spec.execute  ? "executes SQL"
         : spec.exec   ? "runs a program"
         : spec.report ? "writes a report"
         : spec.backup  ? "backs up a database"
         : spec.restore ? "restores a backup"
                        : "";
}

Result<void> examine_without_records(const JobSpec& job, const StepSpec& spec) {
  if (spec.exec) {
    TRANCHE_TRY(assemble_exec(job, spec));
    return {};
  }
  if (spec.report) {
    TRANCHE_TRY(assemble_report(job, spec, StepSurroundings()));
    return {};
  }
  if (move_options(spec) != nullptr) {
    auto examined = examine_move(job, spec);
    if (!examined) examined.error().kind = ErrorKind::config;
    return examined;
  }
  TRANCHE_ASSIGN(const auto step, assemble_execute(job, spec));
  auto examined = step.script->examine();
  if (!examined && !spec.retry.is_transient(examined.error()))
    examined.error().kind = ErrorKind::config;
  return examined;
}

bool writes_one_file(const ConnectorUse& write) {
  return write.connector == "csv" || write.connector == "jsonl";
}

// A row whose key is there by now is refused, and so reported: it may be newer than the reject.
StepSpec rejects_spec(const StepSpec& spec) {
  StepSpec made = spec;
  Node& options = made.write.options;
  const Node* const mode = options.find("mode");
  if (mode == nullptr || writes_one_file(spec.write)) return made;
  options.set("mode", Node::scalar("append", mode->mark));
  std::erase_if(options.entries, [](const Node::Entry& entry) { return entry.key == "key"; });
  return made;
}

Result<BatchStep> assemble_for_rejects(const JobSpec& job, const StepSpec& spec,
                                       const RunOptions& options) {
  TRANCHE_ASSIGN(auto step, assemble(job, rejects_spec(spec), options));
  step.same_failures_max = 0;  // some of them are known to fail
  return step;
}

std::string job_fingerprint_text(const JobSpec& job, const StepSpec& spec) {
  if (spec.execute) return fmt::format("execute: {}\n", canonical_text(spec.execute->options));
  // With ${env:NAME} as it is written: an argument may hold a password anywhere.
  if (spec.exec)
    return fmt::format("exec: {}\n", connector_use_to_json(ConnectorUse{"exec", *spec.exec}));
  if (spec.report) return fmt::format("report: {}\n", canonical_text(*spec.report));
  if (spec.backup) return fmt::format("backup: {}\n", canonical_text(*spec.backup));
  if (spec.restore) return fmt::format("restore: {}\n", canonical_text(*spec.restore));
  std::string text;
  if (spec.query) text += fmt::format("query: {}\n", canonical_text(*spec.query));
  for (const ConnectorUse* use : uses_of(spec))
    text += fmt::format("read: {}\n", canonical_text(without_snapshot(use->options)));
  if (!spec.source_column.empty()) text += fmt::format("source_column: {}\n", spec.source_column);
  text += fmt::format("batch: rows {} bytes {}", spec.division.rows, spec.division.bytes);
  if (!spec.division.key.empty()) text += fmt::format(" key {}", spec.division.key);
  if (const auto& window = spec.division.window) {
    text += fmt::format(" every {} on {} timezone {}{}", window->every, window->column,
                        window->timezone, window->rejects_late ? " late: reject" : "");
  }
  text += '\n';
  for (const auto& use : spec.process) {
    text += fmt::format("process: {} {}\n", use.kind, canonical_text(use.options));
  }
  text += fmt::format("write: {}\n", canonical_text(spec.write.options));
  for (const auto& parameter : job.parameters) {
    text += fmt::format("parameter {}: {}\n", parameter.name,
                        parameter.is_null ? "null" : url_without_password(parameter.text));
  }
  return text;
}

std::string input_fingerprint_text(const std::vector<Input>& inputs) {
  std::string text;
  for (const auto& input : inputs) {
    if (!input.snapshot.empty()) {  // whoever writes to it meanwhile: its snapshot says it all
      text += fmt::format("{}\n", input.name);
      continue;
    }
    const bool has_tag = is_remote(input.name) && !input.digest.empty();
    text += fmt::format("{}: {} bytes, modified {}{}\n", input.name, input.bytes,
                        format_utc(input.modified_nanoseconds / 1000),
                        has_tag ? ", ETag " + input.digest : std::string());
  }
  return text;
}

std::string snapshot_fingerprint_text(const std::vector<Input>& inputs) {
  std::string text;
  for (const auto& input : inputs) {
    if (!input.snapshot.empty()) text += fmt::format("{}: {}\n", input.name, input.snapshot);
  }
  return text;
}

Result<std::string> code_fingerprint_text(const BatchStep& step) {
  std::string text;
  for (const auto& transform : step.transforms) {
    TRANCHE_ASSIGN(const auto fingerprint, transform->fingerprint());
    for (const auto& line : split(fingerprint, '\n')) {
      if (!line.empty()) text += fmt::format("{}: {}\n", transform->name(), line);
    }
  }
  return text;
}

std::string describe_difference(const std::string& before, const std::string& now) {
  const auto lines_before = split(before, '\n');
  const auto lines_now = split(now, '\n');
  const auto missing_in = [](const std::vector<std::string>& lines, const std::string& line) {
    return std::find(lines.begin(), lines.end(), line) == lines.end();
  };
  std::vector<std::string> parts;
  for (const auto& line : lines_before) {
    if (!line.empty() && missing_in(lines_now, line)) parts.push_back("was " + excerpt(line, 160));
  }
  for (const auto& line : lines_now) {
    if (!line.empty() && missing_in(lines_before, line))
      parts.push_back("is " + excerpt(line, 160));
  }
  return parts.empty() ? "the order of its parts" : join(parts, "; ");
}

std::string connector_use_to_json(const ConnectorUse& use) {
  Json json;
  json.set("connector", use.connector);
  json.set("options", node_to_json(use.options));
  return json.dump();
}

Result<ConnectorUse> connector_use_from_json(const std::string& text) {
  TRANCHE_ASSIGN(const auto json, Json::parse(text));
  TRANCHE_ASSIGN(auto options, node_from_json(json["options"]));
  return ConnectorUse{json["connector"].text(), std::move(options)};
}

}  // namespace tranche
