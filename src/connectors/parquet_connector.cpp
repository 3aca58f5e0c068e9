#include "connectors/parquet_connector.h"

#include "connectors/bad_file.h"
#include "connectors/file_inputs.h"
#include "connectors/parquet_sink.h"
#include "connectors/parquet_source.h"
#include "formats/text_compressor.h"

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
      one_of(option("hive", OptionKind::choice,
                    "Folders named column=value are columns too, after those of the files: auto "
                    "where all files lie in such folders, true where they must, false where they "
                    "are not.",
                    "false", "auto"),
             {"auto", "true", "false"}),
      option("hive_types", OptionKind::columns,
             "Types of the folders' columns; else they are guessed from all values: bigint, date, "
             "timestamp or varchar.",
             "{ store: varchar }"),
      one_of(option("missing_columns", OptionKind::choice,
                    "Columns that a file lacks: an error, or nulls.", "null", "error"),
             {"error", "null"}),
      one_of(
          option("extra_columns", OptionKind::choice,
                 "Columns that the first file lacks: an error, or left unread.", "ignore", "error"),
          {"error", "ignore"}),
      empty_option(),
      bad_file_option(),
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
      option("compression_level", OptionKind::count,
             "Of zstd: 1 (quick) to 19; files of level 3 are a few percent smaller.", "9", "1"),
      option("row_group_rows", OptionKind::count,
             "Rows of a row group: what a reader can skip or read by itself.", "1000000", "61440"),
  };
}

Result<std::unique_ptr<Source>> make_source(const Node& node, const std::filesystem::path& base) {
  static const OptionTable table = read_table();
  const OptionReader options(node, table);
  ParquetSourceOptions chosen;
  chosen.patterns = options.texts("parquet");
  chosen.columns = options.texts("columns");
  chosen.base = base;
  using Hive = ParquetSourceOptions::Hive;
  const std::string hive = options.text("hive");
  chosen.hive = hive == "auto" ? Hive::automatic : hive == "true" ? Hive::yes : Hive::no;
  chosen.hive_types = options.columns("hive_types");
  chosen.missing_null = options.text("missing_columns") == "null";
  chosen.extra_ignored = options.text("extra_columns") == "ignore";
  chosen.empty_refused = options.text("empty") == "fail";
  chosen.bad_rejected = options.text("bad_file") == "reject";
  return std::unique_ptr<Source>(std::make_unique<ParquetSource>(std::move(chosen)));
}

Result<int> read_compression_level(const OptionReader& options) {
  if (!options.has("compression_level")) return ParquetSinkOptions().compression_level;
  if (options.text("compression") != "zstd")
    return make_error(
        ErrorKind::config,
        "`compression_level` is one of zstd: say `compression: zstd`, or leave it out");
  return check_compression_level(Compression::zstd, options.count("compression_level"));
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
  TRANCHE_ASSIGN(chosen.compression_level, read_compression_level(options));
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
