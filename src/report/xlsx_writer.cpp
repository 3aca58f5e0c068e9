// A report as a workbook: a sheet that says what there is, and a sheet for each table, with values
// of their types. Rows go to a temporary file as they come.
#include <xlsxwriter.h>

#include <algorithm>
#include <cmath>
#include <set>

#include <fmt/format.h>

#include <tranche/core/value.h>
#include "base/text.h"
#include "report/cell_text.h"
#include "report/writers.h"

namespace tranche::reporting {
namespace {

constexpr std::size_t text_bytes_max = 32'767;  // of a cell; Excel counts in UTF-16, which is less
constexpr std::int64_t exact_integer_max = 999'999'999'999'999;  // Excel keeps 15 digits
constexpr std::size_t exact_digits_max = 15;
constexpr std::int32_t first_day = -25'509;   // 1900-03-01: Excel takes 1900 for a leap year
constexpr std::int32_t last_day = 2'932'896;  // 9999-12-31
constexpr double days_before_epoch = 25'569;  // from Excel's day 0 to 1970-01-01
constexpr double day_microseconds = 86'400e6;
constexpr std::size_t sheet_name_bytes_max = 31;
constexpr std::size_t column_width_max = 60;  // in characters
constexpr std::size_t column_width_min = 8;
constexpr std::uint64_t rows_measured = 2000;  // for the widths of columns

Result<void> check(lxw_error error, std::string_view deed) {
  if (error == LXW_NO_ERROR) return {};
  return make_error(ErrorKind::failed,
                    fmt::format("The workbook can't be {}: {}.", deed, lxw_strerror(error)));
}

// What Excel allows in the name of a sheet, once in the workbook.
std::string sheet_name(std::string_view title, std::set<std::string>& taken) {
  std::string name;
  for (const char c : readable(trim(title))) {
    const bool is_good = std::string_view("[]:*?/\\\n\r\t'").find(c) == std::string_view::npos;
    name += is_good ? c : ' ';
  }
  name = std::string(trim(name));
  if (name.empty() || to_lower(name) == "history") name = "Table";
  const auto cut = [](std::string text, std::size_t bytes) {
    while (text.size() > bytes) {
      do text.pop_back();
      while (!is_utf8(text));
    }
    return text;
  };
  std::string made = cut(name, sheet_name_bytes_max);
  for (int number = 2; !taken.insert(to_lower(made)).second; ++number) {
    const std::string end = fmt::format(" {}", number);
    made = cut(name, sheet_name_bytes_max - end.size()) + end;
  }
  return made;
}

// Characters that a text takes, roughly.
std::size_t width_of(std::string_view text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xc0) != 0x80;
  }));
}

class XlsxWriter final : public Writer {
 public:
  XlsxWriter(fs::path path, std::string scratch)
      : path_(std::move(path)), scratch_(std::move(scratch)) {}
  ~XlsxWriter() override {
    if (workbook_ != nullptr) lxw_workbook_free(workbook_);
  }

  Result<void> begin(const Head& head) override {
    lxw_workbook_options options{};
    options.constant_memory = LXW_TRUE;
    options.tmpdir = scratch_.data();
    workbook_ = workbook_new_opt(path_.c_str(), &options);
    if (workbook_ == nullptr)
      return make_error(ErrorKind::failed, fmt::format("Can't create {}.", path_.string()));
    std::string title = readable(head.title);
    lxw_doc_properties properties{};
    properties.title = title.data();
    properties.created = 1;  // equal reports are equal files
    TRANCHE_TRY(check(workbook_set_properties(workbook_, &properties), "begun"));
    make_formats();
    head_ = head;
    contents_ = workbook_add_worksheet(workbook_, "Report");
    if (contents_ == nullptr)
      return make_error(ErrorKind::failed, "Can't add the sheet \"Report\".");
    return {};
  }

  Result<void> begin_section(std::string_view title, std::string_view text) override {
    sections_.push_back({std::string(title), std::string(text), {}, {}});
    return {};
  }

  Result<void> begin_table(Table table) override {
    table_ = std::move(table);
    rows_ = 0;
    const std::string name =
        sheet_name(table_.caption.empty() ? sections_.back().title : table_.caption, names_);
    sections_.back().sheet = name;
    sections_.back().note = rows_sentence(table_);
    sheet_ = workbook_add_worksheet(workbook_, name.c_str());
    if (sheet_ == nullptr)
      return make_error(ErrorKind::failed, fmt::format("Can't add the sheet \"{}\".", name));
    widths_.clear();
    formats_.clear();
    for (std::size_t i = 0; i < table_.schema->fields.size(); ++i) {
      const Field& field = table_.schema->fields[i];
      const std::string heading = shortened(readable(field.name), text_bytes_max - 50);
      TRANCHE_TRY(check(worksheet_write_string(sheet_, 0, column_number(i), heading.c_str(),
                                               is_numeric(field.type) ? heading_right_ : heading_),
                        "written"));
      widths_.push_back(width_of(heading) + 3);  // and the button of the filter
      formats_.push_back(format_of(field));
    }
    return {};
  }

