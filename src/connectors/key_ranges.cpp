#include "connectors/key_ranges.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "base/digest.h"
#include "base/json.h"

namespace tranche {
namespace {

std::optional<KeyBound> bound_of(const Json& json, std::string_view inclusive,
                                 std::string_view exclusive) {
  if (json[inclusive].is_string()) return KeyBound{json[inclusive].text(), true};
  if (json[exclusive].is_string()) return KeyBound{json[exclusive].text(), false};
  return std::nullopt;
}

class KeySliceStream final : public SliceStream {
 public:
  KeySliceStream(std::unique_ptr<KeyCursor> cursor, KeySlices settings, KeyRange begin,
                 std::uint64_t row, std::uint64_t record)
      : cursor_(std::move(cursor)),
        settings_(std::move(settings)),
        lower_(std::move(begin.lower)),
        row_(row),
        record_(record) {}

  Result<std::optional<Slice>> next(const CutLimits& limits) override {
    KeyStep step;
    step.records = std::max<std::uint64_t>(
        1, std::min(limits.records_max, limits.bytes_max / settings_.record_bytes));
    TRANCHE_TRY(find_window(step));
    TRANCHE_ASSIGN(const auto mark, cursor_->advance(step));
    if (!mark) return std::optional<Slice>();
    Slice slice = make_slice(*mark);
    if (settings_.window_end) {
      TRANCHE_ASSIGN(const auto following, cursor_->next_key());
      if (following && !following->is_null && !mark->last.is_null) {
        TRANCHE_ASSIGN(const std::string end, settings_.window_end(following->text));
        slice.ends_batch = end != window_end_;
      } else {
        slice.ends_batch = !following || !mark->last.is_null;
      }
    }
    return std::optional<Slice>(std::move(slice));
  }

 private:
  // Where the window of the next key ends, which is as far as a slice may go.
  Result<void> find_window(KeyStep& step) {
    if (!settings_.window_end) return {};
    TRANCHE_ASSIGN(const auto next, cursor_->next_key());
    if (!next || next->is_null) return {};
    TRANCHE_ASSIGN(window_end_, settings_.window_end(next->text));
    if (!window_end_.empty()) step.below = window_end_;
    return {};
  }

  Slice make_slice(const KeyMark& mark) {
    KeyRange range;
    range.is_nulls = mark.last.is_null;
    if (!range.is_nulls) {
      range.lower = std::exchange(lower_, KeyBound{mark.last.text, false});
      range.upper = KeyBound{mark.last.text, true};
    }
    Slice slice;
    slice.begin = row_;
    slice.end = row_ + mark.records;
    slice.records = mark.records;
    slice.first_record = record_;
    slice.bytes = mark.records * settings_.record_bytes;
    slice.file_bytes = slice.bytes;
    slice.memory_bytes = mark.records * settings_.record_memory_bytes;
    slice.range = to_text(range);
    slice.digest = table_slice_digest(settings_.snapshot, slice.range);
    row_ = slice.end;
    record_ += mark.records;
    return slice;
  }

  std::unique_ptr<KeyCursor> cursor_;
  KeySlices settings_;
  std::optional<KeyBound> lower_;
  std::uint64_t row_;
  std::uint64_t record_;
  std::string window_end_;
};

}  // namespace

std::string to_text(const KeyRange& range) {
  Json::Object text;
  if (range.is_nulls) text.emplace_back("nulls", true);
  if (range.lower)
    text.emplace_back(range.lower->is_inclusive ? "from" : "above", range.lower->key);
  if (range.upper) text.emplace_back(range.upper->is_inclusive ? "to" : "below", range.upper->key);
  return Json(std::move(text)).dump();
}

Result<KeyRange> parse_key_range(std::string_view text) {
  const auto json = Json::parse(text);
  if (!json || !json->is_object()) {
    return make_error(ErrorKind::failed,
                      fmt::format("The plan is damaged: \"{}\" is no range of keys. Start again "
                                  "with --fresh.",
                                  text));
  }
  KeyRange range;
  range.is_nulls = (*json)["nulls"].boolean();
  range.lower = bound_of(*json, "from", "above");
  range.upper = bound_of(*json, "to", "below");
  return range;
}

Result<std::optional<KeyRange>> range_behind(const Slice* after) {
  if (after == nullptr) return std::optional<KeyRange>(KeyRange{});
  TRANCHE_ASSIGN(KeyRange passed, parse_key_range(after->range));
  if (passed.is_nulls) return std::optional<KeyRange>();
  KeyRange behind;
  if (passed.upper) behind.lower = KeyBound{passed.upper->key, !passed.upper->is_inclusive};
  return std::optional<KeyRange>(std::move(behind));
}

Result<std::unique_ptr<SliceStream>> slice_keys(std::unique_ptr<KeyCursor> cursor,
                                                KeySlices settings, const Slice* after) {
  TRANCHE_ASSIGN(auto begin, range_behind(after));
  return std::unique_ptr<SliceStream>(std::make_unique<KeySliceStream>(
      std::move(cursor), std::move(settings), begin ? *std::move(begin) : KeyRange{},
      after != nullptr ? after->end : 0,
      after != nullptr ? after->first_record + after->records : 0));
}

std::uint64_t table_slice_digest(std::string_view snapshot, std::string_view range) {
  return digest64(fmt::format("{}\n{}", snapshot, range));
}

}  // namespace tranche
