// What the reading of records works with: what is expected of their keys, values in their usual
// form, and the walk over a record. Only for jsonl_row.cpp, which takes records one by one, and for
// jsonl_block.cpp, which takes many of them a column at a time.
//
// Threads and lifetime: those of jsonl_row.h.
#pragma once

#include <cstring>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "formats/json_kernels.h"
#include "formats/json_text.h"
#include "formats/jsonl_convert.h"
#include "formats/jsonl_row.h"
#include "formats/string_kernels.h"

namespace tranche {

struct JsonSlot;

// What the keys of an object are for: the columns of a record, or the members of a struct.
struct JsonMembers {
  std::vector<JsonSlot> slots;
  std::unordered_map<std::string, std::size_t> places;
  std::size_t first = 0;  // the key that came first the last time
};

// A column, or a part of it: an element of a list, a member of a struct. What is needed of each
// value stands together.
struct JsonSlot {
  explicit JsonSlot(std::string_view name) : key(name) {}

  JsonKey key;
  std::uint64_t seen = 0;  // the object that last had it
  // The key that came behind this one the last time: files keep to an order, though not always to
  // that of the columns. The number of members where it is none that can be compared so.
  std::size_t follower = 0;
  Type type;
  bool required = false;
  bool is_plain = true;  // nothing in the name is escaped, so that the key can be compared
  std::string path;      // for messages: tags, address.zip, tags[]
  JsonMembers members;   // of a struct
  std::vector<JsonSlot> elements;  // of a list: one
};

inline bool is_word(const char* p, const char* end, std::string_view word) {
  return end - p >= static_cast<std::ptrdiff_t>(word.size()) &&
         std::memcmp(p, word.data(), word.size()) == 0;
}

// The end of the null at `p`, of which the row of the column is made; nullptr: it is none, or none
// may be there.
inline const char* usual_null(const JsonSlot& slot, Column& column, std::size_t row, const char* p,
                              const char* end) {
  if (slot.required || !is_word(p, end, "null")) return nullptr;
  column.set_null(row);
  return p + 4;
}

// Puts the value at `p`, which is not null, into its column when it has the usual form; returns its
// end, or nullptr. `type` is that of the slot: where it is a constant, so is the way. REQUIRES that
// the row is not null, and search_padding_bytes readable behind `end`.
[[gnu::always_inline]] inline const char* usual_value(TypeId type, const JsonSlot& slot,
                                                      Column& column, std::size_t row,
                                                      const char* p, const char* end) {
  namespace kernels = json_kernels;
  const auto integer = [&]<class T>(T) {
    return kernels::read_integer(p, end, column.values<T>()[row]);
  };
  const auto decimal = [&]<class T>(T) {
    return kernels::read_decimal(p, end, slot.type.width, slot.type.scale, column.values<T>()[row]);
  };
  // What is between the quotes goes to `take`, which says whether it is a value.
  const auto string = [&](auto take) -> const char* {
    const char* const quote = *p == '"' ? kernels::find_closing_quote(p + 1, end) : nullptr;
    return quote != nullptr && take(p + 1, static_cast<std::size_t>(quote - p - 1)) ? quote + 1
                                                                                    : nullptr;
  };
  switch (type) {
    case TypeId::boolean: {
      const bool is_true = is_word(p, end, "true");
      if (!is_true && !is_word(p, end, "false")) return nullptr;
      column.values<std::uint8_t>()[row] = is_true ? 1 : 0;
      return p + (is_true ? 4 : 5);
    }
    case TypeId::smallint:
      return integer(std::int16_t{});
    case TypeId::integer:
      return integer(std::int32_t{});
    case TypeId::bigint:
      return integer(std::int64_t{});
    case TypeId::uinteger:
      return integer(std::uint32_t{});
    case TypeId::double_:
      return kernels::read_double(p, end, column.values<double>()[row]);
    case TypeId::decimal:
      if (column.stride() == 8) return decimal(std::int64_t{});
      return column.stride() == 4 ? decimal(std::int32_t{}) : nullptr;
    case TypeId::date:
      return string([&](const char* text, std::size_t length) {
        return parse_date({text, length}, column.values<std::int32_t>()[row]) == ParseStatus::ok;
      });
    case TypeId::timestamp:
      return string([&](const char* text, std::size_t length) {
        return parse_timestamp({text, length}, column.values<std::int64_t>()[row]) ==
               ParseStatus::ok;
      });
    case TypeId::varchar:
      return string([&](const char* text, std::size_t length) {
        column.values<StringRef>()[row] = make_string(text, static_cast<std::uint32_t>(length));
        return true;
      });
    default:
      return nullptr;
  }
}

class JsonlRow::Walk {
 public:
  Walk(const SchemaPtr& schema, JsonRules rules);

