// A job in C++:
// job("name").step(step("load").read(csv("in.csv")).process(f).write(parquet("out")...)).
//
// Threads: value types, used by one thread. Mistakes in options are found before the start, as
// those of a job file are.
#pragma once

#include <concepts>
#include <initializer_list>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include <tranche/api/job.h>
#include <tranche/base/export.h>
#include <tranche/transforms/function.h>

namespace tranche {

enum class WriteMode { append, replace, upsert };
inline constexpr WriteMode append = WriteMode::append;
inline constexpr WriteMode replace = WriteMode::replace;
inline constexpr WriteMode upsert = WriteMode::upsert;

// A system and its options, for reading or writing; or a transform and its options.
class TRANCHE_EXPORT Use {
 public:
  Use(std::string connector, std::vector<std::string> paths);
  // Any option of the system's table, as a job file writes it: option("delimiter", ";").
  Use& option(std::string name, std::string value) &;
  Use& option(std::string name, std::vector<std::string> values) &;
  Use&& option(std::string name, std::string value) &&;
  // An option that is a map, as `into` and `headers` are.
  Use&& option(std::string name, std::vector<std::pair<std::string, std::string>> entries) &&;
  Use&& mode(WriteMode mode) &&;
  Use&& table(std::string name) &&;
  Use&& key(std::vector<std::string> columns) &&;
  Use&& partition_by(std::vector<std::string> columns) &&;
  // Names and types, as in a job file: columns({{"id", "bigint"}, {"name", "varchar"}}).
  Use&& columns(std::vector<std::pair<std::string, std::string>> names_and_types) &&;
  const ConnectorUse& use() const { return use_; }

 private:
  ConnectorUse use_;
};

TRANCHE_EXPORT Use csv(std::string path);
TRANCHE_EXPORT Use csv(std::vector<std::string> paths);
TRANCHE_EXPORT Use jsonl(std::string path);
TRANCHE_EXPORT Use jsonl(std::vector<std::string> paths);
TRANCHE_EXPORT Use parquet(std::string path);
TRANCHE_EXPORT Use postgres(std::string url);
TRANCHE_EXPORT Use sqlite(std::string path);
TRANCHE_EXPORT Use duckdb(std::string path);

// Transforms that are no C++: a program that answers to each record, and a web service that is
// called for each, as in
// http("https://prices/${record.sku}").option("into", {{"price", "double"}}).
// What they may be told stands in docs/programs.md and docs/web-services.md.
TRANCHE_EXPORT Use command(std::vector<std::string> program);
TRANCHE_EXPORT Use http(std::string url);

struct MaxRejects {
  RejectLimit limit;
};
inline MaxRejects max_rejects(std::uint64_t number) { return {RejectLimit{false, number, 0}}; }

// A section of a report: text, the rows of a query with or without a chart of them, or the rejects
// of an earlier step.
class TRANCHE_EXPORT Section {
 public:
  explicit Section(std::string title);
  Section&& text(std::string paragraphs) &&;
  Section&& query(std::string select) &&;
  // "bar", "horizontal_bar", "line", "area", "point" or "pie"; each of several `y` is a series.
  Section&& chart(std::string type, std::string x, std::vector<std::string> y) &&;
  Section&& chart(std::string type, std::string x, std::string y, std::string color = {}) &&;
  Section&& rejects(std::string step) &&;
  Section&& rows(std::uint64_t shown_max) &&;
  const Node& node() const { return node_; }

 private:
  Node node_;
};

// report("out/sales.html").title("Sales").section(section("By store").query("SELECT ..."))
class TRANCHE_EXPORT Report {
 public:
  explicit Report(std::string path);
  Report&& title(std::string title) &&;
  Report&& text(std::string paragraphs) &&;
  Report&& rows(std::uint64_t shown_max) &&;
  // A table that the queries may name.
  Report&& table(std::string name, Use use) &&;
  Report&& section(const Section& section) &&;
  const Node& node() const { return node_; }

