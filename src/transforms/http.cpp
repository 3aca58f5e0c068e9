#include "transforms/http.h"

#include <algorithm>
#include <iterator>
#include <mutex>
#include <numeric>
#include <queue>
#include <set>
#include <unordered_map>
#include <utility>

#include <fmt/format.h>

#include "base/digest.h"
#include "base/text.h"
#include "drivers/http_calls.h"
#include "drivers/http_retry.h"
#include "transforms/answered_columns.h"
#include "transforms/http_journal.h"
#include "transforms/http_request.h"

namespace tranche {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

constexpr std::chrono::milliseconds look_interval = 100ms;  // for who watches over the worker
// So many records in a row that fail to the last: that is the service's.
constexpr std::size_t unproven_max = 20;

// What every worker needs of the transform.
struct Definition {
  HttpOptions options;
  HttpRequest request;
  SchemaPtr input;
  Schema added;
  SchemaPtr output;
  std::string work;  // "run/step/stage"
  fs::path kept;     // the folder of its journal; empty: there is none

  // What shapes the values that are taken from an answer.
  std::string logic() const {
    std::string text = request.digest() + to_string(added);
    for (const HttpColumn& column : options.into) text += column.pointer.text() + '\n';
    for (const auto& [status, action] : options.on_status)
      text += fmt::format("{} {}\n", status, static_cast<int>(action));
    return text;
  }
  HttpLimits limits() const {
    return {options.timeout, options.answer_bytes_max,
            std::max(options.pace.at_once, options.pace.at_once_max)};
  }
  StatusAction action_on(int status) const {
    const auto& told = options.on_status;
    auto found = told.find(fmt::to_string(status));
    if (found == told.end()) found = told.find(fmt::format("{}xx", status / 100));
    if (found != told.end()) return found->second;
    if (status >= 200 && status < 300) return StatusAction::take;
    return http_may_pass(status) ? StatusAction::retry : StatusAction::reject;
  }
};

// Records that failed when no other one was answered behind them, so that nothing is proved. When
// their batch is tried again they are called for first, and others are answered, or not.
class Suspects {
 public:
  void add(std::uint64_t record) {
    const std::lock_guard lock(mutex_);
    records_.insert(record);
  }
  // The rows of a page, the suspects among them first.
  std::vector<std::uint32_t> order(const Page& page) const {
    std::vector<std::uint32_t> rows(page.rows());
    std::iota(rows.begin(), rows.end(), 0U);
    const std::lock_guard lock(mutex_);
    if (records_.empty()) return rows;
    std::stable_partition(rows.begin(), rows.end(),
                          [&](std::uint32_t row) { return records_.contains(number(page, row)); });
    return rows;
  }
  bool has(const Page& page, std::uint32_t row) const {
    const std::lock_guard lock(mutex_);
    return records_.contains(number(page, row));
  }
  static std::uint64_t number(const Page& page, std::uint32_t row) {
    return page.base.record + (page.origins.empty() ? row : page.origins[row].record);
  }

 private:
  mutable std::mutex mutex_;
  std::set<std::uint64_t> records_;
};

class HttpInstance final : public TransformInstance {
 public:
  HttpInstance(std::shared_ptr<const Definition> definition, std::shared_ptr<HttpPace> pace,
               std::shared_ptr<Suspects> suspects, WorkerScope& worker)
      : definition_(std::move(definition)),
        pace_(std::move(pace)),
        suspects_(std::move(suspects)),
        journal_(definition_->kept, digest64(definition_->logic())),
        answers_(definition_->options.into),
        columns_(*definition_->input, definition_->added, definition_->output),
        breadcrumb_(worker.breadcrumb()),
        rejects_enough_(worker.rejects_enough()) {}

  Result<void> process(std::span<const std::unique_ptr<Page>> pages, const PageConsumer& consume,
                       std::vector<Reject>& rejects, StageCounts& counts) override {
    rejects_incomplete_ = false;
    for (const auto& page : pages) {
      counts.in += page->rows();
      TRANCHE_TRY(begin(*page));
      pace_->join();
      auto called = call_for_all();
      pace_->leave();
      end_calls();
      TRANCHE_TRY(journal_.flush());
      journal_.end();
      if (!called) return called;
      for (const auto& [row, why] : rejects_) {
        Reject reject = reject_row(*page, row, "http", why.text);
        reject.attempts = why.attempts;
        rejects.push_back(std::move(reject));
      }
      counts.rejected += rejects_.size();
      if (rejects_incomplete_) return {};
      auto made = result(counts.filtered);
      counts.out += made->rows();
      TRANCHE_TRY(consume(std::move(made)));
    }
    return {};
  }

