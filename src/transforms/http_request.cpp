#include "transforms/http_request.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "base/digest.h"
#include "base/json_syntax.h"
#include "base/text.h"
#include "transforms/http.h"

namespace tranche {
namespace {

constexpr std::string_view key_header = "Idempotency-Key";

Error placed(Error error, const std::string& place) {
  if (error.where.empty()) error.where = place;
  return error;
}

// Of those, a repetition changes nothing anyway.
bool is_safe(const std::string& method) {
  constexpr std::array<std::string_view, 3> safe{"GET", "HEAD", "OPTIONS"};
  return std::find(safe.begin(), safe.end(), method) != safe.end();
}

}  // namespace

Result<HttpRequest> HttpRequest::parse(const HttpOptions& options) {
  HttpRequest made;
  made.method_ = options.method;
  const auto part = [](const PlacedText& given, HttpTemplate::Place place) -> Result<Part> {
    auto parsed = HttpTemplate::parse(given.text, place);
    if (!parsed) return placed(std::move(parsed).error(), given.place);
    return Part{*std::move(parsed), given.place};
  };
  TRANCHE_ASSIGN(made.url_, part(options.url, HttpTemplate::Place::url));
  TRANCHE_ASSIGN(made.body_, part(options.body, HttpTemplate::Place::body));
  std::string all = options.method + '\n' + options.url.text + '\n' + options.body.text;
  std::vector<std::string> given;
  for (const auto& [name, text] : options.headers) {
    TRANCHE_ASSIGN(auto header, part(text, HttpTemplate::Place::header));
    made.headers_.emplace_back(name, std::move(header));
    given.push_back(to_lower(name));
    all += '\n' + name + ':' + text.text;
  }
  const auto is_given = [&](std::string_view name) {
    return std::find(given.begin(), given.end(), to_lower(name)) != given.end();
  };
  if (!is_given("Accept")) made.own_headers_.push_back("Accept: application/json");
  if (!made.body_.made.is_empty() && !is_given("Content-Type")) {
    made.own_headers_.push_back("Content-Type: application/json");
    TRANCHE_TRY(made.check_json());
  }
  made.has_key_ = !is_safe(made.method_) && !is_given(key_header);
  made.name_ = options.method + ' ' + url_without_password(options.url.text);
  made.digest_ = digest_hex(all);
  for (const Part* of : made.parts()) of->made.collect_secrets(made.secrets_);
  TRANCHE_TRY(made.check_host());
  TRANCHE_TRY(made.check_records(options.records_per_call));
  return made;
}

std::vector<HttpRequest::Part*> HttpRequest::parts() {
  std::vector<Part*> all{&url_, &body_};
  for (auto& [name, part] : headers_) all.push_back(&part);
  return all;
}

// With an object in the place of values, one in quotes is found out.
Result<void> HttpRequest::check_json() const {
  const JsonFault fault = find_json_fault(body_.made.with_values("{\"\":0}"));
  if (fault.what == nullptr) return {};
  return make_error(
      ErrorKind::config,
      fmt::format("The body is no JSON: {}. A ${{record.column}} is a whole value, with "
                  "quotes of its own where it is a text. For another body give it a "
                  "Content-Type in `headers:`.",
                  fault.what),
      body_.place);
}

// A call is about one record, or about several that are in its body.
Result<void> HttpRequest::check_records(std::size_t records_per_call) const {
  const auto wrong = [](std::string_view what, const std::string& place) {
    return make_error(ErrorKind::config, std::string(what), place);
  };
  if (records_per_call == 1) {
    if (!body_.made.is_of_several()) return {};
    return wrong(
        "${records} is an array of the records of a call: say how many a call has, in "
        "`records_per_call:`.",
        body_.place);
  }
  if (!body_.made.is_of_several())
    return wrong(
        "With `records_per_call:` the body has the records of a call: ${records}, an array "
        "of them, or ${records.column}, of their values.",
        url_.place);
  if (body_.made.names_one_record())
    return wrong(
        "A call that is about several records can't hold a value of one: ${records.column} "
        "is an array of all of theirs.",
        body_.place);
  if (!url_.made.is_constant())
    return wrong("A call that is about several records has one URL, without a value of a record.",
                 url_.place);
  for (const auto& [name, part] : headers_)
    if (!part.made.is_constant())
      return wrong("A call that is about several records has no value of one in its headers.",
                   part.place);
  return {};
}

// What is secret goes to one server, whatever is in a record.
Result<void> HttpRequest::check_host() const {
  const std::string beginning = url_.made.beginning();
  const std::size_t scheme = beginning.find("://");
  const bool is_web = beginning.starts_with("http://") || beginning.starts_with("https://");
  if (is_web && !url_.made.is_constant() &&
      beginning.find_first_of("/?#", scheme + 3) == std::string::npos) {
    return make_error(ErrorKind::config,
                      "What is of a record may stand behind the server of a URL only, as in "
                      "https://server/${record.id}.",
                      url_.place);
  }
  if (!is_web || beginning.size() == scheme + 3) {
    return make_error(ErrorKind::config,
                      "An http transform was expected to name a URL that begins with https:// (or "
                      "http://) and a server.",
                      url_.place);
  }
  return {};
}

Result<void> HttpRequest::bind(const Schema& input) {
  for (Part* const part : parts()) {
    auto bound = part->made.bind(input);
    if (!bound) return placed(std::move(bound).error(), part->place);
  }
  return {};
}

Result<HttpCall> HttpRequest::make(const Page& page, std::span<const std::uint32_t> rows,
                                   std::string_view work, std::string_view id) const {
  HttpCall call;
  call.method = method_;
  call.headers = own_headers_;
  std::optional<std::string> wrong = url_.made.append(call.url, page, rows);
  for (const auto& [name, part] : headers_) {
    std::string line = name + ": ";
    if (!wrong) wrong = part.made.append(line, page, rows);
    call.headers.push_back(std::move(line));
  }
  if (!wrong && !body_.made.is_empty()) {
    call.body.emplace();
    wrong = body_.made.append(*call.body, page, rows);
  }
  if (wrong) return make_error(ErrorKind::bad_record, *std::move(wrong));
  if (has_key_) {
    const std::string own =
        id.empty() ? digest_hex(call.url + '\n' + call.body.value_or("")) : std::string(id);
    call.headers.push_back(fmt::format("{}: {}-{}", key_header, to_hex64(digest64(work)), own));
  }
  return call;
}

}  // namespace tranche
