#include "connectors/csv.h"

#include <fmt/format.h>

#include "connectors/bad_file.h"
#include "connectors/csv_sink.h"
#include "connectors/csv_source.h"
#include "connectors/file_inputs.h"
#include "connectors/single_file_sink.h"
#include "connectors/time_options.h"

namespace tranche {
namespace {

OptionTable read_table() {
  OptionTable table{
      {.name = "csv", .kind = OptionKind::texts,
       .doc = "A path, a glob, a URL or a list of them; read in this order. \"-\" is standard "
              "input.",
       .required = true,
       .example = "data/sales-*.csv"},
      {.name = "columns", .kind = OptionKind::columns,
       .doc = "Names and types; `null: error` makes one required. Left out: guessed from a sample.",
       .example = "{ id: bigint, day: date, price: { type: \"decimal(12,2)\", null: error } }"},
      {.name = "header", .kind = OptionKind::boolean,
       .doc = "The first line names the columns, which are then found by name, in any order; "
              "without it they are taken by position.", .default_text = "true"},
      {.name = "delimiter", .kind = OptionKind::text,
       .doc = "One or more characters between the fields.", .default_text = ",",
       .choices = {",", ";", "|", "\\t"}},
      {.name = "quote", .kind = OptionKind::text,
       .doc = "The character around fields that hold delimiters or line ends; \"\": none.",
       .default_text = "\""},
      {.name = "escape", .kind = OptionKind::text,
       .doc = "What makes a quote inside a quoted field a character; by default the quote itself, "
              "doubled.", .example = "\\"},
      {.name = "comment", .kind = OptionKind::text,
       .doc = "Lines that begin with this character are no records.", .example = "#"},
      {.name = "skip_lines", .kind = OptionKind::count,
       .doc = "Lines to skip at the beginning of each file, before the header.",
       .default_text = "0"},
      {.name = "trim", .kind = OptionKind::boolean,
       .doc = "Blanks and tabs around fields don't belong to them.", .default_text = "false"},
      {.name = "null", .kind = OptionKind::texts,
       .doc = "Spellings of null in fields that are not quoted; by default the empty field.",
       .example = "[\"\", NA]"},
      {.name = "quoted_nulls", .kind = OptionKind::boolean,
       .doc = "Spellings of null count in quoted fields too; else a quoted empty field is an "
              "empty text.", .default_text = "false"},
      date_format_to_read(),
      timestamp_format_to_read(),
      {.name = "decimal_comma", .kind = OptionKind::boolean,
       .doc = "Decimals and floats have a comma instead of a point.", .default_text = "false"},
      {.name = "max_record", .kind = OptionKind::size,
       .doc = "A record that is longer is rejected.", .default_text = "1MiB"},
      {.name = "extra_columns", .kind = OptionKind::choice,
       .doc = "undeclared: columns of the header that `columns:` leaves out are skipped; ignore: "
              "so are fields of a record beyond the header's.",
       .default_text = "error",
       .choices = {"error", "undeclared", "ignore"}},
      {.name = "missing_columns", .kind = OptionKind::choice,
       .doc = "Columns that a header or a record lacks.", .default_text = "error",
       .choices = {"error", "null"}},
      empty_option(),
      bad_file_option(),
  };
  for (auto& option : file_increment_options()) table.push_back(std::move(option));
  for (auto& option : coding_options({"utf-8", "latin-1", "utf-16", "utf-16le", "utf-16be"})) {
    table.push_back(std::move(option));
  }
  return table;
}

OptionTable write_table() {
  OptionTable table{
      {.name = "csv", .kind = OptionKind::text,
       .doc = "The path of the file to write; \"-\" is standard output.",
       .required = true, .example = "out/totals.csv"},
      {.name = "mode", .kind = OptionKind::text,
       .doc = "replace: the file appears under its name when all of it is written.",
       .default_text = "replace", .choices = {"replace"}},
      {.name = "header", .kind = OptionKind::boolean,
       .doc = "The first line names the columns.", .default_text = "true"},
      {.name = "delimiter", .kind = OptionKind::text,
       .doc = "One or more characters between the fields.", .default_text = ",",
       .choices = {",", ";", "|", "\\t"}},
      {.name = "quote", .kind = OptionKind::text,
       .doc = "The character around fields that need it.", .default_text = "\""},
      {.name = "null", .kind = OptionKind::text,
       .doc = "How a null is written; an empty string is \"\" in quotes.", .default_text = ""},
      date_format_to_write(),
      timestamp_format_to_write(),
  };
  for (auto& option : packing_options()) table.push_back(std::move(option));
  return table;
}

Error config_error(std::string message) {
  return make_error(ErrorKind::config, std::move(message));
}

// One character or none.
Result<char> read_character(const OptionReader& options, std::string_view key) {
  const std::string text = options.text(key);
  if (text.empty()) return '\0';
  if (text == "\\t") return '\t';
  if (text.size() == 1) return text[0];
  return config_error(fmt::format("`{}` of csv is one character of ASCII, not \"{}\".", key, text));
}

std::string read_delimiter(const OptionReader& options) {
  std::string text = options.text("delimiter");
  return text == "\\t" || text == "tab" ? "\t" : text;
}

Result<CsvDialect> read_dialect(const OptionReader& options) {
  CsvDialect dialect;
  dialect.delimiter = read_delimiter(options);
  TRANCHE_ASSIGN(dialect.quote, read_character(options, "quote"));
  dialect.escape = dialect.quote;
  if (options.has("escape")) {
    TRANCHE_ASSIGN(dialect.escape, read_character(options, "escape"));
    if (dialect.escape == 0) dialect.escape = dialect.quote;
  }
  if (options.has("comment")) {
    TRANCHE_ASSIGN(dialect.comment, read_character(options, "comment"));
  }
  dialect.header = options.boolean("header");
  dialect.skip_lines = options.count("skip_lines");
  dialect.trim = options.boolean("trim");
  if (options.has("null")) dialect.nulls = options.texts("null");
  dialect.quoted_nulls = options.boolean("quoted_nulls");
  TRANCHE_ASSIGN(dialect.date_formats, read_date_formats(options));
  TRANCHE_ASSIGN(dialect.timestamp_formats, read_timestamp_formats(options));
  dialect.decimal_comma = options.boolean("decimal_comma");
  dialect.max_record_bytes = options.size("max_record");
  dialect.extra_columns_ignored = options.text("extra_columns") == "ignore";
  dialect.undeclared_ignored =
      dialect.extra_columns_ignored || options.text("extra_columns") == "undeclared";
  dialect.missing_columns_null = options.text("missing_columns") == "null";
  TRANCHE_TRY(check_dialect(dialect));
  return dialect;
}

Result<std::unique_ptr<Source>> make_source(const Node& node, const std::filesystem::path& base) {
  static const OptionTable table = read_table();
  const OptionReader options(node, table);
  TRANCHE_ASSIGN(CsvDialect dialect, read_dialect(options));
  std::vector<std::string> patterns = options.texts("csv");
  if (patterns.empty()) return config_error("`csv:` names no file.");
  Schema columns = options.columns("columns");
  for (const Field& field : columns.fields) {
    if (!is_nested(field.type)) continue;
    return config_error(fmt::format("Column \"{}\" is a {}, which a field of CSV can't hold; "
                                    "declare it as json, and cast it in SQL.",
                                    field.name, to_string(field.type)));
  }
  return make_csv_source(std::move(patterns), base, dialect, read_coding(options),
                         read_file_rules(options),
                         std::move(columns));
}

Result<std::unique_ptr<Sink>> make_sink(const Node& node, const std::filesystem::path& base) {
  static const OptionTable table = write_table();
  const OptionReader options(node, table);
  const std::string mode = options.text("mode");
  if (mode == "append") {
    return config_error("A CSV file can't be written in mode append: it becomes visible as a "
                        "whole, under its name, when the step is done. "
                        "Write one file a run, or a table.");
  }
  if (mode != "replace") {
    return config_error(fmt::format("The mode of a CSV file is replace, not \"{}\".", mode));
  }
  CsvOutput output;
  output.delimiter = read_delimiter(options);
  TRANCHE_ASSIGN(output.quote, read_character(options, "quote"));
  if (output.quote == 0) {
    return config_error("Writing CSV needs a quote, for fields that hold the delimiter.");
  }
  output.null = options.text("null");
  output.header = options.boolean("header");
  TRANCHE_ASSIGN(output.time_formats, written_time_formats(options));
  CsvDialect dialect;
  dialect.delimiter = output.delimiter;
  dialect.quote = dialect.escape = output.quote;
  TRANCHE_TRY(check_dialect(dialect));
  for (const char c : output.null) {
    if (c == '\n' || c == '\r' || c == output.quote || c == output.delimiter[0]) {
      return config_error("The spelling of null must not hold a delimiter, a quote or a line end.");
    }
  }
  TRANCHE_ASSIGN(const TextPacking packing, read_packing(options, options.text("csv")));
  return make_csv_sink(options.text("csv"), base, output, packing);
}

}  // namespace

Connector csv_connector() {
  Connector connector;
  connector.name = "csv";
  connector.summary = "Text files whose records are lines and whose fields have delimiters.";
  connector.read_options = read_table();
  connector.write_options = write_table();
  connector.make_source = make_source;
  connector.make_sink = make_sink;
  return connector;
}

}  // namespace tranche