  bool rejects_incomplete() const override { return rejects_incomplete_; }

 private:
  enum class Fate : std::uint8_t { waiting, kept, filtered, rejected };
  struct Why {
    std::string text;
    std::uint32_t attempts = 1;
  };
  // A record that was called for, and has not got its fate yet.
  struct Trial {
    std::uint32_t attempts = 0;
    std::uint64_t answered_before = 0;  // calls of any records
    std::uint64_t digest = 0;           // of the call
  };
  struct Due {
    Clock::time_point time;
    std::uint32_t row = 0;
    bool operator>(const Due& other) const { return time > other.time; }
  };

  Result<void> begin(const Page& page) {
    page_ = &page;
    answers_.begin(page.rows());
    fates_.assign(page.rows(), Fate::waiting);
    waiting_ = page.rows();
    order_ = suspects_->order(page);
    next_ = 0;
    unproven_.clear();
    rejects_.clear();
    trials_.clear();
    due_ = {};
    ids_ = page.origins.empty() ? std::vector<std::string>() : record_ids(page);
    witness_.reset();
    wants_witness_ = !order_.empty() && suspects_->has(page, order_.front());
    if (!calls_) calls_ = std::make_unique<HttpCalls>(definition_->limits());
    if (ids_.empty()) return {};
    return journal_.begin(Suspects::number(page, 0));
  }

  // Those that are in flight when it is known that they are not needed.
  void end_calls() {
    if (calls_->in_flight() == 0) return;
    for (std::size_t i = calls_->in_flight(); i > 0; --i)
      pace_->end(HttpPace::End::failed, Clock::now());
    calls_.reset();
  }

  Result<void> call_for_all() {
    while (waiting_ > 0) {
      TRANCHE_ASSIGN(const auto longest, begin_calls());
      if (has_rejected_enough()) {
        rejects_incomplete_ = true;
        return {};
      }
      if (waiting_ == 0) break;
      TRANCHE_ASSIGN(auto replies, calls_->wait(std::min(longest, look_interval)));
      breadcrumb_.beat();
      for (HttpReply& reply : replies) TRANCHE_TRY(judge(std::move(reply)));
      TRANCHE_TRY(journal_.flush());
      TRANCHE_TRY(judge_unproven());
    }
    return {};
  }

  // Of the records before the first one that waits: enough to fail the step.
  bool has_rejected_enough() const {
    if (rejects_.size() < rejects_enough_) return false;
    const auto first = std::find(fates_.begin(), fates_.end(), Fate::waiting);
    const auto row = static_cast<std::uint32_t>(first - fates_.begin());
    const auto before = std::distance(rejects_.begin(), rejects_.lower_bound(row));
    return static_cast<std::uint64_t>(before) >= rejects_enough_;
  }

  // Begins as many calls as may be begun now. How long to wait at most before there may be more.
  Result<std::chrono::milliseconds> begin_calls() {
    for (;;) {
      const auto now = Clock::now();
      const bool is_due = !due_.empty() && due_.top().time <= now;
      if (!is_due && next_ == order_.size()) {
        if (due_.empty()) return look_interval;
        return std::chrono::ceil<std::chrono::milliseconds>(due_.top().time - now);
      }
      const std::uint32_t row = is_due ? due_.top().row : order_[next_];
      auto call = definition_->request.make(*page_, row, definition_->work,
                                            ids_.empty() ? std::string_view() : ids_[row]);
      const std::uint64_t digest = call ? digest_of(*call, row) : 0;
      if (call && !is_due && recall(row, digest)) {
        ++next_;
        continue;
      }
      if (call) {
        if (const auto pause = pace_->begin(now, calls_->in_flight())) return *pause;
      }
      if (is_due)
        due_.pop();
      else
        ++next_;
      if (!call) {
        reject(row, call.error().message);
        continue;
      }
      Trial& trial = trials_[row];
      if (trial.attempts++ == 0) trial.answered_before = pace_->answered();
      trial.digest = digest;
      auto begun = calls_->begin(row, *std::move(call));
      if (!begun) {
        pace_->end(HttpPace::End::failed, now);
        return std::move(begun).error();
      }
    }
  }

