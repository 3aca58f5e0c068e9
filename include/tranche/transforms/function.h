// A C++ function of a record as a transform.
//
// The function takes a struct by const reference and returns a struct, or std::optional of one
// (nullopt filters the record). throw Reject("why") rejects the record; throw Transient("why") has
// the batch tried again; any other exception rejects the record with its text.
//
// Threads: each thread that calls has a copy of the function object of its own, so state inside it
// needs no lock. Where calls wait, lanes (core/lanes.h) make those of a page at once; what comes
// out is in the order of the records all the same. Lifetime: a string_view that the function
// returns points into its argument or static storage.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <climits>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <new>
#include <optional>
#include <type_traits>
#include <utility>
#include <vector>

#include <tranche/core/transform.h>
#include <tranche/transforms/record.h>

namespace tranche {

// What an exception of business logic means for the record. Errors: transient for Transient, memory
// for std::bad_alloc; everything else rejects the record: the sentence.
Result<std::string> explain_exception(std::exception_ptr exception);
// Rejects the record where a field is null that may not be; `null_field`: from read_records.
[[noreturn]] void reject_null(std::string_view field);
inline void require_fields(std::string_view null_field) {
  if (!null_field.empty()) [[unlikely]]
    reject_null(null_field);
}
// What this program is, which holds the functions, for fingerprints: the linker's build id, or
// where there is none the digest of the file.
Result<std::string> program_fingerprint();

// Copies of a function object for lanes: each belongs to one thread at a time.
template <class Function> class FunctionCopies {
 public:
  explicit FunctionCopies(Function original) : original_(std::move(original)) {}
  // Never called itself, so that it may be copied at any time.
  const Function& original() const { return original_; }
  std::unique_ptr<Function> borrow() {
    {
      const std::lock_guard lock(mutex_);
      if (!free_.empty()) {
        auto copy = std::move(free_.back());
        free_.pop_back();
        return copy;
      }
    }
    return std::make_unique<Function>(original_);
  }
  void give_back(std::unique_ptr<Function> copy) {
    const std::lock_guard lock(mutex_);
    free_.push_back(std::move(copy));
  }

 private:
  const Function original_;
  std::mutex mutex_;
  std::vector<std::unique_ptr<Function>> free_;
};

// Whether calls are long enough to be given to other threads: measured in parts of a page, which
// double as long as they are not.
class CallLength {
 public:
  static constexpr double worthwhile_seconds = 50e-6;
  static constexpr std::size_t part_rows_max = 256;

  bool is_worthwhile() const { return is_worthwhile_; }
  std::size_t part_rows() const { return part_rows_; }
  void begin_page() { part_rows_ = 1; }
  void begin() { begun_ = Clock::now(); }
  void end(std::size_t calls) {
    const std::chrono::duration<double> taken = Clock::now() - begun_;
    if (calls == 0) return;
    is_worthwhile_ = taken.count() >= worthwhile_seconds * static_cast<double>(calls);
    part_rows_ = part_rows_ < part_rows_max ? 2 * part_rows_ : part_rows_max;
  }

