#include "connectors/parquet_inputs.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <utility>

#include <tranche/core/value.h>
#include "base/text.h"
#include "connectors/bad_file.h"

namespace tranche {
namespace {

constexpr std::uint64_t footer_database_memory_bytes = 128ULL << 20;
constexpr std::string_view null_folder = "__HIVE_DEFAULT_PARTITION__";

// day=2026-01-17
struct FolderValue {
  std::string name;
  std::optional<std::string> text;  // nullopt: null
};

std::string decode_percents(std::string_view text) {
  std::string decoded;
  const auto digit = [](char c) {
    if (c >= '0' && c <= '9') return c - '0';
    const char lower = static_cast<char>(c | 0x20);
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
  };
  for (std::size_t at = 0; at < text.size(); ++at) {
    const bool is_code = text[at] == '%' && at + 2 < text.size() && digit(text[at + 1]) >= 0 &&
                         digit(text[at + 2]) >= 0;
    decoded += is_code ? static_cast<char>(digit(text[at + 1]) * 16 + digit(text[at + 2]))
                       : text[at];
    if (is_code) at += 2;
  }
  return decoded;
}

std::vector<FolderValue> folder_values(const std::string& path) {
  std::vector<FolderValue> values;
  for (const auto& part : std::filesystem::path(path).parent_path()) {
    const std::string name = part.string();
    const std::size_t equals = name.find('=');
    if (equals == std::string::npos || equals == 0) continue;
    const std::string_view text = std::string_view(name).substr(equals + 1);
    FolderValue value{decode_percents(name.substr(0, equals)), std::nullopt};
    if (text != null_folder) value.text = decode_percents(text);
    values.push_back(std::move(value));
  }
  return values;
}

// The folders that all files lie in, for each the same names in the same order.
class Folders {
 public:
  static Result<Folders> read(const std::vector<Input>& inputs,
                              const ParquetSourceOptions& options) {
    Folders folders;
    if (options.hive == ParquetSourceOptions::Hive::no) return folders;
    for (const Input& input : inputs) {
      folders.values_.push_back(folder_values(input.name));
      const auto& first = folders.values_[0];
      const auto& these = folders.values_.back();
      const bool fits =
          !these.empty() &&
          std::equal(first.begin(), first.end(), these.begin(), these.end(),
                     [](const auto& a, const auto& b) { return a.name == b.name; });
      if (fits) continue;
      if (options.hive == ParquetSourceOptions::Hive::automatic) return Folders();
      return make_error(ErrorKind::config,
                        fmt::format("`hive: true`, but the folders of {} are not named as those "
                                    "of {}: column=value, the same columns in all of them.",
                                    input.name, inputs[0].name));
    }
    for (std::size_t i = 0; !inputs.empty() && i < folders.values_[0].size(); ++i)
      TRANCHE_TRY(folders.add_column(i, inputs, options));
    return folders;
  }

  const std::vector<Field>& fields() const { return fields_; }
  std::optional<std::size_t> find(const std::string& name) const {
    return Schema{fields_}.find(name);
  }
  std::string expression(std::size_t input, std::size_t column) const {
    const auto& text = values_[input][column].text;
    return fmt::format("CAST({} AS {})", text ? sql_literal(*text) : "NULL",
                       sql_type(fields_[column].type));
  }

 private:
  // With the type that is declared, or the first of a few that all its values have.
  Result<void> add_column(std::size_t column, const std::vector<Input>& inputs,
                          const ParquetSourceOptions& options) {
    const std::string& name = values_[0][column].name;
    const auto declared = options.hive_types.find(name);
    const Type type = declared ? options.hive_types.fields[*declared].type : guess(column);
    const auto bad = first_bad(column, type);
    if (bad) {
      return make_error(ErrorKind::config,
                        fmt::format("The folder {}={} of {} is no {}, as `hive_types` has it.",
                                    name, *values_[*bad][column].text, inputs[*bad].name,
                                    to_string(type)));
    }
    fields_.push_back(Field{name, type});
    return {};
  }
  Type guess(std::size_t column) const {
    for (const TypeId id : {TypeId::bigint, TypeId::date, TypeId::timestamp})
      if (!first_bad(column, Type{id})) return Type{id};
    return Type{TypeId::varchar};
  }
  std::optional<std::size_t> first_bad(std::size_t column, Type type) const {
    for (std::size_t i = 0; i < values_.size(); ++i) {
      const auto& text = values_[i][column].text;
      alignas(16) char value[64];
      Arena arena;
      if (text && parse_value(type, *text, value, arena) != ParseStatus::ok) return i;
    }
    return std::nullopt;
  }

  std::vector<std::vector<FolderValue>> values_;  // one a file
  std::vector<Field> fields_;
};

// Reads the files of a source and makes one schema of theirs.
class InputReader {
 public:
  InputReader(const std::vector<Input>& inputs, const ParquetSourceOptions& options,
              Folders folders)
      : inputs_(inputs), options_(options), folders_(std::move(folders)) {
    columns_.names = options.columns;
    for (const Field& field : folders_.fields()) columns_.elsewhere.push_back(field.name);
    columns_.may_lack = options.missing_null;
  }

