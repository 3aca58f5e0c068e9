#include "report/report_writer.h"

#include <algorithm>
#include <array>
#include <utility>

#include <fmt/format.h>

#include "base/text.h"
#include "report/writers.h"

namespace tranche::reporting {
namespace {

constexpr std::array<std::pair<std::string_view, Format>, 5> endings{
    {{".html", Format::html},
     {".htm", Format::html},
     {".md", Format::markdown},
     {".markdown", Format::markdown},
     {".xlsx", Format::xlsx}}};
// What a browser, or a reader of Markdown, still shows with ease, and what it can bear.
constexpr std::uint64_t page_rows_default = 1000;
constexpr std::uint64_t page_rows_max = 100'000;

}  // namespace

std::optional<Format> format_of(const std::filesystem::path& file) {
  const std::string name = to_lower(file.filename().string());
  for (const auto& [ending, format] : endings) {
    if (name.ends_with(ending) && name.size() > ending.size()) return format;
  }
  return std::nullopt;
}

std::uint64_t rows_shown_default(Format format) {
  return format == Format::xlsx ? sheet_rows_max : page_rows_default;
}

std::uint64_t rows_shown_max(Format format) {
  return format == Format::xlsx ? sheet_rows_max : page_rows_max;
}

std::uint64_t rows_wanted(const Table& table) {
  const std::uint64_t shown = std::min(table.rows, table.rows_shown);
  return table.chart ? std::max(shown, std::min(table.rows, chart_rows_max)) : shown;
}

std::string rows_sentence(const Table& table) {
  if (table.rows == 0) return "No rows";
  if (table.rows <= table.rows_shown)
    return fmt::format("{} {}", format_count(table.rows), table.rows == 1 ? "row" : "rows");
  if (table.rows_shown == 0) return fmt::format("{} rows, not shown", format_count(table.rows));
  return fmt::format("The first {} of {} rows", format_count(table.rows_shown),
                     format_count(table.rows));
}

Result<std::unique_ptr<Writer>> make_writer(Format format, const std::filesystem::path& file,
                                            const std::string& scratch) {
  switch (format) {
    case Format::html:
      return make_html_writer(file);
    case Format::markdown:
      return make_markdown_writer(file);
    case Format::xlsx:
      break;
  }
  return make_xlsx_writer(file, scratch);
}

}  // namespace tranche::reporting
