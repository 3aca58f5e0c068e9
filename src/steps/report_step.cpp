#include "steps/report_step.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/clock.h"
#include "base/digest.h"
#include "base/fault.h"
#include "base/file.h"
#include "base/text.h"
#include "drivers/duckdb_database.h"
#include "report/cell_text.h"
#include "steps/attempts.h"

namespace tranche {
namespace {

constexpr std::size_t digest_piece_bytes = 1U << 20;

Schema rejects_schema() {
  const auto text = [](std::string name) {
    return Field{std::move(name), Type{TypeId::varchar}, false};
  };
  const auto number = [](std::string name) {
    return Field{std::move(name), Type{TypeId::ubigint}, false};
  };
  return Schema{{number("record"), text("source"), number("line"), text("phase"), text("error"),
                 text("raw")}};
}

// A result that was kept: how many rows it has, and the first of them.
class KeptResult {
 public:
  static Result<KeptResult> open(const fs::path& path, std::uint64_t memory_bytes,
                                 const std::string& spill_folder) {
    KeptResult kept;
    TRANCHE_ASSIGN(kept.database_, DuckDatabase::open(memory_bytes, spill_folder));
    TRANCHE_ASSIGN(kept.connection_, kept.database_->connect());
    kept.from_ = fmt::format("FROM read_parquet({})", sql_literal(unglobbed(path.string())));
    TRANCHE_ASSIGN(const auto rows, kept.connection_->query("SELECT count(*) " + kept.from_));
    TRANCHE_ASSIGN(const std::size_t found, rows->fetch());
    if (found > 0) kept.rows_ = static_cast<std::uint64_t>(rows->numbers(0)[0]);
    TRANCHE_ASSIGN(const auto none, kept.connection_->query("SELECT * " + kept.from_ + " LIMIT 0"));
    TRANCHE_ASSIGN(kept.schema_, none->schema());
    return kept;
  }

  std::uint64_t rows() const { return rows_; }
  const SchemaPtr& schema() const { return schema_; }

  Result<void> give(std::uint64_t rows, reporting::Writer& writer,
                    const std::function<bool()>& stop_wanted) {
    // Not by LIMIT, which holds all of its rows in memory.
    TRANCHE_ASSIGN(const auto result, connection_->query("SELECT * " + from_));
    Page page(schema_);
    for (std::uint64_t given = 0; given < rows; given += page.rows()) {
      TRANCHE_ASSIGN(const std::size_t found, result->fetch());
      if (found == 0) return {};
      if (stop_wanted()) return make_error(ErrorKind::stopped, "Stopped.");
      page.clear();
      TRANCHE_TRY(result->append_to(page));
      page.set_rows(static_cast<std::size_t>(std::min<std::uint64_t>(page.rows(), rows - given)));
      TRANCHE_TRY(writer.add_rows(page));
    }
    return {};
  }

 private:
  std::shared_ptr<DuckDatabase> database_;
  std::unique_ptr<DuckConnection> connection_;
  std::string from_;
  std::uint64_t rows_ = 0;
  SchemaPtr schema_;
};

Result<reporting::Chart> chart_of(const ReportSection& section, const Schema& schema) {
  auto chart = reporting::make_chart(*section.chart, schema);
  if (!chart && chart.error().where.empty()) chart.error().where = section.place;
  if (chart && !section.chart->vega_lite.empty()) chart->summary = "Chart of " + section.title;
  return chart;
}

// One attempt at a report.
class Attempt {
 public:
  Attempt(const ReportStep& step, const StepSurroundings& surroundings, Ledger& ledger,
          const std::function<bool()>& stop_wanted)
      : step_(step), around_(surroundings), ledger_(ledger), stop_wanted_(stop_wanted) {}

