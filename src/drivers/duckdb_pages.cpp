// The table function that reads our Pages: fixed widths by memcpy, strings where they lie, vectors
// filled to 2048 rows across pages, so that what is made of them does not depend on the pages.

#include <fmt/format.h>

#include <cstring>
#include <numeric>
#include <utility>

#include "drivers/duckdb_handles.h"

namespace tranche {
namespace {

using FeedPtr = std::shared_ptr<ServedFeed>;

// Rows that a scan is said to give: the true number is not known when a statement is prepared, and
// a small one would tempt DuckDB to build a join on it.
constexpr idx_t assumed_rows = 1'000'000;

constexpr std::size_t row_column = SIZE_MAX - 3;
constexpr std::size_t file_column = SIZE_MAX - 1;
constexpr std::size_t line_column = SIZE_MAX - 2;
constexpr std::size_t no_column = SIZE_MAX;  // DuckDB asks for a row's existence only

// One scan.
struct Scan {
  FeedPtr feed;
  PageCursor cursor;
  PageRun run;
  std::vector<std::shared_ptr<const Page>> in_use;  // whose strings the last chunk points to
  std::vector<std::size_t> columns;                 // of the page, or one of the above
  std::int64_t rows_given = 0;
  bool ended = false;
};

FeedPtr& feed_of(void* extra) { return *static_cast<FeedPtr*>(extra); }

void bind(duckdb_bind_info info) {
  const PageFeed& feed = feed_of(duckdb_bind_get_extra_info(info))->feed;
  for (const Field& field : feed.schema->fields) {
    const LogicalTypeHandle type = make_logical_type(field.type);
    duckdb_bind_add_result_column(info, field.name.c_str(), type.get());
  }
  if (feed.gives_file) {
    const LogicalTypeHandle type = make_logical_type(Type{TypeId::varchar});
    duckdb_bind_add_result_column(info, "_file", type.get());
  }
  if (feed.gives_line) {
    const LogicalTypeHandle type = make_logical_type(Type{TypeId::bigint});
    duckdb_bind_add_result_column(info, "_line", type.get());
  }
  if (feed.gives_row) {
    const LogicalTypeHandle type = make_logical_type(Type{TypeId::bigint});
    duckdb_bind_add_result_column(info, std::string(row_number_name).c_str(), type.get());
  }
  duckdb_bind_set_cardinality(info, assumed_rows, false);
}

std::size_t column_at(const PageFeed& feed, idx_t index) {
  std::size_t next = feed.schema->fields.size();
  if (index < next) return index;
  if (feed.gives_file && index == next++) return file_column;
  if (feed.gives_line && index == next++) return line_column;
  if (feed.gives_row && index == next) return row_column;
  return no_column;
}

void init(duckdb_init_info info) {
  FeedPtr& feed = feed_of(duckdb_init_get_extra_info(info));
  auto scan = std::make_unique<Scan>();
  scan->feed = feed;
  auto cursor = feed->feed.open();
  if (!cursor) {
    duckdb_init_set_error(info, cursor.error().message.c_str());
    feed->failure = std::move(cursor).error();
    return;
  }
  scan->cursor = *std::move(cursor);
  const idx_t count = duckdb_init_get_column_count(info);
  for (idx_t at = 0; at < count; ++at)
    scan->columns.push_back(column_at(feed->feed, duckdb_init_get_column_index(info, at)));
  duckdb_init_set_max_threads(info, 1);
  duckdb_init_set_init_data(info, scan.release(), [](void* data) {
    const std::unique_ptr<Scan> last(static_cast<Scan*>(data));
  });
}

// Clears the validity bits of the rows that are null in [begin, begin + rows) of the column.
void copy_nulls(const Column& column, std::size_t begin, std::size_t rows, duckdb_vector to,
                std::size_t at) {
  if (!column.has_nulls()) return;
  duckdb_vector_ensure_validity_writable(to);
  std::uint64_t* bits = duckdb_vector_get_validity(to);
  const std::uint64_t* from = column.validity();
  for (std::size_t row = begin; row < begin + rows;) {
    const std::size_t shift = row & 63;
    const std::size_t live = std::min(64 - shift, begin + rows - row);
    const std::uint64_t mask = live == 64 ? ~0ULL : (1ULL << live) - 1;
    for (std::uint64_t nulls = ~(from[row >> 6] >> shift) & mask; nulls != 0; nulls &= nulls - 1) {
      const std::size_t target =
          at + (row - begin) + static_cast<std::size_t>(__builtin_ctzll(nulls));
      bits[target >> 6] &= ~(1ULL << (target & 63));
    }
    row += live;
  }
}

void set_nulls(duckdb_vector to, std::size_t at, std::size_t rows) {
  duckdb_vector_ensure_validity_writable(to);
  std::uint64_t* bits = duckdb_vector_get_validity(to);
  for (std::size_t row = at; row < at + rows; ++row) bits[row >> 6] &= ~(1ULL << (row & 63));
}

void copy_origins(const PageRun& run, bool file, std::size_t rows, duckdb_vector to,
                  std::size_t at) {
  const Page& page = *run.page;
  const bool known =
      !page.origins.empty() && (file ? page.base.source != nullptr : page.base.line != 0);
  if (!known) return set_nulls(to, at, rows);
  void* data = duckdb_vector_get_data(to);
  for (std::size_t row = 0; row < rows; ++row) {
    if (file)
      static_cast<StringRef*>(data)[at + row] = StringRef::make(*page.base.source);
    else
      static_cast<std::int64_t*>(data)[at + row] =
          static_cast<std::int64_t>(page.base.line + page.origins[run.begin + row].line);
  }
}

void copy_column(const Column& column, std::size_t begin, std::size_t rows, duckdb_vector to,
                 std::size_t at);

// The elements lie in the page from the first one that is needed to the last one, mostly without
// a gap; they are copied as they lie.
void copy_lists(const Column& column, std::size_t begin, std::size_t rows, duckdb_vector to,
                std::size_t at) {
  const std::size_t there = at == 0 ? 0 : duckdb_list_vector_get_size(to);
  const auto* entries = column.values<ListEntry>() + begin;
  std::uint64_t first = UINT64_MAX;
  std::uint64_t end = 0;
  for (std::size_t row = 0; row < rows; ++row) {
    if (entries[row].length == 0) continue;
    first = std::min(first, entries[row].offset);
    end = std::max(end, entries[row].offset + entries[row].length);
  }
  const std::size_t elements = end == 0 ? 0 : end - first;
  duckdb_list_vector_reserve(to, there + elements);
  duckdb_list_vector_set_size(to, there + elements);
  auto* lists = static_cast<duckdb_list_entry*>(duckdb_vector_get_data(to)) + at;
  for (std::size_t row = 0; row < rows; ++row) {
    const bool empty = entries[row].length == 0;
    lists[row] = {empty ? there : there + (entries[row].offset - first), entries[row].length};
  }
  if (elements > 0)
    copy_column(column.child(0), first, elements, duckdb_list_vector_get_child(to), there);
}

void copy_column(const Column& column, std::size_t begin, std::size_t rows, duckdb_vector to,
                 std::size_t at) {
  if (column.type().id == TypeId::list) {
    copy_lists(column, begin, rows, to, at);
  } else if (column.type().id == TypeId::struct_) {
    for (std::size_t i = 0; i < column.child_count(); ++i)
      copy_column(column.child(i), begin, rows, duckdb_struct_vector_get_child(to, i), at);
  } else {
    std::memcpy(static_cast<char*>(duckdb_vector_get_data(to)) + at * column.stride(),
                column.bytes() + begin * column.stride(), rows * column.stride());
  }
  copy_nulls(column, begin, rows, to, at);
}

void copy_rows(const Scan& scan, std::size_t rows, duckdb_data_chunk output, std::size_t at) {
  for (std::size_t index = 0; index < scan.columns.size(); ++index) {
    const std::size_t from = scan.columns[index];
    if (from == no_column) continue;
    const duckdb_vector to = duckdb_data_chunk_get_vector(output, index);
    if (from == row_column) {
      auto* numbers = static_cast<std::int64_t*>(duckdb_vector_get_data(to)) + at;
      std::iota(numbers, numbers + rows, scan.rows_given);
      continue;
    }
    if (from == file_column || from == line_column) {
      copy_origins(scan.run, from == file_column, rows, to, at);
      continue;
    }
    copy_column(scan.run.page->column(from), scan.run.begin, rows, to, at);
  }
}

void fill(duckdb_function_info info, duckdb_data_chunk output) {
  Scan& scan = *static_cast<Scan*>(duckdb_function_get_init_data(info));
  std::size_t filled = 0;
  scan.in_use.clear();
  if (scan.run.page != nullptr) scan.in_use.push_back(scan.run.page);
  while (filled < vector_rows && !scan.ended) {
    if (scan.run.page == nullptr || scan.run.begin == scan.run.end) {
      auto next = scan.cursor();
      if (!next) {
        duckdb_function_set_error(info, next.error().message.c_str());
        scan.feed->failure = std::move(next).error();
        return;
      }
      scan.run = *std::move(next);
      scan.ended = scan.run.page == nullptr;
      if (!scan.ended) scan.in_use.push_back(scan.run.page);
      continue;
    }
    const std::size_t rows = std::min(vector_rows - filled, scan.run.end - scan.run.begin);
    copy_rows(scan, rows, output, filled);
    scan.run.begin += rows;
    scan.rows_given += static_cast<std::int64_t>(rows);
    filled += rows;
  }
  duckdb_data_chunk_set_size(output, filled);
}

}  // namespace

Result<void> register_feed(duckdb_connection connection, const std::string& name, FeedPtr feed) {
  DuckHandle<duckdb_table_function, duckdb_destroy_table_function> function(
      duckdb_create_table_function());
  duckdb_table_function_set_name(function.get(), name.c_str());
  duckdb_table_function_set_extra_info(
      function.get(), new FeedPtr(std::move(feed)),
      [](void* extra) { const std::unique_ptr<FeedPtr> last(static_cast<FeedPtr*>(extra)); });
  duckdb_table_function_set_bind(function.get(), bind);
  duckdb_table_function_set_init(function.get(), init);
  duckdb_table_function_set_function(function.get(), fill);
  duckdb_table_function_supports_projection_pushdown(function.get(), true);
  if (duckdb_register_table_function(connection, function.get()) != DuckDBSuccess)
    return make_error(ErrorKind::bug, fmt::format("DuckDB refuses the table function {}", name));
  return {};
}

}  // namespace tranche
