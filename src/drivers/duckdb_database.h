// DuckDB behind our own types: an instance for each worker, connections, prepared statements,
// streaming results, and table functions that read our Pages.
//
// Threads: a DuckDatabase may be shared, everything made from it belongs to one thread. Opens are
// serialised by a mutex, since instances that open at the same moment race inside DuckDB.
// Lifetime: a result keeps what it needs of its statement and connection; a connection keeps its
// database.
// Errors: DuckDB's first line without its prefix. Their kind: config (parser, binder, catalog),
// bad_record (conversion, invalid input, out of range, constraint), memory, stopped (interrupted),
// bug (internal), else failed. What a PageFeed failed with comes back as it was.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <tranche/core/page.h>
#include <tranche/core/parameter.h>
#include <tranche/core/worker.h>

namespace tranche {

// Rows [begin, end) of a page that a scan reads next.
struct PageRun {
  std::shared_ptr<const Page> page;  // nullptr: no more rows
  std::size_t begin = 0;
  std::size_t end = 0;
};
using PageCursor = std::function<Result<PageRun>()>;

inline constexpr std::string_view row_number_name = "_tranche_row";

// Rows for a table function. Strings are read where they lie: DuckDB holds on to a page until it
// asks for the rows behind it.
struct PageFeed {
  SchemaPtr schema;
  bool gives_file = false;  // a column _file: the source of a row's record, null without origins
  bool gives_line = false;  // a column _line: its line from 1, null without lines
  bool gives_row = false;   // a column of the name below: ascending through a scan, from 0
  std::function<Result<PageCursor>()> open;  // a new scan from the first row; there may be several
};

// A stream of result rows, read chunk by chunk.
class DuckResult {
 public:
  struct State;
  explicit DuckResult(std::unique_ptr<State> state);
  ~DuckResult();
  DuckResult(const DuckResult&) = delete;
  DuckResult& operator=(const DuckResult&) = delete;

  // Names and types. Errors: config, naming a column whose type we don't have (LIST, INTERVAL).
  Result<SchemaPtr> schema() const;
  // Moves to the next chunk: its rows (at most vector_rows), 0 at the end.
  Result<std::size_t> fetch();
  // Appends the chunk's rows behind those of `page`, strings copied into its arena. REQUIRES a page
  // of the result's schema, or of its first columns. Errors: bad_record, for a timestamp that
  // microseconds can't hold.
  Result<void> append_to(Page& page) const;
  // The chunk's values of a column. REQUIRES a bigint column without nulls; valid until fetch().
  const std::int64_t* numbers(std::size_t column) const;

 private:
  std::unique_ptr<State> state_;
};

class DuckStatement {
 public:
  struct State;
  explicit DuckStatement(std::unique_ptr<State> state);
  ~DuckStatement();
  DuckStatement(const DuckStatement&) = delete;
  DuckStatement& operator=(const DuckStatement&) = delete;

  std::vector<std::string> parameter_names() const;  // "day" of $day, in order of their index
  bool is_select() const;
  // Binds a typed value to the parameter of its name. REQUIRES that the statement has it.
  Result<void> bind(const Parameter& parameter);
  // Runs it; rows are computed as they are fetched. One result at a time.
  Result<std::unique_ptr<DuckResult>> execute();

 private:
  std::unique_ptr<State> state_;
};

class DuckConnection {
 public:
  struct State;
  explicit DuckConnection(std::shared_ptr<State> state);
  ~DuckConnection();
  DuckConnection(const DuckConnection&) = delete;
  DuckConnection& operator=(const DuckConnection&) = delete;

  // Runs a statement to its end; the number of rows it reports to have changed (COPY: written).
  Result<std::uint64_t> execute(const std::string& sql);
  // Ends the statement that another thread executes, as soon as may be: it fails as stopped.
  void interrupt();
  Result<std::unique_ptr<DuckResult>> query(const std::string& sql);
  Result<std::unique_ptr<DuckStatement>> prepare(const std::string& sql);
  // How many statements the text holds. Errors: config, from the parser.
  Result<std::size_t> count_statements(const std::string& sql);
  // Every cell of a small result as text; "" for null.
  Result<std::vector<std::vector<std::string>>> query_texts(const std::string& sql);
  // Makes a table function of the feed and returns its name, which is unique in the database. The
  // feed lives as long as the connection.
  Result<std::string> add_feed(PageFeed feed);

 private:
  friend Result<std::string> attach_to_read(DuckConnection& connection, const std::string& path);
  std::shared_ptr<State> state_;
};

class DuckDatabase : public std::enable_shared_from_this<DuckDatabase> {
 public:
  struct State;
  explicit DuckDatabase(std::unique_ptr<State> state);
  ~DuckDatabase();

  // A new instance in memory with one thread. `memory_bytes_max` 0: DuckDB's own default.
  static Result<std::shared_ptr<DuckDatabase>> open(std::uint64_t memory_bytes_max,
                                                    const std::string& spill_folder);
  // A database file, for reading and writing by this process alone; a missing one is created.
  // Errors: transient, when another process has it open; failed, when it is none.
  static Result<std::shared_ptr<DuckDatabase>> open_file(const std::string& path,
                                                         std::uint64_t memory_bytes_max,
                                                         const std::string& spill_folder);
  // As open(), but one that was given back by its last owner may come, see KeptInstances. For
  // those who leave nothing in it: what they make is temporary, or of their connection.
  static Result<std::shared_ptr<DuckDatabase>> borrow(std::uint64_t memory_bytes_max,
                                                      const std::string& spill_folder);
  // The worker's own instance, borrowed at first use.
  static Result<std::shared_ptr<DuckDatabase>> of(WorkerScope& worker);
  Result<std::unique_ptr<DuckConnection>> connect();

 private:
  static Result<std::shared_ptr<DuckDatabase>> open_at(const char* path,
                                                       std::uint64_t memory_bytes_max,
                                                       const std::string& spill_folder);
  std::unique_ptr<State> state_;
};

// While one lives, instances that are given back whole are kept for the next borrower with the same
// limit and folder: to open one and to close it takes 15 ms of a processor, more than all other
// work of a small step.
// Threads: any. Lifetime: the last one closes those that nobody has borrowed.
class KeptInstances {
 public:
  KeptInstances();
  ~KeptInstances();
  KeptInstances(const KeptInstances&) = delete;
  KeptInstances& operator=(const KeptInstances&) = delete;
};

// Makes an empty database at `path`, durably and whole, or not at all; one that is there stays as
// it is. DuckDB itself writes the head of a new file in pieces, and a file whose making was
// interrupted it never opens again. `scratch` is a folder for the time being.
Result<void> create_database_file(const std::string& path, const std::string& scratch);
// Makes a database file part of the connection's instance, read-only, where it is not yet; the
// name to be used in SQL. While it is, no other process writes to it. Errors: those of open_file.
Result<std::string> attach_to_read(DuckConnection& connection, const std::string& path);
// DuckDB's error about a database file, as a sentence that says whose the file is now.
Error duckdb_file_error(Error error, const std::string& path);

std::string sql_identifier(std::string_view name);  // "a ""b"""
std::string sql_literal(std::string_view text);     // 'it''s'
// The path as functions that read files take it, with nothing in it that DuckDB would take for a
// pattern.
std::string unglobbed(std::string_view path);
// A name of our type that DuckDB's CAST takes: "DECIMAL(12,2)".
std::string sql_type(Type type);

}  // namespace tranche
