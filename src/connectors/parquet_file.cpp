#include "connectors/parquet_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "base/digest.h"
#include "base/text.h"

namespace tranche {
namespace {

constexpr std::size_t read_block_bytes = 256 * 1024;

std::uint64_t number(const std::string& text) {
  std::uint64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

// Columns by the names that the file has; the wanted ones in the order of the job.
Result<std::vector<std::string>> choose_columns(const std::vector<std::string>& there,
                                                const ParquetColumns& wanted) {
  if (wanted.names.empty()) return there;
  std::vector<std::string> chosen;
  for (const std::string& column : wanted.names) {
    const auto same = [&](const std::string& other) { return to_lower(other) == to_lower(column); };
    const auto found = std::find_if(there.begin(), there.end(), same);
    if (found == there.end()) {
      if (wanted.may_lack ||
          std::any_of(wanted.elsewhere.begin(), wanted.elsewhere.end(), same))
        continue;
      const auto near = nearest(column, there);
      return make_error(
          ErrorKind::config,
          near ? fmt::format("There is no column \"{}\"; did you mean \"{}\"?", column, *near)
               : fmt::format("There is no column \"{}\"; there are {}", column, join(there, ", ")));
    }
    if (std::find(chosen.begin(), chosen.end(), *found) != chosen.end())
      return make_error(ErrorKind::config,
                        fmt::format("Column \"{}\" is named twice in columns", column));
    chosen.push_back(*found);
  }
  return chosen;
}

Result<SchemaPtr> read_schema(DuckConnection& connection, const std::string& table,
                              const ParquetColumns& columns) {
  TRANCHE_ASSIGN(const auto described,
                 connection.query_texts(
                     fmt::format("SELECT column_name FROM (DESCRIBE SELECT * FROM {})", table)));
  std::vector<std::string> there;
  for (const auto& row : described) there.push_back(row[0]);
  TRANCHE_ASSIGN(const auto chosen, choose_columns(there, columns));
  if (chosen.empty()) return std::make_shared<const Schema>();
  std::string list;
  for (const std::string& column : chosen)
    list += (list.empty() ? "" : ", ") + sql_identifier(column);
  TRANCHE_ASSIGN(const auto result,
                 connection.query(fmt::format("SELECT {} FROM {} LIMIT 0", list, table)));
  return result->schema();
}

}  // namespace

const RowGroup& ParquetFooter::group_of(std::uint64_t row) const {
  const auto behind = std::upper_bound(
      groups.begin(), groups.end(), row,
      [](std::uint64_t value, const RowGroup& group) { return value < group.first_row; });
  return *std::prev(behind);
}

std::string descriptor_path(const File& file) {
  return fmt::format("/proc/self/fd/{}", file.descriptor());
}

Error file_error(Error error, const File& file, const std::string& name) {
  const std::string alias = descriptor_path(file);
  bool named = false;
  for (std::size_t at = error.message.find(alias); at != std::string::npos;
       at = error.message.find(alias, at + name.size())) {
    error.message.replace(at, alias.size(), name);
    named = true;
  }
  if (!named) error.message = fmt::format("{}: {}", name, error.message);
  return error;
}

Result<std::uint64_t> digest_range(const File& file, std::uint64_t offset, std::uint64_t bytes) {
  Digest digest;
  std::string block(std::min<std::uint64_t>(read_block_bytes, bytes), '\0');
  for (std::uint64_t done = 0; done < bytes;) {
    const std::size_t wanted = std::min<std::uint64_t>(block.size(), bytes - done);
    TRANCHE_ASSIGN(const std::size_t got, file.read_at(block.data(), wanted, offset + done));
    if (got == 0)
      return make_error(ErrorKind::failed,
                        fmt::format("{} ends at byte {}, before the {} bytes that it should have",
                                    file.path().string(), offset + done, offset + bytes));
    digest.update({block.data(), got});
    done += got;
  }
  return digest.value();
}

namespace {

// The format's own mark; a file that was cut off lacks it, and DuckDB would speak of magic.
Result<void> check_ending(const File& file, const std::string& name) {
  constexpr std::string_view mark = "PAR1";
  TRANCHE_ASSIGN(const std::uint64_t bytes, file.size());
  std::string ending(mark.size(), '\0');
  if (bytes >= 3 * mark.size()) {
    TRANCHE_TRY(file.read_at(ending.data(), ending.size(), bytes - ending.size()));
  }
  if (ending == mark) return {};
  return make_error(ErrorKind::config,
                    fmt::format("{} is no Parquet file, or only a part of one: its {} bytes do not "
                                "end with {}.",
                                name, bytes, mark));
}

}  // namespace

Result<ParquetFooter> read_footer(DuckConnection& connection, const File& file,
                                  const std::string& name,
                                  const ParquetColumns& columns) {
  const std::string path = sql_literal(descriptor_path(file));
  const auto broken = [&](Error error) {
    error.kind = ErrorKind::config;
    return file_error(std::move(error), file, name);
  };
  TRANCHE_TRY(check_ending(file, name));
  ParquetFooter footer;
  auto schema = read_schema(
      connection, fmt::format("read_parquet({}, hive_partitioning=false)", path), columns);
  if (!schema) return broken(std::move(schema).error());
  footer.schema = *std::move(schema);
  std::uint64_t fixed_bytes = 0;
  for (const Field& field : footer.schema->fields)
    fixed_bytes += estimated_bytes(field.type);
  // A dictionary offset of 0 is how some writers say that there is none.
  auto groups = connection.query_texts(fmt::format(
      "SELECT row_group_id, any_value(row_group_num_rows), min(start), "
      "max(start + total_compressed_size) - min(start), "
      "CAST(sum(CASE WHEN type = 'BYTE_ARRAY' THEN total_uncompressed_size ELSE 0 END) AS BIGINT), "
      "CAST(sum(CASE WHEN contains(path_in_schema, ', ') THEN num_values ELSE 0 END) AS BIGINT) "
      "FROM (SELECT *, CASE WHEN dictionary_page_offset > 0 THEN "
      "least(dictionary_page_offset, data_page_offset) ELSE data_page_offset END AS start "
      "FROM parquet_metadata({})) GROUP BY row_group_id ORDER BY row_group_id",
      path));
  if (!groups) return broken(std::move(groups).error());
  for (const auto& row : *groups) {
    RowGroup group;
    group.first_row = footer.rows;
    group.rows = number(row[1]);
    group.offset = number(row[2]);
    group.bytes = number(row[3]);
    // Long strings are twice in memory for a moment: in DuckDB's chunk and in our page.
    group.memory_bytes = group.rows * fixed_bytes + 2 * number(row[4]);
    constexpr std::uint64_t element_bytes = 16;  // of lists, which may be longer than expected
    group.memory_bytes += element_bytes * number(row[5]);
    if (group.rows == 0) continue;
    footer.rows += group.rows;
    footer.groups.push_back(group);
  }
  return footer;
}

}  // namespace tranche
