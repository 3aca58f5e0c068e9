// The cursor of CSV files: record_cursor.h with the index of csv_index.h for what is well-formed
// and the scanner of csv_scanner.h for everything else. Both find the same records.
//
// Threads, lifetime and errors: those of record_cursor.h.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "formats/csv_index.h"
#include "formats/csv_scanner.h"
#include "formats/record_cursor.h"

namespace tranche {

using CsvRecord = TextRecord;

class CsvCursor final : public RecordCursor {
 public:
  enum class Find { records, fields };  // fields: field_ends() is filled where it can be

  CsvCursor(const TextFile& file, std::string name, const CsvDialect& dialect,
            bool empty_line_is_record, Find find, const Use& use);
  Result<std::span<const CsvRecord>> next() override;
  Result<Passed> pass(const PassLimits& limits) override;

  // Where the fields of record `index` of the last block end, relative to window(); none when that
  // is for CsvFields to find. Valid until the next call of next().
  std::span<const std::uint32_t> field_ends(std::size_t index) const {
    if (index >= first_ends_.size()) return {};
    const auto [first, count] = first_ends_[index];
    return index_->ends().subspan(first, count);
  }

 private:
  struct FieldEnds {
    std::uint32_t first = 0;
    std::uint32_t count = 0;
  };
  bool find_block(std::vector<TextRecord>& block);
  bool search();
  void take_rows(std::vector<TextRecord>& block);
  Passed pass_rows(const PassLimits& limits);
  Passed count_rows(const PassLimits& limits);
  // A record that the index has found, relative to the window.
  struct Row {
    std::uint32_t begin = 0;
    std::uint32_t end = 0;
    std::uint32_t next = 0;
    std::uint32_t lines = 0;  // line ends in it
    std::uint64_t line = 0;   // lines of the range before it
  };
  template <class Visit> void for_each_row(Visit visit);

  CsvScanner scanner_;
  std::optional<CsvIndex> index_;  // of dialects that it suits
  const bool empty_line_is_record_;
  const bool find_fields_;
  const bool return_ends_lines_;
  const std::uint64_t max_record_bytes_;

  // Of the index's last search, what has not been taken.
  std::size_t row_ = 0;
  std::size_t quoted_line_end_ = 0;
  std::uint32_t ends_taken_ = 0;
  std::uint32_t search_end_ = 0;  // relative to the window
  bool search_final_ = false;
  std::vector<FieldEnds> first_ends_;  // one a record of the block
};

}  // namespace tranche
