// DuckDB as a peer in measurements: runs statements through its C API, with its own defaults.
//
//   duckdb_peer THREADS SQL...
//
// Prints the rows of the last statement, fields with a bar between them. What goes wrong is one
// line on standard error, with exit code 1.
#include <duckdb.h>

#include <cstdio>
#include <cstring>

namespace {

bool complain(const char* what) {
  std::fprintf(stderr, "duckdb_peer: %s\n", what);
  return false;
}

void print_rows(duckdb_result& result) {
  const idx_t columns = duckdb_column_count(&result);
  const idx_t rows = duckdb_row_count(&result);
  for (idx_t row = 0; row < rows; ++row) {
    for (idx_t column = 0; column < columns; ++column) {
      char* const text = duckdb_value_varchar(&result, column, row);
      std::printf("%s%s", column == 0 ? "" : "|", text == nullptr ? "NULL" : text);
      duckdb_free(text);
    }
    std::printf("\n");
  }
}

bool run(duckdb_connection connection, const char* statement, bool is_last) {
  duckdb_result result;
  const bool done = duckdb_query(connection, statement, &result) == DuckDBSuccess;
  if (!done) complain(duckdb_result_error(&result));
  if (done && is_last) print_rows(result);
  duckdb_destroy_result(&result);
  return done;
}

bool run_all(const char* threads, int count, char** statements) {
  duckdb_config config = nullptr;
  if (duckdb_create_config(&config) != DuckDBSuccess ||
      duckdb_set_config(config, "threads", threads) != DuckDBSuccess) {
    return complain("can't set the number of threads");
  }
  duckdb_database database = nullptr;
  char* error = nullptr;
  const bool opened = duckdb_open_ext(nullptr, &database, config, &error) == DuckDBSuccess;
  duckdb_destroy_config(&config);
  if (!opened) return complain(error);
  duckdb_connection connection = nullptr;
  bool done = duckdb_connect(database, &connection) == DuckDBSuccess;
  if (!done) complain("can't connect");
  for (int i = 0; done && i < count; ++i) done = run(connection, statements[i], i + 1 == count);
  duckdb_disconnect(&connection);
  duckdb_close(&database);
  return done;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc == 2 && std::strcmp(argv[1], "--version") == 0) {
    std::printf("%s\n", duckdb_library_version());
    return 0;
  }
  if (argc < 3) {
    complain("usage: duckdb_peer THREADS SQL...");
    return 2;
  }
  return run_all(argv[1], argc - 2, argv + 2) ? 0 : 1;
}
