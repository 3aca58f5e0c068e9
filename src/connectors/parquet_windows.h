// Windows of time over Parquet files, whose rows may lie in any order, in any file.
//
// What the footers say of the column's least and greatest values tells which row groups a window
// may have rows in; those of them that have other rows too are counted by reading that one column.
// A slice is what a row group has of one window: its reader filters the group's rows. Rows whose
// time is null are the last batch.
//
// Threads: a ParquetWindowSlices belongs to one thread. Lifetime: what it is given outlives it.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <tranche/core/source.h>

#include "connectors/parquet_inputs.h"
#include "connectors/time_windows.h"

namespace tranche {

// Which of a row group's rows a slice has: of its window, or of the nulls, in their order.
struct WindowPart {
  std::optional<TimeWindow> window;  // nullopt: the rows without a time
  std::uint64_t skipped = 0;         // of earlier slices
  std::uint64_t rows_all = 0;        // of the window in the row group
};
std::string to_range(const WindowPart& part);
std::optional<WindowPart> part_of_range(std::string_view range);
// SQL that is true for the rows of the window. `expression`: of the time, which has that type.
std::string window_condition(const WindowPart& part, const std::string& expression, Type type);

struct WindowedFiles {
  const std::vector<Input>& inputs;
  const std::vector<ParquetInput>& files;
  const TimeWindows& windows;
  Type type;                     // of the column that tells when
  std::uint64_t slice_rows_max;  // what fits into memory
  std::function<Result<File>(std::size_t input)> open;
};

class ParquetWindowSlices : public SliceStream {
 public:
  explicit ParquetWindowSlices(WindowedFiles files) : files_(std::move(files)) {}
  // Reads what the footers say of the column, and goes behind `after` (nullptr: to the beginning).
  Result<void> open(const Slice* after);
  Result<std::optional<Slice>> next(const CutLimits& limits) override;

 private:
  // A row group, and what is known of its times.
  struct Group {
    std::size_t input = 0;
    const RowGroup* of = nullptr;
    std::optional<std::int64_t> low, high;  // no value lies outside
    bool counted = false;
    std::map<std::int64_t, std::uint64_t> rows;  // by the beginning of their window
    std::uint64_t nulls = 0;
    std::optional<std::uint64_t> digest;
  };
  // What is left of the present window in one row group.
  struct Left {
    std::size_t group = 0;
    WindowPart part;
  };
  Result<void> read_statistics(std::size_t input);
  Result<void> count(Group& group);
  Result<void> begin_window(const TimeWindow& window);
  Result<void> begin_nulls();
  Result<std::optional<TimeWindow>> window_behind(std::optional<TimeWindow> window);
  Result<bool> begin_next();
  Result<std::uint64_t> digest_of(Group& group);
  void pass(const Slice& after);

  WindowedFiles files_;
  std::shared_ptr<DuckDatabase> database_;
  std::unique_ptr<DuckConnection> connection_;
  std::vector<Group> groups_;
  std::optional<TimeWindow> window_;  // the present one
  bool at_nulls_ = false;
  std::vector<Left> left_;            // of it, the next one last
  std::uint64_t record_ = 0;
  std::size_t bad_passed_ = 0;        // files that are one reject come first: those before it
};

// The digest of a slice of a row group.
std::uint64_t parquet_slice_digest(std::uint64_t group_digest, const Slice& slice);

}  // namespace tranche
