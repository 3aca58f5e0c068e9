#include "transforms/http.h"

#include <algorithm>
#include <iterator>
#include <numeric>
#include <queue>
#include <unordered_map>
#include <utility>

#include <fmt/format.h>

#include "base/digest.h"
#include "base/text.h"
#include "drivers/http_calls.h"
#include "drivers/http_retry.h"
#include "formats/json_body.h"
#include "transforms/answered_columns.h"
#include "transforms/http_elements.h"
#include "transforms/http_journal.h"
#include "transforms/http_request.h"
#include "transforms/http_suspects.h"

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
  HttpElements elements;
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
    if (options.records_per_call > 1)
      text += fmt::format("{} {}\n", options.answers.text(), options.match_by);
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

class HttpInstance final : public TransformInstance {
 public:
  HttpInstance(std::shared_ptr<const Definition> definition, std::shared_ptr<HttpPace> pace,
               std::shared_ptr<HttpSuspects> suspects, WorkerScope& worker)
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
  // What a call is about: rows in a row. The same ones in each try and resume, so that the call has
  // the same key.
  struct Asked {
    std::uint32_t first = 0;
    std::uint32_t count = 1;
    std::uint64_t number() const { return std::uint64_t{first} << 32 | count; }
    static Asked of(std::uint64_t number) {
      return {static_cast<std::uint32_t>(number >> 32), static_cast<std::uint32_t>(number)};
    }
  };
  // A call that was made, and has not come to its end yet.
  struct Trial {
    std::uint32_t attempts = 0;
    std::uint64_t answered_before = 0;  // calls about any records
  };
  struct Due {
    Clock::time_point time;
    Asked asked;
    bool operator>(const Due& other) const { return time > other.time; }
  };
  struct Unproven {
    Asked asked;
    std::string why;
  };

  Result<void> begin(const Page& page) {
    page_ = &page;
    answers_.begin(page.rows());
    fates_.assign(page.rows(), Fate::waiting);
    waiting_ = page.rows();
    rows_.resize(page.rows());
    std::iota(rows_.begin(), rows_.end(), 0U);
    order_calls();
    unproven_.clear();
    rejects_.clear();
    trials_.clear();
    due_ = {};
    ids_ = page.origins.empty() ? std::vector<std::string>() : record_ids(page);
    witness_.reset();
    wants_witness_ = !order_.empty() && suspects_->has_any(page, rows_of(order_.front()));
    if (!calls_) calls_ = std::make_unique<HttpCalls>(definition_->limits());
    if (ids_.empty()) return {};
    return journal_.begin(HttpSuspects::number(page, 0));
  }

