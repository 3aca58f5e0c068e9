#include "jobfile/job_reader.h"

#include <set>

#include <fmt/format.h>

#include <tranche/core/calendar.h>
#include "api/http_use.h"
#include "api/move_use.h"
#include "api/step_graph.h"
#include "api/step_values.h"
#include "base/text.h"
#include "jobfile/sql_parameters.h"
#include "jobfile/tables.h"

namespace tranche {
namespace {

constexpr std::uint64_t workers_max = 1024;

bool is_scalar(const Node* node) { return node != nullptr && node->kind == Node::Kind::scalar; }

std::string kind_name(const Node& node) {
  switch (node.kind) {
    case Node::Kind::null:
      return "nothing";
    case Node::Kind::scalar:
      return fmt::format("\"{}\"", excerpt(node.text, 40));
    case Node::Kind::list:
      return "a list";
    case Node::Kind::map:
      return "a map";
  }
  return "something else";
}

// An unsigned number as it is written, digits only.
std::optional<std::uint64_t> whole_number(std::string_view text) {
  if (text.empty() || text.size() > 18) return std::nullopt;
  std::uint64_t value = 0;
  for (const char c : text) {
    if (c < '0' || c > '9') return std::nullopt;
    value = value * 10 + static_cast<std::uint64_t>(c - '0');
  }
  return value;
}

std::vector<std::string> systems_at(SystemPlace place) {
  std::vector<std::string> names;
  for (const Connector& known : connectors())
    if (!options_at(known, place).empty()) names.push_back(known.name);
  return names;
}

std::string_view example_at(SystemPlace place) {
  if (place == SystemPlace::write) return "write: { csv: out.csv }";
  if (place == SystemPlace::execute) return "execute: { postgres: warehouse, sql: ANALYZE sales }";
  return "read: { csv: data.csv }";
}

}  // namespace

bool JobReader::is_map(const Node& node, std::string_view what, std::string_view example) {
  if (node.kind == Node::Kind::map) return true;
  problem(node.mark, fmt::format("{} was expected to be a map, as in \"{}\", and is {}", what,
                                 example, kind_name(node)));
  return false;
}

void JobReader::name(const Node* node, std::string_view what) {
  if (!is_scalar(node)) return;  // the table has said so
  const std::string& text = node->text;
  const auto good = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || c == '.';
  };
  if (text.empty() || text.size() > 100 || text[0] == '.' || text[0] == '-' ||
      !std::all_of(text.begin(), text.end(), good))
    problem(node->mark, fmt::format("\"{}\" can't name a {}; use up to 100 letters, digits, "
                                    "\"-\", \"_\" and \".\"",
                                    excerpt(text, 40), what));
}

void JobReader::read(Node root, JobSpec& job) {
  check_options(root, job_options(), "the job", problems_);
  name(root.find("job"), "job");
  const OptionReader options(root, job_options());
  parameters_ = job.parameters;
  if (is_scalar(root.find("job"))) job.name = options.text("job");
  if (job.name == "last")
    problem(options.mark("job"), "\"last\" can't name a job; it stands for the latest run");
  if (is_scalar(root.find("description"))) job.description = options.text("description");
  if (const Node* memory = root.find("memory"); is_scalar(memory))
    job.memory_bytes = parse_size(memory->text).value_or(0);
  if (const Node* named = root.find("connections")) connections(*named);
  const Node* steps = root.find("steps");
  if (steps == nullptr) return;
  if (steps->kind != Node::Kind::list || steps->items.empty()) {
    problem(steps->mark,
            "\"steps\" was expected to be a list with at least one step, each "
            "beginning with \"- name: ...\"");
    return;
  }
  std::set<std::string> names;
  for (std::size_t i = 0; i < steps->items.size(); ++i) {
    job.steps.push_back(step(steps->items[i], i, job));
    const StepSpec& made = job.steps.back();
    if (!made.name.empty() && !names.insert(made.name).second)
      problem(
          steps->items[i].find("name")->mark,
          fmt::format("Two steps have the name \"{}\"; give each its own", excerpt(made.name, 40)));
  }
  // Of names that are wrong, more would be said than helps.
  if (names.size() != job.steps.size()) return;
  const std::size_t before = problems_.size();
  const StepGraph graph = StepGraph::of(job, problems_);
  if (problems_.size() == before) check_step_values(job, graph, problems_);
}

