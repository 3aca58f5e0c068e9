#include "formats/csv_cursor.h"

#include <algorithm>

namespace tranche {
namespace {

// So that what the search leaves is still in the cache when it is read.
constexpr std::size_t search_bytes_fields = std::size_t{64} << 10;
constexpr std::size_t search_bytes_records = std::size_t{256} << 10;

}  // namespace

CsvCursor::CsvCursor(const TextFile& file, std::string name, const CsvDialect& dialect,
                     bool empty_line_is_record, Find find, const Use& use)
    : RecordCursor(file, std::move(name), use, true),
      scanner_(dialect, empty_line_is_record),
      empty_line_is_record_(empty_line_is_record),
      find_fields_(find == Find::fields),
      max_record_bytes_(dialect.max_record_bytes) {
  if (CsvIndex::suits(dialect)) index_.emplace(dialect, find_fields_);
}

Result<std::span<const CsvRecord>> CsvCursor::next() {
  first_ends_.clear();
  if (!index_) return walk(scanner_, use().block_records);
  auto& block = begin_block();
  if (find_block(block)) return std::span<const CsvRecord>(block);
  row_ = index_->rows().size();  // the window may move
  // A broken record, or one that the window does not hold whole.
  return walk(scanner_, 1);
}

// Takes the next records from the index. False: the next one is for the scanner.
bool CsvCursor::find_block(std::vector<TextRecord>& block) {
  if (row_ == index_->rows().size() && !search()) return false;
  take_rows(block);
  return !block.empty();
}

// Searches the window from where the next record begins. False: there is no whole record.
bool CsvCursor::search() {
  if (window() == nullptr || position() == window_end()) return false;
  const auto begin = static_cast<std::uint32_t>(position() - window_begin());
  const auto length = static_cast<std::uint32_t>(window_end() - window_begin());
  std::size_t bytes = find_fields_ ? search_bytes_fields : search_bytes_records;
  while (true) {
    search_end_ = static_cast<std::uint32_t>(std::min<std::size_t>(length, begin + bytes));
    search_final_ = search_end_ == length && window_end() == use().end;
    row_ = quoted_line_end_ = 0;
    ends_taken_ = 0;
    const bool well_formed = index_->search(window().get(), begin, search_end_, search_final_);
    if (!index_->rows().empty()) return true;
    // A quote that never closes is not followed further than a record may go.
    if (!well_formed || search_end_ == length || bytes > max_record_bytes_) return false;
    bytes *= 4;
  }
}

void CsvCursor::take_rows(std::vector<TextRecord>& block) {
  const auto rows = index_->rows();
  const auto ends = index_->ends();
  const auto quoted_line_ends = index_->quoted_line_ends();
  const char* const base = window().get();
  const auto length = static_cast<std::uint32_t>(window_end() - window_begin());
  auto begin = static_cast<std::uint32_t>(position() - window_begin());
  std::uint64_t line_now = line();
  for (; row_ < rows.size() && block.size() < use().block_records; ++row_) {
    const std::uint32_t end = ends[rows[row_].ends - 1];
    const bool has_line_end = !(search_final_ && end == search_end_);
    if (begin == end && !has_line_end) break;  // the file ended with a line end
    std::uint32_t next = end + (has_line_end ? 1 : 0);
    if (has_line_end && base[end] == '\r') {
      if (next == length && window_end() != use().end) break;  // is it CRLF?
      if (next < length && base[next] == '\n') ++next;
    }
    if (end - begin > max_record_bytes_) break;
    const std::uint32_t first = ends_taken_;
    ends_taken_ = rows[row_].ends;
    std::uint32_t lines = has_line_end ? 1 : 0;
    if (begin != end || empty_line_is_record_) {
      while (quoted_line_end_ < quoted_line_ends.size() &&
             quoted_line_ends[quoted_line_end_] < end) {
        ++quoted_line_end_;
        ++lines;
      }
      TextRecord& record = block.emplace_back();
      record.offset = window_begin() + begin;
      record.bytes = end - begin;
      record.next = window_begin() + next;
      record.line = line_now;
      record.lines = lines;
      record.quoted = rows[row_].quoted;
      if (find_fields_) first_ends_.push_back({first, ends_taken_ - first});
    }
    line_now += lines;
    begin = next;
  }
  if (block.size() < use().block_records) row_ = rows.size();
  go_on_at(window_begin() + begin, line_now);
}

}  // namespace tranche
