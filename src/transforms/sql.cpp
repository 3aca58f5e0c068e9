#include "transforms/sql.h"

#include <fmt/format.h>

#include <algorithm>
#include <mutex>
#include <set>
#include <utility>

#include "base/digest.h"
#include "base/fault.h"
#include "base/text.h"
#include "drivers/duckdb_database.h"
#include "transforms/file_digests.h"
#include "transforms/sql_batch.h"
#include "transforms/sql_check.h"
#include "transforms/sql_files.h"
#include "transforms/sql_paths.h"
#include "transforms/sql_order.h"

namespace tranche {
namespace {

constexpr std::size_t page_rows = 8 * vector_rows;

// What every worker makes for itself of the transform.
struct Definition {
  SqlOptions options;
  std::vector<FixedLookup> lookups;
  CheckedSql sql;
  std::vector<std::filesystem::path> files;  // that the SQL reads by itself
  bool sorts = false;  // the statement is sql.ordered_text
  SchemaPtr input;
  SchemaPtr output;

  Error at_place(Error error) const {
    if (error.where.empty()) error.where = options.place;
    return error;
  }
};

// A worker's connection with everything that the SQL names.
struct Workplace {
  std::unique_ptr<DuckConnection> connection;
  std::shared_ptr<BatchRows> rows;
  std::unique_ptr<DuckStatement> statement;

  Result<void> connect(const Definition& of, WorkerScope& worker) {
    TRANCHE_ASSIGN(const auto database, DuckDatabase::of(worker));
    TRANCHE_ASSIGN(connection, database->connect());
    rows = std::make_shared<BatchRows>(worker.breadcrumb());
    rows->clear();
    for (const FixedLookup& lookup : of.lookups)
      TRANCHE_TRY(make_lookup_table(*connection, lookup, worker));
    return {};
  }

  Result<void> prepare(const Definition& of) {
    PageFeed feed;
    feed.schema = of.input;
    feed.gives_file = of.sql.names_file;
    feed.gives_line = of.sql.names_line;
    feed.gives_row = of.sorts;
    feed.open = [batch = rows]() -> Result<PageCursor> { return batch->scan(); };
    TRANCHE_ASSIGN(feed_name_, connection->add_feed(std::move(feed)));
    TRANCHE_TRY(connection->execute(
        fmt::format("CREATE OR REPLACE TEMP VIEW batch AS SELECT * FROM {}()", feed_name_)));
    return prepare_text(of, of.sorts ? of.sql.ordered_text : of.sql.text);
  }

  // The operator that may give the rows of batch in another order; "" for none. REQUIRES that the
  // statement was prepared, and prepares another one.
  Result<std::string> scrambler(const Definition& of) {
    TRANCHE_TRY(prepare_text(of, "EXPLAIN (FORMAT json) " + of.sql.text));
    TRANCHE_ASSIGN(const auto result, statement->execute());
    TRANCHE_ASSIGN(const SchemaPtr schema, result->schema());
    Page page(schema);
    TRANCHE_ASSIGN(const std::size_t fetched, result->fetch());
    TRANCHE_TRY(result->append_to(page));
    TRANCHE_TRY(result->fetch());  // the end: until then a transaction is open
    if (fetched != 1 || page.column_count() != 2)
      return make_error(ErrorKind::bug, "DuckDB explains the SQL in another form than expected");
    TRANCHE_ASSIGN(const Json plan, Json::parse(page.column(1).values<StringRef>()[0].view()));
    return scrambling_operator(*connection, plan, feed_name_);
  }

 private:
  Result<void> prepare_text(const Definition& of, const std::string& text) {
    TRANCHE_ASSIGN(statement, connection->prepare(text));
    return bind_parameters(of.options.parameters);
  }

  Result<void> bind_parameters(const std::vector<Parameter>& parameters) {
    for (const std::string& name : statement->parameter_names()) {
      const auto same = [&](const Parameter& parameter) {
        return to_lower(parameter.name) == to_lower(name);
      };
      const auto found = std::find_if(parameters.begin(), parameters.end(), same);
      if (found == parameters.end()) return unknown_parameter(name, parameters);
      TRANCHE_TRY(statement->bind(*found));
    }
    return {};
  }

