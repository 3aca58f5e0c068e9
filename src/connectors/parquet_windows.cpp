#include "connectors/parquet_windows.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include <tranche/core/value.h>
#include "base/digest.h"
#include "connectors/bad_file.h"

namespace tranche {
namespace {

constexpr std::uint64_t database_memory_bytes = 64ULL << 20;
constexpr std::string_view null_range = "null";

template <class T> std::optional<T> number(std::string_view text) {
  T value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  const bool whole = error == std::errc() && end == text.data() + text.size();
  return whole && !text.empty() ? std::optional(value) : std::nullopt;
}

std::string bound_literal(std::int64_t microseconds, Type type) {
  constexpr std::int64_t day = 86'400'000'000;
  std::string text;
  if (type.id == TypeId::date) {
    const auto days = static_cast<std::int32_t>(microseconds / day);
    append_value_text(text, type, &days);
  } else {
    append_value_text(text, Type{TypeId::timestamp}, &microseconds);
    if (type.id == TypeId::timestamptz) text += "+00";
  }
  return fmt::format("CAST({} AS {})", sql_literal(text), sql_type(type));
}

}  // namespace

std::string to_range(const WindowPart& part) {
  return fmt::format("{} {} {}",
                     part.window ? window_range(*part.window) : std::string(null_range),
                     part.skipped, part.rows_all);
}

std::optional<WindowPart> part_of_range(std::string_view range) {
  WindowPart part;
  part.window = window_of_range(range);
  if (!part.window && !range.starts_with(null_range)) return std::nullopt;
  const std::size_t last = range.rfind(' ');
  const std::size_t before = last == std::string_view::npos ? last : range.rfind(' ', last - 1);
  if (before == std::string_view::npos) return std::nullopt;
  const auto skipped = number<std::uint64_t>(range.substr(before + 1, last - before - 1));
  const auto rows = number<std::uint64_t>(range.substr(last + 1));
  if (!skipped || !rows) return std::nullopt;
  part.skipped = *skipped;
  part.rows_all = *rows;
  return part;
}

std::string window_condition(const WindowPart& part, const std::string& expression, Type type) {
  if (!part.window) return fmt::format("{} IS NULL", expression);
  std::string condition = fmt::format("{} IS NOT NULL", expression);
  if (part.window->begin != INT64_MIN)
    condition += fmt::format(" AND {} >= {}", expression, bound_literal(part.window->begin, type));
  if (part.window->end != INT64_MAX)
    condition += fmt::format(" AND {} < {}", expression, bound_literal(part.window->end, type));
  return condition;
}

std::uint64_t parquet_slice_digest(std::uint64_t group_digest, const Slice& slice) {
  return digest64(fmt::format("{:016x} {} {}{}{}", group_digest, slice.begin, slice.end,
                              slice.range.empty() ? "" : " ", slice.range));
}

Result<void> ParquetWindowSlices::open(const Slice* after) {
  TRANCHE_ASSIGN(database_, DuckDatabase::open(database_memory_bytes, ""));
  TRANCHE_ASSIGN(connection_, database_->connect());
  for (std::size_t input = 0; input < files_.files.size(); ++input)
    TRANCHE_TRY(read_statistics(input));
  if (after == nullptr) return {};
  record_ = after->first_record + after->records;
  bad_passed_ = after->input + std::size_t{1};
  if (bad_file_of(*after)) return {};
  bad_passed_ = files_.files.size();
  const auto part = part_of_range(after->range);
  if (!part) return make_error(ErrorKind::bug, "A slice of a window does not say which");
  TRANCHE_TRY(part->window ? begin_window(*part->window) : begin_nulls());
  pass(*after);
  return {};
}

// Takes what the slice has, and what comes before it, from what is left of its window.
void ParquetWindowSlices::pass(const Slice& after) {
  const std::uint64_t taken = part_of_range(after.range)->skipped + after.records;
  while (!left_.empty()) {
    Left& next = left_.back();
    const Group& group = groups_[next.group];
    const bool is_of_slice =
        group.input == after.input && group.of->first_row == after.begin;
    next.part.skipped = is_of_slice ? taken : next.part.rows_all;
    if (next.part.skipped == next.part.rows_all) left_.pop_back();
    if (is_of_slice) return;
  }
}

Result<void> ParquetWindowSlices::read_statistics(std::size_t input) {
  const ParquetInput& file = files_.files[input];
  const std::size_t first = groups_.size();
  for (const RowGroup& group : file.footer.groups) {
    Group& made = groups_.emplace_back();
    made.input = input;
    made.of = &group;
  }
  const auto column = file.footer.schema ? file.footer.schema->find(files_.windows.column_name)
                                         : std::nullopt;
  if (!column) return {};  // of a folder, or nowhere
  TRANCHE_ASSIGN(const File opened, files_.open(input));
  auto rows = connection_->query_texts(fmt::format(
      "SELECT epoch_us(TRY_CAST(stats_min_value AS TIMESTAMP)), "
      "epoch_us(TRY_CAST(stats_max_value AS TIMESTAMP)), stats_null_count "
      "FROM parquet_metadata({}) WHERE path_in_schema = {} AND row_group_num_rows > 0 "
      "ORDER BY row_group_id",
      sql_literal(descriptor_path(opened)),
      sql_literal(file.footer.schema->fields[*column].name)));
  if (!rows) return file_error(std::move(rows).error(), opened, files_.inputs[input].name);
  if (rows->size() != file.footer.groups.size()) return {};  // no statistics to go by: all is read
  for (std::size_t i = 0; i < rows->size(); ++i) {
    Group& group = groups_[first + i];
    const auto low = number<std::int64_t>((*rows)[i][0]);
    const auto high = number<std::int64_t>((*rows)[i][1]);
    if (!low || !high) continue;
    group.low = low;
    group.high = high;
    const auto nulls = number<std::uint64_t>((*rows)[i][2]);
    const TimeWindow window = files_.windows.calendar.window_of(*low);
    if (!nulls || !window.contains(*high)) continue;
    group.counted = true;  // all of it lies in one window
    group.nulls = *nulls;
    if (group.of->rows > *nulls) group.rows[window.begin] = group.of->rows - *nulls;
  }
  return {};
}

Result<void> ParquetWindowSlices::count(Group& group) {
  if (group.counted) return {};
  const ParquetInput& file = files_.files[group.input];
  TRANCHE_ASSIGN(const File opened, files_.open(group.input));
  auto result = connection_->query(fmt::format(
      "SELECT {} FROM read_parquet({}, file_row_number=true, hive_partitioning=false) WHERE "
      "file_row_number >= {} AND file_row_number < {}",
      file.expressions[files_.windows.column], sql_literal(descriptor_path(opened)),
      group.of->first_row, group.of->first_row + group.of->rows));
  const std::string& name = files_.inputs[group.input].name;
  if (!result) return file_error(std::move(result).error(), opened, name);
  const auto schema = std::make_shared<const Schema>(Schema{{Field{"time", files_.type}}});
  Page page(schema);
  std::optional<TimeWindow> window;
  std::uint64_t* rows = nullptr;  // of that window
  while (true) {
    page.clear();
    TRANCHE_ASSIGN(const std::size_t fetched, (*result)->fetch());
    if (fetched == 0) break;
    TRANCHE_TRY((*result)->append_to(page));
    const Column& times = page.column(0);
    for (std::size_t row = 0; row < page.rows(); ++row) {
      if (!times.is_valid(row)) {
        ++group.nulls;
        continue;
      }
      const std::int64_t time = time_of(times, row);
      if (!window || !window->contains(time)) {
        window = files_.windows.calendar.window_of(time);
        rows = &group.rows[window->begin];
      }
      ++*rows;
    }
  }
  group.counted = true;
  return {};
}

Result<void> ParquetWindowSlices::begin_window(const TimeWindow& window) {
  window_ = window;
  left_.clear();
  for (std::size_t i = groups_.size(); i-- > 0;) {
    Group& group = groups_[i];
    if (group.low && (*group.high < window.begin ||
                      (!window.contains(*group.low) && *group.low >= window.begin))) {
      continue;
    }
    TRANCHE_TRY(count(group));
    const auto found = group.rows.find(window.begin);
    if (found != group.rows.end()) left_.push_back({i, {window, 0, found->second}});
  }
  return {};
}

Result<void> ParquetWindowSlices::begin_nulls() {
  at_nulls_ = true;
  left_.clear();
  for (std::size_t i = groups_.size(); i-- > 0;) {
    TRANCHE_TRY(count(groups_[i]));
    if (groups_[i].nulls > 0) left_.push_back({i, {std::nullopt, 0, groups_[i].nulls}});
  }
  return {};
}

// The first window behind `window` (nullopt: of all) that may have rows.
Result<std::optional<TimeWindow>> ParquetWindowSlices::window_behind(
    std::optional<TimeWindow> window) {
  std::optional<std::int64_t> first;
  const auto consider = [&](std::int64_t time) { first = first ? std::min(*first, time) : time; };
  if (window && window->end == INT64_MAX) return std::optional<TimeWindow>();
  for (Group& group : groups_) {
    if (!group.low) TRANCHE_TRY(count(group));
    if (group.counted) {
      const auto next = window ? group.rows.upper_bound(window->begin) : group.rows.begin();
      if (next != group.rows.end()) consider(next->first);
    } else if (!window || *group.high >= window->end) {
      consider(window ? std::max(*group.low, window->end) : *group.low);
    }
  }
  if (!first) return std::optional<TimeWindow>();
  return std::optional(files_.windows.calendar.window_of(*first));
}

// Goes to the next window that has rows, in the end to the nulls. False: there is nothing left.
Result<bool> ParquetWindowSlices::begin_next() {
  while (left_.empty() && !at_nulls_) {
    TRANCHE_ASSIGN(const auto next, window_behind(window_));
    TRANCHE_TRY(next ? begin_window(*next) : begin_nulls());
  }
  return !left_.empty();
}

Result<std::uint64_t> ParquetWindowSlices::digest_of(Group& group) {
  if (!group.digest) {
    TRANCHE_ASSIGN(const File file, files_.open(group.input));
    TRANCHE_ASSIGN(group.digest, digest_range(file, group.of->offset, group.of->bytes));
  }
  return *group.digest;
}

Result<std::optional<Slice>> ParquetWindowSlices::next(const CutLimits& limits) {
  while (bad_passed_ < files_.files.size()) {
    const std::size_t input = bad_passed_++;
    const std::string& fault = files_.files[input].fault;
    if (!fault.empty())
      return std::optional(bad_file_slice(input, files_.inputs[input], record_++, fault));
  }
  TRANCHE_ASSIGN(const bool has_rows, begin_next());
  if (!has_rows) return std::optional<Slice>();
  Left& next = left_.back();
  Group& group = groups_[next.group];
  const RowGroup& of = *group.of;
  const std::uint64_t row_bytes = std::max<std::uint64_t>(1, of.bytes / of.rows);
  const std::uint64_t within_bytes =
      limits.bytes_max / row_bytes + (limits.bytes_max % row_bytes == 0 ? 0 : 1);
  std::uint64_t rows = std::min(next.part.rows_all - next.part.skipped, files_.slice_rows_max);
  rows = std::min({rows, std::max<std::uint64_t>(1, limits.records_max),
                   std::max<std::uint64_t>(1, within_bytes)});
  Slice slice;
  slice.input = static_cast<std::uint32_t>(group.input);
  slice.begin = of.first_row;
  slice.end = of.first_row + of.rows;
  slice.records = rows;
  slice.first_record = record_;
  slice.bytes = slice.file_bytes = rows == of.rows ? of.bytes : rows * row_bytes;
  slice.memory_bytes =
      static_cast<std::uint64_t>(static_cast<Int128>(of.memory_bytes) * rows / of.rows) + 1;
  slice.range = to_range(next.part);
  TRANCHE_ASSIGN(const std::uint64_t digest, digest_of(group));
  slice.digest = parquet_slice_digest(digest, slice);
  next.part.skipped += rows;
  if (next.part.skipped == next.part.rows_all) left_.pop_back();
  slice.ends_batch = left_.empty();
  record_ += rows;
  return std::optional(std::move(slice));
}

}  // namespace tranche