  Result<void> add_rows(const Page& page) override {
    const std::uint64_t shown = std::min(table_.rows_shown, sheet_rows_max);
    for (std::size_t row = 0; row < page.rows() && rows_ < shown; ++row) {
      ++rows_;
      for (std::size_t i = 0; i < page.column_count(); ++i) {
        TRANCHE_TRY(check(write_cell(page.column(i), row, i), "written"));
      }
    }
    return {};
  }

  Result<void> end_table() override {
    for (std::size_t i = 0; i < widths_.size(); ++i) {
      const auto width = std::clamp(widths_[i] + 1, column_width_min, column_width_max);
      TRANCHE_TRY(check(worksheet_set_column(sheet_, column_number(i), column_number(i),
                                             static_cast<double>(width), nullptr),
                        "written"));
    }
    worksheet_freeze_panes(sheet_, 1, 0);
    if (rows_ > 0) {
      TRANCHE_TRY(check(worksheet_autofilter(sheet_, 0, 0, static_cast<lxw_row_t>(rows_),
                                             column_number(widths_.size() - 1)),
                        "written"));
    }
    return {};
  }

  Result<void> end() override {
    TRANCHE_TRY(write_contents());
    return check(workbook_close(std::exchange(workbook_, nullptr)), "written");
  }

 private:
  struct Section {
    std::string title;
    std::string text;
    std::string sheet;  // of its table; empty: it has none
    std::string note;
  };

  static lxw_col_t column_number(std::size_t index) { return static_cast<lxw_col_t>(index); }

  lxw_format* new_format(const char* number_format) {
    lxw_format* const format = workbook_add_format(workbook_);
    format_set_align(format, LXW_ALIGN_VERTICAL_TOP);
    if (number_format != nullptr) format_set_num_format(format, number_format);
    return format;
  }

  void make_formats() {
    heading_ = new_format(nullptr);
    format_set_bold(heading_);
    format_set_bottom(heading_, LXW_BORDER_THIN);
    heading_right_ = new_format(nullptr);
    format_set_bold(heading_right_);
    format_set_bottom(heading_right_, LXW_BORDER_THIN);
    format_set_align(heading_right_, LXW_ALIGN_RIGHT);
    text_ = new_format("@");
    number_text_ = new_format("@");
    format_set_align(number_text_, LXW_ALIGN_RIGHT);
    plain_ = new_format("0");
    integer_ = new_format("#,##0");
    float_ = new_format("General");
    date_ = new_format("yyyy-mm-dd");
    time_ = new_format("hh:mm:ss");
    timestamp_ = new_format("yyyy-mm-dd hh:mm:ss");
  }

  lxw_format* format_of(const Field& field) {
    switch (field.type.id) {
      case TypeId::date:
        return date_;
      case TypeId::time:
        return time_;
      case TypeId::timestamp:
      case TypeId::timestamptz:
        return timestamp_;
      case TypeId::real:
      case TypeId::double_:
        return float_;
      case TypeId::decimal: {
        if (field.type.scale == 0) return is_amount(field) ? integer_ : plain_;
        const std::string digits(field.type.scale, '0');
        const std::string whole = is_amount(field) ? "#,##0." : "0.";
        return new_format((whole + digits).c_str());
      }
      default:
        return !is_numeric(field.type) ? text_ : is_amount(field) ? integer_ : plain_;
    }
  }