void JobReader::connections(const Node& given) {
  if (given.is_null()) return;
  if (!is_map(given, "\"connections\"", "connections: { warehouse: \"${env:WAREHOUSE_URL}\" }"))
    return;
  for (const Node::Entry& entry : given.entries) {
    const Node key = Node::scalar(entry.key, entry.mark);
    name(&key, "connection");
    if (entry.value.kind != Node::Kind::scalar || entry.value.text.find("://") == std::string::npos)
      problem(entry.value.mark, fmt::format("The connection \"{}\" was expected to be a URL, as in "
                                            "postgresql://user@host:5432/database",
                                            excerpt(entry.key, 40)));
    if (connections_.find(entry.key) != nullptr)
      problem(entry.mark, fmt::format("Two connections have the name \"{}\"; give each its own",
                                      excerpt(entry.key, 40)));
    connections_.set(entry.key, entry.value);
  }
}

// Where a system may be named by a connection, its URL takes the place of the name.
void JobReader::use_connections(Node& step) {
  for (Node::Entry& entry : step.entries) {
    static constexpr std::array<std::string_view, 5> places{"read", "write", "execute", "backup",
                                                            "restore"};
    if (std::find(places.begin(), places.end(), entry.key) != places.end())
      use_connection(entry.value);
    if (entry.key == "read") {
      for (Node& source : entry.value.items) use_connection(source);
    }
    if (entry.key == "tables") {
      for (Node::Entry& table : entry.value.entries) use_connection(table.value);
    }
    if (entry.key != "process") continue;
    for (Node& transform : entry.value.items) {
      for (Node::Entry& part : transform.entries) {
        if (part.key != "tables") continue;
        for (Node::Entry& table : part.value.entries) use_connection(table.value);
      }
    }
  }
}

void JobReader::use_connection(Node& system) {
  for (Node::Entry& entry : system.entries) {
    const Connector* known = find_connector(entry.key);
    if (known == nullptr || !is_scalar(&entry.value)) continue;
    const auto takes_name = [&](const OptionTable& table) {
      return std::any_of(table.begin(), table.end(), [&](const Option& option) {
        return option.name == entry.key && option.names_connection;
      });
    };
    if (!takes_name(known->read_options) && !takes_name(known->write_options) &&
        !takes_name(known->execute_options))
      continue;
    const std::string given = entry.value.text;
    if (given.find("://") != std::string::npos) continue;
    if (const Node* const url = connections_.find(given)) {
      const Mark mark = entry.value.mark;
      entry.value = *url;
      entry.value.mark = mark;
      continue;
    }
    std::vector<std::string> names;
    for (const Node::Entry& one : connections_.entries) names.push_back(one.key);
    // What is neither may be a URL that went wrong, with a password in it.
    const auto near = nearest(given, names);
    problem(entry.value.mark,
            fmt::format("\"{}\" names none of the job's connections{}, and is no URL such as "
                        "postgresql://user@host:5432/database",
                        entry.key,
                        near            ? fmt::format(" (did you mean \"{}\"?)", *near)
                        : names.empty() ? std::string(", of which there are none")
                                        : fmt::format(" ({})", join(names, ", "))));
  }
}

StepSpec JobReader::step(Node node, std::size_t number, const JobSpec& job) {
  StepSpec order;
  order.mark = node.mark;
  if (!is_map(node, fmt::format("Step {}", number + 1), "- name: load")) return order;
  read_order(node, number == 0 ? nullptr : &job.steps[number - 1], order);
  use_connections(node);
  StepSpec made = step_of_kind(std::move(node));
  made.after = std::move(order.after);
  made.when = std::move(order.when);
  made.when_any = order.when_any;
  return made;
}

void JobReader::read_order(Node& node, const StepSpec* above, StepSpec& order) {
  Node given = Node::map();
  std::erase_if(node.entries, [&](const Node::Entry& entry) {
    if (entry.key != "after" && entry.key != "when") return false;
    // An empty list is as good as a full one here.
    const bool waits_for_none =
        entry.key == "after" && entry.value.kind == Node::Kind::list && entry.value.items.empty();
    if (waits_for_none) order.after.emplace();
    if (!waits_for_none) given.entries.push_back(entry);
    return true;
  });
  check_options(given, step_order_options(), "step", problems_);
  std::vector<std::string> before;
  if (above != nullptr && !order.after) before.push_back(above->name);
  if (const Node* after = given.find("after")) {
    before.clear();
    if (is_scalar(after)) before.push_back(after->text);
    for (const Node& item : after->items) before.push_back(item.text);
    order.after = before;
  }
  const Node* const when = given.find("when");
  if (when == nullptr) return;
  if (before.empty()) {
    problem(when->mark,
            "\"when\" has nothing to wait for: the step begins at once; name the steps "
            "by \"after: [...]\"");
  } else if (when->kind == Node::Kind::map) {
    for (const Node::Entry& entry : when->entries) {
      order.when.push_back(condition(entry.value));
      order.when.back().step = entry.key;
    }
  } else {
    StepCondition same = condition(*when);
    order.when_any = same.outcome == StepCondition::Outcome::failed ||
                     same.outcome == StepCondition::Outcome::rejects;
    for (const std::string& name : before) {
      same.step = name;
      order.when.push_back(same);
    }
  }
}

