#include "connectors/postgres_keys.h"

#include <utility>

#include <fmt/format.h>

namespace tranche::postgres {

std::string ServerKeyCursor::records(const KeyRange& range, std::string_view of) const {
  return fmt::format("SELECT {} FROM {} WHERE {} AND {}", of, from_, condition(key_, range),
                     filter_);
}

// The key behind `offset` others; nullopt: there are not so many.
Result<std::optional<std::string>> ServerKeyCursor::key_at(const KeyRange& range,
                                                           std::uint64_t offset) {
  // A scan by the place of rows comes in their order, and knows no other one.
  const std::string order =
      key_.is_address ? std::string() : fmt::format(" ORDER BY {}", key_.expression);
  TRANCHE_ASSIGN(const auto row,
                 connection_.query(fmt::format("{}{} LIMIT 1 OFFSET {}",
                                               records(range, key_.expression + "::text"), order,
                                               offset)));
  if (row.size() == 0) return std::optional<std::string>();
  return std::optional<std::string>(row.string(0, 0));
}

// All that is left of a range; nullopt: nothing.
Result<std::optional<KeyMark>> ServerKeyCursor::rest(const KeyRange& range) {
  TRANCHE_ASSIGN(const auto count, connection_.query_integer(records(range, "count(*)")));
  if (count == 0) return std::optional<KeyMark>();
  KeyMark mark;
  mark.records = static_cast<std::uint64_t>(count);
  const std::string greatest =
      key_.is_address
          ? records(range, fmt::format("max({})::text", key_.expression))
          : fmt::format("{} ORDER BY {} DESC LIMIT 1", records(range, key_.expression + "::text"),
                        key_.expression);
  TRANCHE_ASSIGN(const auto last, connection_.query(greatest));
  mark.last.text = last.string(0, 0);
  return std::optional<KeyMark>(std::move(mark));
}

Result<std::optional<KeyMark>> ServerKeyCursor::nulls() {
  if (!key_.may_be_null || std::exchange(are_nulls_passed_, true)) return std::optional<KeyMark>();
  KeyRange range;
  range.is_nulls = true;
  TRANCHE_ASSIGN(const auto count, connection_.query_integer(records(range, "count(*)")));
  if (count == 0) return std::optional<KeyMark>();
  return std::optional<KeyMark>(KeyMark{Key{true, {}}, static_cast<std::uint64_t>(count)});
}

Result<std::optional<KeyMark>> ServerKeyCursor::advance(const KeyStep& step) {
  next_.reset();
  if (are_keys_passed_) return nulls();
  KeyRange range = ahead_;
  if (step.below) range.upper = KeyBound{*step.below, false};
  TRANCHE_ASSIGN(auto last, key_at(range, step.records - 1));
  std::optional<KeyMark> mark;
  if (!last) {
    TRANCHE_ASSIGN(mark, rest(range));
    are_keys_passed_ = !step.below || !mark;
    if (!mark) return nulls();
  } else {
    mark = KeyMark{Key{false, *std::move(last)}, step.records};
    if (key_.may_repeat) {
      range.upper = KeyBound{mark->last.text, true};
      TRANCHE_ASSIGN(const auto count, connection_.query_integer(records(range, "count(*)")));
      mark->records = static_cast<std::uint64_t>(count);
    }
  }
  ahead_.lower = KeyBound{mark->last.text, false};
  return mark;
}

Result<std::optional<Key>> ServerKeyCursor::next_key() {
  if (next_) return next_;
  if (!are_keys_passed_) {
    TRANCHE_ASSIGN(auto first, key_at(ahead_, 0));
    if (first) {
      next_ = Key{false, *std::move(first)};
      return next_;
    }
    are_keys_passed_ = true;
  }
  if (!key_.may_be_null || are_nulls_passed_) return std::optional<Key>();
  TRANCHE_ASSIGN(const auto there,
                 connection_.query(records(KeyRange{{}, {}, true}, "1") + " LIMIT 1"));
  if (there.size() > 0) next_ = Key{true, {}};
  return next_;
}

}  // namespace tranche::postgres
