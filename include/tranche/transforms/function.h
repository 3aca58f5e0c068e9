// A C++ function of a record as a transform.
//
// The function takes a struct by const reference and returns a struct, or std::optional of one
// (nullopt filters the record). throw Reject("why") rejects the record; throw Transient("why") has
// the batch tried again; any other exception rejects the record with its text. Threads: the
// function object is copied once a worker, so state inside it belongs to that worker. Lifetime: a
// string_view that the function returns points into its argument or static storage.
#pragma once

#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>

#include <tranche/core/transform.h>
#include <tranche/transforms/record.h>

namespace tranche {

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

// What an exception of business logic means for the record. Errors: transient for Transient, memory
// for std::bad_alloc; everything else rejects the record: the sentence.
Result<std::string> explain_exception(std::exception_ptr exception);
// The digest of this program, which holds the functions: for fingerprints.
Result<std::string> program_fingerprint();

template <class Function> class FunctionInstance final : public TransformInstance {
 public:
  using Shape = FunctionShape<Function>;
  FunctionInstance(Function function, SchemaPtr output, std::vector<std::size_t> columns,
                   Breadcrumb& breadcrumb)
      : function_(std::move(function)),
        output_(std::move(output)),
        columns_(std::move(columns)),
        breadcrumb_(breadcrumb) {}

  Result<void> process(std::span<const std::unique_ptr<Page>> pages, const PageConsumer& consume,
                       std::vector<Reject>& rejects, StageCounts& counts) override {
    for (const auto& page : pages) {
      auto made = std::make_unique<Page>(output_, page->rows());
      made->base = page->base;
      made->origins.reserve(page->origins.size());
      Rows rows;
      breadcrumb_.records.store(page->origins.empty() ? 0 : 1, std::memory_order_relaxed);
      while (rows.in < page->rows()) {
        const std::exception_ptr thrown = call_from(*page, *made, rows);
        if (!thrown) break;
        TRANCHE_ASSIGN(auto why, explain_exception(thrown));  // else the breadcrumb names it
        rejects.push_back(reject_row(*page, rows.in, "function", std::move(why)));
        ++counts.rejected;
        ++rows.in;
      }
      breadcrumb_.records.store(0, std::memory_order_relaxed);
      made->set_rows(rows.out);
      counts.in += page->rows();
      counts.out += rows.out;
      counts.filtered += rows.filtered;
      // The source's bytes stay at hand for rejects of later stages.
      made->keep_alive = page->keep_alive;
      TRANCHE_TRY(consume(std::move(made)));
    }
    return {};
  }

 private:
  // How far a page has come.
  struct Rows {
    std::size_t in = 0;
    std::size_t out = 0;
    std::uint64_t filtered = 0;
  };

  // Calls the function for the rows from rows.in on, up to the first one that throws.
  std::exception_ptr call_from(const Page& page, Page& made, Rows& rows) {
    const bool has_origins = !page.origins.empty();
    try {
      for (; rows.in < page.rows(); ++rows.in) {
        if (has_origins) breadcrumb_.at(page.base.record + page.origins[rows.in].record);
        typename Shape::Input input{};
        const auto null_field = read_record(page, columns_.data(), rows.in, input);
        if (!null_field.empty()) [[unlikely]] {
          throw Reject("Field \"" + std::string(null_field) +
                       "\" is null; make it std::optional where nulls are meant.");
        }
        if constexpr (Shape::filters) {
          const auto output = function_(input);
          if (!output) {
            ++rows.filtered;
            continue;
          }
          write_record(made, rows.out, *output);
        } else {
          write_record(made, rows.out, function_(input));
        }
        if (has_origins) made.origins.push_back(page.origins[rows.in]);
        ++rows.out;
      }
    } catch (...) {
      return std::current_exception();
    }
    return nullptr;
  }

  Function function_;
  SchemaPtr output_;
  std::vector<std::size_t> columns_;
  Breadcrumb& breadcrumb_;
};

template <class Function> class FunctionTransform final : public Transform {
 public:
  using Shape = FunctionShape<Function>;
  explicit FunctionTransform(Function function) : function_(std::move(function)) {}

  std::string name() const override { return "function"; }
  Scope scope() const override { return Scope::chunk; }
  Result<SchemaPtr> bind(SchemaPtr input, WorkerScope&) override {
    TRANCHE_ASSIGN(columns_, match_columns(schema_of<typename Shape::Input>(), *input));
    output_ = std::make_shared<const Schema>(schema_of<typename Shape::Output>());
    return output_;
  }
  Result<std::unique_ptr<TransformInstance>> instance(WorkerScope& worker) const override {
    return std::unique_ptr<TransformInstance>(std::make_unique<FunctionInstance<Function>>(
        function_, output_, columns_, worker.breadcrumb()));
  }
  Result<std::string> fingerprint() const override { return program_fingerprint(); }

 private:
  Function function_;
  SchemaPtr output_;
  std::vector<std::size_t> columns_;
};

}  // namespace tranche
