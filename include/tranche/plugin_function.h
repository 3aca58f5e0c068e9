// A C++ function of a record as a plugin: the same lambdas and structs that a job in C++ takes.
//
//   struct Sale  { std::int64_t id; int qty; tranche::Decimal<12, 2> price; };
//   struct Total { std::int64_t id; tranche::Decimal<18, 2> total; };
//   TRANCHE_PLUGIN(total, [](const Sale& s) { return Total{s.id, s.qty * s.price}; });
//
//   g++ -std=c++20 -O2 -fPIC -shared total.cpp -o total.so
//
// Fields are columns of the same name; which types they may have stands in
// tranche/transforms/record.h. The function gives a struct, std::optional of one (nullopt filters)
// or std::vector of them (many, or none). throw tranche::Reject("why") rejects the record, throw
// tranche::Transient("why") has the batch tried again, any other exception rejects the record with
// its text. A plugin needs these headers only, and is linked with no library of Tranche.
//
// With `options:` in the job file, the function is made by one that takes them:
//   TRANCHE_PLUGIN(score, [](const tranche::PluginOptions& options) {
//     return [least = options.number("least", 0.5)](const Sale& s) -> std::optional<Total> {...};
//   });
//
// Threads: each worker calls a copy of the function of its own. Lifetime: a string_view that it
// returns points into its argument or into static storage.
#pragma once

#include <array>
#include <charconv>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>
#include <optional>
#include <set>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include <tranche/plugin.h>
#include <tranche/transforms/record.h>

// Hidden: two plugins in one process share none of this.
namespace tranche __attribute__((visibility("hidden"))) {

  // What `options:` of the job file say. Throws std::invalid_argument with a sentence.
  class PluginOptions {
   public:
    explicit PluginOptions(const TrancheBinding& binding) : binding_(binding) {}

    bool has(const char* name) const { return find(name) != nullptr; }
    std::string text(const char* name) const { return required(name); }
    std::string text(const char* name, std::string otherwise) const {
      const char* const value = find(name);
      return value != nullptr ? value : std::move(otherwise);
    }
    double number(const char* name) const { return parse<double>(name, required(name)); }
    double number(const char* name, double otherwise) const {
      const char* const value = find(name);
      return value != nullptr ? parse<double>(name, value) : otherwise;
    }
    std::int64_t whole_number(const char* name) const {
      return parse<std::int64_t>(name, required(name));
    }
    std::int64_t whole_number(const char* name, std::int64_t otherwise) const {
      const char* const value = find(name);
      return value != nullptr ? parse<std::int64_t>(name, value) : otherwise;
    }
    // An option that nobody has asked for is a mistake. Throws std::invalid_argument.
    void refuse_others() const {
      for (std::size_t i = 0; i < binding_.option_count; ++i) {
        const std::string name = binding_.options[i].name;
        if (asked_.contains(name)) continue;
        std::string known;
        for (const std::string& asked : asked_) known += (known.empty() ? "" : ", ") + asked;
        throw std::invalid_argument("there is no option \"" + name + "\"" +
                                    (known.empty() ? "; it takes none" : "; it takes " + known));
      }
    }

   private:
    const char* find(const char* name) const {
      asked_.insert(name);
      for (std::size_t i = 0; i < binding_.option_count; ++i)
        if (std::strcmp(binding_.options[i].name, name) == 0) return binding_.options[i].value;
      return nullptr;
    }
    const char* required(const char* name) const {
      const char* const value = find(name);
      if (value == nullptr)
        throw std::invalid_argument("the option \"" + std::string(name) + "\" is missing");
      return value;
    }
    template <class T> static T parse(const char* name, std::string_view text) {
      T value{};
      const char* const end = text.data() + text.size();
      const auto [stop, error] = std::from_chars(text.data(), end, value);
      if (error != std::errc() || stop != end) {
        throw std::invalid_argument(
            "the option \"" + std::string(name) + "\" is \"" + std::string(text) + "\", and " +
            (std::is_integral_v<T> ? "a whole number" : "a number") + " was expected");
      }
      return value;
    }
    const TrancheBinding& binding_;
    mutable std::set<std::string> asked_;
  };

  namespace plugin {

