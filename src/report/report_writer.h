// Writes a report, section by section, into one file: a page of HTML, Markdown or a workbook.
//
// Rows pass through: of a table only what a page of HTML needs for its chart is kept.
// Threads: one. Lifetime: what is given to a call needs to live during the call only.
// Errors: failed, of the file system; config, where the format can't do what is asked.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <tranche/core/page.h>
#include "report/chart.h"

namespace tranche::reporting {

enum class Format { html, markdown, xlsx };
// By the end of its name: .html, .htm, .md, .markdown, .xlsx. nullopt: another one.
std::optional<Format> format_of(const std::filesystem::path& file);
// So many rows a table has where nothing else is said, and at most.
std::uint64_t rows_shown_default(Format format);
std::uint64_t rows_shown_max(Format format);

struct Head {
  std::string title;
  std::string text;                   // paragraphs below the title; may be empty
  std::vector<std::string> sections;  // their titles
  bool has_charts = false;
};

struct Table {
  std::string caption;
  SchemaPtr schema;
  std::uint64_t rows = 0;        // that there are
  std::uint64_t rows_shown = 0;  // that the table has, the first ones
  std::optional<Chart> chart;    // of the first chart_rows_max rows
};
// So many rows are to be given to add_rows: those of the table, and of its chart.
std::uint64_t rows_wanted(const Table& table);

class Writer {
 public:
  virtual ~Writer() = default;
  virtual Result<void> begin(const Head& head) = 0;
  virtual Result<void> begin_section(std::string_view title, std::string_view text) = 0;
  // Then add_rows until rows_wanted came, and end_table.
  virtual Result<void> begin_table(Table table) = 0;
  virtual Result<void> add_rows(const Page& page) = 0;
  virtual Result<void> end_table() = 0;
  // The file is whole, but not yet synced.
  virtual Result<void> end() = 0;
};

// `scratch`: a folder for the time being. Equal calls make equal files.
Result<std::unique_ptr<Writer>> make_writer(Format format, const std::filesystem::path& file,
                                            const std::string& scratch);

// "5 rows"; "The first 1,000 of 1,000,000 rows."
std::string rows_sentence(const Table& table);

}  // namespace tranche::reporting