  // Which calls there are; those about suspects come first.
  void order_calls() {
    order_.clear();
    next_ = 0;
    const std::size_t most = definition_->options.records_per_call;
    for (std::size_t row = 0; row < rows_.size(); row += most)
      order_.push_back({static_cast<std::uint32_t>(row),
                        static_cast<std::uint32_t>(std::min(most, rows_.size() - row))});
    std::stable_partition(order_.begin(), order_.end(), [&](const Asked& asked) {
      return suspects_->has_any(*page_, rows_of(asked));
    });
  }
  std::span<const std::uint32_t> rows_of(const Asked& asked) const {
    return std::span<const std::uint32_t>(rows_).subspan(asked.first, asked.count);
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
      const Asked asked = is_due ? due_.top().asked : order_[next_];
      if (!is_due && recall(asked)) {
        ++next_;
        continue;
      }
      auto call = make(asked);
      if (call) {
        if (const auto pause = pace_->begin(now, calls_->in_flight())) return *pause;
      }
      if (is_due)
        due_.pop();
      else
        ++next_;
      if (!call) {
        reject_all(asked, call.error().message);
        continue;
      }
      Trial& trial = trials_[asked.number()];
      if (trial.attempts++ == 0) trial.answered_before = pace_->answered();
      auto begun = calls_->begin(asked.number(), *std::move(call));
      if (!begun) {
        pace_->end(HttpPace::End::failed, now);
        return std::move(begun).error();
      }
    }
  }

  Result<void> judge(HttpReply reply) {
    const Asked asked = Asked::of(reply.number);
    const auto now = Clock::now();
    const bool is_answered = reply.outcome == HttpReply::Outcome::answered;
    const StatusAction action =
        is_answered ? definition_->action_on(reply.status) : StatusAction::retry;
    const bool asks_again = is_answered && action == StatusAction::retry;
    if (asks_again && http_is_busy(reply.status)) {
      pace_->end(HttpPace::End::busy, now);
      if (reply.retry_after || reply.status == 429)
        pace_->pause_until(now + pause_behind(asked, reply));
    } else {
      pace_->end(is_answered && !asks_again ? HttpPace::End::answered : HttpPace::End::failed, now);
    }
    switch (reply.outcome) {
      case HttpReply::Outcome::refused:
        return make_error(ErrorKind::failed, describe(reply) + http_advice(reply),
                          definition_->options.url.place);
      case HttpReply::Outcome::too_long:
        refuse(asked, describe(reply), now);
        return {};
      case HttpReply::Outcome::broken:
        return try_again(asked, reply, now);
      case HttpReply::Outcome::answered:
        break;
    }
    if (action == StatusAction::retry) return try_again(asked, reply, now);
    if (action == StatusAction::reject)
      refuse(asked, describe(reply), now);
    else if (action == StatusAction::take && definition_->options.records_per_call > 1)
      settle_each(asked, reply, now);
    else
      for (const std::uint32_t row : rows_of(asked)) settle(row, action, reply);
    trials_.erase(asked.number());
    return {};
  }

  void settle(std::uint32_t row, StatusAction action, const HttpReply& reply) {
    if (action == StatusAction::skip) return keep(row, {.is_filtered = true, .record = {}});
    auto values = action == StatusAction::take ? answers_.extract(reply.body)
                                               : Result<std::string>(HttpAnswers::nothing());
    take(row, std::move(values), reply);
  }

  // The answers of a call about several. Where it can't be told whose each is, each is asked about
  // by itself.
  void settle_each(const Asked& asked, const HttpReply& reply, Clock::time_point now) {
    std::string body = reply.body;
    const auto json = json_of_body(body);
    if (!json) return refuse(asked, describe(reply, json.error().message), now);
    const auto found = definition_->elements.find(*json, *page_, rows_of(asked));
    if (!found) return refuse(asked, describe(reply, found.error().message), now);
    for (std::uint32_t i = 0; i < asked.count; ++i) {
      const std::uint32_t row = asked.first + i;
      if ((*found)[i])
        take(row, answers_.values_of(*(*found)[i]), reply);
      else
        reject(row, describe(reply, ", but without an answer for this record"));
    }
  }

  void take(std::uint32_t row, Result<std::string> values, const HttpReply& reply) {
    if (!values) return reject(row, describe(reply, values.error().message));
    if (const auto wrong = answers_.take(*values, row)) return reject(row, describe(reply, *wrong));
    keep(row, {.is_filtered = false, .record = *std::move(values)});
  }

  void keep(std::uint32_t row, const HttpJournal::Entry& entry) {
    journal_.add(digest_of(row), entry);
    end(row, entry.is_filtered ? Fate::filtered : Fate::kept);
  }

  // Whether all of them were called for before, by a worker that came to its end.
  bool recall(const Asked& asked) {
    if (journal_.is_empty()) return false;
    std::vector<const HttpJournal::Entry*> entries;
    for (const std::uint32_t row : rows_of(asked)) {
      entries.push_back(journal_.find(digest_of(row)));
      if (entries.back() == nullptr) return false;
    }
    // HttpSuspects are proved guilty by others that are answered behind them.
    if (std::exchange(wants_witness_, false)) witness_ = asked.first;
    if (witness_ == asked.first) return false;
    for (std::uint32_t i = 0; i < asked.count; ++i)
      if (!entries[i]->is_filtered && answers_.take(entries[i]->record, asked.first + i))
        return false;
    for (std::uint32_t i = 0; i < asked.count; ++i)
      end(asked.first + i, entries[i]->is_filtered ? Fate::filtered : Fate::kept);
    return true;
  }

  Result<HttpCall> make(const Asked& asked) const {
    std::string id;
    if (!ids_.empty() && asked.count == 1) id = ids_[asked.first];
    if (!ids_.empty() && asked.count > 1)
      id = fmt::format("{}-{}", ids_[asked.first], ids_[asked.first + asked.count - 1]);
    return definition_->request.make(*page_, rows_of(asked), definition_->work, id);
  }

  // Of what is sent about a record by itself.
  std::uint64_t digest_of(std::uint32_t row) const {
    if (ids_.empty()) return 0;
    const auto call = make({row, 1});
    if (!call) return 0;
    return digest64(ids_[row] + '\n' + call->url + '\n' + call->body.value_or(""));
  }

  std::chrono::milliseconds pause_behind(const Asked& asked, const HttpReply& reply) {
    return http_pause(reply, definition_->options.retry, trials_[asked.number()].attempts,
                      digest64(definition_->work) + asked.first);
  }

  // After a pause; or the record is to blame, or nobody is but the service.
  Result<void> try_again(const Asked& asked, const HttpReply& reply, Clock::time_point now) {
    const Trial& trial = trials_[asked.number()];
    const RetryPolicy& retry = definition_->options.retry;
    if (trial.attempts < retry.attempts) {
      due_.push({now + pause_behind(asked, reply), asked});
      return {};
    }
    if (reply.status == 429) {
      return make_error(ErrorKind::transient,
                        fmt::format("{} Tried {} times; a `rate:` would ask it more slowly.",
                                    describe(reply), trial.attempts),
                        definition_->options.url.place);
    }
    if (asked.count > 1)
      ask_apart(asked, now);
    else
      unproven_.push_back({asked, describe(reply)});
    return {};
  }

  // Those that failed to the last are to blame once another record was answered since they were
  // first called for: then it is not the service. Where that can't be any more nobody is rejected.
  Result<void> judge_unproven() {
    if (unproven_.empty()) return {};
    const std::uint64_t answered = pace_->answered();
    std::erase_if(unproven_, [&](const Unproven& one) {
      const bool is_proven = answered > trials_[one.asked.number()].answered_before;
      if (is_proven) reject(one.asked.first, one.why);
      return is_proven;
    });
    const bool may_be_proven = unproven_.size() < waiting_ && unproven_.size() < unproven_max;
    if (unproven_.empty() || may_be_proven) return {};
    for (const Unproven& one : unproven_)
      suspects_->add(HttpSuspects::number(*page_, one.asked.first));
    const auto& [asked, why] = unproven_.front();
    return make_error(ErrorKind::transient,
                      fmt::format("{} Tried {} times; no other record was answered meanwhile.", why,
                                  trials_[asked.number()].attempts),
                      definition_->options.url.place);
  }

  std::string describe(const HttpReply& reply, std::string_view wrong = {}) const {
    const HttpRequest& request = definition_->request;
    const auto hide = [&](std::string text) { return request.hide_secrets(std::move(text)); };
    return describe_reply(request.name(), reply, definition_->limits(), hide, wrong);
  }

  // Of a call about several, each of them may still be answered by itself.
  void refuse(const Asked& asked, const std::string& why, Clock::time_point now) {
    if (asked.count > 1)
      ask_apart(asked, now);
    else
      reject_all(asked, why);
  }
  void ask_apart(const Asked& asked, Clock::time_point now) {
    for (const std::uint32_t row : rows_of(asked)) due_.push({now, {row, 1}});
    trials_.erase(asked.number());
  }

  void reject_all(const Asked& asked, const std::string& why) {
    for (const std::uint32_t row : rows_of(asked)) reject(row, why);
  }
  void reject(std::uint32_t row, std::string why) {
    const auto trial = trials_.find(Asked{row, 1}.number());
    rejects_[row] = {std::move(why),
                     trial == trials_.end() ? 1 : std::max(1U, trial->second.attempts)};
    end(row, Fate::rejected);
  }

  void end(std::uint32_t row, Fate fate) {
    fates_[row] = fate;
    --waiting_;
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
  std::shared_ptr<HttpSuspects> suspects_;
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
  std::vector<std::uint32_t> rows_;       // 0, 1, 2, ...
  std::vector<Asked> order_;              // of the calls
  std::size_t next_ = 0;                  // of it, the first that was never made
  std::map<std::uint32_t, Why> rejects_;
  std::vector<Unproven> unproven_;                   // that failed
  std::unordered_map<std::uint64_t, Trial> trials_;  // by the number of the call
  std::priority_queue<Due, std::vector<Due>, std::greater<>> due_;
};

