#include "connectors/row_digest.h"

#include <bit>
#include <cmath>
#include <optional>
#include <type_traits>
#include <utility>

#include <tranche/core/value.h>

#include "base/digest.h"
#include "base/text.h"

namespace tranche {
namespace {

constexpr std::uint64_t of_null = 0x9b05688c2b3e6c1f;
constexpr std::uint64_t of_not_a_number = 0x7ff8000000000000;

std::uint64_t mixed(std::uint64_t hash, std::uint64_t value) {
  hash = (hash ^ value) * 0x9e3779b97f4a7c15;
  return hash ^ (hash >> 32);
}

std::uint64_t finished(std::uint64_t hash) {
  hash = (hash ^ (hash >> 33)) * 0xff51afd7ed558ccd;
  hash = (hash ^ (hash >> 33)) * 0xc4ceb9fe1a85ec53;
  return hash ^ (hash >> 33);
}

// A database may forget the sign of a zero, and which of the NaNs there was.
template <class T> std::uint64_t with_value(std::uint64_t hash, const T& value) {
  if constexpr (std::is_floating_point_v<T>) {
    if (value == 0) return mixed(hash, 0);
    if (std::isnan(value)) return mixed(hash, of_not_a_number);
    return mixed(hash, std::bit_cast<std::uint64_t>(static_cast<double>(value)));
  } else if constexpr (std::is_same_v<T, StringRef>) {
    return mixed(hash, digest64(value.view()));
  } else {  // equal numbers are equal, however wide
    const Int128 wide = value;
    const auto low = static_cast<std::uint64_t>(wide);
    const auto high = static_cast<std::int64_t>(wide >> 64);
    hash = mixed(hash, low);
    const bool is_narrow = high == static_cast<std::int64_t>(low) >> 63;
    return is_narrow ? hash : mixed(hash, static_cast<std::uint64_t>(high));
  }
}

template <class T>
void hash_values(const Column& column, std::size_t begin, std::size_t end, std::uint64_t* hashes) {
  const T* const values = column.values<T>();
  if (!column.has_nulls()) {
    for (std::size_t row = begin; row < end; ++row)
      hashes[row - begin] = with_value(hashes[row - begin], values[row]);
    return;
  }
  for (std::size_t row = begin; row < end; ++row) {
    std::uint64_t& hash = hashes[row - begin];
    hash = column.is_valid(row) ? with_value(hash, values[row]) : mixed(hash, of_null);
  }
}

void hash_column(const Column& column, std::size_t begin, std::size_t end, std::uint64_t* hashes) {
  switch (physical_type(column.type())) {
    case PhysicalType::boolean:
    case PhysicalType::uint8:
      return hash_values<std::uint8_t>(column, begin, end, hashes);
    case PhysicalType::int8:
      return hash_values<std::int8_t>(column, begin, end, hashes);
    case PhysicalType::int16:
      return hash_values<std::int16_t>(column, begin, end, hashes);
    case PhysicalType::int32:
      return hash_values<std::int32_t>(column, begin, end, hashes);
    case PhysicalType::int64:
      return hash_values<std::int64_t>(column, begin, end, hashes);
    case PhysicalType::int128:
      return hash_values<Int128>(column, begin, end, hashes);
    case PhysicalType::uint16:
      return hash_values<std::uint16_t>(column, begin, end, hashes);
    case PhysicalType::uint32:
      return hash_values<std::uint32_t>(column, begin, end, hashes);
    case PhysicalType::uint64:
      return hash_values<std::uint64_t>(column, begin, end, hashes);
    case PhysicalType::float32:
      return hash_values<float>(column, begin, end, hashes);
    case PhysicalType::float64:
      return hash_values<double>(column, begin, end, hashes);
    case PhysicalType::string:
      return hash_values<StringRef>(column, begin, end, hashes);
    case PhysicalType::list:
    case PhysicalType::structure:
      return;  // by their text
  }
}

// Whether a database may keep values of the type as something else that is equal to them.
bool is_hashed_by_text(Type type) {
  return is_nested(type) || type.id == TypeId::json || type.id == TypeId::hugeint;
}

// A database may spell a name otherwise than it was written.
std::optional<std::size_t> place_of(const Schema& schema, const Field& column) {
  for (std::size_t at = 0; at < schema.fields.size(); ++at) {
    const Field& field = schema.fields[at];
    if (to_lower(field.name) == to_lower(column.name) && field.type == column.type) return at;
  }
  return std::nullopt;
}

}  // namespace

void RowDigest::choose(std::vector<std::size_t> columns) { columns_ = std::move(columns); }

void RowDigest::hash(const Page& page, std::size_t begin, std::size_t end) {
  hashes_.assign(end - begin, 0);
  const std::size_t count = columns_ ? columns_->size() : page.column_count();
  for (std::size_t at = 0; at < count; ++at) {
    const Column& column = page.column(columns_ ? (*columns_)[at] : at);
    if (is_hashed_by_text(column.type()))
      hash_texts(column, begin, end);
    else
      hash_column(column, begin, end, hashes_.data());
  }
}

// Lists and structs as the JSON that they are where there are none, a hugeint as its digits, which
// every system can give.
void RowDigest::hash_texts(const Column& column, std::size_t begin, std::size_t end) {
  const TypeId id = column.type().id;
  for (std::size_t row = begin; row < end; ++row) {
    std::uint64_t& hash = hashes_[row - begin];
    if (!column.is_valid(row)) {
      hash = mixed(hash, of_null);
    } else if (id == TypeId::json) {
      hash = mixed(hash, json_.of(column.values<StringRef>()[row].view()));
    } else {
      text_.clear();
      append_json_value(text_, column, row);
      hash = mixed(hash, id == TypeId::hugeint ? digest64(text_) : json_.of(text_));
    }
  }
}

void RowDigest::add(const Page& page, std::size_t rows, std::span<const std::uint32_t> left_out) {
  hash(page, 0, rows);
  for (const std::uint64_t one : hashes_) sum_ += finished(one);
  for (const std::uint32_t row : left_out) sum_ -= finished(hashes_[row]);
}

void RowDigest::add_row(const Page& page, std::size_t row) {
  hash(page, row, row + 1);
  sum_ += finished(hashes_.front());
}

std::uint64_t RowDigest::take() { return std::exchange(sum_, 0); }

Result<std::unique_ptr<RowsSearch>> RowsSearch::begin(Source& source,
                                                      std::span<const Field> columns,
                                                      std::uint64_t rows_max) {
  TRANCHE_ASSIGN(auto inputs, source.inputs());
  TRANCHE_TRY(source.use_inputs(std::move(inputs)));
  TRANCHE_ASSIGN(const SchemaPtr schema, source.schema());
  std::unique_ptr<RowsSearch> search(new RowsSearch(source, rows_max));
  for (const Field& column : columns) {
    const auto place = place_of(*schema, column);
    search->found_.has_columns = search->found_.has_columns && place;
    if (place) search->columns_.push_back(*place);
  }
  if (!search->found_.has_columns) return search;
  TRANCHE_TRY(source.use_division(Division{}));
  TRANCHE_ASSIGN(search->slices_, source.divide(nullptr));
  search->limits_.records_max = source.default_division().rows;
  search->has_parts_left_ = true;
  return search;
}

bool RowsSearch::has_parts_left() const {
  const std::scoped_lock lock(mutex_);
  return has_parts_left_;
}

Result<std::optional<Slice>> RowsSearch::next_part() {
  const std::scoped_lock lock(mutex_);
  if (!has_parts_left_ || found_.rows > rows_max_) return std::optional<Slice>();
  auto slice = slices_->next(limits_);
  has_parts_left_ = slice && *slice;
  return slice;
}

Result<void> RowsSearch::take_part(WorkerScope& worker) {
  RowDigest digest;
  digest.choose(columns_);
  while (true) {
    TRANCHE_ASSIGN(const auto slice, next_part());
    if (!slice) return {};
    TRANCHE_ASSIGN(const auto reader, source_.open(*slice, worker));
    std::vector<Reject> rejects;
    std::uint64_t rows = 0;
    while (true) {
      TRANCHE_ASSIGN(const auto page, reader->next(rejects));
      if (!page) break;
      digest.add(*page, page->rows());
      rows += page->rows();
    }
    const std::scoped_lock lock(mutex_);
    found_.rows += rows + rejects.size();
    found_.unreadable += rejects.size();
    found_.digest += digest.take();
  }
}

Result<RowsFound> find_rows(Source& source, std::span<const Field> columns, WorkerScope& worker,
                            std::uint64_t rows_max) {
  TRANCHE_ASSIGN(const auto search, RowsSearch::begin(source, columns, rows_max));
  TRANCHE_TRY(search->take_part(worker));
  return search->found();
}

}  // namespace tranche
