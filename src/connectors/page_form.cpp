#include "connectors/page_form.h"

#include <algorithm>
#include <limits>
#include <optional>

#include <fmt/format.h>

namespace tranche {
namespace {

constexpr std::int64_t day_microseconds = 86'400'000'000;
constexpr std::int64_t timestamp_days_max =
    std::numeric_limits<std::int64_t>::max() / day_microseconds;

// An integer type: its bits, and the digits of its longest value.
struct IntegerShape {
  bool is_signed = true;
  unsigned bits = 0;
  unsigned digits = 0;
};

std::optional<IntegerShape> integer_shape(Type type) {
  switch (type.id) {
    case TypeId::tinyint: return IntegerShape{true, 8, 3};
    case TypeId::smallint: return IntegerShape{true, 16, 5};
    case TypeId::integer: return IntegerShape{true, 32, 10};
    case TypeId::bigint: return IntegerShape{true, 64, 19};
    case TypeId::hugeint: return IntegerShape{true, 128, 39};
    case TypeId::utinyint: return IntegerShape{false, 8, 3};
    case TypeId::usmallint: return IntegerShape{false, 16, 5};
    case TypeId::uinteger: return IntegerShape{false, 32, 10};
    case TypeId::ubigint: return IntegerShape{false, 64, 20};
    default: return std::nullopt;
  }
}

bool integer_widens(const IntegerShape& from, const IntegerShape& to) {
  if (from.is_signed == to.is_signed) return from.bits <= to.bits;
  return to.is_signed && from.bits < to.bits;
}

// Calls `use` with a value of the C++ type that a physical type of whole numbers has.
template <class Use>
void with_integer(PhysicalType type, const Use& use) {
  switch (type) {
    case PhysicalType::int8: return use(std::int8_t{});
    case PhysicalType::int16: return use(std::int16_t{});
    case PhysicalType::int32: return use(std::int32_t{});
    case PhysicalType::int64: return use(std::int64_t{});
    case PhysicalType::int128: return use(Int128{});
    case PhysicalType::uint8: return use(std::uint8_t{});
    case PhysicalType::uint16: return use(std::uint16_t{});
    case PhysicalType::uint32: return use(std::uint32_t{});
    case PhysicalType::uint64: return use(std::uint64_t{});
    default: return;
  }
}

// Whole numbers and decimals: the value times what the scales differ by.
void widen_integers(const Column& from, Column& to, std::size_t rows) {
  const unsigned zeros = to.type().scale - from.type().scale;
  with_integer(physical_type(from.type()), [&](auto narrow) {
    with_integer(physical_type(to.type()), [&](auto wide) {
      using Narrow = decltype(narrow);
      using Wide = decltype(wide);
      if constexpr (sizeof(Wide) >= sizeof(Narrow)) {
        Wide factor = 1;
        for (unsigned i = 0; i < zeros; ++i) factor = static_cast<Wide>(factor * 10);
        const Narrow* const values = from.values<Narrow>();
        Wide* const wider = to.values<Wide>();
        for (std::size_t row = 0; row < rows; ++row)
          wider[row] = static_cast<Wide>(static_cast<Wide>(values[row]) * factor);
      }
    });
  });
}

// Rows whose date no timestamp can tell are added to `beyond`.
void widen_dates(const Column& from, Column& to, std::size_t rows,
                 std::vector<std::size_t>& beyond) {
  const std::int32_t* const days = from.values<std::int32_t>();
  std::int64_t* const microseconds = to.values<std::int64_t>();
  for (std::size_t row = 0; row < rows; ++row) {
    const std::int64_t day = from.is_valid(row) ? days[row] : 0;
    const bool is_beyond = day > timestamp_days_max || day < -timestamp_days_max;
    microseconds[row] = is_beyond ? 0 : day * day_microseconds;
    if (is_beyond) beyond.push_back(row);
  }
}

void widen_reals(const Column& from, Column& to, std::size_t rows) {
  std::transform(from.values<float>(), from.values<float>() + rows, to.values<double>(),
                 [](float value) { return static_cast<double>(value); });
}

Column widened(const Column& from, Type type, std::size_t rows, std::vector<std::size_t>& beyond) {
  Column to(type);
  to.reserve(from.capacity());
  if (type.id == TypeId::timestamp) {
    widen_dates(from, to, rows, beyond);
  } else if (type.id == TypeId::double_) {
    widen_reals(from, to, rows);
  } else {
    widen_integers(from, to, rows);
  }
  if (from.has_nulls()) {
    for (std::size_t row = 0; row < rows; ++row)
      if (!from.is_valid(row)) to.set_null(row);
  }
  return to;
}

Column of_nulls(Type type, std::size_t rows, std::size_t capacity) {
  Column column(type);
  column.reserve(capacity);
  for (std::size_t row = 0; row < rows; ++row) column.set_null(row);
  return column;
}

// The same text in all rows; it belongs to the page's base.
Column of_source(std::string_view name, std::size_t rows, std::size_t capacity) {
  Column column(Type{TypeId::varchar});
  column.reserve(capacity);
  std::fill_n(column.values<StringRef>(), rows, StringRef::make(name));
  return column;
}

// The page without some of its rows, which are in ascending order.
std::unique_ptr<Page> without(std::unique_ptr<Page> page, const std::vector<std::size_t>& rows) {
  auto left = std::make_unique<Page>(page->schema_ptr(), page->capacity());
  left->base = page->base;
  left->keep_alive = page->keep_alive;
  auto skipped = rows.begin();
  for (std::size_t row = 0; row < page->rows(); ++row) {
    if (skipped != rows.end() && *skipped == row) ++skipped;
    else append_row(*left, *page, row);
  }
  return left;
}

Error form_error(std::string message) { return make_error(ErrorKind::config, std::move(message)); }

}  // namespace

bool widens(Type from, Type to) {
  if (from == to) return true;
  if (from.id == TypeId::real) return to.id == TypeId::double_;
  if (from.id == TypeId::date) return to.id == TypeId::timestamp;
  const auto narrow = integer_shape(from);
  const auto wide = integer_shape(to);
  if (narrow && wide) return integer_widens(*narrow, *wide);
  if (to.id != TypeId::decimal) return false;
  const unsigned whole_digits = to.width - to.scale;
  if (narrow) return narrow->digits <= whole_digits;
  return from.id == TypeId::decimal && from.scale <= to.scale &&
         from.width - from.scale <= static_cast<int>(whole_digits);
}

Result<PageForm> PageForm::make(const FormedSource& source, const FormedSource& form,
                                const std::string& source_column) {
  PageForm made;
  for (const Field& field : form.schema->fields) {
    const auto found = source.schema->find(field.name);
    if (!found && !source.missing_is_null) {
      return form_error(fmt::format(
          "Column \"{}\" of {} is not in {}. Say `missing_columns: null` there if it is to be null "
          "in its records, or leave the column out of the first source's `columns:`.",
          field.name, form.name, source.name));
    }
    made.columns_.push_back(found.value_or(none));
    if (found && !widens(source.schema->fields[*found].type, field.type)) {
      return form_error(fmt::format(
          "Column \"{}\" is {} in {} and {} in {}. Sources of one step have equal types, or types "
          "that widen to those of the first without loss; give one of them another type in "
          "`columns:`.",
          field.name, to_string(field.type), form.name,
          to_string(source.schema->fields[*found].type), source.name));
    }
    if (!found || !(source.schema->fields[*found].type == field.type))
      made.added_record_bytes_ += estimated_bytes(field.type);
  }
  for (std::size_t i = 0; i < source.schema->fields.size(); ++i) {
    if (source.extra_is_ignored || std::find(made.columns_.begin(), made.columns_.end(), i) !=
                                       made.columns_.end())
      continue;
    return form_error(fmt::format(
        "Column \"{}\" of {} is not in {}, whose columns are those of the step. Say "
        "`extra_columns: ignore` if it is not to be read.",
        source.schema->fields[i].name, source.name, form.name));
  }
  made.has_source_column_ = !source_column.empty();
  if (made.has_source_column_) made.added_record_bytes_ += sizeof(StringRef);
  return made;
}

Result<SchemaPtr> PageForm::schema_with(Schema form, const std::string& source_column) {
  if (source_column.empty()) return std::make_shared<const Schema>(std::move(form));
  if (form.find(source_column)) {
    return form_error(fmt::format("`source_column: {0}` names a column that is there already; "
                                  "give it another name.", source_column));
  }
  form.fields.push_back(Field{source_column, Type{TypeId::varchar}});
  return std::make_shared<const Schema>(std::move(form));
}

std::unique_ptr<Page> PageForm::shape(std::unique_ptr<Page> page,
                                      std::vector<Reject>& rejects) const {
  const std::size_t rows = page->rows();
  std::vector<std::size_t> beyond;
  std::vector<Column> widened_columns;  // first of all: a reject shows the row as it was read
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    const std::size_t from = columns_[i];
    const Type type = schema_->fields[i].type;
    if (from == none || page->column(from).type() == type) continue;
    widened_columns.push_back(widened(page->column(from), type, rows, beyond));
  }
  std::sort(beyond.begin(), beyond.end());
  beyond.erase(std::unique(beyond.begin(), beyond.end()), beyond.end());
  for (const std::size_t row : beyond)
    rejects.push_back(reject_row(*page, row, "read", "A date lies beyond what a timestamp holds."));
  std::vector<Column> columns;
  columns.reserve(schema_->fields.size());
  auto next_widened = widened_columns.begin();
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    const std::size_t from = columns_[i];
    const Type type = schema_->fields[i].type;
    if (from == none) columns.push_back(of_nulls(type, rows, page->capacity()));
    else if (page->column(from).type() == type) columns.push_back(std::move(page->column(from)));
    else columns.push_back(std::move(*next_widened++));
  }
  if (has_source_column_) {
    page->keep_alive.push_back(page->base.source);
    columns.push_back(of_source(*page->base.source, rows, page->capacity()));
  }
  auto shaped = std::make_unique<Page>(schema_, std::move(columns), page->capacity());
  shaped->set_rows(rows);
  shaped->arena = std::move(page->arena);
  shaped->keep_alive = std::move(page->keep_alive);
  shaped->base = std::move(page->base);
  shaped->origins = std::move(page->origins);
  return beyond.empty() ? std::move(shaped) : without(std::move(shaped), beyond);
}

}  // namespace tranche
