#include "connectors/http_pages.h"

#include <algorithm>
#include <thread>

#include <fmt/format.h>

#include "base/digest.h"
#include "base/json_syntax.h"
#include "base/text.h"
#include "drivers/http_retry.h"
#include "drivers/http_url.h"
#include "formats/json_body.h"

namespace tranche {
namespace {

using namespace std::chrono_literals;
using Paging = HttpPagesOptions::Paging;

constexpr std::chrono::milliseconds look_interval = 50ms;  // for interrupt()

Error failed(std::string message) { return make_error(ErrorKind::failed, std::move(message)); }

// A line must not end within a record; elsewhere than between tokens JSON has no line ends.
void append_line(std::string& lines, std::string_view record) {
  const std::size_t begin = lines.size();
  lines += record;
  for (std::size_t i = begin; i < lines.size(); ++i)
    if (lines[i] == '\n' || lines[i] == '\r') lines[i] = ' ';
  lines += '\n';
}

const char* kind_of(char begin) {
  switch (begin) {
    case '{':
      return "an object";
    case '"':
      return "a text";
    case 't':
    case 'f':
      return "a truth value";
    default:
      return "a number";
  }
}

// A text's own characters, a number as it is written. REQUIRES JSON.
std::string plain_text(std::string_view json) {
  if (!json.starts_with('"')) return std::string(json);
  std::string made(json.size(), '\0');
  const char* const end = unescape_json(json.substr(1, json.size() - 2), made.data());
  made.resize(static_cast<std::size_t>(end - made.data()));
  return made;
}

// What stands where a next page would be named, and names none.
bool is_nothing(std::string_view json) {
  return json == "null" || json == "false" || json == "\"\"";
}

std::string with_dollars_doubled(std::string_view text) {
  std::string made;
  for (const char c : text) made += c == '$' ? "$$" : std::string(1, c);
  return made;
}

}  // namespace

HttpPages::HttpPages(HttpPagesOptions options)
    : options_(std::move(options)), name_(url_without_password(options_.url_text)) {
  options_.url.collect_secrets(secrets_);
  for (const auto& [name, text] : options_.headers) text.collect_secrets(secrets_);
  for (const auto& [value, name] : secrets_)
    doubled_secrets_.emplace_back(with_dollars_doubled(value), name);
}

std::string HttpPages::page_name(const HttpProgress& progress, const std::string& url) const {
  const bool is_linked = options_.paging == Paging::next || options_.paging == Paging::link_header;
  return fmt::format("Page {} (GET {})", progress.pages + 1,
                     is_linked && progress.pages > 0 ? url_without_password(hide(url)) : name_);
}

Result<std::string> HttpPages::fetch(HttpProgress& progress) {
  TRANCHE_ASSIGN(const std::string url, url_of(progress));
  const std::string page = page_name(progress, url);
  TRANCHE_ASSIGN(HttpReply reply, call(url, page, progress.pages == 0));
  TRANCHE_ASSIGN(Answer answer, read(std::move(reply), page));
  TRANCHE_TRY(go_on(answer, url, page, progress));
  return std::move(answer.lines);
}

Result<std::string> HttpPages::url_of(const HttpProgress& progress) const {
  const std::string url = options_.url.beginning();
  switch (options_.paging) {
    case Paging::number:
      return with_parameter(url, options_.parameter,
                            fmt::to_string(options_.first + progress.pages));
    case Paging::offset:
      return with_parameter(url, options_.parameter,
                            fmt::to_string(options_.first + progress.records));
    case Paging::cursor:
      return progress.pages == 0 ? url : with_parameter(url, options_.parameter, progress.next);
    case Paging::next:
    case Paging::link_header: {
      if (progress.pages == 0) return url;
      TRANCHE_ASSIGN(const auto next, HttpTemplate::parse(progress.next, HttpTemplate::Place::url));
      return next.beginning();
    }
    case Paging::none:
      break;
  }
  return url;
}

Result<HttpReply> HttpPages::call(const std::string& url, const std::string& page, bool is_first) {
  HttpCall call;
  call.method = "GET";
  call.url = url;
  call.wants_links = options_.paging == Paging::link_header;
  call.headers = options_.own_headers;
  for (const auto& [name, text] : options_.headers)
    call.headers.push_back(fmt::format("{}: {}", name, text.beginning()));
  for (std::uint32_t attempt = 1;; ++attempt) {
    TRANCHE_TRY(pause_until(next_call_));
    TRANCHE_ASSIGN(HttpReply reply, call_once(call));
    const bool is_answered = reply.outcome == HttpReply::Outcome::answered;
    if (is_answered && reply.status >= 200 && reply.status < 300) return reply;
    const std::string what =
        describe_reply(page, reply, options_.limits, [this](std::string s) { return hide(s); });
    const bool may_pass =
        is_answered ? http_may_pass(reply.status) : reply.outcome == HttpReply::Outcome::broken;
    if (!may_pass) return failed(what + http_advice(reply));
    if (attempt >= options_.retry.attempts) {
      return failed(fmt::format("{} Tried {} times.{}", what, attempt,
                                is_first ? ""
                                         : " What was fetched before is kept: run it again, and it "
                                           "goes on with this page."));
    }
    TRANCHE_TRY(
        pause_until(Clock::now() + http_pause(reply, options_.retry, attempt, digest64(url))));
  }
}

Result<HttpReply> HttpPages::call_once(const HttpCall& call) {
  if (!calls_) calls_ = std::make_unique<HttpCalls>(options_.limits);
  if (options_.calls_per_second > 0) {
    next_call_ = Clock::now() + std::chrono::nanoseconds(
                                    static_cast<std::int64_t>(1e9 / options_.calls_per_second));
  }
  TRANCHE_TRY(calls_->begin(0, call));
  while (true) {
    TRANCHE_ASSIGN(auto replies, calls_->wait(look_interval));
    if (!replies.empty()) return std::move(replies.front());
    if (!interrupted_) continue;
    calls_.reset();
    return make_error(ErrorKind::stopped, "Stopped while a page was fetched.");
  }
}

Result<void> HttpPages::pause_until(Clock::time_point time) const {
  while (Clock::now() < time) {
    if (interrupted_)
      return make_error(ErrorKind::stopped, "Stopped while the next page was waited for.");
    std::this_thread::sleep_for(std::min<Clock::duration>(time - Clock::now(), look_interval));
  }
  return {};
}

Result<HttpPages::Answer> HttpPages::read(HttpReply reply, const std::string& page) const {
  Answer answer;
  if (reply.status == 204) return answer;  // no content, so no records, and no next page
  const std::size_t bytes = reply.body.size();
  const auto wrong = [&](const Error& error) {
    reply.body.resize(bytes);
    return failed(describe_reply(
        page, reply, options_.limits, [this](std::string s) { return hide(s); }, error.message));
  };
  const auto text = json_of_body(reply.body);
  if (!text) return wrong(text.error());
  if (auto records = read_records(*text, answer); !records) return wrong(records.error());
  if (auto next = read_next(*text, reply, answer); !next) return wrong(next.error());
  return answer;
}

// Errors: bad_record, as a sentence part behind the status.
Result<void> HttpPages::read_records(std::string_view text, Answer& answer) const {
  const auto wrong = [&](std::string_view what) {
    const std::string where = options_.records.text();
    return make_error(
        ErrorKind::bad_record,
        where.empty()
            ? fmt::format(", but with {} where an array of records was expected; "
                          "`records:` says where in it they are",
                          what)
            : fmt::format(", but with {} at {}, where `records:` expects an array", what, where));
  };
  const auto found = options_.records.find(text);
  if (!found)
    return make_error(ErrorKind::bad_record, fmt::format(", but {}", found.error().message));
  if (!*found) return wrong("nothing");
  const std::string_view array = **found;
  if (array == "null") return {};
  if (!array.starts_with('[')) return wrong(kind_of(array.front()));
  answer.lines.reserve(array.size());
  for (const std::string_view record : elements_of_array(array)) {
    append_line(answer.lines, record);
    ++answer.records;
  }
  return {};
}

Result<void> HttpPages::read_next(std::string_view text, const HttpReply& reply,
                                  Answer& answer) const {
  if (options_.more) {
    const auto more = options_.more->find(text);
    if (!more || !*more || (**more != "true" && **more != "false"))
      return make_error(ErrorKind::bad_record,
                        fmt::format(", but without true or false at {}, where `more:` expects it",
                                    options_.more->text()));
    answer.has_more = **more == "true";
  }
  if (options_.paging == Paging::link_header) {
    answer.next = find_link(reply.links, "next").value_or("");
    return {};
  }
  if (options_.paging != Paging::next && options_.paging != Paging::cursor) return {};
  const auto found = options_.pointer.find(text);
  if (!found)
    return make_error(ErrorKind::bad_record, fmt::format(", but {}", found.error().message));
  if (!*found || is_nothing(**found)) return {};
  const char begin = (*found)->front();
  const bool is_text = begin == '"';
  const bool is_number = begin == '-' || (begin >= '0' && begin <= '9');
  if (!is_text && (!is_number || options_.paging == Paging::next))
    return make_error(
        ErrorKind::bad_record,
        fmt::format(", but with {} at {}, where `pages:` expects {}",
                    begin == '[' ? "an array" : kind_of(begin), options_.pointer.text(),
                    options_.paging == Paging::next ? "the URL of the next page" : "a cursor"));
  answer.next = plain_text(**found);
  return {};
}

// Where the next page is; what leads nowhere, or around in a circle, is an error.
Result<void> HttpPages::go_on(Answer& answer, const std::string& url, const std::string& page,
                              HttpProgress& progress) const {
  HttpProgress made = progress;
  ++made.pages;
  made.records += answer.records;
  made.last_digest = digest64(answer.lines);
  const bool counts = options_.paging == Paging::number || options_.paging == Paging::offset;
  if (counts && answer.records > 0 && progress.pages > 0 &&
      made.last_digest == progress.last_digest) {
    return failed(
        fmt::format("{} has the same records as the page before it, so the service does "
                    "not go by \"{}\", or repeats its last page: then `more:` says where "
                    "in an answer it tells whether there is more.",
                    page, options_.parameter));
  }
  made.next.clear();
  if (!answer.next.empty() && answer.has_more) {
    made.next = answer.next;
    if (options_.paging != Paging::cursor) {
      TRANCHE_ASSIGN(made.next, link_behind(url, answer.next, page));
    }
    const std::uint64_t digest = digest64(made.next);
    if (made.next == progress.next || digest == progress.earlier) {
      return failed(
          fmt::format("{} leads to \"{}\" as the next page, which was there before: the "
                      "pages would come again and again.",
                      page, excerpt(hide(answer.next))));
    }
    if (made.pages == made.kept_for) {
      made.earlier = digest;
      made.kept_for *= 2;
    }
  }
  const bool goes_on = counts ? answer.records > 0 : !made.next.empty();
  made.is_complete = options_.paging == Paging::none || !answer.has_more || !goes_on;
  progress = std::move(made);
  return {};
}

// The URL as it is kept: with names in the place of secrets.
Result<std::string> HttpPages::link_behind(const std::string& url, const std::string& link,
                                           const std::string& page) const {
  auto resolved = resolve_url(url, link);
  if (!resolved)
    return failed(fmt::format("The next page of {} {}.", page, hide(resolved.error().message)));
  if (!is_same_server(url, *resolved)) {
    return failed(
        fmt::format("The next page behind {} is on another server, {}, where what is "
                    "sent does not belong.",
                    page, url_without_password(hide(*resolved))));
  }
  if (*resolved == url)
    return failed(
        fmt::format("{} names itself as the next page, so it would come for ever.", page));
  return without_secrets(with_dollars_doubled(*resolved), doubled_secrets_);
}

}  // namespace tranche
