// A report as one page of HTML.
#include <algorithm>

#include <fmt/format.h>

#include "base/json.h"
#include "base/text.h"
#include "report/cell_text.h"
#include "report/html_page.h"
#include "report/html_text.h"
#include "report/writers.h"

namespace tranche::reporting {
namespace {

class HtmlWriter final : public Writer {
 public:
  explicit HtmlWriter(File file) : file_(std::move(file)) {}

  Result<void> begin(const Head& head) override {
    head_ = head;
    file_.text() += page_begin(head);
    return {};
  }

  Result<void> begin_section(std::string_view title, std::string_view text) override {
    end_section();
    title_ = title;
    file_.text() += section_begin(++sections_, title, text);
    return file_.flush_when_full();
  }

  Result<void> begin_table(Table table) override {
    table_ = std::move(table);
    rows_ = 0;
    rows_of_chart_.clear();
    if (table_.chart) begin_chart();
    const bool is_title = table_.caption.empty() || table_.caption == title_;
    file_.text() +=
        table_begin(fmt::format("table-{}", ++tables_), is_title ? title_ : table_.caption,
                    is_title, rows_sentence(table_), *table_.schema);
    amounts_.clear();
    for (const Field& field : table_.schema->fields) amounts_.push_back(is_amount(field));
    return {};
  }

  Result<void> add_rows(const Page& page) override {
    for (std::size_t row = 0; row < page.rows(); ++row, ++rows_) {
      if (rows_ < table_.rows_shown) append_row(page, row);
      if (table_.chart && rows_ < chart_rows_max) append_chart_row(page, row);
      TRANCHE_TRY(file_.flush_when_full());
    }
    return {};
  }

  Result<void> end_table() override {
    if (table_.rows == 0) {
      file_.text() += fmt::format(
          "<tr><td class=\"none\" colspan=\"{}\">There is nothing to "
          "show.</td></tr>\n",
          table_.schema->fields.size());
    }
    file_.text() += table_end;
    if (table_.chart) end_chart();
    return file_.flush_when_full();
  }

  Result<void> end() override {
    end_section();
    file_.text() += page_end(head_);
    return file_.close();
  }

 private:
  void end_section() {
    if (sections_ > 0) file_.text() += "</section>\n";
  }

  void append_row(const Page& page, std::size_t row) {
    std::string& out = file_.text();
    out += "<tr>";
    for (std::size_t i = 0; i < page.column_count(); ++i) {
      const Column& column = page.column(i);
      const bool is_number = is_numeric(column.type());
      if (!column.is_valid(row)) {
        out += is_number ? "<td class=\"n null\">\xe2\x80\x93</td>"
                         : "<td class=\"null\">\xe2\x80\x93</td>";
        continue;
      }
      cell_.clear();
      append_cell_text(cell_, column, row, amounts_[i]);
      append_cell(out, shortened(std::move(cell_), cell_bytes_max), is_number);
    }
    out += "</tr>\n";
  }

  void append_chart_row(const Page& page, std::size_t row) {
    rows_of_chart_ += rows_of_chart_.empty() ? "[" : ",[";
    for (std::size_t i = 0; i < page.column_count(); ++i) {
      if (i > 0) rows_of_chart_ += ',';
      append_chart_value(rows_of_chart_, page.column(i), row);
    }
    rows_of_chart_ += ']';
  }

  void begin_chart() {
    std::string note;
    if (table_.rows > chart_rows_max) {
      note = fmt::format("The chart shows the first {} of {} rows.", format_count(chart_rows_max),
                         format_count(table_.rows));
    } else if (table_.rows == 0) {
      note = "There is nothing to draw.";
    }
    file_.text() += fmt::format(
        "<figure class=\"chart\" id=\"chart-{}\">\n<div class=\"drawing\" role=\"img\" "
        "aria-label=\"{}. The figures are in the table below.\"></div>\n",
        ++charts_, html(table_.chart->summary));
    if (!note.empty()) file_.text() += fmt::format("<figcaption>{}</figcaption>\n", html(note));
    file_.text() +=
        "<noscript><p>The chart needs scripts; its figures are in the table "
        "below.</p></noscript>\n</figure>\n";
  }

  void end_chart() {
    std::string names;
    for (const Field& field : table_.schema->fields) {
      if (!names.empty()) names += ',';
      append_json_string(names, readable(field.name));
    }
    file_.text() += fmt::format(
        "<script type=\"application/json\" id=\"chart-{}-data\">"
        "{{\"spec\":{},\"columns\":[{}],\"rows\":[{}]}}</script>\n",
        charts_, json_for_script(table_.chart->vega_lite), json_for_script(names),
        json_for_script(rows_of_chart_));
  }

  TextFile file_;
  Head head_;
  std::string title_;
  Table table_;
  std::vector<bool> amounts_;
  std::string cell_;
  std::string rows_of_chart_;
  std::uint64_t rows_ = 0;
  std::size_t sections_ = 0;
  std::size_t tables_ = 0;
  std::size_t charts_ = 0;
};

}  // namespace

Result<std::unique_ptr<Writer>> make_html_writer(const fs::path& path) {
  TRANCHE_ASSIGN(auto file, File::create(path));
  return std::unique_ptr<Writer>(std::make_unique<HtmlWriter>(std::move(file)));
}

}  // namespace tranche::reporting