  lxw_error write_cell(const Column& column, std::size_t row, std::size_t index) {
    if (!column.is_valid(row)) return LXW_NO_ERROR;
    const auto line = static_cast<lxw_row_t>(rows_);
    const lxw_col_t at = column_number(index);
    std::string value;
    append_value_text(value, column, row);
    if (rows_ <= rows_measured) {
      // Separators take room, too.
      const std::size_t digits =
          is_numeric(column.type()) ? value.size() + value.size() / 3 : width_of(value);
      widths_[index] = std::max(widths_[index], digits);
    }
    switch (column.type().id) {
      case TypeId::boolean:
        return worksheet_write_boolean(sheet_, line, at, column.values<std::uint8_t>()[row], text_);
      case TypeId::real:
        return write_float(column.values<float>()[row], value, line, index);
      case TypeId::double_:
        return write_float(column.values<double>()[row], value, line, index);
      case TypeId::date: {
        const std::int32_t day = column.values<std::int32_t>()[row];
        if (day < first_day || day > last_day) break;
        return worksheet_write_number(sheet_, line, at, day + days_before_epoch, date_);
      }
      case TypeId::time:
        return worksheet_write_number(
            sheet_, line, at,
            static_cast<double>(column.values<std::int64_t>()[row]) / day_microseconds, time_);
      case TypeId::timestamp:
      case TypeId::timestamptz: {
        const double days =
            static_cast<double>(column.values<std::int64_t>()[row]) / day_microseconds;
        if (days < first_day || days >= last_day + 1) break;
        return worksheet_write_number(sheet_, line, at, days + days_before_epoch, timestamp_);
      }
      default:
        if (is_numeric(column.type())) return write_exact(value, line, index);
        break;
    }
    const std::string text = shortened(readable(value), text_bytes_max - 50);
    // Never a formula, nor a link, whatever it looks like.
    return worksheet_write_string(sheet_, line, at, text.c_str(), text_);
  }

  lxw_error write_float(double number, const std::string& text, lxw_row_t line, std::size_t index) {
    if (std::isfinite(number))
      return worksheet_write_number(sheet_, line, column_number(index), number, formats_[index]);
    return worksheet_write_string(sheet_, line, column_number(index), text.c_str(), number_text_);
  }

  // A number that a spreadsheet would round is kept as text.
  lxw_error write_exact(const std::string& text, lxw_row_t line, std::size_t index) {
    const auto digits = static_cast<std::size_t>(
        std::count_if(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; }));
    if (digits > exact_digits_max)
      return worksheet_write_string(sheet_, line, column_number(index), text.c_str(), number_text_);
    return worksheet_write_number(sheet_, line, column_number(index),
                                  std::strtod(text.c_str(), nullptr), formats_[index]);
  }

  Result<void> write_contents();

  fs::path path_;
  std::string scratch_;
  lxw_workbook* workbook_ = nullptr;
  lxw_worksheet* contents_ = nullptr;  // the first sheet: what there is in the others
  lxw_worksheet* sheet_ = nullptr;     // of the present table
  lxw_format* heading_ = nullptr;
  lxw_format* heading_right_ = nullptr;
  lxw_format* text_ = nullptr;
  lxw_format* number_text_ = nullptr;
  lxw_format* plain_ = nullptr;
  lxw_format* integer_ = nullptr;
  lxw_format* float_ = nullptr;
  lxw_format* date_ = nullptr;
  lxw_format* time_ = nullptr;
  lxw_format* timestamp_ = nullptr;
  Head head_;
  std::vector<Section> sections_;
  std::set<std::string> names_{"report"};
  Table table_;
  std::vector<std::size_t> widths_;
  std::vector<lxw_format*> formats_;
  std::uint64_t rows_ = 0;
};

Result<void> XlsxWriter::write_contents() {
  lxw_worksheet* const sheet = contents_;
  lxw_format* const title = new_format("@");
  format_set_bold(title);
  format_set_font_size(title, 16);
  lxw_format* const wrapped = new_format("@");
  format_set_text_wrap(wrapped);
  lxw_format* const strong = new_format("@");
  format_set_bold(strong);
  lxw_row_t line = 0;
  const auto write = [&](std::string_view text, lxw_format* format) {
    const std::string shown = shortened(readable(trim(text)), text_bytes_max - 50);
    return check(worksheet_write_string(sheet, line++, 0, shown.c_str(), format), "written");
  };
  TRANCHE_TRY(check(worksheet_set_column(sheet, 0, 0, 80, nullptr), "written"));
  TRANCHE_TRY(write(head_.title, title));
  if (!trim(head_.text).empty()) TRANCHE_TRY(write(head_.text, wrapped));
  for (const Section& section : sections_) {
    ++line;
    TRANCHE_TRY(write(section.title, strong));
    if (!trim(section.text).empty()) TRANCHE_TRY(write(section.text, wrapped));
    if (!section.sheet.empty())
      TRANCHE_TRY(
          write(fmt::format("{}, in the sheet \"{}\"", section.note, section.sheet), text_));
  }
  return {};
}

}  // namespace

Result<std::unique_ptr<Writer>> make_xlsx_writer(const fs::path& path, const std::string& scratch) {
  return std::unique_ptr<Writer>(std::make_unique<XlsxWriter>(path, scratch));
}

}  // namespace tranche::reporting