  // A type as job files name it; of those that fields can have.
  inline std::string type_name(Type type) {
    switch (type.id) {
      case TypeId::boolean:
        return "boolean";
      case TypeId::tinyint:
        return "tinyint";
      case TypeId::smallint:
        return "smallint";
      case TypeId::integer:
        return "integer";
      case TypeId::bigint:
        return "bigint";
      case TypeId::utinyint:
        return "utinyint";
      case TypeId::usmallint:
        return "usmallint";
      case TypeId::uinteger:
        return "uinteger";
      case TypeId::ubigint:
        return "ubigint";
      case TypeId::real:
        return "real";
      case TypeId::double_:
        return "double";
      case TypeId::date:
        return "date";
      case TypeId::time:
        return "time";
      case TypeId::timestamp:
        return "timestamp";
      case TypeId::timestamptz:
        return "timestamptz";
      case TypeId::decimal:
        return "decimal(" + std::to_string(type.width) + "," + std::to_string(type.scale) + ")";
      default:
        return "varchar";
    }
  }

  // The columns that a record is made of, for as long as the plugin lives.
  template <class Record> const std::vector<TrancheColumn>& columns_of() {
    static const Schema schema = schema_of<Record>();
    static const std::vector<std::string> types = [] {
      std::vector<std::string> names;
      for (const Field& field : schema.fields) names.push_back(type_name(field.type));
      return names;
    }();
    static const std::vector<TrancheColumn> columns = [] {
      std::vector<TrancheColumn> made;
      for (std::size_t i = 0; i < types.size(); ++i)
        made.push_back(
            {schema.fields[i].name.c_str(), types[i].c_str(), schema.fields[i].required});
      return made;
    }();
    return columns;
  }

  // Memory of one buffer; grows, and is never filled with zeros first.
  class Buffer {
   public:
    void reserve(std::size_t bytes) {
      if (bytes <= capacity_) return;
      void* const grown = std::realloc(bytes_.get(), bytes);
      if (grown == nullptr) throw std::bad_alloc();
      static_cast<void>(bytes_.release());
      bytes_.reset(static_cast<char*>(grown));
      capacity_ = bytes;
    }
    void grow_to(std::size_t bytes) {
      if (bytes > capacity_) reserve(bytes + bytes / 2);
    }
    template <class T> T* as() { return reinterpret_cast<T*>(bytes_.get()); }

   private:
    struct Free {
      void operator()(char* bytes) const { std::free(bytes); }
    };
    std::unique_ptr<char, Free> bytes_;
    std::size_t capacity_ = 0;
  };

  // A column of output in the making. Whatever was there of a row is written over.
  struct OutputColumn {
    Buffer values;  // or the offsets of texts
    Buffer texts;
    Buffer validity;  // made at the first null
    bool has_nulls = false;

    void reserve(std::size_t rows, std::size_t value_bytes) {
      values.grow_to((rows + 1) * value_bytes);
    }
    // REQUIRES that all rows before `row` are there.
    void set_null(std::size_t row) {
      validity.grow_to(row / 8 + 1);
      auto* const bits = validity.as<std::uint8_t>();
      if (!std::exchange(has_nulls, true)) std::memset(bits, 0xFF, row / 8 + 1);
      if (row % 8 == 0) bits[row / 8] = 0xFF;
      bits[row / 8] = static_cast<std::uint8_t>(bits[row / 8] & ~(1U << (row % 8)));
    }
    void set_valid(std::size_t row) {
      if (!has_nulls) return;
      validity.grow_to(row / 8 + 1);
      auto& bits = validity.as<std::uint8_t>()[row / 8];
      bits = row % 8 == 0 ? 0xFF : static_cast<std::uint8_t>(bits | 1U << (row % 8));
    }
  };

  // How the values of a field lie in Arrow: plainly, unless it says otherwise below.
  template <class T> struct ArrowValue {
    static constexpr std::size_t bytes = sizeof(T);
    static T get(const ArrowArray& column, std::int64_t row) {
      return static_cast<const T*>(column.buffers[1])[row];
    }
    static void put(OutputColumn& column, std::size_t row, const T& value) {
      column.values.as<T>()[row] = value;
    }
    static void put_null(OutputColumn& column, std::size_t row) { put(column, row, T{}); }
  };