  Result<void> judge(HttpReply reply) {
    const auto row = static_cast<std::uint32_t>(reply.number);
    const auto now = Clock::now();
    const bool is_answered = reply.outcome == HttpReply::Outcome::answered;
    const StatusAction action =
        is_answered ? definition_->action_on(reply.status) : StatusAction::retry;
    const bool asks_again = is_answered && action == StatusAction::retry;
    if (asks_again && http_is_busy(reply.status)) {
      pace_->end(HttpPace::End::busy, now);
      if (reply.retry_after || reply.status == 429)
        pace_->pause_until(now + pause_behind(row, reply));
    } else {
      pace_->end(is_answered && !asks_again ? HttpPace::End::answered : HttpPace::End::failed, now);
    }
    switch (reply.outcome) {
      case HttpReply::Outcome::refused:
        return make_error(ErrorKind::failed, describe(reply) + http_advice(reply),
                          definition_->options.url.place);
      case HttpReply::Outcome::too_long:
        reject(row, describe(reply));
        return {};
      case HttpReply::Outcome::broken:
        return try_again(row, reply, now);
      case HttpReply::Outcome::answered:
        break;
    }
    if (action == StatusAction::retry) return try_again(row, reply, now);
    settle(row, action, reply);
    return {};
  }

  void settle(std::uint32_t row, StatusAction action, const HttpReply& reply) {
    if (action == StatusAction::reject) return reject(row, describe(reply));
    HttpJournal::Entry entry;
    entry.is_filtered = action == StatusAction::skip;
    if (!entry.is_filtered) {
      auto values = action == StatusAction::take ? answers_.extract(reply.body)
                                                 : Result<std::string>(HttpAnswers::nothing());
      if (!values) return reject(row, describe(reply, values.error().message));
      if (const auto wrong = answers_.take(*values, row))
        return reject(row, describe(reply, *wrong));
      entry.record = *std::move(values);
    }
    journal_.add(trials_[row].digest, entry);
    end(row, entry.is_filtered ? Fate::filtered : Fate::kept);
  }

  // Whether it was called for before, by a worker that came to its end.
  bool recall(std::uint32_t row, std::uint64_t digest) {
    const HttpJournal::Entry* const entry = journal_.find(digest);
    if (entry == nullptr) return false;
    // Suspects are proved guilty by others that are answered behind them.
    if (std::exchange(wants_witness_, false)) witness_ = row;
    if (witness_ == row) return false;
    if (!entry->is_filtered && answers_.take(entry->record, row)) return false;
    end(row, entry->is_filtered ? Fate::filtered : Fate::kept);
    return true;
  }

  std::uint64_t digest_of(const HttpCall& call, std::uint32_t row) const {
    if (ids_.empty()) return 0;
    return digest64(ids_[row] + '\n' + call.url + '\n' + call.body.value_or(""));
  }

  std::chrono::milliseconds pause_behind(std::uint32_t row, const HttpReply& reply) {
    return http_pause(reply, definition_->options.retry, trials_[row].attempts,
                      digest64(definition_->work) + row);
  }

  // After a pause; or the record is to blame, or nobody is but the service.
  Result<void> try_again(std::uint32_t row, const HttpReply& reply, Clock::time_point now) {
    const Trial& trial = trials_[row];
    const RetryPolicy& retry = definition_->options.retry;
    if (trial.attempts < retry.attempts) {
      due_.push({now + pause_behind(row, reply), row});
      return {};
    }
    if (reply.status == 429) {
      return make_error(ErrorKind::transient,
                        fmt::format("{} Tried {} times; a `rate:` would ask it more slowly.",
                                    describe(reply), trial.attempts),
                        definition_->options.url.place);
    }
    unproven_.emplace_back(row, describe(reply));
    return {};
  }

  // Those that failed to the last are to blame once another record was answered since they were
  // first called for: then it is not the service. Where that can't be any more nobody is rejected.
  Result<void> judge_unproven() {
    if (unproven_.empty()) return {};
    const std::uint64_t answered = pace_->answered();
    std::erase_if(unproven_, [&](const auto& of) {
      const bool is_proven = answered > trials_[of.first].answered_before;
      if (is_proven) reject(of.first, of.second);
      return is_proven;
    });
    const bool may_be_proven = unproven_.size() < waiting_ && unproven_.size() < unproven_max;
    if (unproven_.empty() || may_be_proven) return {};
    for (const auto& [row, why] : unproven_) suspects_->add(Suspects::number(*page_, row));
    const auto& [row, why] = unproven_.front();
    return make_error(ErrorKind::transient,
                      fmt::format("{} Tried {} times; no other record was answered meanwhile.", why,
                                  trials_[row].attempts),
                      definition_->options.url.place);
  }

