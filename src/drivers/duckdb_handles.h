// Inside drivers only: owners of DuckDB's C handles, its types and ours, its messages as Errors.
// Threads: as the handles' owners. Lifetime: each owner destroys its handle.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "drivers/duckdb_database.h"
#include "drivers/duckdb_library.h"

namespace tranche {

// Owns a handle that DuckDB destroys through a pointer to it.
template <class Handle, const auto& destroy> class DuckHandle {
 public:
  DuckHandle() = default;
  explicit DuckHandle(Handle handle) : handle_(handle) {}
  DuckHandle(DuckHandle&& other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}
  DuckHandle& operator=(DuckHandle&& other) noexcept {
    std::swap(handle_, other.handle_);
    return *this;
  }
  ~DuckHandle() { reset(); }
  void reset() {
    if (handle_ != nullptr) destroy(&handle_);
    handle_ = nullptr;
  }
  Handle get() const { return handle_; }
  Handle* out() {
    reset();
    return &handle_;
  }

 private:
  Handle handle_ = nullptr;
};

using LogicalTypeHandle = DuckHandle<duckdb_logical_type, duckdb_destroy_logical_type>;
using ChunkHandle = DuckHandle<duckdb_data_chunk, duckdb_destroy_data_chunk>;
using ValueHandle = DuckHandle<duckdb_value, duckdb_destroy_value>;

// DuckDB's message as an error: kind by its prefix, text without it.
Error duckdb_error(const char* message);

LogicalTypeHandle make_logical_type(Type type);

// How the values of one result column, or of a part of it, become ours.
enum class ColumnCopy {
  fixed, string, enumeration, seconds, milliseconds, nanoseconds, list, array, structure,
};
struct ResultColumn {
  std::string name;
  Type type;
  ColumnCopy copy = ColumnCopy::fixed;
  std::vector<std::string> words;  // of an enumeration
  std::size_t index_bytes = 0;     // of an enumeration
  std::size_t array_length = 0;    // elements of each value of an array, which becomes a list
  std::vector<ResultColumn> parts;  // of a list or an array its element, of a struct its members
  std::string unsupported;         // DuckDB's name of a type that we don't have
};
ResultColumn describe_result_column(const char* name, duckdb_logical_type type);

// Appends `rows` values of a flat vector behind row `at` of the column, strings into the arena.
Result<void> append_vector(Column& column, Arena& arena, const ResultColumn& from,
                           duckdb_vector vector, std::size_t at, std::size_t rows);

// A parameter's value. Errors: config, when the text is none of the type.
Result<ValueHandle> make_value(DuckConnection& connection, const Parameter& parameter);

// A feed in the service of a table function, and what it failed with.
struct ServedFeed {
  PageFeed feed;
  std::optional<Error> failure;
};
Result<void> register_feed(duckdb_connection connection, const std::string& name,
                           std::shared_ptr<ServedFeed> feed);

}  // namespace tranche