  bool read(std::string_view record, Page& page, std::size_t row);
  void read_usual(std::span<const std::string_view> records, Page& page, std::size_t row,
                  bool* is_read);

  const std::string& error() const { return error_; }
  bool is_malformed() const { return malformed_; }
  std::size_t error_at() const { return error_at_; }

 private:
  // How far an object has come.
  struct Progress {
    std::uint64_t number;   // of the object
    std::size_t* follower;  // of the last key, or of the opening brace
    std::size_t taken = 0;  // members that were there
  };
  // Records that are read a column at a time.
  struct Block {
    std::span<const std::string_view> records;
    std::size_t row;    // of the first
    const char* limit;  // behind the last
    // How far each has come: its brace, or what stands behind the last value that was taken.
    const char* at[usual_records_max];
  };
  void take_column(JsonSlot& slot, Column& column, Block& block);
  template <TypeId type> void take_column_of(JsonSlot& slot, Column& column, Block& block);
  const char* any_value(JsonSlot& slot, Column& column, std::size_t row, std::string_view record,
                        const char* p);
  void expect_order_of_last();

  // `at(i)` is the column of member i, at row `row`.
  template <class ColumnAt> bool object(JsonMembers& members, std::size_t row, ColumnAt at);
  template <class ColumnAt>
  bool take_usual(JsonMembers& members, std::size_t row, ColumnAt at, Progress& progress);
  template <class ColumnAt>
  bool take_any(JsonMembers& members, std::size_t row, ColumnAt at, Progress& progress);
  bool find_key(const JsonMembers& members, std::size_t& place);
  bool value(JsonSlot& slot, Column& column, std::size_t row);
  bool null(const JsonSlot& slot, Column& column, std::size_t row);
  bool list(JsonSlot& slot, Column& column, std::size_t row);
  template <class T> bool integer(const JsonSlot& slot, Column& column, std::size_t row);
  template <class T> bool decimal(const JsonSlot& slot, Column& column, std::size_t row);
  bool float64(const JsonSlot& slot, Column& column, std::size_t row);
  bool boolean(const JsonSlot& slot, Column& column, std::size_t row);
  bool varchar(Column& column, std::size_t row);
  bool json(Column& column, std::size_t row);
  template <class T, class Parse>
  bool from_string(const JsonSlot& slot, Column& column, std::size_t row, Parse parse);
  bool convert(const JsonSlot& slot, Column& column, std::size_t row);
  bool convert(const JsonSlot& slot, const JsonlToken& token, Column& column, std::size_t row);

  bool no_json();
  bool refuse(std::string why);
  bool refuse_null(const JsonSlot& slot, std::string_view what);
  bool refuse_key(const JsonMembers& members, std::string_view name);

  const JsonRules rules_;
  JsonMembers record_;
  std::vector<std::size_t> order_;  // of the columns, as their keys are looked for in blocks
  bool says_why_ = true;            // else a record that fails is read again by itself
  std::size_t pause_ = 0;           // behind a block of which most were not of the usual form
  std::size_t paused_ = 0;          // blocks that are still left out
  JsonText text_{nullptr, nullptr};
  std::string_view whole_;
  Arena* arena_ = nullptr;
  std::uint64_t objects_ = 0;  // read so far: the number of each tells keys that come twice
  std::string unescaped_;
  std::string error_;
  std::size_t error_at_ = 0;
  bool malformed_ = false;
};

}  // namespace tranche