  template <> struct ArrowValue<bool> {
    static constexpr std::size_t bytes = 1;  // more than the bit that it takes
    static bool get(const ArrowArray& column, std::int64_t row) {
      return ((static_cast<const std::uint8_t*>(column.buffers[1])[row >> 3] >> (row & 7)) & 1) !=
             0;
    }
    static void put(OutputColumn& column, std::size_t row, bool value) {
      auto& bits = column.values.as<std::uint8_t>()[row >> 3];
      const unsigned others = row % 8 == 0 ? 0U : bits & ~(1U << (row & 7));
      bits = static_cast<std::uint8_t>(others | (value ? 1U << (row & 7) : 0U));
    }
    static void put_null(OutputColumn& column, std::size_t row) { put(column, row, false); }
  };

  template <unsigned W, unsigned S> struct ArrowValue<Decimal<W, S>> {
    using Number = Decimal<W, S>;
    static constexpr std::size_t bytes = sizeof(Int128);
    static Number get(const ArrowArray& column, std::int64_t row) {
      typename Number::Value value;  // the lower half holds it where it has up to 18 digits
      std::memcpy(&value, static_cast<const char*>(column.buffers[1]) + row * 16, sizeof value);
      return Number::from_stored(value);
    }
    static void put(OutputColumn& column, std::size_t row, Number value) {
      const Int128 wide = value.scaled();
      std::memcpy(column.values.as<char>() + row * 16, &wide, sizeof wide);
    }
    static void put_null(OutputColumn& column, std::size_t row) { put(column, row, Number()); }
  };

  template <class T> struct ArrowText {
    static constexpr std::size_t bytes = sizeof(std::int32_t);
    static T get(const ArrowArray& column, std::int64_t row) {
      std::size_t length = 0;
      const char* const text = tranche_text(&column, row, &length);
      return T(text, length);
    }
    static void put(OutputColumn& column, std::size_t row, std::string_view text) {
      auto* const offsets = column.values.as<std::int32_t>();
      if (row == 0) offsets[0] = 0;
      const auto begin = static_cast<std::size_t>(offsets[row]);
      if (begin + text.size() > INT32_MAX)
        throw std::length_error("the texts of a page take more than 2 GiB");
      column.texts.grow_to(begin + text.size() + 1);
      if (!text.empty()) std::memcpy(column.texts.as<char>() + begin, text.data(), text.size());
      offsets[row + 1] = static_cast<std::int32_t>(begin + text.size());
    }
    static void put_null(OutputColumn& column, std::size_t row) { put(column, row, {}); }
  };
  template <> struct ArrowValue<std::string_view> : ArrowText<std::string_view> {};
  template <> struct ArrowValue<std::string> : ArrowText<std::string> {};

  template <class Record, std::size_t I>
  using MemberOf = std::remove_const_t<reflect::FieldType<Record, I>>;
  template <class Record, std::size_t I>
  using ValueOf = ArrowValue<typename FieldValue<MemberOf<Record, I>>::type>;