  static Error unknown_parameter(const std::string& name,
                                 const std::vector<Parameter>& parameters) {
    std::vector<std::string> names;
    for (const Parameter& parameter : parameters) names.push_back(parameter.name);
    const auto near = nearest(name, names);
    if (near)
      return make_error(ErrorKind::config, fmt::format("There is no parameter ${}; did you mean "
                                                       "${}?",
                                                       name, *near));
    return make_error(
        ErrorKind::config,
        names.empty()
            ? fmt::format("There is no parameter ${}; the job has none", name)
            : fmt::format("There is no parameter ${}; the job has ${}", name, join(names, ", $")));
  }

  std::string feed_name_;  // the table function behind batch
};

class SqlInstance : public TransformInstance {
 public:
  SqlInstance(std::shared_ptr<const Definition> definition, Workplace place, WorkerScope& worker)
      : definition_(std::move(definition)),
        place_(std::move(place)),
        breadcrumb_(worker.breadcrumb()),
        rejects_enough_(worker.rejects_enough()) {}

  Result<void> process(std::span<const std::unique_ptr<Page>> pages, const PageConsumer& consume,
                       std::vector<Reject>& rejects, StageCounts& counts) override {
    place_.rows->set(pages);
    auto done = process_batch(rejects, counts);
    place_.rows->clear();
    std::vector<std::unique_ptr<Page>> given = std::exchange(given_, {});
    if (!done) return definition_->at_place(std::move(done).error());
    for (auto& page : given) TRANCHE_TRY(consume(std::move(page)));
    return {};
  }

  bool rejects_incomplete() const override { return rejects_incomplete_; }

 private:
  // Rows go on only when the whole batch has succeeded: what is consumed can't be taken back.
  Result<void> process_batch(std::vector<Reject>& rejects, StageCounts& counts) {
    const std::size_t rows = place_.rows->rows();
    counts.in += rows;
    rejects_incomplete_ = false;
    auto run = drain(true);
    if (run) {
      counts.out += *run;
      return {};
    }
    if (run.error().kind != ErrorKind::bad_record) return run.error();
    if (definition_->options.per_batch)
      return make_error(
          ErrorKind::failed,
          fmt::format("With per_batch: true the batch fails as a whole: {}", run.error().message));
    TRANCHE_ASSIGN(const auto culprits, isolate(rows));
    if (culprits.empty())
      return make_error(ErrorKind::failed,
                        fmt::format("{} (no single record is the cause)", run.error().message));
    for (const auto& [row, error] : culprits) {
      const auto [page, at] = place_.rows->find(row);
      rejects.push_back(reject_row(*page, at, "sql", error));
    }
    counts.rejected += culprits.size();
    if (rejects_incomplete_) {
      given_.clear();
      return {};
    }
    std::vector<std::size_t> excluded;
    for (const auto& culprit : culprits) excluded.push_back(culprit.first);
    place_.rows->limit(0, rows);
    place_.rows->exclude(std::move(excluded));
    TRANCHE_ASSIGN(const std::uint64_t fetched, drain(true));
    counts.out += fetched;
    return {};
  }

