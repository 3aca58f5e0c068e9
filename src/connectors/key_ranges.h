// How tables are cut into slices: ranges of a key that follow each other, each with the exact
// number of its records. A database says what its keys are and walks over them; what a range is,
// how it is written into a Slice and where a plan goes on is the same for all.
//
// A range never parts two records of one key, so a slice may hold more records than it was asked
// for: those of its last key. Records without a key (null) come last, in a range of their own.
// Threads: a stream belongs to one thread, everything else are values and pure functions.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <tranche/core/source.h>

namespace tranche {

// A key as its source writes it: UTF-8 that gives the same key when the source reads it again.
struct KeyBound {
  std::string key;
  bool is_inclusive = false;
  bool operator==(const KeyBound&) const = default;
};

struct KeyRange {
  std::optional<KeyBound> lower;  // nullopt: from the least key
  std::optional<KeyBound> upper;  // nullopt: to the greatest
  bool is_nulls = false;          // the records whose key is null; REQUIRES no bounds then
  bool operator==(const KeyRange&) const = default;
};

// The text of Slice.range: {"above":"17","to":"42"}, {"from":"17","below":"42"}, {"nulls":true}.
std::string to_text(const KeyRange& range);
// Errors: failed, when it is no such text.
Result<KeyRange> parse_key_range(std::string_view text);

struct Key {
  bool is_null = false;
  std::string text;  // as in KeyBound; empty for a null
  bool operator==(const Key&) const = default;
};

// How far to go.
struct KeyStep {
  std::uint64_t records = 0;         // 1 or more
  std::optional<std::string> below;  // a key, and a value of the column at least
};

// What was passed.
struct KeyMark {
  Key last;
  std::uint64_t records = 0;
};

// A walk over the keys of a table, in ascending order, nulls behind all others.
class KeyCursor {
 public:
  virtual ~KeyCursor() = default;
  // Passes whole keys until `step.records` records are passed, or until the next key is a null or
  // not below `step.below`. The null key comes alone. nullopt: there is nothing more to pass.
  // REQUIRES that the next key is below step.below.
  virtual Result<std::optional<KeyMark>> advance(const KeyStep& step) = 0;
  // The key that comes next; nullopt: none. Only for those who cut windows.
  virtual Result<std::optional<Key>> next_key() = 0;
};

// The upper bound, exclusive, of the window that holds a key; empty: there is none.
using WindowEnd = std::function<Result<std::string>(const std::string& key)>;

// What a stream has to know of the table.
struct KeySlices {
  std::uint64_t record_bytes = 1;         // in the database, about
  std::uint64_t record_memory_bytes = 1;  // as a row of a Page, about
  std::string snapshot;                   // what the digests of slices are bound to
  WindowEnd window_end;                   // empty: no windows
};

// Where a walk begins behind a slice; all of them for nullptr. A slice of nulls has nothing behind
// it: nullopt.
Result<std::optional<KeyRange>> range_behind(const Slice* after);

// The slices of what `cursor` passes; it stands where range_behind(after) begins.
Result<std::unique_ptr<SliceStream>> slice_keys(std::unique_ptr<KeyCursor> cursor,
                                                KeySlices settings, const Slice* after);

// The digest of a slice of a table: of the state that it was planned in, and of its range.
std::uint64_t table_slice_digest(std::string_view snapshot, std::string_view range);

}  // namespace tranche
