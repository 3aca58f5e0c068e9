#include "transforms/plugin.h"

#include <algorithm>
#include <map>
#include <optional>

#include <fmt/format.h>

#include "base/file.h"
#include "base/text.h"
#include "formats/arrow_export.h"
#include "formats/arrow_import.h"
#include "formats/arrow_types.h"
#include "transforms/answered_columns.h"
#include "transforms/file_digests.h"
#include "transforms/plugin_library.h"

namespace tranche {
namespace {

// The room for a sentence that a plugin may write.
struct ErrorText {
  char text[TRANCHE_ERROR_BYTES] = {};
  // With a capital letter and a full stop, whatever the plugin's author thinks of them.
  std::string sentence(std::string_view otherwise) {
    text[TRANCHE_ERROR_BYTES - 1] = '\0';
    std::string said = excerpt(trim(text), TRANCHE_ERROR_BYTES);
    if (said.empty()) said = otherwise;
    if (said.back() != '.' && said.back() != '!' && said.back() != '?') said += '.';
    return said;
  }
};

// What is bound once, and what every worker needs of it.
struct Bound {
  PluginUse use;
  const TrancheFunction* function = nullptr;
  std::vector<std::size_t> columns;  // of the input, that it is given
  SchemaPtr input;
  SchemaPtr given;   // those columns
  SchemaPtr added;   // what the function gives
  SchemaPtr output;  // of the transform
  std::optional<ArrowSchemaTree> given_arrow;
  std::optional<ArrowSchemaTree> added_arrow;
  void* bound = nullptr;
  bool is_bound = false;

  Bound() = default;
  Bound(const Bound&) = delete;
  Bound& operator=(const Bound&) = delete;
  ~Bound() {
    if (is_bound && function->unbind != nullptr) function->unbind(bound);
  }
  std::string who() const {
    return fmt::format("Function \"{}\" of {}", function->name, use.file_text);
  }
  Error wrong(std::string what, const std::string& place) const {
    return make_error(ErrorKind::config, fmt::format("{} {}", who(), what), place);
  }
};

ErrorKind kind_of(int code) {
  switch (code) {
    case TRANCHE_TRANSIENT:
      return ErrorKind::transient;
    case TRANCHE_NO_MEMORY:
      return ErrorKind::memory;
    default:
      return ErrorKind::failed;
  }
}

// Calls into a plugin, whose exceptions end here. Errors: failed.
template <class Call> Result<int> call_plugin(const Bound& of, Call call) {
  std::string thrown;
  try {
    return call();
  } catch (const std::exception& problem) {
    thrown = fmt::format(": {}", problem.what());
  } catch (...) {
    thrown = " that is no std::exception";
  }
  return make_error(ErrorKind::failed,
                    fmt::format("{} let an exception out, which none may do{}.", of.who(), thrown),
                    of.use.place);
}

Error failure(const Bound& of, int code, ErrorText& error) {
  return make_error(
      kind_of(code),
      fmt::format("{} failed: {}", of.who(), error.sentence(fmt::format("it returned {}", code))),
      of.use.place);
}

class PluginInstance final : public TransformInstance {
 public:
  PluginInstance(std::shared_ptr<const Bound> bound, void* instance, WorkerScope& worker)
      : bound_(std::move(bound)), instance_(instance), breadcrumb_(worker.breadcrumb()) {
    if (bound_->use.keep_columns) kept_.emplace(*bound_->input, *bound_->added, bound_->output);
  }
  ~PluginInstance() override {
    const TrancheFunction& function = *bound_->function;
    if (function.create != nullptr && function.destroy != nullptr) function.destroy(instance_);
  }

  Result<void> process(std::span<const std::unique_ptr<Page>> pages, const PageConsumer& consume,
                       std::vector<Reject>& rejects, StageCounts& counts) override {
    for (const auto& page : pages) {
      TRANCHE_ASSIGN(auto made, process_page(*page, rejects, counts));
      TRANCHE_TRY(consume(std::move(made)));
    }
    return {};
  }

 private:
  // What a plugin is handed, and how it finds us again.
  struct Call {
    TranchePage page{};
    PluginInstance* instance = nullptr;
    const Page* records = nullptr;
    std::map<std::size_t, std::string> rejects;  // by row
  };