  // Runs the statement to its end; the rows that DuckDB gave. Builds pages only when asked.
  Result<std::uint64_t> drain(bool keep) {
    given_.clear();
    TRANCHE_ASSIGN(const auto result, place_.statement->execute());
    TRANCHE_ASSIGN(const SchemaPtr schema, result->schema());
    if (*schema != *definition_->output)
      return make_error(ErrorKind::bug,
                        fmt::format("The SQL gives ({}) now, but gave ({}) when it was checked",
                                    to_string(*schema), to_string(*definition_->output)));
    std::uint64_t fetched = 0;
    while (true) {
      TRANCHE_ASSIGN(const std::size_t rows, result->fetch());
      if (rows == 0) return fetched;
      breadcrumb_.beat();
      fetched += rows;
      if (!keep) {
        if (!scratch_) scratch_ = std::make_unique<Page>(definition_->output, vector_rows);
        scratch_->clear();
        TRANCHE_TRY(result->append_to(*scratch_));
        continue;
      }
      if (given_.empty() || given_.back()->rows() + rows > page_rows)
        given_.push_back(std::make_unique<Page>(definition_->output, vector_rows));
      Page& page = *given_.back();
      if (page.capacity() < page.rows() + rows) page.reserve(page_rows);
      TRANCHE_TRY(result->append_to(page));
      if (fault_drops_record("sql")) page.set_rows(page.rows() - 1);
    }
  }

  using Culprits = std::vector<std::pair<std::size_t, std::string>>;

  // The records that fail alone, in order, by halving ranges that fail; no more than are enough to
  // fail the step.
  Result<Culprits> isolate(std::size_t rows) {
    Culprits culprits;
    place_.rows->limit(0, 0);
    if (!drain(false)) return culprits;  // it fails without any record, so none is guilty
    std::vector<std::pair<std::size_t, std::size_t>> suspects{{0, rows}};
    while (!suspects.empty()) {
      const auto [begin, end] = suspects.back();
      suspects.pop_back();
      place_.rows->limit(begin, end);
      const auto run = drain(false);
      if (run) continue;
      if (run.error().kind != ErrorKind::bad_record) return run.error();
      if (end - begin == 1) {
        culprits.emplace_back(begin, run.error().message);
        rejects_incomplete_ = culprits.size() >= rejects_enough_ && !suspects.empty();
        if (rejects_incomplete_) return culprits;
        continue;
      }
      const std::size_t middle = begin + (end - begin) / 2;
      suspects.emplace_back(middle, end);
      suspects.emplace_back(begin, middle);
    }
    return culprits;
  }

  std::shared_ptr<const Definition> definition_;
  Workplace place_;
  std::vector<std::unique_ptr<Page>> given_;
  std::unique_ptr<Page> scratch_;
  Breadcrumb& breadcrumb_;
  std::uint64_t rejects_enough_;
  bool rejects_incomplete_ = false;
};

class SqlTransform : public Transform {
 public:
  explicit SqlTransform(SqlOptions options) : definition_(std::make_shared<Definition>()) {
    for (SqlLookup& table : options.tables)
      definition_->lookups.push_back(FixedLookup{table.table, std::move(table.source)});
    options.tables.clear();
    definition_->options = std::move(options);
  }

  std::string name() const override { return "sql"; }
  Scope scope() const override { return Scope::batch; }
  bool uses_database() const override { return true; }
  std::vector<std::string> keeps_from_writing() const override {
    std::vector<std::string> kept;
    for (const FixedLookup& lookup : definition_->lookups) {
      for (std::string& one : lookup.source->keeps_from_writing()) kept.push_back(std::move(one));
    }
    return kept;
  }

  Result<SchemaPtr> bind(SchemaPtr input, WorkerScope& worker) override {
    auto bound = bind_in(std::move(input), worker);
    if (bound) return bound;
    Error error = definition_->at_place(std::move(bound).error());
    // Without records nothing can be a record's fault: a constant is wrong, say.
    if (error.kind == ErrorKind::bad_record) error.kind = ErrorKind::config;
    return error;
  }

  Result<void> check_alone(WorkerScope& worker) const override {
    TRANCHE_ASSIGN(const auto database, DuckDatabase::of(worker));
    TRANCHE_ASSIGN(const auto connection, database->connect());
    const auto parsed = connection->count_statements(definition_->options.text);
    return parsed ? Result<void>() : Result<void>(definition_->at_place(parsed.error()));
  }