  // The rows that a page's records become, and the arrays that hand them over.
  template <class Record> class Output {
   public:
    static constexpr std::size_t columns = reflect::field_count<Record>();

    void reserve(std::size_t rows) {
      for_each_field<Record>(
          [&]<std::size_t I>() { columns_[I].reserve(rows, ValueOf<Record, I>::bytes); });
    }
    void add(const Record& record) {
      auto fields = reflect::tie_fields(record);
      for_each_field<Record>(
          [&]<std::size_t I>() { put<ValueOf<Record, I>>(columns_[I], std::get<I>(fields)); });
      ++rows_;
    }
    std::size_t rows() const { return rows_; }
    // Forgets those from `rows` on: a record that failed amid its rows gives none.
    void keep(std::size_t rows) { rows_ = rows; }

    // Hands itself over: who releases the array deletes it.
    static void hand_over(std::unique_ptr<Output> output, ArrowArray& array) {
      Output& of = *output;
      for (std::size_t i = 0; i < columns; ++i) {
        OutputColumn& column = of.columns_[i];
        const bool is_text = is_text_[i];
        of.buffers_[i][0] = column.has_nulls ? column.validity.template as<void>() : nullptr;
        of.buffers_[i][1] = column.values.template as<void>();
        of.buffers_[i][2] = column.texts.template as<void>();
        of.arrays_[i] = of.array_of(is_text ? 3 : 2, of.buffers_[i], column.has_nulls);
        of.children_[i] = &of.arrays_[i];
      }
      array = of.array_of(1, of.root_buffers_, false);
      array.n_children = static_cast<std::int64_t>(columns);
      array.children = of.children_;
      array.private_data = output.release();
      array.release = [](ArrowArray* released) {
        delete static_cast<Output*>(released->private_data);
        released->release = nullptr;
      };
    }

   private:
    template <class Value, class T> void put(OutputColumn& column, const T& value) {
      column.set_valid(rows_);
      Value::put(column, rows_, value);
    }
    template <class Value, class T> void put(OutputColumn& column, const std::optional<T>& value) {
      if (value) return put<Value>(column, *value);
      Value::put_null(column, rows_);
      column.set_null(rows_);
    }
    ArrowArray array_of(std::int64_t buffer_count, const void** buffers, bool has_nulls) const {
      ArrowArray made{};
      made.length = static_cast<std::int64_t>(rows_);
      made.null_count = has_nulls ? -1 : 0;
      made.n_buffers = buffer_count;
      made.buffers = buffers;
      made.release = [](ArrowArray* released) { released->release = nullptr; };
      return made;
    }
    template <std::size_t... I>
    static constexpr std::array<bool, columns> find_texts(std::index_sequence<I...>) {
      return {std::is_convertible_v<typename FieldValue<MemberOf<Record, I>>::type,
                                    std::string_view>...};
    }
    static constexpr std::array<bool, columns> is_text_ =
        find_texts(std::make_index_sequence<columns>{});

    OutputColumn columns_[columns];
    std::size_t rows_ = 0;
    const void* buffers_[columns][3]{};
    const void* root_buffers_[1]{};
    ArrowArray arrays_[columns]{};
    ArrowArray* children_[columns]{};
  };

  // Reads record `row`; the name of a field that is null without being optional, or nothing.
  template <class Record>
  std::string_view read(const ArrowArray& records, std::int64_t row, Record& record) {
    std::string_view null_field;
    auto fields = reflect::tie_fields(record);
    for_each_field<Record>([&]<std::size_t I>() {
      using Member = MemberOf<Record, I>;
      const ArrowArray& column = *records.children[I];
      if (column.null_count == 0 || !tranche_is_null(&column, row)) {
        std::get<I>(fields) = ValueOf<Record, I>::get(column, row);
      } else if constexpr (IsOptional<Member>::value) {
        std::get<I>(fields) = std::nullopt;
      } else if (null_field.empty()) {
        null_field = reflect::field_name<Record, I>();
      }
    });
    return null_field;
  }

  template <class T> struct RowsOf { using type = T; };
  template <class T> struct RowsOf<std::vector<T>> { using type = T; };

  inline int say(char* error, std::string_view what, int code) {
    std::snprintf(error, TRANCHE_ERROR_BYTES, "%.*s", static_cast<int>(what.size()), what.data());
    return code;
  }

