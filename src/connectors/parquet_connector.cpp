#include "connectors/parquet_connector.h"

#include "connectors/file_inputs.h"
#include "connectors/parquet_sink.h"
#include "connectors/parquet_source.h"

namespace tranche {
namespace {

Option option(const char* name, OptionKind kind, const char* doc, const char* example,
              const char* default_text = "") {
  Option made;
  made.name = name;
  made.kind = kind;
  made.doc = doc;
  made.example = example;
  made.default_text = default_text;
  return made;
}

Option required(Option made) {
  made.required = true;
  return made;
}

Option one_of(Option made, std::vector<std::string> choices) {
  made.choices = std::move(choices);
  return made;
}

OptionTable read_table() {
  OptionTable table{
      required(option("parquet", OptionKind::texts, "A file, a glob (** too) or a list of them.",
                      "data/*.parquet")),
      option("columns", OptionKind::texts,
             "The columns to read, in this order; without it, all of them.", "[id, name]"),
  };
  for (auto& made : file_increment_options()) table.push_back(std::move(made));
  return table;
}

OptionTable write_table() {
  return {
      required(option("parquet", OptionKind::text, "The folder that the part files go into.",
                      "warehouse/sales")),
      required(one_of(option("mode", OptionKind::choice,
                             "append adds part files to those of earlier runs, replace removes "
                             "those.",
                             "append"),
                      {"append", "replace"})),
      option("partition_by", OptionKind::texts,
             "Columns whose values become folders (day=2026-01-31/); they are not in the files.",
             "[day, store]"),
      option("part_size", OptionKind::size, "How much input goes into one group of part files.",
             "16MiB", "64MiB"),
      one_of(option("compression", OptionKind::choice, "How the pages of the files are compressed.",
                    "snappy", "zstd"),
             {"zstd", "snappy", "none"}),
      option("row_group_rows", OptionKind::count,
             "Rows of a row group: what a reader can skip or read by itself.", "1000000", "61440"),
  };
}

Result<std::unique_ptr<Source>> make_source(const Node& node, const std::filesystem::path& base) {
  static const OptionTable table = read_table();
  const OptionReader options(node, table);
  ParquetSourceOptions chosen{options.texts("parquet"), options.texts("columns"), base};
  return std::unique_ptr<Source>(std::make_unique<ParquetSource>(std::move(chosen)));
}

Result<std::unique_ptr<Sink>> make_sink(const Node& node, const std::filesystem::path& base) {
  static const OptionTable table = write_table();
  const OptionReader options(node, table);
  ParquetSinkOptions chosen;
  chosen.name = options.text("parquet");
  chosen.folder = base / chosen.name;
  chosen.partition_by = options.texts("partition_by");
  chosen.replace = options.text("mode") == "replace";
  chosen.part_bytes = options.size("part_size");
  chosen.compression = options.text("compression");
  chosen.row_group_rows = options.count("row_group_rows");
  if (chosen.part_bytes == 0)
    return make_error(ErrorKind::config, "part_size is 0; a group of parts needs some input");
  if (chosen.row_group_rows == 0)
    return make_error(ErrorKind::config, "row_group_rows is 0; a row group needs a row");
  return std::unique_ptr<Sink>(std::make_unique<ParquetSink>(std::move(chosen)));
}

}  // namespace

Connector parquet_connector() {
  return Connector{"parquet",    "Parquet files, read and written through DuckDB.",
                   read_table(), write_table(),
                   make_source,  make_sink};
}

}  // namespace tranche
