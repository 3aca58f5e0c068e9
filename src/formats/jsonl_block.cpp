// Many records -> as many rows, a column at a time.
//
// What one record must do one after the other, since each value begins where the one before it
// ends, is done for all of them here: their values do not wait for each other, and what is to be
// known of a column and its key is known once. A record that is not of the usual form falls out and
// is read by itself, so that what is wrong with it is said in one place.
#include <algorithm>
#include <utility>

#include "formats/jsonl_walk.h"

namespace tranche {
namespace {

// Where a record stands that has fallen out: no key follows, and it never comes to its own end.
constexpr char fallen[search_padding_bytes] = {};

// How often records of files without an order are not tried, before they are once more.
constexpr std::size_t pause_max = 31;

}  // namespace

void JsonlRow::Walk::read_usual(std::span<const std::string_view> records, Page& page,
                                std::size_t row, bool* is_read) {
  if (paused_ > 0) {
    --paused_;
    std::fill_n(is_read, records.size(), false);
    return;
  }
  if (pause_ > 0) expect_order_of_last();
  arena_ = &page.arena;
  Block block{records, row, records.back().data() + records.back().size(), {}};
  for (std::size_t i = 0; i < records.size(); ++i) {
    block.at[i] = records[i].starts_with('{') ? records[i].data() : fallen;
  }
  for (const std::size_t place : order_) {
    take_column(record_.slots[place], page.column(place), block);
  }
  std::size_t fallen_count = 0;
  for (std::size_t i = 0; i < records.size(); ++i) {
    is_read[i] = block.at[i] + 1 == records[i].data() + records[i].size() && *block.at[i] == '}';
    fallen_count += is_read[i] ? 0 : 1;
  }
  pause_ = 2 * fallen_count > records.size() ? std::min(2 * pause_ + 1, pause_max) : 0;
  paused_ = pause_;
}

void JsonlRow::Walk::take_column(JsonSlot& slot, Column& column, Block& block) {
  if (column.has_nulls()) {
    for (std::size_t i = 0; i < block.records.size(); ++i) column.set_valid(block.row + i);
  }
  switch (slot.type.id) {
    case TypeId::boolean:
      return take_column_of<TypeId::boolean>(slot, column, block);
    case TypeId::smallint:
      return take_column_of<TypeId::smallint>(slot, column, block);
    case TypeId::integer:
      return take_column_of<TypeId::integer>(slot, column, block);
    case TypeId::bigint:
      return take_column_of<TypeId::bigint>(slot, column, block);
    case TypeId::uinteger:
      return take_column_of<TypeId::uinteger>(slot, column, block);
    case TypeId::double_:
      return take_column_of<TypeId::double_>(slot, column, block);
    case TypeId::decimal:
      return take_column_of<TypeId::decimal>(slot, column, block);
    case TypeId::date:
      return take_column_of<TypeId::date>(slot, column, block);
    case TypeId::timestamp:
      return take_column_of<TypeId::timestamp>(slot, column, block);
    case TypeId::varchar:
      return take_column_of<TypeId::varchar>(slot, column, block);
    default:
      return take_column_of<TypeId::json>(slot, column, block);  // no value is usual
  }
}

template <TypeId type>
void JsonlRow::Walk::take_column_of(JsonSlot& slot, Column& column, Block& block) {
  const std::size_t count = block.records.size();
  const std::size_t first_row = block.row;
  const std::string_view* const records = block.records.data();
  const char** const at = block.at;
  const char* const limit = block.limit;
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t row = first_row + i;
    const char* p = at[i];
    const char* behind_key = nullptr;
    if (*p == ',' || p == records[i].data()) {
      behind_key = slot.key.maybe_end_at(p + 1, limit);
      if (behind_key == nullptr && p[1] == ' ') behind_key = slot.key.maybe_end_at(p + 2, limit);
    }
    if (behind_key == nullptr) [[unlikely]] {  // the record lacks it, or has fallen out
      column.set_null(row);
      if (slot.required) at[i] = fallen;
      continue;
    }
    p = behind_key;
    if (*p == ' ') ++p;
    const char* stop = *p == 'n' ? usual_null(slot, column, row, p, limit)
                                 : usual_value(type, slot, column, row, p, limit);
    if (stop == nullptr) [[unlikely]]
      stop = any_value(slot, column, row, records[i], p);
    at[i] = stop;
  }
}

// The end of any value at `p`; where there is none, that of a record that has fallen out.
const char* JsonlRow::Walk::any_value(JsonSlot& slot, Column& column, std::size_t row,
                                      std::string_view record, const char* p) {
  whole_ = record;
  text_ = JsonText(p, record.data() + record.size());
  says_why_ = false;
  const bool is_good = p < text_.end() && value(slot, column, row);
  says_why_ = true;
  return is_good ? text_.at() : fallen;
}

// After many that were not of the usual form: looks for keys in the order of the last record that
// was read by itself. A key that it lacked keeps its place behind the one that it stood behind.
void JsonlRow::Walk::expect_order_of_last() {
  const std::size_t count = record_.slots.size();
  std::vector<bool> is_placed(count, false);
  std::vector<std::size_t> order;
  for (std::size_t place = record_.first; place != count && !is_placed[place];
       place = record_.slots[place].follower) {
    is_placed[place] = true;
    order.push_back(place);
  }
  for (std::size_t i = 0; i < count; ++i) {
    if (is_placed[order_[i]]) continue;
    const auto before =
        i == 0 ? order.begin() : std::find(order.begin(), order.end(), order_[i - 1]) + 1;
    order.insert(before, order_[i]);
  }
  order_ = std::move(order);
}

}  // namespace tranche
