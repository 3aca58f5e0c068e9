// A report as Markdown, with the tables of GitHub's flavour.
#include <fmt/format.h>

#include "base/text.h"
#include "report/cell_text.h"
#include "report/writers.h"

namespace tranche::reporting {
namespace {

// Text that means nothing but itself, on one line.
std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : readable(text)) {
    switch (c) {
      case '\\':
      case '`':
      case '*':
      case '_':
      case '[':
      case ']':
      case '|':
      case '~':
      case '#':
        out += '\\';
        out += c;
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '&':
        out += "&amp;";
        break;
      case '\n':
        out += "<br>";
        break;
      case '\r':
        break;
      case '\t':
        out += ' ';
        break;
      default:
        out += c;
    }
  }
  return out;
}

class MarkdownWriter final : public Writer {
 public:
  explicit MarkdownWriter(File file) : file_(std::move(file)) {}

  Result<void> begin(const Head& head) override {
    file_.text() += fmt::format("# {}\n", escaped(head.title));
    append_text(head.text);
    return {};
  }

  Result<void> begin_section(std::string_view title, std::string_view text) override {
    file_.text() += fmt::format("\n## {}\n", escaped(title));
    append_text(text);
    return file_.flush_when_full();
  }

  Result<void> begin_table(Table table) override {
    table_ = std::move(table);
    rows_ = 0;
    amounts_.clear();
    std::string& out = file_.text();
    if (table_.chart) out += fmt::format("\n*{}:*\n", escaped(table_.chart->summary));
    out += "\n|";
    for (const Field& field : table_.schema->fields) {
      out += fmt::format(" {} |", escaped(field.name));
      amounts_.push_back(is_amount(field));
    }
    out += "\n|";
    for (const Field& field : table_.schema->fields)
      out += is_numeric(field.type) ? " ---: |" : " --- |";
    out += '\n';
    return {};
  }

  Result<void> add_rows(const Page& page) override {
    for (std::size_t row = 0; row < page.rows() && rows_ < table_.rows_shown; ++row, ++rows_) {
      std::string& out = file_.text();
      out += '|';
      for (std::size_t i = 0; i < page.column_count(); ++i) {
        cell_.clear();
        append_cell_text(cell_, page.column(i), row, amounts_[i]);
        out += fmt::format(" {} |", escaped(shortened(std::move(cell_), cell_bytes_max)));
      }
      out += '\n';
      TRANCHE_TRY(file_.flush_when_full());
    }
    return {};
  }

  Result<void> end_table() override {
    file_.text() += fmt::format("\n{}\n", rows_sentence(table_));
    return file_.flush_when_full();
  }

  Result<void> end() override { return file_.close(); }

 private:
  // Paragraphs are Markdown already.
  void append_text(std::string_view text) {
    if (!trim(text).empty()) file_.text() += fmt::format("\n{}\n", readable(trim(text)));
  }

  TextFile file_;
  Table table_;
  std::vector<bool> amounts_;
  std::string cell_;
  std::uint64_t rows_ = 0;
};

}  // namespace

Result<std::unique_ptr<Writer>> make_markdown_writer(const fs::path& path) {
  TRANCHE_ASSIGN(auto file, File::create(path));
  return std::unique_ptr<Writer>(std::make_unique<MarkdownWriter>(std::move(file)));
}

}  // namespace tranche::reporting
