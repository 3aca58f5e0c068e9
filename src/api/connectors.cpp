#include <tranche/api/job.h>
#include "api/report_use.h"
#include "connectors/csv.h"
#include "connectors/duckdb_connector.h"
#include "connectors/http_source.h"
#include "connectors/jsonl.h"
#include "connectors/parquet_connector.h"
#include "connectors/postgres.h"
#include "connectors/sqlite.h"

namespace tranche {

// Explicit, since static initialisers vanish from archives.
const std::vector<Connector>& connectors() {
  static const std::vector<Connector> table = {csv_connector(),     jsonl_connector(),
                                               parquet_connector(), postgres_connector(),
                                               sqlite_connector(),  duckdb_connector(),
                                               http_connector()};
  return table;
}

const Connector* find_connector(std::string_view name) {
  for (const auto& connector : connectors()) {
    if (connector.name == name) return &connector;
  }
  return nullptr;
}

const OptionTable& sql_options() {
  static const OptionTable table = {
      Option{.name = "sql",
             .kind = OptionKind::text,
             .doc = "A SELECT over `batch`, the records of one batch, in DuckDB's SQL.",
             .required = true,
             .example = "SELECT id, qty * price AS total FROM batch WHERE qty > 0"},
      Option{.name = "tables",
             .kind = OptionKind::any,
             .doc = "Lookup tables for the SELECT: a name and what to read, as in `read:`.",
             .example = "rates: { csv: rates.csv }"},
      Option{.name = "per_batch",
             .kind = OptionKind::boolean,
             .doc = "Aggregates, windows, DISTINCT, LIMIT and ORDER BY are meant within one batch.",
             .default_text = "false"},
  };
  return table;
}

const OptionTable& query_options() {
  static const OptionTable table = {
      Option{.name = "query",
             .kind = OptionKind::text,
             .doc = "A SELECT in DuckDB's SQL over files, outputs of earlier steps and tables.",
             .required = true,
             .example = "SELECT store, sum(total) AS revenue FROM 'out/*.parquet' GROUP BY store"},
      Option{.name = "tables",
             .kind = OptionKind::any,
             .doc = "Further tables for the SELECT: a name and what to read, as in `read:`.",
             .example = "rates: { csv: rates.csv }"},
  };
  return table;
}

const OptionTable& exec_options() {
  static const OptionTable table = {
      Option{.name = "exec",
             .kind = OptionKind::texts,
             .doc = "The program and its arguments, started once in a run, without a shell.",
             .required = true,
             .example = "[python3, publish.py]"},
      Option{.name = "timeout",
             .kind = OptionKind::duration,
             .doc = "How long it may take before it is ended; no limit when left out.",
             .example = "10m"},
      Option{.name = "exit_codes",
             .kind = OptionKind::texts,
             .doc = "The exit codes that mean success.",
             .default_text = "0",
             .example = "[0, 3]"},
  };
  return table;
}

const OptionTable& report_options() {
  static const OptionTable table = {
      Option{.name = "report",
             .kind = OptionKind::text,
             .doc = "The file that is written: a page (.html), Markdown (.md) or a workbook "
                    "(.xlsx).",
             .required = true,
             .example = "out/sales.html",
             .fault_of = fault_of_report_file},
      Option{.name = "title",
             .kind = OptionKind::text,
             .doc = "What the report is called; the step's name when left out.",
             .example = "Sales of ${day}"},
      Option{.name = "text",
             .kind = OptionKind::text,
             .doc = "Paragraphs below the title: **strong**, *emphasised*, `code`, "
                    "[links](https://...) and lists of lines with \"- \"."},
      Option{.name = "rows",
             .kind = OptionKind::count,
             .doc = "How many rows each table shows at most; 1000, and all of them in a workbook, "
                    "when left out.",
             .example = "500"},
      Option{.name = "tables",
             .kind = OptionKind::any,
             .doc = "Further tables for the queries: a name and what to read, as in `read:`.",
             .example = "rates: { csv: rates.csv }"},
      Option{.name = "sections",
             .kind = OptionKind::any,
             .doc = "What is in it, one below the other: text, a query with or without a chart, or "
                    "the rejects of a step.",
             .required = true,
             .example = "[{ title: Revenue, query: SELECT * FROM 'out/totals.csv' }]"},
  };
  return table;
}

const OptionTable& report_section_options() {
  static const OptionTable chart = {
      Option{.name = "type",
             .kind = OptionKind::choice,
             .doc = "How it is drawn.",
             .choices = reporting::chart_types()},
      Option{.name = "x",
             .kind = OptionKind::text,
             .doc = "The column along the chart; of a pie its slices.",
             .example = "store"},
      Option{.name = "y",
             .kind = OptionKind::texts,
             .doc = "The column of numbers that is drawn, or several of them, each a series.",
             .example = "revenue"},
      Option{.name = "color",
             .kind = OptionKind::text,
             .doc = "A column that tells the series apart.",
             .example = "year"},
      Option{.name = "vega_lite",
             .kind = OptionKind::any,
             .doc = "Instead of that: a specification of Vega-Lite without its data.",
             .example = "{ mark: bar, encoding: { x: { field: store } } }"},
  };
  static const OptionTable table = {
      Option{.name = "title",
             .kind = OptionKind::text,
             .doc = "The section's heading.",
             .required = true,
             .example = "Revenue by store"},
      Option{.name = "text",
             .kind = OptionKind::text,
             .doc = "Paragraphs, as those of the report."},
      Option{.name = "query",
             .kind = OptionKind::text,
             .doc = "A SELECT in DuckDB's SQL, whose rows are the section's table.",
             .example = "SELECT store, sum(total) AS revenue FROM 'out/*.parquet' GROUP BY store"},
      Option{.name = "chart",
             .kind = OptionKind::map,
             .doc = "A chart of the query's rows, above their table.",
             .children = chart,
             .example = "{ type: bar, x: store, y: revenue }"},
      Option{.name = "rejects",
             .kind = OptionKind::text,
             .doc = "A step of the job whose rejects in this run are the section's table.",
             .example = "load"},
      Option{.name = "rows",
             .kind = OptionKind::count,
             .doc = "How many rows its table shows at most; as the report says when left out.",
             .example = "20"},
  };
  return table;
}

const OptionTable& command_options() {
  static const OptionTable table = {
      Option{.name = "command",
             .kind = OptionKind::texts,
             .doc = "A program and its arguments, started without a shell in the job file's "
                    "folder: it is sent records and answers each of them.",
             .required = true,
             .example = "[python3, score.py]"},
      Option{.name = "columns",
             .kind = OptionKind::columns,
             .doc = "The columns that its answers hold: they are added to those of the record, or "
                    "take their place.",
             .example = "{ score: double }"},
      Option{.name = "format",
             .kind = OptionKind::choice,
             .doc = "What is spoken: JSON Lines, CSV, or streams of Arrow's batches.",
             .default_text = "jsonl",
             .choices = {"jsonl", "csv", "arrow"}},
      Option{.name = "timeout",
             .kind = OptionKind::duration,
             .doc = "How long an answer may take, from the one before it on; then the record is "
                    "tried alone.",
             .default_text = "1m"},
      Option{.name = "startup_timeout",
             .kind = OptionKind::duration,
             .doc = "How much longer the first answer of a fresh program may take.",
             .default_text = "1m"},
      Option{.name = "workers",
             .kind = OptionKind::count,
             .doc = "How many of these programs there are at most; one for each worker of the step "
                    "when left out.",
             .example = "1"},
      Option{.name = "depends_on",
             .kind = OptionKind::texts,
             .doc = "Files besides those it is called with that shape its answers: a resume "
                    "notices when they have changed.",
             .example = "[model.pkl]"},
  };
  return table;
}

const OptionTable& plugin_options() {
  static const OptionTable table = {
      Option{.name = "plugin",
             .kind = OptionKind::text,
             .doc = "A shared object with functions of records, as tranche/plugin.h says.",
             .required = true,
             .example = "./score.so"},
      Option{.name = "function",
             .kind = OptionKind::text,
             .doc = "Which of its functions; the only one when left out.",
             .example = "score"},
      Option{.name = "options",
             .kind = OptionKind::any,
             .doc = "What the function is told: names and values that it knows.",
             .example = "{ threshold: 0.8 }"},
      Option{.name = "keep_columns",
             .kind = OptionKind::boolean,
             .doc = "The record's own columns stay; those of the function are added, or take their "
                    "place.",
             .default_text = "false"},
      Option{.name = "depends_on",
             .kind = OptionKind::texts,
             .doc = "Files besides the plugin that shape its output: a resume notices when they "
                    "have changed.",
             .example = "[model.bin]"},
  };
  return table;
}

}  // namespace tranche