  // A function and all that C needs of it. `Maker` gives the function for the options of a job.
  template <class Maker> class Exported {
   public:
    static constexpr bool has_options = std::is_invocable_v<const Maker&, const PluginOptions&>;
    static auto function_for(const Maker& maker, const PluginOptions& options) {
      if constexpr (has_options)
        return maker(options);
      else
        return maker;
    }
    using Function =
        decltype(function_for(std::declval<const Maker&>(), std::declval<const PluginOptions&>()));
    using Shape = FunctionShape<Function>;
    using In = typename Shape::Input;
    using Out = typename RowsOf<typename Shape::Output>::type;
    static constexpr bool gives_many = !std::is_same_v<Out, typename Shape::Output>;

    static TrancheFunction make(const char* name, Maker maker) {
      TrancheFunction made{};
      made.name = name;
      made.input = columns_of<In>().data();
      made.input_count = columns_of<In>().size();
      made.output = columns_of<Out>().data();
      made.output_count = columns_of<Out>().size();
      made.data = new Maker(std::move(maker));
      made.bind = bind;
      made.unbind = [](void* bound) { delete static_cast<Function*>(bound); };
      made.create = create;
      made.destroy = [](void* instance) { delete static_cast<Worker*>(instance); };
      made.process = process;
      return made;
    }

   private:
    struct Worker {
      explicit Worker(const Function& of) : function(of) {}
      Function function;
      In record{};
      std::vector<std::int64_t> rows;  // of which record each row of output came
    };

    static int bind(TrancheBinding* binding, char* error) {
      try {
        const PluginOptions options(*binding);
        auto function = std::make_unique<Function>(
            function_for(*static_cast<const Maker*>(binding->function->data), options));
        options.refuse_others();
        binding->bound = function.release();
        return TRANCHE_OK;
      } catch (const std::exception& problem) {
        return say(error, problem.what(), TRANCHE_FAILED);
      } catch (const Reject& problem) {
        return say(error, problem.error, TRANCHE_FAILED);
      } catch (...) {
        return say(error, "it threw something that is no std::exception", TRANCHE_FAILED);
      }
    }

    static int create(void* bound, void** instance, char* error) {
      try {
        *instance = new Worker(*static_cast<const Function*>(bound));
        return TRANCHE_OK;
      } catch (const std::exception& problem) {
        return say(error, problem.what(), TRANCHE_FAILED);
      }
    }

    static int process(void* instance, TranchePage* page, char* error) {
      auto& worker = *static_cast<Worker*>(instance);
      try {
        const std::int64_t rows = page->records->length;
        auto output = std::make_unique<Output<Out>>();
        output->reserve(static_cast<std::size_t>(rows));
        worker.rows.clear();
        worker.rows.reserve(static_cast<std::size_t>(rows));
        for (std::int64_t row = 0; row < rows; ++row) {
          page->at(page, row);
          take(worker, *page, row, *output);
        }
        page->output_rows = worker.rows.data();
        Output<Out>::hand_over(std::move(output), page->output);
        return TRANCHE_OK;
      } catch (const Transient& problem) {
        return say(error, problem.what(), TRANCHE_TRANSIENT);
      } catch (const std::bad_alloc&) {
        return say(error, "The function ran out of memory.", TRANCHE_NO_MEMORY);
      }
    }

    // Throws Transient and std::bad_alloc, which are not of the record.
    static void take(Worker& worker, TranchePage& page, std::int64_t row, Output<Out>& output) {
      const std::size_t before = output.rows();
      try {
        const std::string_view null_field = read(*page.records, row, worker.record);
        if (!null_field.empty()) throw Reject(null_field_text(null_field));
        put(worker.function(std::as_const(worker.record)), output);
        worker.rows.insert(worker.rows.end(), output.rows() - before, row);
        return;
      } catch (const Transient&) {
        throw;
      } catch (const std::bad_alloc&) {
        throw;
      } catch (const Reject& problem) {
        page.reject(&page, row, problem.error.c_str());
      } catch (const std::exception& problem) {
        page.reject(&page, row,
                    (std::string("The function threw an exception: ") + problem.what()).c_str());
      } catch (...) {
        page.reject(&page, row, "The function threw something that is no std::exception.");
      }
      output.keep(before);
    }

    template <class Result> static void put(const Result& result, Output<Out>& output) {
      if constexpr (Shape::filters) {
        if (result) output.add(*result);
      } else if constexpr (gives_many) {
        output.reserve(output.rows() + result.size() + 1);
        for (const Out& record : result) output.add(record);
      } else {
        output.add(result);
      }
    }
  };

  inline std::vector<TrancheFunction>& functions() {
    static std::vector<TrancheFunction> exported;
    return exported;
  }

  template <class Maker> bool add(const char* name, Maker maker) {
    functions().push_back(Exported<Maker>::make(name, std::move(maker)));
    return true;
  }

  }  // namespace plugin
}  // namespace )

// Weak, so that several files of one plugin may include this.
extern "C" __attribute__((weak)) TRANCHE_PLUGIN_EXPORT const TranchePlugin* tranche_plugin(void) {
  static TranchePlugin made;
  const auto& functions = tranche::plugin::functions();
  made = {TRANCHE_PLUGIN_ABI, static_cast<std::uint32_t>(functions.size()), functions.data()};
  return &made;
}

// Exports a function, a lambda or a function object under this name.
#define TRANCHE_PLUGIN(name, ...)                            \
  [[maybe_unused]] static const bool tranche_plugin_##name = \
      ::tranche::plugin::add(#name, __VA_ARGS__)