class HttpTransform final : public Transform {
 public:
  HttpTransform(HttpOptions options, HttpRequest request)
      : definition_(std::make_shared<Definition>()),
        pace_(std::make_shared<HttpPace>(options.pace)),
        suspects_(std::make_shared<HttpSuspects>()) {
    definition_->elements = HttpElements(options.answers, options.match_by);
    for (const HttpColumn& column : options.into) definition_->added.fields.push_back(column.field);
    definition_->request = std::move(request);
    definition_->options = std::move(options);
  }

  std::string name() const override { return "http"; }
  Scope scope() const override { return Scope::chunk; }

  Result<SchemaPtr> bind(SchemaPtr input, WorkerScope&) override {
    Definition& of = *definition_;
    TRANCHE_TRY(of.request.bind(*input));
    auto bound = of.elements.bind(*input);
    if (!bound) {
      bound.error().where = of.options.url.place;
      return bound.error();
    }
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
  std::shared_ptr<HttpSuspects> suspects_;
};

}  // namespace

Result<std::unique_ptr<Transform>> make_http_transform(HttpOptions options) {
  TRANCHE_ASSIGN(auto request, HttpRequest::parse(options));
  return std::unique_ptr<Transform>(
      std::make_unique<HttpTransform>(std::move(options), std::move(request)));
}

}  // namespace tranche