  static void at(TranchePage* page, std::int64_t row) {
    auto& call = *static_cast<Call*>(page->host);
    const Page& records = *call.records;
    Breadcrumb& breadcrumb = call.instance->breadcrumb_;
    breadcrumb.called();
    if (static_cast<std::size_t>(row) >= records.origins.size()) return;
    breadcrumb.first.store(
        records.base.record + records.origins[static_cast<std::size_t>(row)].record,
        std::memory_order_relaxed);
    breadcrumb.records.store(1, std::memory_order_relaxed);
  }
  static void reject(TranchePage* page, std::int64_t row, const char* why) {
    auto& call = *static_cast<Call*>(page->host);
    if (row < 0 || static_cast<std::size_t>(row) >= call.records->rows()) return;
    const std::string_view text = why != nullptr ? why : "";
    call.rejects.insert_or_assign(
        static_cast<std::size_t>(row),
        text.empty() ? "The plugin does not say why." : excerpt(text, TRANCHE_ERROR_BYTES));
  }

  Result<std::unique_ptr<Page>> process_page(const Page& page, std::vector<Reject>& rejects,
                                             StageCounts& counts) {
    Call call;
    call.instance = this;
    call.records = &page;
    TRANCHE_TRY(ask(page, call));
    breadcrumb_.records.store(0, std::memory_order_relaxed);
    std::vector<ArrowFault> faults;
    TRANCHE_ASSIGN(auto given, take_output(call, faults));
    TRANCHE_TRY(find_rows(page, *given, call));
    for (const ArrowFault& fault : faults) call.rejects.try_emplace(rows_[fault.row], fault.why);
    auto made = result(page, std::move(given), call);
    counts.in += page.rows();
    counts.out += made->rows();
    counts.rejected += call.rejects.size();
    counts.filtered += page.rows() - records_with_rows_ - call.rejects.size();
    for (const auto& [row, why] : call.rejects)
      rejects.push_back(reject_row(page, row, "plugin", why));
    return made;
  }

  // Calls the function.
  Result<void> ask(const Page& page, Call& call) {
    TRANCHE_ASSIGN(call.page.records, export_.make(page, bound_->columns));
    call.page.schema = &bound_->given_arrow->root();
    call.page.at = at;
    call.page.reject = reject;
    call.page.host = &call;
    ErrorText error;
    const auto code = call_plugin(
        *bound_, [&] { return bound_->function->process(instance_, &call.page, error.text); });
    if (code && *code == TRANCHE_OK) return {};
    const ArrowHolder dropped(call.page.output);
    if (call.page.output_schema.release != nullptr)
      call.page.output_schema.release(&call.page.output_schema);
    return code ? failure(*bound_, *code, error) : code.error();
  }

  Result<std::unique_ptr<Page>> take_output(Call& call, std::vector<ArrowFault>& faults) {
    const auto holder = std::make_shared<const ArrowHolder>(call.page.output);
    if (holder->array.release == nullptr) return broken("returned without any output");
    ArrowSchema& own = call.page.output_schema;
    const bool has_own = own.release != nullptr;
    auto taken = has_own ? check_arrow_schema(own, *bound_->added) : Result<void>();
    Result<std::unique_ptr<Page>> page = std::unique_ptr<Page>();
    if (taken)
      page =
          import_arrow(has_own ? own : bound_->added_arrow->root(), holder, bound_->added, faults);
    if (has_own) own.release(&own);
    if (!taken) return broken(taken.error().message);
    if (!page) return broken(page.error().message);
    return page;
  }

  Error broken(std::string_view what) const {
    return make_error(ErrorKind::failed,
                      fmt::format("{} gave a wrong result: {}", bound_->who(), what),
                      bound_->use.place);
  }

  // Of which record each row of output is: rows_. Errors: failed, where that is no answer.
  Result<void> find_rows(const Page& page, const Page& given, const Call& call) {
    rows_.resize(given.rows());
    const std::int64_t* const told = call.page.output_rows;
    if (told == nullptr && given.rows() != page.rows()) {
      return broken(
          fmt::format("{} rows for {} records, and output_rows does not say whose they "
                      "are.",
                      given.rows(), page.rows()));
    }
    std::int64_t before = 0;
    for (std::size_t i = 0; i < given.rows(); ++i) {
      const std::int64_t row = told == nullptr ? static_cast<std::int64_t>(i) : told[i];
      if (row < before || static_cast<std::size_t>(row) >= page.rows()) {
        return broken(fmt::format("output_rows[{}] is {}, of {} records, behind {}.", i, row,
                                  page.rows(), before));
      }
      rows_[i] = static_cast<std::size_t>(row);
      before = row;
    }
    return {};
  }