StepCondition JobReader::condition(const Node& node) {
  StepCondition made;
  made.mark = node.mark;
  const std::string_view text = is_scalar(&node) ? std::string_view(node.text) : "";
  if (text == "completed") return made;
  made.outcome = StepCondition::Outcome::failed;
  if (text == "failed") return made;
  made.outcome = StepCondition::Outcome::ended;
  if (text == "ended") return made;
  made.outcome = StepCondition::Outcome::rejects;
  if (text == "rejects") return made;
  if (const std::size_t sign = text.find('>'); sign != std::string_view::npos) {
    const auto number = whole_number(trim(text.substr(sign + 1)));
    made.rejects_above = number.value_or(0);
    if (number && trim(text.substr(0, sign)) == "rejects") return made;
  }
  problem(node.mark, fmt::format("A condition is {}; \"completed\", \"failed\", \"ended\", or "
                                 "\"rejects > 100\" was expected",
                                 kind_name(node)));
  return made;
}

StepSpec JobReader::step_of_kind(Node node) {
  StepSpec made;
  made.mark = node.mark;
  if (node.find("execute") != nullptr) return execute_step(node);
  if (node.find("exec") != nullptr) return exec_step(node);
  if (node.find("report") != nullptr) return report_step(std::move(node));
  if (node.find("backup") != nullptr) return move_step(node, "backup", backup_step_options());
  if (node.find("restore") != nullptr) return move_step(node, "restore", restore_step_options());
  if (node.find("query") != nullptr) return query_step(std::move(node));
  check_options(node, step_options(), "step", problems_);
  name(node.find("name"), "step");
  if (is_scalar(node.find("name"))) made.name = node.find("name")->text;
  if (const Node* read = node.find("read")) sources(*read, made);
  if (const Node* column = node.find("source_column"); is_scalar(column))
    made.source_column = column->text;
  if (const Node* batch = node.find("batch")) made.division = division(*batch);
  if (const Node* list = node.find("process")) made.process = process(*list);
  if (const Node* policy = node.find("on_error")) on_error(*policy, made);
  if (const Node* asked = node.find("workers")) made.workers = workers(*asked);
  if (const Node* write = node.find("write"))
    made.write = connector(*write, SystemPlace::write, "write");
  return made;
}

StepSpec JobReader::named_step(const Node& node, const OptionTable& table, std::string_view what) {
  StepSpec made;
  made.mark = node.mark;
  check_options(node, table, what, problems_);
  name(node.find("name"), "step");
  if (is_scalar(node.find("name"))) made.name = node.find("name")->text;
  if (const Node* policy = node.find("on_error")) on_error(*policy, made);
  return made;
}

StepSpec JobReader::query_step(Node node) {
  StepSpec made = named_step(node, query_step_options(), "a step with a query");
  if (const Node* asked = node.find("workers")) made.workers = workers(*asked);
  if (const Node* write = node.find("write"))
    made.write = connector(*write, SystemPlace::write, "write");
  if (const Node* tables = node.find("tables")) lookups(*tables);
  made.query = Node::map();
  for (Node::Entry& entry : node.entries) {
    if (entry.key == "query")
      replace_sql_parameters(entry.value, parameters_, find_connector("duckdb")->sql_value,
                             problems_);
    if (entry.key == "query" || entry.key == "tables")
      made.query->entries.push_back(std::move(entry));
  }
  return made;
}

StepSpec JobReader::exec_step(const Node& node) {
  StepSpec made = named_step(node, exec_step_options(), "a step that runs a program");
  made.exec = node;
  std::erase_if(made.exec->entries, [](const Node::Entry& entry) {
    return entry.key == "name" || entry.key == "on_error";
  });
  return made;
}