  std::string describe(const HttpReply& reply, std::string_view wrong = {}) const {
    const HttpRequest& request = definition_->request;
    const auto hide = [&](std::string text) { return request.hide_secrets(std::move(text)); };
    return describe_reply(request.name(), reply, definition_->limits(), hide, wrong);
  }

  void reject(std::uint32_t row, std::string why) {
    const auto trial = trials_.find(row);
    rejects_[row] = {std::move(why),
                     trial == trials_.end() ? 1 : std::max(1U, trial->second.attempts)};
    end(row, Fate::rejected);
  }

  void end(std::uint32_t row, Fate fate) {
    fates_[row] = fate;
    --waiting_;
    trials_.erase(row);
  }

  std::unique_ptr<Page> result(std::uint64_t& filtered) const {
    std::vector<AnsweredColumns::RowAndAnswer> rows;
    for (std::uint32_t row = 0; row < fates_.size(); ++row) {
      if (fates_[row] == Fate::kept) rows.emplace_back(row, row);
      if (fates_[row] == Fate::filtered) ++filtered;
    }
    return columns_.join(*page_, answers_.page(), rows);
  }

  std::shared_ptr<const Definition> definition_;
  std::shared_ptr<HttpPace> pace_;
  std::shared_ptr<Suspects> suspects_;
  HttpJournal journal_;
  HttpAnswers answers_;
  AnsweredColumns columns_;
  Breadcrumb& breadcrumb_;
  std::uint64_t rejects_enough_;
  bool rejects_incomplete_ = false;
  std::unique_ptr<HttpCalls> calls_;  // keeps its connections from page to page

  const Page* page_ = nullptr;
  std::vector<std::string> ids_;  // empty: the records have none
  std::vector<Fate> fates_;
  std::size_t waiting_ = 0;
  bool wants_witness_ = false;            // a record that is called for though its answer is known
  std::optional<std::uint32_t> witness_;  // the one that is
  std::vector<std::uint32_t> order_;      // in which rows are called for
  std::size_t next_ = 0;                  // of it, the first that was never called for
  std::map<std::uint32_t, Why> rejects_;
  std::vector<std::pair<std::uint32_t, std::string>> unproven_;  // that failed, and why
  std::unordered_map<std::uint32_t, Trial> trials_;
  std::priority_queue<Due, std::vector<Due>, std::greater<>> due_;
};

class HttpTransform final : public Transform {
 public:
  HttpTransform(HttpOptions options, HttpRequest request)
      : definition_(std::make_shared<Definition>()),
        pace_(std::make_shared<HttpPace>(options.pace)),
        suspects_(std::make_shared<Suspects>()) {
    for (const HttpColumn& column : options.into) definition_->added.fields.push_back(column.field);
    definition_->request = std::move(request);
    definition_->options = std::move(options);
  }

  std::string name() const override { return "http"; }
  Scope scope() const override { return Scope::chunk; }

  Result<SchemaPtr> bind(SchemaPtr input, WorkerScope&) override {
    Definition& of = *definition_;
    TRANCHE_TRY(of.request.bind(*input));
    of.input = std::move(input);
    of.output = std::make_shared<const Schema>(columns_with(*of.input, of.added));
    return of.output;
  }

  void work_for(const std::string& run, const std::string& step,
                const std::string& folder) override {
    const std::size_t stage = definition_->options.stage;
    definition_->work = fmt::format("{}/{}/{}", run, step, stage);
    definition_->kept =
        folder.empty() ? fs::path() : fs::path(folder) / fmt::format("answers-{}", stage);
  }

  Result<std::unique_ptr<TransformInstance>> instance(WorkerScope& worker) const override {
    return std::unique_ptr<TransformInstance>(
        std::make_unique<HttpInstance>(definition_, pace_, suspects_, worker));
  }

  // The query is not in the job's own fingerprint, where URLs may hold secrets.
  Result<std::string> fingerprint() const override {
    const HttpRequest& request = definition_->request;
    return fmt::format("{} {}\n", request.name(), request.digest());
  }

 private:
  std::shared_ptr<Definition> definition_;
  std::shared_ptr<HttpPace> pace_;
  std::shared_ptr<Suspects> suspects_;
};

}  // namespace

Result<std::unique_ptr<Transform>> make_http_transform(HttpOptions options) {
  TRANCHE_ASSIGN(auto request, HttpRequest::parse(options));
  return std::unique_ptr<Transform>(
      std::make_unique<HttpTransform>(std::move(options), std::move(request)));
}

}  // namespace tranche
