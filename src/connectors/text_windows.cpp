#include "connectors/text_windows.h"

#include <algorithm>

#include <fmt/format.h>

#include <tranche/core/value.h>
#include "connectors/bad_file.h"
#include "connectors/text_source.h"

namespace tranche {
namespace {

// What is read at once: small enough to stay in a core's cache for the one who cuts it.
constexpr std::uint64_t range_bytes = std::uint64_t{512} << 10;

class LateReader final : public Reader {
 public:
  LateReader(std::unique_ptr<Reader> reader, const TimeWindows& windows, const TimeWindow& window)
      : reader_(std::move(reader)), windows_(windows), window_(window) {}

  Result<std::unique_ptr<Page>> next(std::vector<Reject>& rejects) override {
    while (true) {
      TRANCHE_ASSIGN(auto page, reader_->next(rejects));
      if (page == nullptr) return page;
      const Column& times = page->column(windows_.column);
      late_.clear();
      for (std::size_t row = 0; row < page->rows(); ++row) {
        if (times.is_valid(row) && time_of(times, row) < window_.begin) late_.push_back(row);
      }
      if (!late_.empty()) page = without_late(*page, rejects);
      if (page->rows() > 0) return page;
    }
  }

  std::uint64_t bytes_read() const override { return reader_->bytes_read(); }

 private:
  std::unique_ptr<Page> without_late(const Page& page, std::vector<Reject>& rejects) const {
    const std::size_t kept = page.rows() - late_.size();
    auto made = std::make_unique<Page>(page.schema_ptr(), std::max<std::size_t>(kept, 1));
    made->base = page.base;
    made->keep_alive = page.keep_alive;
    auto late = late_.begin();
    for (std::size_t row = 0; row < page.rows(); ++row) {
      if (late == late_.end() || *late != row) {
        append_row(*made, page, row);
        continue;
      }
      ++late;
      std::string shown;
      append_value_text(shown, page.column(windows_.column), row);
      rejects.push_back(reject_row(
          page, row, "read",
          fmt::format("The record is late: \"{}\" is {}, before the window {} that has begun.",
                      windows_.column_name, shown, windows_.calendar.describe(window_))));
    }
    return made;
  }

  const std::unique_ptr<Reader> reader_;
  const TimeWindows& windows_;
  const TimeWindow window_;
  std::vector<std::size_t> late_;  // rows of the page in hand
};

}  // namespace

TimeLine::TimeLine(const TextSource& source, const TimeWindows& windows, const Slice* after)
    : source_(source), windows_(windows) {
  if (after == nullptr) return;
  input_ = after->input;
  if (bad_file_of(*after)) ++input_;
  else resumed_ = *after;
  window_ = taken_ = window_of_range(after->range);
}

Result<TimeLine::Stretch> TimeLine::ahead(std::size_t input) {
  if (input > input_) {
    input_ = input;
    cursor_.reset();
    ended_ = false;
  }
  while (parts_.empty() && !ended_ && input == input_) TRANCHE_TRY(read_on());
  // What is there may be of a later input that was looked at already.
  if (parts_.empty() || input < input_) return Stretch();
  return Stretch{parts_.front().records, parts_.front().begins_window};
}

void TimeLine::take(std::uint64_t records) {
  Part& part = parts_.front();
  if (part.window) taken_ = part.window;
  part.begins_window = false;
  part.records -= records;
  if (part.records == 0) parts_.pop_front();
}

Result<bool> TimeLine::is_at_window_end(std::size_t input) {
  for (; input < source_.files().inputs.size(); ++input) {
    TRANCHE_ASSIGN(const Stretch stretch, ahead(input));
    if (stretch.records > 0) return stretch.begins_window;
  }
  return false;
}

std::string TimeLine::range() const { return taken_ ? window_range(*taken_) : std::string(); }

Result<void> TimeLine::open(std::size_t input) {
  TRANCHE_ASSIGN(const TextBegin begin, source_.begin_of(input));
  TRANCHE_ASSIGN(file_, source_.files().open(input));
  RecordCursor::Use use;
  use.begin = begin.offset;
  use.end = source_.files().end_of(input);
  if (resumed_) use.begin = std::max(use.begin, std::min(resumed_->end, use.end));
  resumed_.reset();
  position_ = use.begin;
  cursor_ = source_.cursor(file_, input, use);
  return {};
}

Result<void> TimeLine::read_on() {
  if (cursor_ == nullptr) {
    TRANCHE_ASSIGN(const auto fault, source_.bad_file(input_));
    ended_ = fault.has_value();
    if (ended_) return {};
    TRANCHE_TRY(open(input_));
  }
  Slice range;
  range.input = static_cast<std::uint32_t>(input_);
  range.begin = range.end = position_;
  while (range.end - range.begin < range_bytes) {
    TRANCHE_ASSIGN(const auto passed, cursor_->pass({range.begin, range_bytes, UINT64_MAX}));
    if (passed.records == 0) break;
    range.records += passed.records;
    range.end = passed.end;
  }
  if (range.records == 0) {
    ended_ = true;
    return {};
  }
  position_ = range.end;
  TRANCHE_ASSIGN(TextFile file, source_.files().open(input_));
  TRANCHE_ASSIGN(const auto times, source_.column_reader(std::move(file), range, windows_.column));
  return add_times(*times, range.records);
}

// Records that are no rows of the reader have no time that can be told.
Result<void> TimeLine::add_times(Reader& times, std::uint64_t records) {
  std::vector<Reject> broken;
  std::uint64_t done = 0;     // records before the stretch in hand
  bool begins_window = false;  // the stretch in hand
  while (true) {
    TRANCHE_ASSIGN(const auto page, times.next(broken));
    broken.clear();
    if (page == nullptr) break;
    const Column& column = page->column(0);
    for (std::size_t row = 0; row < page->rows(); ++row) {
      if (!column.is_valid(row)) continue;
      const std::int64_t time = time_of(column, row);
      if (window_ && (time < window_->begin || window_->contains(time))) [[likely]] continue;
      const std::uint64_t record = page->base.record + page->origins[row].record;
      add(record - done, begins_window);
      begins_window = window_.has_value();
      window_ = windows_.calendar.window_of(time);
      done = record;
    }
  }
  add(records - done, begins_window);
  return {};
}

void TimeLine::add(std::uint64_t records, bool begins_window) {
  if (records > 0) parts_.push_back({records, begins_window, window_});
}

std::unique_ptr<Reader> reject_late_records(std::unique_ptr<Reader> reader,
                                            const TimeWindows& windows, const Slice& slice) {
  const auto window = window_of_range(slice.range);
  if (!window) return reader;
  return std::make_unique<LateReader>(std::move(reader), windows, *window);
}

}  // namespace tranche