  Result<std::unique_ptr<TransformInstance>> instance(WorkerScope& worker) const override {
    Workplace place;
    auto ready = place.connect(*definition_, worker);
    if (ready) ready = place.prepare(*definition_);
    if (!ready) return definition_->at_place(std::move(ready).error());
    return std::unique_ptr<TransformInstance>(
        std::make_unique<SqlInstance>(definition_, std::move(place), worker));
  }

  Result<std::string> fingerprint() const override {
    TRANCHE_TRY(fix_lookups());
    std::string print;
    for (const FixedLookup& lookup : definition_->lookups) {
      std::string content = to_string(*lookup.schema);
      for (const Slice& slice : lookup.slices) content += to_hex64(slice.digest);
      print += fmt::format("lookup table {}, content {}\n", lookup.table, digest_hex(content));
    }
    auto files = fingerprint_files(definition_->files, definition_->options.base);
    if (!files) return definition_->at_place(std::move(files).error());
    return print + *files;
  }

 private:
  Result<void> fix_lookups() const {
    const std::scoped_lock lock(mutex_);
    if (fixed_) return {};
    std::set<std::string> names{"batch"};
    for (FixedLookup& lookup : definition_->lookups) {
      if (!names.insert(to_lower(lookup.table)).second)
        return make_error(ErrorKind::config,
                          fmt::format("The lookup table {} needs a name of its own", lookup.table));
      TRANCHE_TRY(fix_lookup(lookup));
    }
    fixed_ = true;
    return {};
  }

  Result<SchemaPtr> bind_in(SchemaPtr input, WorkerScope& worker) {
    TRANCHE_TRY(fix_lookups());
    Definition& of = *definition_;
    of.input = std::move(input);
    Workplace place;
    TRANCHE_TRY(place.connect(of, worker));
    TRANCHE_ASSIGN(const std::string text, with_absolute_paths(*place.connection, of.options.text,
                                                               of.options.base));
    TRANCHE_ASSIGN(of.sql, check_sql(*place.connection, text, of.options.per_batch, *of.input));
    TRANCHE_ASSIGN(of.files, find_sql_files(*place.connection, of.sql.files));
    of.sorts = false;
    TRANCHE_ASSIGN(of.output, output_of(place));
    if (!of.options.per_batch) TRANCHE_TRY(keep_order(place));
    std::set<std::string> names;
    for (const Field& field : of.output->fields) {
      if (!names.insert(to_lower(field.name)).second)
        return make_error(ErrorKind::config,
                          fmt::format("The SQL gives two columns named \"{}\"; name one of them "
                                      "otherwise with AS",
                                      field.name));
    }
    return of.output;
  }

  Result<SchemaPtr> output_of(Workplace& place) const {
    TRANCHE_TRY(place.prepare(*definition_));
    TRANCHE_ASSIGN(const auto result, place.statement->execute());
    return result->schema();
  }

  // Has the rows sorted by batch's order where DuckDB's plan does not keep it.
  Result<void> keep_order(Workplace& place) {
    Definition& of = *definition_;
    TRANCHE_ASSIGN(const std::string scrambler, place.scrambler(of));
    if (scrambler.empty()) return {};
    of.sorts = !of.sql.ordered_text.empty();
    if (of.sorts) {
      TRANCHE_ASSIGN(const SchemaPtr sorted, output_of(place));
      if (*sorted == *of.output) return {};
    }
    return make_error(
        ErrorKind::config,
        fmt::format("The output would not follow the order of the input: DuckDB joins by {} here. "
                    "Write batch itself, not a subquery of it, in the FROM of the outermost "
                    "SELECT and name its columns one by one, or say per_batch: true if any order "
                    "within a batch will do",
                    scrambler));
  }

  std::shared_ptr<Definition> definition_;
  mutable std::mutex mutex_;
  mutable bool fixed_ = false;
};

}  // namespace

Result<std::unique_ptr<Transform>> make_sql_transform(SqlOptions options) {
  if (trim(options.text).empty())
    return make_error(ErrorKind::config, "The SQL is empty", options.place);
  return std::unique_ptr<Transform>(std::make_unique<SqlTransform>(std::move(options)));
}

}  // namespace tranche
