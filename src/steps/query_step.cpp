#include "steps/query_step.h"

#include <chrono>
#include <future>
#include <set>

#include <fmt/format.h>

#include "base/file.h"
#include "base/text.h"
#include "transforms/sql_paths.h"

namespace tranche {
namespace {

using namespace std::chrono_literals;

constexpr auto stop_interval = 50ms;

// One statement without its semicolon, and without the comments behind that.
std::string_view without_end(std::string_view text) {
  while (true) {
    const std::size_t semicolon = text.rfind(';');
    if (semicolon == std::string_view::npos) return text;
    for (const std::string& line : split(text.substr(semicolon + 1), '\n')) {
      if (!trim(line).empty() && !trim(line).starts_with("--")) return text;
    }
    text = trim(text.substr(0, semicolon));
  }
}

// Less than DuckDB takes by itself: a row group of wide rows is in memory as a whole, when it is
// written and when it is read.
constexpr std::uint64_t row_group_rows = 4 * vector_rows;

class Query {
 public:
  explicit Query(QueryStep step)
      : step_(std::move(step)), worker_(0, step_.memory_bytes_max, step_.spill_folder) {}

  // Everything that the text names is there.
  Result<void> prepare() {
    TRANCHE_ASSIGN(database_, DuckDatabase::open(step_.memory_bytes_max, step_.spill_folder));
    TRANCHE_ASSIGN(connection_, database_->connect());
    TRANCHE_TRY(search_files_in(*connection_, step_.base));  // for paths that are put together
    for (SqlLookup& table : step_.tables) {
      lookups_.push_back(FixedLookup{table.table, std::move(table.source)});
    }
    for (FixedLookup& lookup : lookups_) {
      TRANCHE_TRY(fix_lookup(lookup));
      TRANCHE_TRY(make_lookup_table(*connection_, lookup, worker_));
    }
    TRANCHE_ASSIGN(step_.text, with_absolute_paths(*connection_, step_.text, step_.base));
    return check();
  }

  Result<void> write(const fs::path& path, std::optional<std::uint64_t> rows,
                     const std::function<bool()>& stop_wanted) {
    TRANCHE_ASSIGN(std::string select, kept_select());
    if (rows) select = fmt::format("SELECT * FROM ({}) LIMIT {}", select, *rows);
    TRANCHE_TRY(connection_->execute(fmt::format("SET threads = {}", step_.threads)));
    const std::string copy =
        fmt::format("COPY ({}) TO {} (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE {})", select,
                    sql_literal(path.string()), row_group_rows);
    auto copied = std::async(std::launch::async, [&] { return connection_->execute(copy); });
    while (copied.wait_for(stop_interval) != std::future_status::ready) {
      if (stop_wanted()) connection_->interrupt();
    }
    auto done = copied.get();
    if (!done && done.error().kind == ErrorKind::bad_record) done.error().kind = ErrorKind::failed;
    if (!done) return std::move(done).error();
    return {};
  }

 private:
  Result<void> check() {
    TRANCHE_ASSIGN(const std::size_t statements, connection_->count_statements(step_.text));
    if (statements != 1) {
      return make_error(
          ErrorKind::config,
          fmt::format("A query is one SELECT, and these are {} statements.", statements));
    }
    TRANCHE_ASSIGN(const auto statement, connection_->prepare(step_.text));
    if (statement->is_select()) return {};
    return make_error(ErrorKind::config,
                      "A query is one SELECT; for SQL that changes something there are `execute:` "
                      "steps.");
  }

  // The text without what may stand behind it, with the types that Parquet has not made others.
  Result<std::string> kept_select() {
    std::string_view text = trim(step_.text);
    text = without_end(text);
    // The line end ends a comment.
    const std::string select = fmt::format("{}\n", text);
    TRANCHE_ASSIGN(const auto columns, connection_->query_texts("DESCRIBE " + select));
    std::string list;
    bool is_changed = false;
    std::set<std::string> names;
    for (const auto& column : columns) {
      if (!names.insert(to_lower(column[0])).second) {
        return make_error(ErrorKind::config,
                          fmt::format("Two columns of the query are named \"{}\"; give each its "
                                      "own name with AS.",
                                      column[0]));
      }
      const std::string name = sql_identifier(column[0]);
      const std::string& type = column[1];
      if (!list.empty()) list += ", ";
      if (type == "HUGEINT" || type == "UHUGEINT") {  // sums of whole numbers
        list += fmt::format("CAST({0} AS DECIMAL(38,0)) AS {0}", name);
        is_changed = true;
      } else if (type.find("HUGEINT") != std::string::npos) {
        return make_error(ErrorKind::config,
                          fmt::format("Column \"{}\" is a {}, which can't be kept exactly; cast "
                                      "what is in it to BIGINT or DECIMAL(38,0).",
                                      column[0], type));
      } else {
        list += name;
      }
    }
    return is_changed ? fmt::format("SELECT {} FROM ({})", list, select) : select;
  }

  QueryStep step_;
  WorkerScope worker_;
  std::vector<FixedLookup> lookups_;  // outlive the connection
  std::shared_ptr<DuckDatabase> database_;
  std::unique_ptr<DuckConnection> connection_;
};

}  // namespace

Result<void> keep_query_result(QueryStep query, const fs::path& path,
                               std::optional<std::uint64_t> rows,
                               const std::function<bool()>& stop_wanted) {
  const std::string place = query.place;
  const std::uint64_t memory = query.memory_bytes_max;
  const auto explained = [&](Error error) {
    if (error.where.empty() && error.kind == ErrorKind::config) error.where = place;
    if (error.kind == ErrorKind::memory)
      error.message = fmt::format(
          "The query can't do with its share of the run's memory, {}, and what it may spill; give "
          "the run more: memory: 1GiB, or --memory. DuckDB says: {}",
          format_size(memory), error.message);
    return error;
  };
  TRANCHE_TRY(create_folders(path.parent_path()));
  const fs::path part = path.string() + ".part";
  TRANCHE_TRY(remove_file(part));
  {
    Query running(std::move(query));
    if (auto ready = running.prepare(); !ready) return explained(std::move(ready).error());
    auto written = running.write(part, rows, stop_wanted);
    if (!written) {
      static_cast<void>(remove_file(part));
      return explained(std::move(written).error());
    }
  }
  TRANCHE_ASSIGN(auto file, File::open_write(part));
  TRANCHE_TRY(file.sync());
  return rename_durably(part, path);
}

}  // namespace tranche