StepSpec JobReader::report_step(Node node) {
  StepSpec made = named_step(node, report_step_options(), "a step that writes a report");
  if (const Node* tables = node.find("tables")) lookups(*tables);
  std::erase_if(node.entries, [](const Node::Entry& entry) {
    return entry.key == "name" || entry.key == "on_error";
  });
  for (Node::Entry& entry : node.entries) {
    if (entry.key != "sections") continue;
    if (entry.value.kind != Node::Kind::list || entry.value.items.empty()) {
      problem(entry.value.mark,
              "\"sections\" was expected to be a list with at least one section, each beginning "
              "with \"- title: ...\"");
      continue;
    }
    for (Node& section : entry.value.items) report_section(section);
  }
  made.report = std::move(node);
  return made;
}

void JobReader::report_section(Node& node) {
  if (!is_map(node, "A section", "- title: Revenue by store")) return;
  check_options(node, report_section_options(), "a section of a report", problems_);
  for (Node::Entry& entry : node.entries) {
    if (entry.key == "query")
      replace_sql_parameters(entry.value, parameters_, find_connector("duckdb")->sql_value,
                             problems_);
  }
}

StepSpec JobReader::move_step(const Node& node, const char* kind, const OptionTable& table) {
  StepSpec made = named_step(node, table, "a step");
  const Node& options = *node.find(kind);
  if (options.kind == Node::Kind::map) check_move(kind, options, problems_);
  (kind == std::string_view("backup") ? made.backup : made.restore) = options;
  return made;
}

StepSpec JobReader::execute_step(const Node& node) {
  StepSpec made = named_step(node, execute_step_options(), "a step that executes SQL");
  made.execute = connector(*node.find("execute"), SystemPlace::execute, "execute");
  return made;
}

void JobReader::sources(const Node& node, StepSpec& made) {
  if (node.kind != Node::Kind::list) {
    made.read = connector(node, SystemPlace::read, "read");
    return;
  }
  if (node.items.empty()) {
    problem(node.mark,
            "\"read\" is an empty list; at least one source was expected, as in "
            "\"- csv: data.csv\"");
    return;
  }
  const SystemPlace place = node.items.size() == 1 ? SystemPlace::read : SystemPlace::read_list;
  made.read = connector(node.items.front(), place, "read");
  for (std::size_t i = 1; i < node.items.size(); ++i)
    made.also_read.push_back(connector(node.items[i], place, "read"));
}

ConnectorUse JobReader::connector(const Node& given, SystemPlace where, std::string_view what) {
  ConnectorUse use;
  const std::string quoted = fmt::format("\"{}\"", what);
  if (!is_map(given, quoted, example_at(where))) return use;
  Node node = given;
  const std::vector<std::string> known = systems_at(where);
  const auto is_known = [&](const Node::Entry& entry) {
    return std::find(known.begin(), known.end(), entry.key) != known.end();
  };
  const auto first = std::find_if(node.entries.begin(), node.entries.end(), is_known);
  const auto second = first == node.entries.end()
                          ? first
                          : std::find_if(first + 1, node.entries.end(), [&](const auto& entry) {
                              return is_known(entry) && entry.key != first->key;
                            });
  const std::string place = where == SystemPlace::write     ? "write"
                            : where == SystemPlace::execute ? "execute"
                                                            : "read";
  if (first == node.entries.end()) {
    for (const Node::Entry& entry : node.entries)
      if (const auto near = nearest(entry.key, known)) {
        problem(entry.mark, fmt::format("Unknown system \"{}\" in {}; did you mean \"{}\"?",
                                        excerpt(entry.key, 40), quoted, *near));
        return use;
      }
    problem(node.entries.empty() ? node.mark : node.entries.front().mark,
            fmt::format("{} names no system; one of {} was expected", quoted, join(known, ", ")));
    return use;
  }
  const bool is_one = second == node.entries.end();
  use.connector = first->key;
  if (!is_one) {
    problem(second->mark, fmt::format("{} names two systems, {} and {}; keep one", quoted,
                                      first->key, second->key));
    node.entries.erase(second);
  }
  const Connector& system = *find_connector(use.connector);
  const OptionTable table = options_at(system, where);
  check_options(node, table, use.connector, problems_);
  for (Node::Entry& entry : node.entries) {
    const bool is_sql = entry.key == "query" || entry.key == "sql";
    if (is_sql && system.sql_value != nullptr)
      replace_sql_parameters(entry.value, parameters_, system.sql_value, problems_);
  }
  use.options = std::move(node);
  return use;
}

