// Plain structs as records: which column each field is, and how its values are read and written.
//
// A field maps to the column of its name. Its type says the column's type: bool boolean,
// std::int32_t integer, std::int64_t bigint (and the other widths), float real, double, Decimal<w,
// s>, Date, Time, Timestamp, TimestampTz, std::string_view or std::string varchar; std::optional<T>
// allows nulls. Threads: pure functions. Lifetime: a string_view of a record points into the page
// it was read from.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include <tranche/core/page.h>
#include <tranche/transforms/decimal.h>
#include <tranche/transforms/reflect.h>

namespace tranche {

// Where the strings of a page go that is made from records.
class RecordStrings {
 public:
  // `kept`: bytes that the page keeps alive. What lies in them already is not copied.
  RecordStrings(Arena& arena, std::string_view kept) : arena_(arena), kept_(kept) {}

  StringRef put(std::string_view bytes) {
    if (bytes.size() <= 12 || is_kept(bytes.data())) return StringRef::make(bytes);
    return StringRef::make(arena_.copy(bytes));
  }

 private:
  bool is_kept(const char* bytes) const {
    return reinterpret_cast<std::uintptr_t>(bytes) -
               reinterpret_cast<std::uintptr_t>(kept_.data()) <
           kept_.size();
  }
  Arena& arena_;
  std::string_view kept_;
};

// What a field's C++ type is as a column: its type, how values lie in it, and both ways between
// them; what `make` gives may point into the stored value. Specialised for each supported type.
template <class T> struct FieldTraits { static constexpr bool supported = false; };

template <class T, TypeId id> struct PlainField {
  static constexpr bool supported = true;
  using Stored = T;
  static Type type() { return Type{id}; }
  static T make(const Stored& stored) { return stored; }
  static void put(Column& column, std::size_t row, const T& value, RecordStrings&) {
    column.values<T>()[row] = value;
  }
};
template <> struct FieldTraits<std::int8_t> : PlainField<std::int8_t, TypeId::tinyint> {};
template <> struct FieldTraits<std::int16_t> : PlainField<std::int16_t, TypeId::smallint> {};
template <> struct FieldTraits<std::int32_t> : PlainField<std::int32_t, TypeId::integer> {};
template <> struct FieldTraits<std::int64_t> : PlainField<std::int64_t, TypeId::bigint> {};
template <> struct FieldTraits<std::uint8_t> : PlainField<std::uint8_t, TypeId::utinyint> {};
template <> struct FieldTraits<std::uint16_t> : PlainField<std::uint16_t, TypeId::usmallint> {};
template <> struct FieldTraits<std::uint32_t> : PlainField<std::uint32_t, TypeId::uinteger> {};
template <> struct FieldTraits<std::uint64_t> : PlainField<std::uint64_t, TypeId::ubigint> {};
template <> struct FieldTraits<float> : PlainField<float, TypeId::real> {};
template <> struct FieldTraits<double> : PlainField<double, TypeId::double_> {};

// The number in a struct is written as a number: g++ keeps a record in memory, and copies it there,
// as soon as one of its fields is only ever copied as a struct.
template <auto member, TypeId id> struct NumberField;
template <class T, class Number, Number T::*member, TypeId id> struct NumberField<member, id> {
  static constexpr bool supported = true;
  using Stored = Number;
  static Type type() { return Type{id}; }
  static T make(const Stored& stored) { return T{stored}; }
  static void put(Column& column, std::size_t row, const T& value, RecordStrings&) {
    column.values<Number>()[row] = value.*member;
  }
};
template <> struct FieldTraits<Date> : NumberField<&Date::days, TypeId::date> {};
template <> struct FieldTraits<Time> : NumberField<&Time::microseconds, TypeId::time> {};
template <>
struct FieldTraits<Timestamp> : NumberField<&Timestamp::microseconds, TypeId::timestamp> {};
template <>
struct FieldTraits<TimestampTz> : NumberField<&TimestampTz::microseconds, TypeId::timestamptz> {};

template <> struct FieldTraits<bool> {
  static constexpr bool supported = true;
  using Stored = std::uint8_t;
  static Type type() { return Type{TypeId::boolean}; }
  static bool make(const Stored& stored) { return stored != 0; }
  static void put(Column& column, std::size_t row, bool value, RecordStrings&) {
    column.values<std::uint8_t>()[row] = value ? 1 : 0;
  }
};

template <unsigned W, unsigned S> struct FieldTraits<Decimal<W, S>> {
  static constexpr bool supported = true;
  using Stored =
      std::conditional_t<(W <= 4), std::int16_t,
                         std::conditional_t<(W <= 9), std::int32_t,
                                            std::conditional_t<(W <= 18), std::int64_t, Int128>>>;
  static Type type() {
    return decimal_type(static_cast<std::uint8_t>(W), static_cast<std::uint8_t>(S));
  }
  static Decimal<W, S> make(const Stored& stored) { return Decimal<W, S>::from_stored(stored); }
  static void put(Column& column, std::size_t row, Decimal<W, S> value, RecordStrings&) {
    column.values<Stored>()[row] = static_cast<Stored>(value.scaled());
  }
};

template <class T> struct TextField {
  static constexpr bool supported = true;
  using Stored = StringRef;
  static Type type() { return Type{TypeId::varchar}; }
  static T make(const Stored& stored) { return T(stored.view()); }
  static void put(Column& column, std::size_t row, const T& value, RecordStrings& strings) {
    column.values<StringRef>()[row] = strings.put(value);
  }
};
template <> struct FieldTraits<std::string_view> : TextField<std::string_view> {};
template <> struct FieldTraits<std::string> : TextField<std::string> {};

template <class T> struct IsOptional : std::false_type {};
template <class T> struct IsOptional<std::optional<T>> : std::true_type {};

template <class T> struct FieldValue { using type = T; };
template <class T> struct FieldValue<std::optional<T>> { using type = T; };

// What a function of a record takes and gives.
template <class Function> struct FunctionShape : FunctionShape<decltype(&Function::operator())> {};
template <class Owner, class Out, class In> struct FunctionShape<Out (Owner::*)(In) const> {
  using Input = std::remove_cvref_t<In>;
  using Output = typename FieldValue<std::remove_cvref_t<Out>>::type;
  static constexpr bool filters = IsOptional<std::remove_cvref_t<Out>>::value;
};
template <class Owner, class Out, class In>
struct FunctionShape<Out (Owner::*)(In)> : FunctionShape<Out (Owner::*)(In) const> {};
template <class Out, class In> struct FunctionShape<Out (*)(In)> {
  using Input = std::remove_cvref_t<In>;
  using Output = typename FieldValue<std::remove_cvref_t<Out>>::type;
  static constexpr bool filters = IsOptional<std::remove_cvref_t<Out>>::value;
};

// What is wrong with a record that has no value for a field that is not optional.
inline std::string null_field_text(std::string_view field) {
  return "Field \"" + std::string(field) +
         "\" is null; make it std::optional where nulls are meant.";
}

// Calls `visit.template operator()<I>()` for each field of Record.
template <class Record, class Visit, std::size_t... I>
[[gnu::always_inline]] inline void for_each_field(Visit&& visit, std::index_sequence<I...>) {
  (visit.template operator()<I>(), ...);
}
template <class Record, class Visit>
[[gnu::always_inline]] inline void for_each_field(Visit&& visit) {
  for_each_field<Record>(std::forward<Visit>(visit),
                         std::make_index_sequence<reflect::field_count<Record>()>{});
}

// The columns that Record is made of, by name and type; a field that is not optional is required.
template <class Record> Schema schema_of() {
  static_assert(std::is_aggregate_v<Record>,
                "a record is a plain struct without constructors or bases");
  Schema schema;
  for_each_field<Record>([&]<std::size_t I>() {
    using Member = std::remove_const_t<reflect::FieldType<Record, I>>;
    using Value = typename FieldValue<Member>::type;
    static_assert(FieldTraits<Value>::supported,
                  "this field's type is no column type: see tranche/transforms/record.h");
    schema.fields.push_back(tranche::Field{std::string(reflect::field_name<Record, I>()),
                                           FieldTraits<Value>::type(), !IsOptional<Member>::value});
  });
  return schema;
}

// Finds the columns of a record in a schema. Errors: config, naming field, column and both types.
Result<std::vector<std::size_t>> match_columns(const Schema& record, const Schema& columns);

// Reads `count` rows of `page` from row `first` on, a column at a time; `columns` come from
// match_columns. `null_fields` says of each the name of a field that is null without being
// optional, or nothing.
template <class Record>
[[gnu::always_inline]] inline void read_records(const Page& page, const std::size_t* columns,
                                                std::size_t first, std::size_t count,
                                                Record* records, std::string_view* null_fields) {
  for (std::size_t i = 0; i < count; ++i) null_fields[i] = {};
  for_each_field<Record>([&]<std::size_t I>() {
    using Member = reflect::FieldType<Record, I>;
    using Traits = FieldTraits<typename FieldValue<Member>::type>;
    const Column& column = page.column(columns[I]);
    // A variable of its own: what is written to a record could be the column for all g++ knows.
    const auto* const stored = column.values<typename Traits::Stored>() + first;
    if (!column.has_nulls()) {
      for (std::size_t i = 0; i < count; ++i)
        std::get<I>(reflect::tie_fields(records[i])) = Traits::make(stored[i]);
      return;
    }
    for (std::size_t i = 0; i < count; ++i) {
      if (column.is_valid(first + i)) {
        std::get<I>(reflect::tie_fields(records[i])) = Traits::make(stored[i]);
      } else if constexpr (IsOptional<Member>::value) {
        std::get<I>(reflect::tie_fields(records[i])) = std::nullopt;
      } else if (null_fields[i].empty()) {
        null_fields[i] = reflect::field_name<Record, I>();
      }
    }
  });
}

template <class Field>
[[gnu::always_inline]] inline void write_field(Column& column, std::size_t row, const Field& field,
                                               RecordStrings& strings) {
  using Traits = FieldTraits<typename FieldValue<Field>::type>;
  if constexpr (IsOptional<Field>::value) {
    if (field)
      Traits::put(column, row, *field, strings);
    else
      column.set_null(row);
  } else {
    Traits::put(column, row, field, strings);
  }
}

// Writes `record` as row `row` of `page`, whose columns are those of schema_of<Record>().
template <class Record>
[[gnu::always_inline]] inline void write_record(Page& page, std::size_t row, const Record& record,
                                                RecordStrings& strings) {
  reflect::visit_fields(record, [&](const auto&... fields) __attribute__((always_inline)) {
    std::size_t column = 0;
    (write_field(page.column(column++), row, fields, strings), ...);
  });
}

}  // namespace tranche
