// The writers of the three formats; report_writer.h chooses.
// Threads, lifetime and errors: as there.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/file.h"
#include "report/report_writer.h"

namespace tranche::reporting {

// Rows of a sheet of XLSX below its headings.
inline constexpr std::uint64_t sheet_rows_max = 1'048'575;

Result<std::unique_ptr<Writer>> make_html_writer(const fs::path& file);
Result<std::unique_ptr<Writer>> make_markdown_writer(const fs::path& file);
Result<std::unique_ptr<Writer>> make_xlsx_writer(const fs::path& file, const std::string& scratch);

// A file of text that is written from its front to its end.
class TextFile {
 public:
  explicit TextFile(File file) : file_(std::move(file)) {}
  std::string& text() { return text_; }  // what is to be written
  Result<void> flush_when_full();
  Result<void> close();

 private:
  File file_;
  std::string text_;
};

}  // namespace tranche::reporting