  Result<void> write(const fs::path& file) {
    TRANCHE_ASSIGN(writer_, reporting::make_writer(step_.format, file, around_.spill_folder));
    reporting::Head head;
    head.title = step_.title;
    head.text = step_.text;
    for (const ReportSection& section : step_.sections) {
      head.sections.push_back(section.title);
      head.has_charts |= section.chart.has_value();
    }
    TRANCHE_TRY(writer_->begin(head));
    for (const ReportSection& section : step_.sections) {
      TRANCHE_TRY(writer_->begin_section(section.title, section.text));
      if (section.query) TRANCHE_TRY(write_query(section));
      if (!section.rejects_of.empty()) TRANCHE_TRY(write_rejects(section));
    }
    return writer_->end();
  }

  std::vector<std::string> take_notices() { return std::move(notices_); }

 private:
  reporting::Table table_of(const ReportSection& section) const {
    reporting::Table table;
    table.caption = section.title;
    table.rows_shown = std::min(section.rows.value_or(reporting::rows_shown_default(step_.format)),
                                reporting::rows_shown_max(step_.format));
    return table;
  }

  // The result of one query at a time is kept, for no longer than it is needed.
  Result<void> write_query(const ReportSection& section) {
    const fs::path result =
        fs::absolute(fs::path(around_.run.run_folder) / "queries" / (step_.name + ".parquet"));
    TRANCHE_ASSIGN(auto query, section.query());
    const std::uint64_t memory_bytes = query.memory_bytes_max;
    TRANCHE_TRY(keep_query_result(std::move(query), result, std::nullopt, stop_wanted_));
    {
      TRANCHE_ASSIGN(auto kept, KeptResult::open(result, memory_bytes, around_.spill_folder));
      reporting::Table table = table_of(section);
      table.schema = kept.schema();
      table.rows = kept.rows();
      if (section.chart) {
        TRANCHE_ASSIGN(table.chart, chart_of(section, *kept.schema()));
      }
      notice(section, table);
      const std::uint64_t wanted = reporting::rows_wanted(table);
      TRANCHE_TRY(writer_->begin_table(std::move(table)));
      if (wanted > 0) TRANCHE_TRY(kept.give(wanted, *writer_, stop_wanted_));
      TRANCHE_TRY(writer_->end_table());
    }
    return remove_file(result);
  }

  void notice(const ReportSection& section, const reporting::Table& table) {
    const std::uint64_t held = reporting::rows_shown_max(step_.format);
    if (step_.format == reporting::Format::xlsx && !section.rows && table.rows > held) {
      notices_.push_back(
          fmt::format("Section \"{}\" of {} has the first {} of {} rows, which is what "
                      "a sheet can hold.",
                      section.title, step_.path.filename().string(), format_count(held),
                      format_count(table.rows)));
    }
    if (step_.format == reporting::Format::html && table.chart &&
        table.rows > reporting::chart_rows_max) {
      notices_.push_back(
          fmt::format("The chart of section \"{}\" of {} shows the first {} of {} rows.",
                      section.title, step_.path.filename().string(),
                      format_count(reporting::chart_rows_max), format_count(table.rows)));
    }
  }

  Result<void> write_rejects(const ReportSection& section) {
    reporting::Table table = table_of(section);
    table.schema = std::make_shared<const Schema>(rejects_schema());
    TRANCHE_ASSIGN(table.rows, ledger_.count_rejects(around_.run.run_id, section.rejects_of,
                                                     KeptRejects::published));
    const std::uint64_t wanted = reporting::rows_wanted(table);
    Page page(table.schema);
    TRANCHE_TRY(writer_->begin_table(std::move(table)));
    const auto give = [&]() -> Result<void> {
      TRANCHE_TRY(writer_->add_rows(page));
      page.clear();
      return {};
    };
    const auto take = [&](const KeptReject& kept) -> Result<void> {
      append_reject(page, kept.reject);
      return page.rows() == vector_rows ? give() : Result<void>();
    };
    if (wanted > 0) {
      TRANCHE_TRY(ledger_.read_rejects(around_.run.run_id, section.rejects_of,
                                       KeptRejects::published, wanted, take));
    }
    TRANCHE_TRY(give());
    return writer_->end_table();
  }