Division JobReader::division(Node node) {
  Division made;
  if (is_scalar(&node) && node.text == "auto") return made;
  if (!is_map(node, "\"batch\"", "batch: { rows: 100000 }\" or \"batch: auto")) return made;
  check_options(node, batch_options(), "batch", problems_);
  const Node* rows = node.find("rows");
  const Node* bytes = node.find("bytes");
  if (is_scalar(rows)) made.rows = whole_number(rows->text).value_or(1);
  if (is_scalar(bytes)) made.bytes = parse_size(bytes->text).value_or(1);
  for (const auto& [limit, value] : {std::pair(rows, made.rows), std::pair(bytes, made.bytes)})
    if (is_scalar(limit) && value == 0)
      problem(limit->mark,
              "A batch holds at least one record; a number greater than 0 was "
              "expected");
  if (const Node* key = node.find("key"); is_scalar(key)) made.key = key->text;
  made.window = window(node);
  return made;
}

std::optional<WindowDivision> JobReader::window(const Node& batch) {
  const Node* every = batch.find("every");
  const Node* on = batch.find("on");
  for (const char* companion : {"on", "timezone", "late"}) {
    const Node* given = batch.find(companion);
    if (every != nullptr || given == nullptr) continue;
    problem(given->mark, fmt::format("\"{}\" belongs to windows of time: \"every\" is missing, as "
                                     "in batch: {{ every: 1 day, on: sold_at }}",
                                     companion));
  }
  if (every == nullptr) return std::nullopt;
  if (on == nullptr) {
    problem(every->mark,
            "\"every\" needs the column that tells when: batch: { every: 1 day, on: "
            "sold_at }");
  }
  for (const char* other : {"rows", "key"}) {
    const Node* given = batch.find(other);
    if (given == nullptr) continue;
    problem(given->mark, fmt::format("A batch is a window of time, or divided by \"{}\"; give "
                                     "either \"every\" or \"{}\"",
                                     other, other));
  }
  const OptionReader options(batch, batch_options());
  WindowDivision made;
  made.every = options.text("every");
  made.column = options.text("on");
  made.timezone = options.text("timezone");
  made.rejects_late = options.text("late") == "reject";
  if (is_scalar(every)) {
    const auto period = parse_period(every->text);
    if (!period) problem(every->mark, period.error().message);
  }
  if (const Node* zone = batch.find("timezone"); is_scalar(zone)) {
    const auto known = check_timezone(zone->text);
    if (!known) problem(zone->mark, known.error().message);
  }
  return made;
}

std::vector<TransformUse> JobReader::process(const Node& node) {
  std::vector<TransformUse> made;
  if (node.kind == Node::Kind::null) return made;
  if (node.kind != Node::Kind::list) {
    problem(node.mark, fmt::format("\"process\" was expected to be a list of transforms, each "
                                   "beginning with \"- sql: ...\", and is {}",
                                   kind_name(node)));
    return made;
  }
  for (const Node& item : node.items)
    if (auto use = transform(item)) made.push_back(*std::move(use));
  return made;
}

std::optional<TransformUse> JobReader::transform(Node node) {
  if (!is_map(node, "A transform", "- sql: SELECT * FROM batch")) return std::nullopt;
  const std::size_t before = problems_.size();
  if (node.find("command") != nullptr) {
    check_options(node, command_options(), "command", problems_);
    return TransformUse{"command", std::move(node), {}};
  }
  if (node.find("plugin") != nullptr) {
    check_options(node, plugin_options(), "plugin", problems_);
    if (const Node* const options = node.find("options")) plugin_settings(*options);
    return TransformUse{"plugin", std::move(node), {}};
  }
  if (node.find("http") != nullptr) {
    check_options(node, http_options(), "http", problems_);
    if (problems_.size() == before) check_http(node, problems_);
    return TransformUse{"http", std::move(node), {}};
  }
  check_options(node, sql_options(), "sql", problems_);
  if (const Node* tables = node.find("tables")) lookups(*tables);
  return TransformUse{"sql", std::move(node), {}};
}

void JobReader::plugin_settings(const Node& options) {
  if (!is_map(options, "\"options\"", "options: { threshold: 0.8 }")) return;
  for (const Node::Entry& entry : options.entries) {
    if (is_scalar(&entry.value)) continue;
    problem(entry.value.mark, fmt::format("\"{}\" of a plugin's options is {}; one value was "
                                          "expected",
                                          excerpt(entry.key), kind_name(entry.value)));
  }
}