 private:
  using Clock = std::chrono::steady_clock;
  Clock::time_point begun_;
  std::size_t part_rows_ = 1;
  bool is_worthwhile_ = false;
};

// The calls for some rows of a page, made by whoever takes the next one; results stay at their row.
template <class Function> class FunctionCalls final : public SharedCalls {
 public:
  using Shape = FunctionShape<Function>;
  struct Call {
    std::optional<typename Shape::Input> input;  // what a result may point into
    std::optional<typename Shape::Output> output;
    std::exception_ptr thrown;
  };

  FunctionCalls(Function& of_worker, FunctionCopies<Function>& copies,
                const std::vector<std::size_t>& columns)
      : of_worker_(of_worker), copies_(copies), columns_(columns) {}

  // The next page; its rows from `first` on.
  void begin(const Page& page, std::size_t first, std::size_t count, std::uint32_t stage) {
    page_ = &page;
    first_ = first;
    stage_ = stage;
    calls_.clear();
    calls_.resize(count);
    next_.store(0);
  }
  std::vector<Call>& calls() { return calls_; }
  // How long those of the worker were.
  CallLength& length() { return length_; }

  bool has_more() const override { return next_.load() < calls_.size(); }
  void make(const Lane& lane) override {
    std::unique_ptr<Function> copy;
    std::size_t made = 0;
    if (lane.is_worker()) length_.begin();
    while (lane.is_wanted()) {
      const std::size_t item = next_.fetch_add(1);
      if (item >= calls_.size()) break;
      make_one(lane, item, copy);
      lane.breadcrumb().called();
      ++made;
    }
    lane.breadcrumb().records.store(0, std::memory_order_relaxed);
    if (lane.is_worker()) length_.end(made);
    if (copy) give_back(std::move(copy));
  }

 private:
  void make_one(const Lane& lane, std::size_t item, std::unique_ptr<Function>& copy) {
    Call& call = calls_[item];
    const std::size_t row = first_ + item;
    if (!page_->origins.empty()) {
      lane.breadcrumb().take(stage_, page_->base.record + page_->origins[row].record, 1);
    }
    try {
      if (!lane.is_worker() && !copy) copy = copies_.borrow();
      std::string_view null_field;
      read_records(*page_, columns_.data(), row, 1, &call.input.emplace(), &null_field);
      require_fields(null_field);
      Function& function = lane.is_worker() ? of_worker_ : *copy;
      if constexpr (Shape::filters) {
        if (auto output = function(*call.input)) call.output.emplace(*std::move(output));
      } else {
        call.output.emplace(function(*call.input));
      }
    } catch (const Transient&) {
      end_early(call, copy);
    } catch (const std::bad_alloc&) {
      end_early(call, copy);
    } catch (...) {
      call.thrown = std::current_exception();
    }
  }
  // The whole batch is tried again: what was not begun need not be, and with a fresh copy.
  void end_early(Call& call, std::unique_ptr<Function>& copy) {
    call.thrown = std::current_exception();
    next_.store(calls_.size());
    copy.reset();
  }
  void give_back(std::unique_ptr<Function> copy) {
    try {
      copies_.give_back(std::move(copy));
    } catch (const std::bad_alloc&) {
      // Then there is one copy less.
    }
  }

  Function& of_worker_;
  FunctionCopies<Function>& copies_;
  const std::vector<std::size_t>& columns_;
  const Page* page_ = nullptr;
  std::size_t first_ = 0;
  std::uint32_t stage_ = 0;
  std::vector<Call> calls_;
  std::atomic<std::size_t> next_{0};
  CallLength length_;
};

template <class Function> class FunctionInstance final : public TransformInstance {
 public:
  using Shape = FunctionShape<Function>;
  FunctionInstance(std::shared_ptr<FunctionCopies<Function>> copies, SchemaPtr output,
                   std::vector<std::size_t> columns, WorkerScope& worker)
      : copies_(std::move(copies)),
        function_(copies_->original()),
        output_(std::move(output)),
        columns_(std::move(columns)),
        breadcrumb_(worker.breadcrumb()),
        lanes_(worker.lanes()),
        at_once_(lanes_ != nullptr ? lanes_->at_once() : Lanes::one()),
        shared_(function_, *copies_, columns_) {}

  Result<void> process(std::span<const std::unique_ptr<Page>> pages, const PageConsumer& consume,
                       std::vector<Reject>& rejects, StageCounts& counts) override {
    for (const auto& page : pages) {
      auto made = std::make_unique<Page>(output_, page->rows());
      made->base = page->base;
      made->origins.reserve(page->origins.size());
      Rows rows;
      breadcrumb_.records.store(page->origins.empty() ? 0 : 1, std::memory_order_relaxed);
      shared_.length().begin_page();
      while (rows.in < page->rows()) {
        const bool may_share = at_once_.load(std::memory_order_relaxed) > 1;
        if (may_share && shared_.length().is_worthwhile()) {
          TRANCHE_TRY(share(*page, *made, rows, rejects, counts));
          continue;
        }
        const std::exception_ptr thrown =
            may_share ? call_part(*page, *made, rows) : call_from(*page, *made, rows);
        if (!thrown) continue;
        breadcrumb_.called();
        TRANCHE_TRY(reject(*page, rows, thrown, rejects, counts));
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
  static constexpr std::size_t shared_rows_max = 2 * vector_rows;  // whose results wait at once
  // Records are made some at a time: a processor that has just written a field by its parts would
  // wait for it where the function copies the whole.
  static constexpr std::size_t strip_rows = 16;

  // How far a page has come.
  struct Rows {
    std::size_t in = 0;
    std::size_t out = 0;
    std::uint64_t filtered = 0;
  };

  Result<void> reject(const Page& page, Rows& rows, const std::exception_ptr& thrown,
                      std::vector<Reject>& rejects, StageCounts& counts) {
    TRANCHE_ASSIGN(auto why, explain_exception(thrown));  // else the breadcrumb names it
    rejects.push_back(reject_row(page, rows.in, "function", std::move(why)));
    ++counts.rejected;
    ++rows.in;
    return {};
  }

  // Calls the function for the rows from rows.in on, up to the first one that throws, or until
  // lanes might help.
  std::exception_ptr call_from(const Page& page, Page& made, Rows& rows) {
    return call_until(page, made, rows, page.rows(), 1);
  }
  // Only for as many as tell how long a call takes.
  std::exception_ptr call_part(const Page& page, Page& made, Rows& rows) {
    CallLength& length = shared_.length();
    const std::size_t before = rows.in;
    const std::size_t end = std::min(page.rows(), before + length.part_rows());
    length.begin();
    auto thrown = call_until(page, made, rows, end, UINT_MAX);
    length.end(rows.in - before + (thrown ? 1 : 0));
    return thrown;
  }

  std::exception_ptr call_until(const Page& page, Page& made, Rows& rows, std::size_t end,
                                unsigned at_once_max) {
    const bool has_origins = !page.origins.empty();
    RecordStrings strings(made.arena, kept_bytes(page));
    try {
      std::size_t strip_end = rows.in;
      std::size_t at = 0;  // of the strip
      for (; rows.in < end; ++rows.in, ++at, breadcrumb_.called()) {
        if (at_once_.load(std::memory_order_relaxed) > at_once_max) [[unlikely]]
          return nullptr;
        if (has_origins) breadcrumb_.at(page.base.record + page.origins[rows.in].record);
        if (rows.in == strip_end) {
          const std::size_t count = std::min(end - rows.in, strip_rows);
          read_records(page, columns_.data(), rows.in, count, inputs_.data(), null_fields_.data());
          strip_end += count;
          at = 0;
        }
        require_fields(null_fields_[at]);
        if constexpr (Shape::filters) {
          // Not const, else g++ has it lie in memory, copied there by its parts.
          auto output = function_(std::as_const(inputs_[at]));
          if (!output) {
            ++rows.filtered;
            continue;
          }
          write_record(made, rows.out, *output, strings);
        } else {
          write_record(made, rows.out, function_(std::as_const(inputs_[at])), strings);
        }
        if (has_origins) made.origins.push_back(page.origins[rows.in]);
        ++rows.out;
      }
    } catch (...) {
      return std::current_exception();
    }
    return nullptr;
  }

  // The bytes of the source that a page made from `page` keeps alive.
  static std::string_view kept_bytes(const Page& page) {
    if (page.base.raw == nullptr || page.origins.empty()) return {};
    const std::string_view last = page.raw(page.origins.size() - 1);
    const char* const begin = page.raw(0).data();
    return {begin, static_cast<std::size_t>(last.data() + last.size() - begin)};
  }

  // Has lanes help with the rows from rows.in on, and puts what comes of them in order.
  Result<void> share(const Page& page, Page& made, Rows& rows, std::vector<Reject>& rejects,
                     StageCounts& counts) {
    const std::size_t count = std::min(page.rows() - rows.in, shared_rows_max);
    shared_.begin(page, rows.in, count, breadcrumb_.stage.load(std::memory_order_relaxed));
    lanes_->run(shared_, breadcrumb_);
    const bool has_origins = !page.origins.empty();
    breadcrumb_.records.store(has_origins ? 1 : 0, std::memory_order_relaxed);
    for (auto& call : shared_.calls()) {
      if (has_origins) breadcrumb_.at(page.base.record + page.origins[rows.in].record);
      if (!call.thrown) put(page, made, rows, call);
      if (call.thrown) {
        TRANCHE_TRY(reject(page, rows, call.thrown, rejects, counts));
      } else {
        ++rows.in;
      }
    }
    return {};
  }
  void put(const Page& page, Page& made, Rows& rows, typename FunctionCalls<Function>::Call& call) {
    if (!call.output) {
      ++rows.filtered;
      return;
    }
    try {
      RecordStrings strings(made.arena, kept_bytes(page));
      write_record(made, rows.out, *call.output, strings);
      if (!page.origins.empty()) made.origins.push_back(page.origins[rows.in]);
      ++rows.out;
    } catch (...) {
      call.thrown = std::current_exception();
    }
  }

  std::shared_ptr<FunctionCopies<Function>> copies_;
  Function function_;
  SchemaPtr output_;
  std::vector<std::size_t> columns_;
  Breadcrumb& breadcrumb_;
  Lanes* lanes_;
  const std::atomic<unsigned>& at_once_;
  FunctionCalls<Function> shared_;
  std::array<typename Shape::Input, strip_rows> inputs_{};  // the strip in hand
  std::array<std::string_view, strip_rows> null_fields_;
};

template <class Function> class FunctionTransform final : public Transform {
 public:
  using Shape = FunctionShape<Function>;
  explicit FunctionTransform(Function function)
      : copies_(std::make_shared<FunctionCopies<Function>>(std::move(function))) {}

  std::string name() const override { return "function"; }
  Scope scope() const override { return Scope::chunk; }
  bool uses_lanes() const override { return true; }
  Result<SchemaPtr> bind(SchemaPtr input, WorkerScope&) override {
    TRANCHE_ASSIGN(columns_, match_columns(schema_of<typename Shape::Input>(), *input));
    output_ = std::make_shared<const Schema>(schema_of<typename Shape::Output>());
    return output_;
  }
  Result<std::unique_ptr<TransformInstance>> instance(WorkerScope& worker) const override {
    return std::unique_ptr<TransformInstance>(
        std::make_unique<FunctionInstance<Function>>(copies_, output_, columns_, worker));
  }
  Result<std::string> fingerprint() const override { return program_fingerprint(); }

 private:
  std::shared_ptr<FunctionCopies<Function>> copies_;
  SchemaPtr output_;
  std::vector<std::size_t> columns_;
};

}  // namespace tranche