  static void append_reject(Page& page, const Reject& reject) {
    const std::size_t row = page.rows();
    const auto put_number = [&](std::size_t column, std::uint64_t value, bool is_known) {
      page.column(column).values<std::uint64_t>()[row] = value;
      if (!is_known) page.column(column).set_null(row);
    };
    const auto put_text = [&](std::size_t column, std::string_view text) {
      const std::string shown = reporting::readable(text.substr(0, reporting::cell_bytes_max * 8));
      page.column(column).values<StringRef>()[row] = StringRef::make(page.arena.copy(shown));
    };
    put_number(0, reject.record, true);
    put_text(1, reject.source);
    put_number(2, reject.line, reject.has_position && reject.line > 0);
    put_text(3, reject.phase);
    put_text(4, reject.error);
    put_text(5, reject.raw);
    page.set_rows(row + 1);
  }

  const ReportStep& step_;
  const StepSurroundings& around_;
  Ledger& ledger_;
  const std::function<bool()>& stop_wanted_;
  std::unique_ptr<reporting::Writer> writer_;
  std::vector<std::string> notices_;
};

}  // namespace

fs::path report_part_path(const fs::path& path, const std::string& run) {
  return path.parent_path() /
         fmt::format(".{}.tranche-{}.tmp", path.filename().string(), run.substr(0, 8));
}

Result<ReportMade> digest_report(const fs::path& path) {
  TRANCHE_ASSIGN(const auto file, File::open_read(path));
  ReportMade made;
  Digest digest;
  std::string piece(digest_piece_bytes, '\0');
  while (true) {
    TRANCHE_ASSIGN(const std::size_t bytes, file.read_at(piece.data(), piece.size(), made.bytes));
    digest.update(std::string_view(piece).substr(0, bytes));
    made.bytes += bytes;
    if (bytes < piece.size()) break;
  }
  made.digest = digest.value();
  return made;
}

Result<ReportMade> run_report_step(const ReportStep& step, const StepSurroundings& surroundings,
                                   Ledger& ledger, const std::function<bool()>& stop_wanted) {
  if (step.path.has_parent_path()) TRANCHE_TRY(create_folders(step.path.parent_path()));
  const fs::path part = report_part_path(step.path, surroundings.run.run_id);
  std::vector<std::string> notices;
  const auto attempt = [&]() -> Result<void> {
    TRANCHE_TRY(remove_file(part));
    Attempt writing(step, surroundings, ledger, stop_wanted);
    auto written = writing.write(part);
    notices = writing.take_notices();
    if (!written) static_cast<void>(remove_file(part));
    return written;
  };
  TRANCHE_ASSIGN(const auto retries,
                 try_until_done(step.name, step.retry, surroundings, stop_wanted, attempt));
  fault_point("report-written");
  TRANCHE_ASSIGN(auto file, File::open_write(part));
  TRANCHE_TRY(file.sync());
  TRANCHE_ASSIGN(auto made, digest_report(part));
  made.retries = retries;
  made.notices = std::move(notices);
  TRANCHE_TRY(rename_durably(part, step.path));
  fault_point("report-in-place");
  return made;
}

Result<void> examine_report_section(const ReportSection& section, const fs::path& scratch) {
  if (!section.query) return {};
  const fs::path result = scratch / "report.parquet";
  TRANCHE_ASSIGN(auto query, section.query());
  const std::uint64_t memory_bytes = query.memory_bytes_max;
  TRANCHE_TRY(keep_query_result(std::move(query), result, 0, [] { return false; }));
  TRANCHE_ASSIGN(const auto kept, KeptResult::open(result, memory_bytes, scratch.string()));
  if (section.chart) TRANCHE_TRY(chart_of(section, *kept.schema()));
  return {};
}

}  // namespace tranche
