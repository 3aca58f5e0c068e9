// The pages of a web API, one after the other: what asks for each, what came, and where it ends.
//
// Threads: belongs to one thread, but for interrupt(). Lifetime: connections are kept.
// Errors: failed, with the page, its URL without secrets, and what was wrong; stopped.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <tranche/core/policy.h>

#include "drivers/http_calls.h"
#include "formats/http_template.h"
#include "formats/json_pointer.h"

namespace tranche {

struct HttpPagesOptions {
  enum class Paging {
    none,         // the first page is all there is
    next,         // `pointer` finds the next page's URL
    link_header,  // the Link header has it
    cursor,       // `pointer` finds what `parameter` of the next page is
    number,       // `parameter` counts pages from `first`
    offset,       // `parameter` counts records from `first`
  };
  std::string url_text;  // as the job has it
  HttpTemplate url;
  std::vector<std::pair<std::string, HttpTemplate>> headers;
  std::vector<std::string> own_headers;  // that nobody gave
  JsonPointer records;                   // the array of them
  Paging paging = Paging::none;
  JsonPointer pointer;
  std::string parameter;
  std::uint64_t first = 0;
  std::optional<JsonPointer> more;  // finds what is false on the last page
  double calls_per_second = 0;      // 0: any number
  RetryPolicy retry;
  HttpLimits limits;
};

// How far the paging is: what is kept, so that another process goes on. Of bounded size, whatever
// the number of pages.
struct HttpProgress {
  std::uint64_t pages = 0;    // that were fetched
  std::uint64_t records = 0;  // in them
  std::string next;           // the next page's URL, without secrets, or cursor
  bool is_complete = false;   // there is no next page
  // Brent's search for a circle: what asked for an earlier page, and how many pages it is kept for.
  std::uint64_t earlier = 0;
  std::uint64_t kept_for = 1;
  std::uint64_t last_digest = 0;  // of the last page's records
  bool operator==(const HttpProgress&) const = default;
};

class HttpPages {
 public:
  explicit HttpPages(HttpPagesOptions options);

  // The records of the next page, as lines of JSON; `progress` goes on. REQUIRES that it is not
  // complete. Tries again what may pass.
  Result<std::string> fetch(HttpProgress& progress);
  // By another thread: fetch() ends soon, and gives the error stopped.
  void interrupt() { interrupted_ = true; }

  // "${env:SHOP}/v1/orders": without a query and without secrets.
  const std::string& name() const { return name_; }

 private:
  using Clock = std::chrono::steady_clock;
  struct Answer {
    std::string lines;
    std::uint64_t records = 0;
    std::string next;  // as the answer has it; empty: none
    bool has_more = true;
  };
  Result<std::string> url_of(const HttpProgress& progress) const;
  Result<HttpReply> call(const std::string& url, const std::string& page, bool is_first);
  Result<HttpReply> call_once(const HttpCall& call);
  Result<void> pause_until(Clock::time_point time) const;
  Result<Answer> read(HttpReply reply, const std::string& page) const;
  Result<void> read_records(std::string_view text, Answer& answer) const;
  Result<void> read_next(std::string_view text, const HttpReply& reply, Answer& answer) const;
  Result<void> go_on(Answer& answer, const std::string& url, const std::string& page,
                     HttpProgress& progress) const;
  Result<std::string> link_behind(const std::string& url, const std::string& link,
                                  const std::string& page) const;
  std::string hide(std::string text) const { return without_secrets(std::move(text), secrets_); }
  // "Page 3 (GET https://shop/v1/orders)"
  std::string page_name(const HttpProgress& progress, const std::string& url) const;

  const HttpPagesOptions options_;
  const std::string name_;
  HttpTemplate::Secrets secrets_;
  HttpTemplate::Secrets doubled_secrets_;  // as they are written in a template
  std::unique_ptr<HttpCalls> calls_;
  Clock::time_point next_call_{};  // the rate allows none before
  std::atomic<bool> interrupted_ = false;
};

}  // namespace tranche