void JobReader::lookups(const Node& tables) {
  if (!is_map(tables, "\"tables\"", "tables: { rates: { csv: rates.csv } }")) return;
  for (const Node::Entry& entry : tables.entries) {
    if (to_lower(entry.key) == "batch")
      problem(entry.mark,
              "A lookup table can't be called \"batch\", the name of the records "
              "themselves; give it another name");
    connector(entry.value, SystemPlace::read, fmt::format("tables: {}", entry.key));
  }
}

void JobReader::on_error(const Node& node, StepSpec& made) {
  if (node.kind != Node::Kind::map) return;  // the table has said so
  if (const Node* limit = node.find("max_rejects"); is_scalar(limit)) {
    auto parsed = parse_reject_limit(limit->text);
    if (parsed)
      made.reject_limit = *parsed;
    else
      problem(limit->mark, parsed.error().message);
  }
  if (const Node* path = node.find("rejects"); is_scalar(path)) made.rejects_path = path->text;
  if (const Node* same = node.find("same_failures_max"); is_scalar(same))
    made.same_failures_max = whole_number(same->text).value_or(made.same_failures_max);
  const Node* retry = node.find("retry");
  if (retry == nullptr || retry->kind != Node::Kind::map) return;
  if (const Node* attempts = retry->find("attempts"); is_scalar(attempts)) {
    const std::uint64_t count = whole_number(attempts->text).value_or(1);
    made.retry.attempts = static_cast<std::uint32_t>(std::min<std::uint64_t>(count, 1000));
    if (count == 0 || count > 1000)
      problem(attempts->mark, "\"attempts\" counts the first one too; 1 to 1000 was expected");
  }
  const auto duration = [&](const char* key, std::chrono::milliseconds& into) {
    const Node* given = retry->find(key);
    if (is_scalar(given)) into = parse_duration(given->text).value_or(into);
  };
  if (const Node* words = retry->find("transient")) {
    if (is_scalar(words)) made.retry.transient.push_back(words->text);
    for (const Node& item : words->items) made.retry.transient.push_back(item.text);
  }
  duration("backoff", made.retry.backoff);
  duration("max_backoff", made.retry.backoff_max);
}

WorkersSpec JobReader::workers(Node node) {
  WorkersSpec made;
  if (node.kind != Node::Kind::map) {
    workers_count(node, WorkersSpec::Kind::threads, made);
    return made;
  }
  const std::size_t before = problems_.size();
  check_options(node, workers_options(), "workers", problems_);
  if (problems_.size() > before) return made;
  const Node* const threads = node.find("threads");
  const Node* const processes = node.find("processes");
  if ((threads == nullptr) == (processes == nullptr)) {
    problem(node.mark, threads == nullptr
                           ? "\"workers\" names neither \"threads\" nor \"processes\"; one of "
                             "them was expected"
                           : "\"workers\" are either \"threads\" or \"processes\", not both");
    return made;
  }
  const bool is_processes = processes != nullptr;
  workers_count(is_processes ? *processes : *threads,
                is_processes ? WorkersSpec::Kind::processes : WorkersSpec::Kind::threads, made);
  for (const char* key : {"memory", "cpu_time", "recycle"}) {
    const Node* const given = node.find(key);
    if (given == nullptr || is_processes) continue;
    problem(given->mark,
            fmt::format("\"{}\" is for \"processes\": threads share one process", key));
  }
  if (const Node* given = node.find("memory")) made.memory_bytes = *parse_size(given->text);
  if (const Node* given = node.find("timeout")) made.timeout = *parse_duration(given->text);
  if (const Node* given = node.find("cpu_time")) made.cpu_time = *parse_duration(given->text);
  if (const Node* given = node.find("recycle")) made.recycle_batches = *whole_number(given->text);
  return made;
}

void JobReader::workers_count(const Node& node, WorkersSpec::Kind kind, WorkersSpec& made) {
  if (is_scalar(&node) && node.text == "auto" && kind == WorkersSpec::Kind::threads) return;
  const auto count = is_scalar(&node) ? whole_number(node.text) : std::nullopt;
  if (!count || *count == 0 || *count > workers_max) {
    problem(node.mark, fmt::format("\"workers\" is {}; \"auto\", a number from 1 to {}, "
                                   "\"{{ threads: 4 }}\" or \"{{ processes: 4 }}\" was expected",
                                   kind_name(node), workers_max));
    return;
  }
  made.kind = kind;
  made.count = static_cast<std::uint32_t>(*count);
}

}  // namespace tranche
