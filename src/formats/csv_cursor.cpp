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
    : RecordCursor(file, std::move(name), use, dialect.return_ends_lines),
      scanner_(dialect, empty_line_is_record),
      empty_line_is_record_(empty_line_is_record),
      find_fields_(find == Find::fields),
      return_ends_lines_(dialect.return_ends_lines),
      max_record_bytes_(dialect.max_record_bytes) {
  if (CsvIndex::suits(dialect)) index_.emplace(dialect, find_fields_);
}

Result<std::span<const CsvRecord>> CsvCursor::next() {
  first_ends_.clear();
  if (!index_) return walk(scanner_, use().block_records);
  auto& block = begin_block();
  TRANCHE_TRY(open_window(scanner_));
  if (find_block(block)) return std::span<const CsvRecord>(block);
  row_ = index_->rows().size();  // the window may move
  // A broken record, or one that the window does not hold whole.
  return walk(scanner_, 1);
}

Result<RecordCursor::Passed> CsvCursor::pass(const PassLimits& limits) {
  if (index_ && has_passed_block()) {
    const bool has_rows = row_ < index_->rows().size();
    if (!has_rows && window() != nullptr) {
      const Passed passed = count_rows(limits);
      if (passed.records > 0) return passed;
    }
    if (has_rows || search()) {
      const Passed passed = pass_rows(limits);
      if (passed.records > 0) return passed;
    }
  }
  return RecordCursor::pass(limits);
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

// Calls `visit` with the rows that have not been taken, one after the other. It answers false where
// it wants no more behind that one.
template <class Visit> [[gnu::always_inline]] inline void CsvCursor::for_each_row(Visit visit) {
  const auto rows = index_->rows();
  const auto ends = index_->ends();
  const auto quoted_line_ends = index_->quoted_line_ends();
  const char* const base = window().get();
  const auto length = static_cast<std::uint32_t>(window_end() - window_begin());
  const bool has_returns = index_->has_returns();
  Row row;
  row.begin = static_cast<std::uint32_t>(position() - window_begin());
  row.line = line();
  bool more = true;
  while (more && row_ < rows.size()) {
    row.end = ends[rows[row_].ends - 1];
    const bool has_line_end = !(search_final_ && row.end == search_end_);
    if (row.begin == row.end && !has_line_end) break;  // the file ended with a line end
    row.next = row.end + (has_line_end ? 1 : 0);
    if (has_returns && has_line_end && base[row.end] == '\r') {
      if (row.next == length && window_end() != use().end) break;  // is it CRLF?
      const bool is_pair = row.next < length && base[row.next] == '\n';
      if (!is_pair && !return_ends_lines_) break;  // it ends nothing
      row.next += is_pair ? 1 : 0;
    }
    if (row.end - row.begin > max_record_bytes_) break;
    row.lines = has_line_end ? 1 : 0;
    if (row.begin != row.end || empty_line_is_record_) {
      while (quoted_line_end_ < quoted_line_ends.size() &&
             quoted_line_ends[quoted_line_end_] < row.end) {
        ++quoted_line_end_;
        ++row.lines;
      }
      more = visit(row, rows[row_]);
    }
    ends_taken_ = rows[row_++].ends;
    row.line += row.lines;
    row.begin = row.next;
  }
  if (more) row_ = rows.size();
  go_on_at(window_begin() + row.begin, row.line);
}

void CsvCursor::take_rows(std::vector<TextRecord>& block) {
  const std::uint64_t window_at = window_begin();
  const std::size_t records_max = use().block_records;
  for_each_row([&](const Row& row, const CsvIndex::Row& found) {
    TextRecord& record = block.emplace_back();
    record.offset = window_at + row.begin;
    record.bytes = row.end - row.begin;
    record.next = window_at + row.next;
    record.line = row.line;
    record.lines = row.lines;
    record.quoted = found.quoted;
    if (find_fields_) first_ends_.push_back({ends_taken_, found.ends - ends_taken_});
    return block.size() < records_max;
  });
}

RecordCursor::Passed CsvCursor::pass_rows(const PassLimits& limits) {
  const std::uint64_t window_at = window_begin();
  Passed passed;
  for_each_row([&](const Row& row, const CsvIndex::Row&) {
    passed = {passed.records + 1, window_at + row.next, row.line + row.lines};
    return !limits.reached(passed.records, passed.end);
  });
  return passed;
}

// Nearly all records are passed so, many at a time.
RecordCursor::Passed CsvCursor::count_rows(const PassLimits& limits) {
  const std::uint64_t window_at = window_begin();
  CsvIndex::CountLimits count_limits;
  count_limits.records_max = limits.records_max;
  count_limits.record_bytes_max = max_record_bytes_;
  // Behind the window where the limit is no number of bytes.
  const std::uint64_t left = window_end() - limits.begin;
  count_limits.end_wanted = limits.bytes_max > left ? window_end() - window_at + 1
                                                    : limits.begin + limits.bytes_max - window_at;
  const auto counted =
      index_->count(window().get(), static_cast<std::uint32_t>(position() - window_at),
                    static_cast<std::uint32_t>(window_end() - window_at), count_limits);
  if (counted.records == 0) return {};
  go_on_at(window_at + counted.end, line() + counted.lines);
  return {counted.records, position(), line()};
}

}  // namespace tranche