  Result<ParquetInputs> read() {
    TRANCHE_ASSIGN(const auto database, DuckDatabase::borrow(footer_database_memory_bytes, ""));
    TRANCHE_ASSIGN(const auto connection, database->connect());
    std::optional<Error> first_fault;
    for (std::size_t i = 0; i < inputs_.size(); ++i) {
      auto footer = read_one(*connection, inputs_[i]);
      if (!footer && !options_.bad_rejected) return std::move(footer).error();
      ParquetInput& made = all_.files.emplace_back();
      if (footer) {
        made.footer = *std::move(footer);
        if (!reference_) reference_ = i;
      } else {
        made.fault = footer.error().message;
        if (!first_fault) first_fault = footer.error();
      }
    }
    if (!reference_) return *first_fault;  // without a file that can be read there are no columns
    TRANCHE_TRY(make_schema());
    for (std::size_t i = 0; i < inputs_.size(); ++i) TRANCHE_TRY(fit(i));
    return std::move(all_);
  }

 private:
  Result<ParquetFooter> read_one(DuckConnection& connection, const Input& input) const {
    TRANCHE_ASSIGN(const File file, File::open_read(options_.base / input.name));
    return read_footer(connection, file, input.name, columns_);
  }

  const Schema& schema_of(std::size_t input) const { return *all_.files[input].footer.schema; }
  bool is_good(std::size_t input) const { return all_.files[input].fault.empty(); }

  Result<void> make_schema() {
    auto schema = std::make_shared<Schema>();
    if (options_.columns.empty()) {
      schema->fields = schema_of(*reference_).fields;
      for (const Field& field : folders_.fields())
        if (!schema->find(field.name)) schema->fields.push_back(field);
    }
    for (const std::string& name : options_.columns) {
      TRANCHE_ASSIGN(const Field field, find_field(name));
      schema->fields.push_back(field);
    }
    all_.schema = std::move(schema);
    return {};
  }

  // Of the first file that has it, else of the folders.
  Result<Field> find_field(const std::string& name) const {
    for (std::size_t i = 0; i < inputs_.size(); ++i) {
      if (!is_good(i)) continue;
      if (const auto at = schema_of(i).find(name)) return schema_of(i).fields[*at];
    }
    if (const auto at = folders_.find(name)) return folders_.fields()[*at];
    return make_error(ErrorKind::config,
                      fmt::format("No file has a column \"{}\", so it has no type", name));
  }

  // Finds where the file has each column; a file that does not fit is a fault of its own, too.
  Result<void> fit(std::size_t input) {
    ParquetInput& file = all_.files[input];
    if (!is_good(input)) return {};
    std::string differs = find_expressions(input);
    if (differs.empty() && options_.empty_refused && file.footer.rows == 0)
      return empty_file_error(inputs_[input].name);
    if (differs.empty()) return {};
    if (!options_.bad_rejected) return make_error(ErrorKind::config, std::move(differs));
    file = ParquetInput();
    file.fault = std::move(differs);
    return {};
  }

  // The first difference between the file and the source's schema, as a sentence; empty: none.
  std::string find_expressions(std::size_t input) {
    ParquetInput& file = all_.files[input];
    const std::string& name = inputs_[input].name;
    const std::string& first_name = inputs_[*reference_].name;
    std::uint64_t folder_bytes = 0;
    for (const Field& field : all_.schema->fields) {
      const auto at = file.footer.schema->find(field.name);
      const auto folder = at ? std::nullopt : folders_.find(field.name);
      if (folder) {
        file.expressions.push_back(folders_.expression(input, *folder));
        folder_bytes += estimated_bytes(field.type);
        continue;
      }
      if (!at && !options_.missing_null)
        return fmt::format("{} has no column \"{}\", which {} has; all files of one source need "
                           "the same columns, or `missing_columns: null`",
                           name, field.name, first_name);
      if (!at) {
        file.expressions.push_back(fmt::format("CAST(NULL AS {})", sql_type(field.type)));
        continue;
      }
      const Field& own = file.footer.schema->fields[*at];
      if (own.type != field.type)
        return fmt::format("Column \"{}\" is {} in {} but {} in {}; all files of one source need "
                           "the same columns",
                           field.name, to_string(own.type), name, to_string(field.type),
                           first_name);
      file.expressions.push_back(sql_identifier(own.name));
    }
    for (RowGroup& group : file.footer.groups) group.memory_bytes += group.rows * folder_bytes;
    if (options_.extra_ignored) return {};
    for (const Field& field : file.footer.schema->fields) {
      if (!all_.schema->find(field.name))
        return fmt::format("{} has a column \"{}\", which {} has not; name the columns that you "
                           "need with columns: [...], or say `extra_columns: ignore`",
                           name, field.name, first_name);
    }
    return {};
  }

  const std::vector<Input>& inputs_;
  const ParquetSourceOptions& options_;
  const Folders folders_;
  ParquetColumns columns_;
  ParquetInputs all_;
  std::optional<std::size_t> reference_;  // the first file that can be read
};

}  // namespace

Result<ParquetInputs> read_parquet_inputs(const std::vector<Input>& inputs,
                                          const ParquetSourceOptions& options) {
  TRANCHE_ASSIGN(Folders folders, Folders::read(inputs, options));
  return InputReader(inputs, options, std::move(folders)).read();
}

}  // namespace tranche