 private:
  Node node_;
  Node tables_;
  std::vector<Node> sections_;
};

inline Section section(std::string title) { return Section(std::move(title)); }
inline Report report(std::string path) { return Report(std::move(path)); }

class TRANCHE_EXPORT StepBuilder {
 public:
  explicit StepBuilder(std::string name);
  StepBuilder&& read(Use use) &&;
  // Several sources, read one after the other; the columns are those of the first.
  // REQUIRES at least one.
  StepBuilder&& read(std::vector<Use> uses) &&;
  template <class... Uses>
  requires(sizeof...(Uses) > 0 && (std::convertible_to<Uses, Use> && ...)) StepBuilder &&
      read(Use first, Uses... more) && {
    std::vector<Use> uses{std::move(first)};
    (uses.push_back(std::move(more)), ...);
    return std::move(*this).read(std::move(uses));
  }
  // Instead of that: the result of SQL over files, as in query("SELECT * FROM 'a.parquet'").
  StepBuilder&& query(std::string select) &&;
  // A column more, with the name of the file or table that each record came from.
  StepBuilder&& source_column(std::string name) &&;
  StepBuilder&& batch_rows(std::uint64_t rows) &&;
  StepBuilder&& batch_bytes(std::uint64_t bytes) &&;
  // SQL over `batch`.
  StepBuilder&& sql(std::string text) &&;
  // A program or a web service: process(command({"python3", "score.py"}).columns({...})).
  StepBuilder&& process(Use transform) &&;
  // A function of a record: see tranche/transforms/function.h.
  template <class Function>
  requires(!std::convertible_to<Function, std::string> &&
           !std::same_as<Function, Use>) StepBuilder &&
      process(Function function) &&
  {
    using Shape = FunctionShape<Function>;
    return std::move(*this).add_function(
        [function]() -> Result<std::unique_ptr<Transform>> {
          return std::unique_ptr<Transform>(
              std::make_unique<FunctionTransform<Function>>(function));
        },
        schema_of<typename Shape::Input>());
  }
  StepBuilder&& write(Use use) &&;
  // Instead of all that: SQL that a database executes once in a run, as in
  // execute(postgres(url).option("sql", "ANALYZE sales")).
  StepBuilder&& execute(Use use) &&;
  // Or a program that runs once in a run: exec({"python3", "publish.py"}).
  StepBuilder&& exec(std::vector<std::string> program) &&;
  // Or a database that is written into a folder, as in
  // backup(postgres(url).option("exclude", "tmp_*"), "backups/shop"), or that into a database.
  StepBuilder&& backup(Use database, std::string to) &&;
  StepBuilder&& restore(std::string from, Use database) &&;
  // Or a report that is written.
  StepBuilder&& report(const Report& report) &&;
  // The steps that it waits for; the one above it when nothing is said, none for {}.
  StepBuilder&& after(std::vector<std::string> steps) &&;
  // What must have become of one of them; that it completed, when nothing is said. `rejects_above`:
  // for StepCondition::Outcome::rejects.
  StepBuilder&& when(std::string step, StepCondition::Outcome outcome,
                     std::uint64_t rejects_above = 0) &&;
  StepBuilder&& on_error(MaxRejects limit) &&;
  StepBuilder&& retry(RetryPolicy policy) &&;
  StepBuilder&& workers(std::uint32_t threads) &&;
  StepBuilder&& workers(const WorkersSpec& workers) &&;
  const StepSpec& spec() const { return spec_; }

 private:
  StepBuilder&& add_function(std::function<Result<std::unique_ptr<Transform>>()> make,
                             Schema input) &&;
  void declare_columns(ConnectorUse& read, const Schema& schema);
  StepSpec spec_;
};

class TRANCHE_EXPORT JobBuilder {
 public:
  explicit JobBuilder(std::string name);
  JobBuilder&& step(const StepBuilder& step) &&;
  JobBuilder&& description(std::string text) &&;
  JobBuilder&& memory(std::uint64_t bytes) &&;
  operator const JobSpec&() const { return job_; }  // NOLINT(implicit)
  const JobSpec& spec() const { return job_; }

 private:
  JobSpec job_;
};

inline JobBuilder job(std::string name) { return JobBuilder(std::move(name)); }
inline StepBuilder step(std::string name) { return StepBuilder(std::move(name)); }

}  // namespace tranche