  // The rows of all records that were not rejected.
  std::unique_ptr<Page> result(const Page& page, std::unique_ptr<Page> given, const Call& call) {
    kept_rows_.clear();
    records_with_rows_ = 0;
    std::size_t last = SIZE_MAX;
    for (std::size_t i = 0; i < rows_.size(); ++i) {
      const std::size_t row = rows_[i];
      if (!call.rejects.empty() && call.rejects.contains(row)) continue;
      if (row != last) ++records_with_rows_;
      last = row;
      kept_rows_.emplace_back(static_cast<std::uint32_t>(row), static_cast<std::uint32_t>(i));
    }
    if (kept_) return kept_->join(page, *given, kept_rows_);
    if (kept_rows_.size() < given->rows()) given = without_rejected(*given);
    given->base = page.base;
    // The source's bytes stay at hand for rejects of later stages.
    given->keep_alive.insert(given->keep_alive.end(), page.keep_alive.begin(),
                             page.keep_alive.end());
    if (page.origins.empty()) return given;
    given->origins.clear();
    given->origins.reserve(kept_rows_.size());
    for (const auto& [row, ignored] : kept_rows_) given->origins.push_back(page.origins[row]);
    return given;
  }

  std::unique_ptr<Page> without_rejected(const Page& given) const {
    auto left =
        std::make_unique<Page>(given.schema_ptr(), std::max<std::size_t>(kept_rows_.size(), 1));
    for (const auto& [ignored, row] : kept_rows_) append_row(*left, given, row);
    return left;
  }

  std::shared_ptr<const Bound> bound_;
  void* instance_;
  Breadcrumb& breadcrumb_;
  ArrowExport export_;
  std::optional<AnsweredColumns> kept_;  // where the record's own columns stay
  std::vector<std::size_t> rows_;        // of each row of output: its record's
  std::vector<AnsweredColumns::RowAndAnswer> kept_rows_;
  std::size_t records_with_rows_ = 0;
};

class PluginTransform final : public Transform {
 public:
  explicit PluginTransform(std::shared_ptr<Bound> bound) : bound_(std::move(bound)) {}

  std::string name() const override { return "plugin"; }
  Scope scope() const override { return Scope::chunk; }

  Result<SchemaPtr> bind(SchemaPtr input, WorkerScope&) override {
    Bound& of = *bound_;
    of.input = std::move(input);
    TRANCHE_TRY(find_columns(of));
    TRANCHE_TRY(bind_function(of));
    of.given_arrow.emplace(*of.given);
    of.added_arrow.emplace(*of.added);
    of.output = of.use.keep_columns
                    ? std::make_shared<const Schema>(columns_with(*of.input, *of.added))
                    : of.added;
    return of.output;
  }

  Result<std::unique_ptr<TransformInstance>> instance(WorkerScope& worker) const override {
    void* instance = bound_->bound;
    if (bound_->function->create != nullptr) {
      ErrorText error;
      TRANCHE_ASSIGN(const int code, call_plugin(*bound_, [&] {
                       return bound_->function->create(bound_->bound, &instance, error.text);
                     }));
      if (code != TRANCHE_OK) return failure(*bound_, code, error);
    }
    return std::unique_ptr<TransformInstance>(
        std::make_unique<PluginInstance>(bound_, instance, worker));
  }

  Result<std::string> fingerprint() const override {
    std::vector<fs::path> files{bound_->use.file};
    for (const std::string& pattern : bound_->use.depends_on) {
      auto found = expand_glob(pattern, bound_->use.base);
      if (!found) return placed(std::move(found).error());
      files.insert(files.end(), found->begin(), found->end());
    }
    auto print = fingerprint_files(files, bound_->use.base);
    if (!print) return placed(std::move(print).error());
    return print;
  }

 private:
  Error placed(Error error) const {
    if (error.where.empty()) error.where = bound_->use.place;
    return error;
  }

