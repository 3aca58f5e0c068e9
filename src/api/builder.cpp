#include <tranche/api/builder.h>

namespace tranche {
namespace {

Node texts_node(const std::vector<std::string>& texts) {
  if (texts.size() == 1) return Node::scalar(texts.front());
  std::vector<Node> items;
  for (const auto& text : texts) items.push_back(Node::scalar(text));
  return Node::list(std::move(items));
}

const char* to_text(WriteMode mode) {
  switch (mode) {
    case WriteMode::append:
      return "append";
    case WriteMode::replace:
      return "replace";
    case WriteMode::upsert:
      return "upsert";
  }
  return "";
}

}  // namespace

Use::Use(std::string connector, std::vector<std::string> paths) {
  use_.options = Node::map();
  use_.options.set(connector, texts_node(paths));
  use_.connector = std::move(connector);
}

Use& Use::option(std::string name, std::string value) & {
  use_.options.set(std::move(name), Node::scalar(std::move(value)));
  return *this;
}
Use& Use::option(std::string name, std::vector<std::string> values) & {
  use_.options.set(std::move(name), texts_node(values));
  return *this;
}
Use&& Use::option(std::string name, std::string value) && {
  return std::move(option(std::move(name), std::move(value)));
}
Use&& Use::mode(WriteMode mode) && { return std::move(option("mode", std::string(to_text(mode)))); }
Use&& Use::table(std::string name) && { return std::move(option("table", std::move(name))); }
Use&& Use::key(std::vector<std::string> columns) && {
  return std::move(option("key", std::move(columns)));
}
Use&& Use::partition_by(std::vector<std::string> columns) && {
  return std::move(option("partition_by", std::move(columns)));
}
Use&& Use::option(std::string name, std::vector<std::pair<std::string, std::string>> entries) && {
  Node map = Node::map();
  for (auto& [key, value] : entries) map.set(std::move(key), Node::scalar(std::move(value)));
  use_.options.set(std::move(name), std::move(map));
  return std::move(*this);
}
Use&& Use::columns(std::vector<std::pair<std::string, std::string>> names_and_types) && {
  return std::move(*this).option("columns", std::move(names_and_types));
}

Use csv(std::string path) { return Use("csv", {std::move(path)}); }
Use csv(std::vector<std::string> paths) { return Use("csv", std::move(paths)); }
Use jsonl(std::string path) { return Use("jsonl", {std::move(path)}); }
Use jsonl(std::vector<std::string> paths) { return Use("jsonl", std::move(paths)); }
Use parquet(std::string path) { return Use("parquet", {std::move(path)}); }
Use postgres(std::string url) { return Use("postgres", {std::move(url)}); }
Use duckdb(std::string path) { return Use("duckdb", {std::move(path)}); }
Use sqlite(std::string path) { return Use("sqlite", {std::move(path)}); }
Use command(std::vector<std::string> program) { return Use("command", std::move(program)); }
Use http(std::string url) { return Use("http", {std::move(url)}); }

Section::Section(std::string title) : node_(Node::map()) {
  node_.set("title", Node::scalar(std::move(title)));
}
Section&& Section::text(std::string paragraphs) && {
  node_.set("text", Node::scalar(std::move(paragraphs)));
  return std::move(*this);
}
Section&& Section::query(std::string select) && {
  node_.set("query", Node::scalar(std::move(select)));
  return std::move(*this);
}
Section&& Section::chart(std::string type, std::string x, std::vector<std::string> y) && {
  Node chart = Node::map();
  chart.set("type", Node::scalar(std::move(type)));
  chart.set("x", Node::scalar(std::move(x)));
  chart.set("y", texts_node(y));
  node_.set("chart", std::move(chart));
  return std::move(*this);
}
Section&& Section::chart(std::string type, std::string x, std::string y, std::string color) && {
  Section&& made =
      std::move(*this).chart(std::move(type), std::move(x), std::vector<std::string>{std::move(y)});
  if (color.empty()) return std::move(made);
  Node chart = *made.node_.find("chart");
  chart.set("color", Node::scalar(std::move(color)));
  made.node_.set("chart", std::move(chart));
  return std::move(made);
}
Section&& Section::rejects(std::string step) && {
  node_.set("rejects", Node::scalar(std::move(step)));
  return std::move(*this);
}
Section&& Section::rows(std::uint64_t shown_max) && {
  node_.set("rows", Node::scalar(std::to_string(shown_max)));
  return std::move(*this);
}

Report::Report(std::string path) : node_(Node::map()), tables_(Node::map()) {
  node_.set("report", Node::scalar(std::move(path)));
}
Report&& Report::title(std::string title) && {
  node_.set("title", Node::scalar(std::move(title)));
  return std::move(*this);
}
Report&& Report::text(std::string paragraphs) && {
  node_.set("text", Node::scalar(std::move(paragraphs)));
  return std::move(*this);
}
Report&& Report::rows(std::uint64_t shown_max) && {
  node_.set("rows", Node::scalar(std::to_string(shown_max)));
  return std::move(*this);
}
Report&& Report::table(std::string name, Use use) && {
  tables_.set(std::move(name), use.use().options);
  node_.set("tables", tables_);
  return std::move(*this);
}
Report&& Report::section(const Section& section) && {
  sections_.push_back(section.node());
  node_.set("sections", Node::list(sections_));
  return std::move(*this);
}

StepBuilder::StepBuilder(std::string name) { spec_.name = std::move(name); }

StepBuilder&& StepBuilder::read(Use use) && {
  spec_.read = use.use();
  spec_.also_read.clear();
  return std::move(*this);
}
StepBuilder&& StepBuilder::read(std::vector<Use> uses) && {
  spec_.read = uses.front().use();
  spec_.also_read.clear();
  for (std::size_t i = 1; i < uses.size(); ++i) spec_.also_read.push_back(uses[i].use());
  return std::move(*this);
}
StepBuilder&& StepBuilder::source_column(std::string name) && {
  spec_.source_column = std::move(name);
  return std::move(*this);
}
StepBuilder&& StepBuilder::batch_rows(std::uint64_t rows) && {
  spec_.division.rows = rows;
  return std::move(*this);
}
StepBuilder&& StepBuilder::batch_bytes(std::uint64_t bytes) && {
  spec_.division.bytes = bytes;
  return std::move(*this);
}
StepBuilder&& StepBuilder::sql(std::string text) && {
  TransformUse use;
  use.kind = "sql";
  use.options = Node::map();
  use.options.set("sql", Node::scalar(std::move(text)));
  spec_.process.push_back(std::move(use));
  return std::move(*this);
}

StepBuilder&& StepBuilder::process(Use transform) && {
  spec_.process.push_back(TransformUse{transform.use().connector, transform.use().options, {}});
  return std::move(*this);
}

// A text file says nothing of types: the first function's argument says what its columns are.
void StepBuilder::declare_columns(ConnectorUse& read, const Schema& schema) {
  const bool is_text = read.connector == "csv" || read.connector == "jsonl";
  if (!is_text || read.options.find("columns") != nullptr) return;
  Node columns = Node::map();
  for (const auto& field : schema.fields) {
    if (field.name == spec_.source_column) continue;  // which no file has
    columns.set(field.name, Node::scalar(to_string(field.type)));
  }
  read.options.set("columns", std::move(columns));
  const auto take_only_these = [&](const char* option, const char* value) {
    if (read.options.find(option) != nullptr) return;
    read.options.set(option, Node::scalar(value));
  };
  if (read.connector == "csv")
    take_only_these("extra_columns", "undeclared");
  else
    take_only_these("unknown_keys", "ignore");
}

StepBuilder&& StepBuilder::add_function(std::function<Result<std::unique_ptr<Transform>>()> make,
                                        Schema input) && {
  if (spec_.process.empty()) {
    declare_columns(spec_.read, input);
    for (ConnectorUse& use : spec_.also_read) declare_columns(use, input);
  }
  TransformUse use;
  use.kind = "function";
  use.make = std::move(make);
  spec_.process.push_back(std::move(use));
  return std::move(*this);
}
StepBuilder&& StepBuilder::write(Use use) && {
  spec_.write = use.use();
  return std::move(*this);
}
StepBuilder&& StepBuilder::execute(Use use) && {
  spec_.execute = use.use();
  return std::move(*this);
}
StepBuilder&& StepBuilder::query(std::string select) && {
  spec_.query = Node::map();
  spec_.query->set("query", Node::scalar(std::move(select)));
  return std::move(*this);
}
StepBuilder&& StepBuilder::after(std::vector<std::string> steps) && {
  spec_.after = std::move(steps);
  return std::move(*this);
}

StepBuilder&& StepBuilder::when(std::string step, StepCondition::Outcome outcome,
                                std::uint64_t rejects_above) && {
  spec_.when.push_back({std::move(step), outcome, rejects_above, {}});
  return std::move(*this);
}

StepBuilder&& StepBuilder::exec(std::vector<std::string> program) && {
  std::vector<Node> words;
  for (std::string& word : program) words.push_back(Node::scalar(std::move(word)));
  spec_.exec = Node::map();
  spec_.exec->set("exec", Node::list(std::move(words)));
  return std::move(*this);
}
StepBuilder&& StepBuilder::backup(Use database, std::string to) && {
  spec_.backup = database.use().options;
  spec_.backup->set("to", Node::scalar(std::move(to)));
  return std::move(*this);
}
StepBuilder&& StepBuilder::restore(std::string from, Use database) && {
  spec_.restore = database.use().options;
  spec_.restore->set("from", Node::scalar(std::move(from)));
  return std::move(*this);
}
StepBuilder&& StepBuilder::report(const Report& report) && {
  spec_.report = report.node();
  return std::move(*this);
}
StepBuilder&& StepBuilder::on_error(MaxRejects limit) && {
  spec_.reject_limit = limit.limit;
  return std::move(*this);
}
StepBuilder&& StepBuilder::retry(RetryPolicy policy) && {
  spec_.retry = policy;
  return std::move(*this);
}
StepBuilder&& StepBuilder::workers(std::uint32_t threads) && {
  spec_.workers = WorkersSpec{};
  if (threads > 0) spec_.workers.kind = WorkersSpec::Kind::threads;
  spec_.workers.count = threads;
  return std::move(*this);
}

StepBuilder&& StepBuilder::workers(const WorkersSpec& workers) && {
  spec_.workers = workers;
  return std::move(*this);
}

JobBuilder::JobBuilder(std::string name) { job_.name = std::move(name); }
JobBuilder&& JobBuilder::step(const StepBuilder& step) && {
  job_.steps.push_back(step.spec());
  return std::move(*this);
}
JobBuilder&& JobBuilder::description(std::string text) && {
  job_.description = std::move(text);
  return std::move(*this);
}
JobBuilder&& JobBuilder::memory(std::uint64_t bytes) && {
  job_.memory_bytes = bytes;
  return std::move(*this);
}

}  // namespace tranche
