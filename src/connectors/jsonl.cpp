#include "connectors/jsonl.h"

#include <fmt/format.h>

#include "connectors/bad_file.h"
#include "connectors/file_inputs.h"
#include "connectors/jsonl_source.h"
#include "connectors/single_file_sink.h"
#include "connectors/time_options.h"
#include "formats/jsonl_writer.h"

namespace tranche {
namespace {

OptionTable read_table() {
  OptionTable table{
      {.name = "jsonl", .kind = OptionKind::texts,
       .doc = "A path, a glob, a URL or a list of them; read in this order. \"-\" is standard "
              "input.",
       .required = true,
       .example = "data/events-*.jsonl"},
      {.name = "columns", .kind = OptionKind::columns,
       .doc = "Keys and types; `null: error` makes one required. Left out: guessed from a sample.",
       .example = "{ id: bigint, day: date, price: { type: \"decimal(12,2)\", null: error } }"},
      {.name = "unknown_keys", .kind = OptionKind::choice,
       .doc = "Keys of a record that are no columns: error rejects the record, ignore skips them.",
       .default_text = "error", .choices = {"error", "ignore"}},
      {.name = "layout", .kind = OptionKind::choice,
       .doc = "lines: a record on each line; array: the file is one JSON array of them; auto: an "
              "array where the file begins with a bracket.",
       .default_text = "auto", .choices = {"auto", "lines", "array"}},
      {.name = "record", .kind = OptionKind::choice,
       .doc = "object: its keys are the columns; value: any JSON value, for the only column; then "
              "the layout auto is lines.",
       .default_text = "object", .choices = {"object", "value"}},
      {.name = "max_record", .kind = OptionKind::size,
       .doc = "A record that is longer is rejected.", .default_text = "1MiB"},
  };
  table.push_back(empty_option());
  table.push_back(bad_file_option());
  for (auto& option : file_increment_options()) table.push_back(std::move(option));
  for (auto& option : coding_options({"utf-8", "utf-16", "utf-16le", "utf-16be"})) {
    table.push_back(std::move(option));
  }
  return table;
}

OptionTable write_table() {
  OptionTable table{
      {.name = "jsonl", .kind = OptionKind::text,
       .doc = "The path of the file to write; \"-\" is standard output.",
       .required = true, .example = "out/totals.jsonl"},
      {.name = "mode", .kind = OptionKind::text,
       .doc = "replace: the file appears under its name when all of it is written.",
       .default_text = "replace", .choices = {"replace"}},
      {.name = "nulls", .kind = OptionKind::choice,
       .doc = "write: a null is written as null; omit: it has no key.",
       .default_text = "write", .choices = {"write", "omit"}},
      date_format_to_write(),
      timestamp_format_to_write(),
  };
  for (auto& option : packing_options()) table.push_back(std::move(option));
  return table;
}

Error config_error(std::string message) {
  return make_error(ErrorKind::config, std::move(message));
}

Result<std::unique_ptr<Source>> make_source(const Node& node, const std::filesystem::path& base) {
  static const OptionTable table = read_table();
  const OptionReader options(node, table);
  JsonlDialect dialect;
  dialect.rules.unknown_keys_ignored = options.text("unknown_keys") == "ignore";
  dialect.rules.is_any_value = options.text("record") == "value";
  const std::string layout = options.text("layout");
  if (layout == "lines") dialect.layout = JsonLayout::lines;
  if (layout == "array") dialect.layout = JsonLayout::array;
  dialect.max_record_bytes = options.size("max_record");
  constexpr std::uint64_t max_record_most = std::uint64_t{1} << 30;
  if (dialect.max_record_bytes == 0 || dialect.max_record_bytes > max_record_most) {
    return config_error("`max_record` of jsonl is more than nothing, and at most 1GiB.");
  }
  std::vector<std::string> patterns = options.texts("jsonl");
  if (patterns.empty()) return config_error("`jsonl:` names no file.");
  Schema columns = options.columns("columns");
  if (dialect.rules.is_any_value && columns.fields.size() > 1) {
    return config_error("With `record: value`, `columns:` names one column, which the values "
                        "become.");
  }
  return make_jsonl_source(std::move(patterns), base, dialect, read_coding(options),
                           read_file_rules(options), std::move(columns));
}

Result<std::unique_ptr<Sink>> make_sink(const Node& node, const std::filesystem::path& base) {
  static const OptionTable table = write_table();
  const OptionReader options(node, table);
  const std::string mode = options.text("mode");
  if (mode == "append") {
    return config_error("A file of JSON Lines can't be written in mode append: it becomes visible "
                        "as a whole, under its name, when the step is done. "
                        "Write one file a run, or a table.");
  }
  if (mode != "replace") {
    return config_error(
        fmt::format("The mode of a file of JSON Lines is replace, not \"{}\".", mode));
  }
  SingleFileFormat format;
  format.key = "jsonl";
  format.header = [](const SchemaPtr&) { return std::string(); };
  JsonlOutput output;
  output.omit_nulls = options.text("nulls") == "omit";
  TRANCHE_ASSIGN(output.time_formats, written_time_formats(options));
  format.check = [formats = output.time_formats](const Schema& schema) {
    return check_written_times(schema, formats);
  };
  format.encoder = [output](const SchemaPtr& schema, std::unique_ptr<TextCompressor> compressor)
      -> std::unique_ptr<Encoder> {
    return std::make_unique<WriterEncoder<JsonlWriter>>(JsonlWriter(schema, output),
                                                        std::move(compressor));
  };
  TRANCHE_ASSIGN(format.packing, read_packing(options, options.text("jsonl")));
  return make_single_file_sink(options.text("jsonl"), base, std::move(format));
}

}  // namespace

Connector jsonl_connector() {
  Connector connector;
  connector.name = "jsonl";
  connector.summary = "Files of JSON Lines, or of one JSON array: objects whose keys are columns.";
  connector.read_options = read_table();
  connector.write_options = write_table();
  connector.make_source = make_source;
  connector.make_sink = make_sink;
  return connector;
}

}  // namespace tranche