  // The columns of the input that the function takes.
  static Result<void> find_columns(Bound& of) {
    const TrancheFunction& function = *of.function;
    const std::string& place = of.use.function_place;
    of.columns.clear();
    if (function.input_count == 0)
      for (std::size_t i = 0; i < of.input->fields.size(); ++i) of.columns.push_back(i);
    for (std::size_t i = 0; i < function.input_count; ++i) {
      const TrancheColumn& wanted = function.input[i];
      TRANCHE_ASSIGN(const Type type, type_of(of, wanted));
      const auto found = of.input->find(wanted.name);
      if (!found) {
        const auto near = nearest(wanted.name, of.input->names());
        return of.wrong(
            near ? fmt::format("takes a column \"{}\", and there is none; did you mean it by "
                               "\"{}\"? Rename one of them.",
                               wanted.name, *near)
                 : fmt::format("takes a column \"{}\", and there is none; the columns are {}.",
                               wanted.name, to_string(*of.input)),
            place);
      }
      const Type given = of.input->fields[*found].type;
      const bool is_text = given.id == TypeId::json && type.id == TypeId::varchar;
      if (given != type && !is_text) {
        return of.wrong(
            fmt::format("takes column \"{0}\" as {1}, and it is {2}. Declare it as {1}, cast it in "
                        "SQL before, or change the function.",
                        wanted.name, to_string(type), to_string(given)),
            place);
      }
      of.columns.push_back(*found);
    }
    Schema given;
    for (const std::size_t column : of.columns) given.fields.push_back(of.input->fields[column]);
    of.given = std::make_shared<const Schema>(std::move(given));
    return {};
  }

  static Result<Type> type_of(const Bound& of, const TrancheColumn& column) {
    auto type = parse_type(column.type);
    if (type) return type;
    return of.wrong(
        fmt::format("declares its column \"{}\" wrongly: {}", column.name, type.error().message),
        of.use.function_place);
  }

  // Has the function say what it gives.
  static Result<void> bind_function(Bound& of) {
    const TrancheFunction& function = *of.function;
    if (function.bind == nullptr && !of.use.options.empty())
      return of.wrong("takes no options.", of.use.options_place);
    std::vector<std::string> types;
    for (const Field& field : of.given->fields) types.push_back(to_string(field.type));
    std::vector<TrancheColumn> input;
    for (std::size_t i = 0; i < types.size(); ++i) {
      const Field& field = of.given->fields[i];
      input.push_back({field.name.c_str(), types[i].c_str(), field.required ? 1 : 0});
    }
    std::vector<TrancheOption> options;
    for (const auto& [name, value] : of.use.options)
      options.push_back({name.c_str(), value.c_str()});
    TrancheBinding binding{&function,    options.data(),  options.size(),        input.data(),
                           input.size(), function.output, function.output_count, nullptr};
    if (function.bind != nullptr) {
      ErrorText error;
      TRANCHE_ASSIGN(const int code,
                     call_plugin(of, [&] { return function.bind(&binding, error.text); }));
      if (code != TRANCHE_OK) {
        const std::string& place =
            of.use.options.empty() ? of.use.function_place : of.use.options_place;
        return of.wrong(fmt::format("refuses: {}", error.sentence("it does not say why")), place);
      }
    }
    of.bound = binding.bound;
    of.is_bound = true;
    return take_output_columns(of, binding);
  }

  static Result<void> take_output_columns(Bound& of, const TrancheBinding& binding) {
    Schema added;
    for (std::size_t i = 0; i < binding.output_count; ++i) {
      const TrancheColumn& column = binding.output[i];
      TRANCHE_ASSIGN(const Type type, type_of(of, column));
      if (added.find(column.name)) {
        return of.wrong(fmt::format("gives two columns \"{}\".", column.name),
                        of.use.function_place);
      }
      added.fields.push_back(Field{column.name, type, column.not_null != 0});
    }
    if (added.fields.empty()) return of.wrong("gives no columns.", of.use.function_place);
    of.added = std::make_shared<const Schema>(std::move(added));
    return {};
  }

  std::shared_ptr<Bound> bound_;
};

}  // namespace

Result<std::unique_ptr<Transform>> make_plugin_transform(PluginUse use) {
  auto bound = std::make_shared<Bound>();
  bound->use = std::move(use);
  const PluginUse& of = bound->use;
  auto plugin = load_plugin(of.file, of.file_text);
  if (!plugin) {
    plugin.error().where = of.place;
    return std::move(plugin).error();
  }
  auto function = find_function(**plugin, of.file_text, of.function);
  if (!function) {
    function.error().where = of.function_place;
    return std::move(function).error();
  }
  bound->function = *function;
  return std::unique_ptr<Transform>(std::make_unique<PluginTransform>(std::move(bound)));
}

}  // namespace tranche
