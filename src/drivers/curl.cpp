#include "drivers/curl.h"

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <utility>

#include <fmt/format.h>

#include "base/text.h"
#include "drivers/curl_session.h"

namespace tranche {
namespace {

constexpr long connect_seconds_max = 30;
constexpr long quiet_seconds_max = 60;  // without a byte: the connection counts as broken
constexpr long redirects_max = 5;
constexpr std::size_t error_body_bytes_max = std::size_t{8} << 10;
// Of the empty body, which all our requests have.
constexpr const char* empty_sha256 =
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

// What comes back, as far as it is looked at.
struct Answer {
  char* buffer = nullptr;  // takes the body of a 206
  std::size_t capacity = 0;
  std::size_t received = 0;
  bool is_partial = false;
  bool is_refused = false;    // the body is not what was asked for: it is not read
  std::string entity_tag;
  std::string modified;
  std::string range;
  std::string length;
  std::string error_body;
};

// The header lines of every answer on the way, redirects included: the last one counts.
std::size_t take_header(char* data, std::size_t size, std::size_t count, void* user) {
  auto& answer = *static_cast<Answer*>(user);
  const std::string_view line(data, size * count);
  if (line.starts_with("HTTP/")) {
    const std::size_t blank = line.find(' ');
    answer.is_partial = blank != std::string_view::npos && line.substr(blank + 1, 3) == "206";
    answer.is_refused = blank != std::string_view::npos && line.substr(blank + 1, 3) == "200";
    for (std::string* text : {&answer.entity_tag, &answer.modified, &answer.range, &answer.length})
      text->clear();
    return line.size();
  }
  const std::size_t colon = line.find(':');
  if (colon == std::string_view::npos) return line.size();
  const std::string key = to_lower(line.substr(0, colon));
  const std::string_view value = trim(line.substr(colon + 1));
  if (key == "etag") answer.entity_tag = value;
  if (key == "last-modified") answer.modified = value;
  if (key == "content-range") answer.range = value;
  if (key == "content-length") answer.length = value;
  return line.size();
}

std::size_t take_body(char* data, std::size_t size, std::size_t count, void* user) {
  auto& answer = *static_cast<Answer*>(user);
  const std::size_t bytes = size * count;
  if (answer.is_refused) return 0;  // all of the object: there may be no end to it
  if (!answer.is_partial) {
    if (answer.error_body.size() + bytes > error_body_bytes_max) return 0;
    answer.error_body.append(data, bytes);
    return bytes;
  }
  if (bytes > answer.capacity - answer.received) return 0;
  std::memcpy(answer.buffer + answer.received, data, bytes);
  answer.received += bytes;
  return bytes;
}

int look_whether_ended(void* user, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
  return static_cast<const std::atomic<bool>*>(user)->load() ? 1 : 0;
}

// "bytes 0-99/1234"; where nothing of the range is there, "bytes */1234".
struct ContentRange {
  std::optional<std::uint64_t> begin;
  std::uint64_t total = 0;
};
std::optional<ContentRange> parse_range(std::string_view text) {
  const std::size_t slash = text.find('/');
  if (!text.starts_with("bytes ") || slash == std::string_view::npos) return std::nullopt;
  const auto number = [](std::string_view digits) {
    std::uint64_t value = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    const bool good = error == std::errc() && end == digits.data() + digits.size();
    return good ? std::optional(value) : std::nullopt;
  };
  const auto total = number(text.substr(slash + 1));
  if (!total) return std::nullopt;
  const std::string_view range = text.substr(6, slash - 6);
  return ContentRange{number(range.substr(0, range.find('-'))), *total};
}

// S3 says more than the status does: <Code>SignatureDoesNotMatch</Code>.
std::string code_of_s3(std::string_view body) {
  const std::size_t begin = body.find("<Code>");
  const std::size_t end = body.find("</Code>");
  if (begin == std::string_view::npos || end == std::string_view::npos || end < begin) return {};
  return fmt::format(" ({})", excerpt(body.substr(begin + 6, end - begin - 6)));
}

bool is_strong(std::string_view entity_tag) { return entity_tag.starts_with('"'); }

Error changed(const std::string& name, std::string_view how) {
  return make_error(ErrorKind::failed,
                    fmt::format("{} is another object than when the run began: {}. Give back the "
                                "one that it was and run again, or accept the change with --accept "
                                "input.", name, how));
}

}  // namespace

struct HttpReader::State {
  CURL* handle = nullptr;
  const std::atomic<bool>* ended = nullptr;
  std::string error_text = std::string(CURL_ERROR_SIZE, '\0');

  State() {
    begin_curl();
    handle = curl_easy_init();
  }
  State(const State&) = delete;
  State& operator=(const State&) = delete;
  ~State() { curl_easy_cleanup(handle); }

  template <class Value>
  void set(CURLoption option, Value value) { curl_easy_setopt(handle, option, value); }

  void prepare(const HttpPlace& place, Answer& answer);
  // Sends the request for a range and takes the answer. The status; an error, when there is none.
  Result<long> request(const HttpPlace& place, std::uint64_t begin, std::size_t bytes,
                       HeaderList& headers, Answer& answer, bool examines);
  Error failure(const HttpPlace& place, CURLcode code, bool examines) const;
};

void HttpReader::State::prepare(const HttpPlace& place, Answer& answer) {
  curl_easy_reset(handle);  // the connection stays
  error_text[0] = '\0';
  set(CURLOPT_ERRORBUFFER, error_text.data());
  set(CURLOPT_URL, place.url.c_str());
  set_manners(handle);
  set(CURLOPT_CONNECTTIMEOUT, connect_seconds_max);
  set(CURLOPT_LOW_SPEED_LIMIT, 1L);
  set(CURLOPT_LOW_SPEED_TIME, quiet_seconds_max);
  set(CURLOPT_PROTOCOLS_STR, "http,https");
  // What is asked for safely is not answered otherwise; and a signature is for one server.
  set(CURLOPT_REDIR_PROTOCOLS_STR, place.url.starts_with("https:") ? "https" : "http,https");
  set(CURLOPT_FOLLOWLOCATION, place.s3 ? 0L : 1L);
  set(CURLOPT_MAXREDIRS, redirects_max);
  set(CURLOPT_HEADERFUNCTION, take_header);
  set(CURLOPT_HEADERDATA, &answer);
  set(CURLOPT_WRITEFUNCTION, take_body);
  set(CURLOPT_WRITEDATA, &answer);
  if (ended != nullptr) {
    set(CURLOPT_XFERINFOFUNCTION, look_whether_ended);
    set(CURLOPT_XFERINFODATA, ended);
    set(CURLOPT_NOPROGRESS, 0L);
  }
  if (!place.s3) return;
  set(CURLOPT_AWS_SIGV4, fmt::format("aws:amz:{}:s3", place.s3->region).c_str());
  set(CURLOPT_USERNAME, place.s3->key_id.c_str());
  set(CURLOPT_PASSWORD, place.s3->secret.c_str());
}

Result<long> HttpReader::State::request(const HttpPlace& place, std::uint64_t begin,
                                        std::size_t bytes, HeaderList& headers, Answer& answer,
                                        bool examines) {
  if (handle == nullptr) return make_error(ErrorKind::failed, "There is no memory for a transfer.");
  prepare(place, answer);
  if (place.s3) {
    headers.add(fmt::format("x-amz-content-sha256: {}", empty_sha256));
    if (!place.s3->session_token.empty())
      headers.add("x-amz-security-token: " + place.s3->session_token);
  }
  if (headers.get() != nullptr) set(CURLOPT_HTTPHEADER, headers.get());
  set(CURLOPT_RANGE, fmt::format("{}-{}", begin, begin + bytes - 1).c_str());
  const CURLcode code = curl_easy_perform(handle);
  long status = 0;
  curl_easy_getinfo(handle, CURLINFO_RESPONSE_CODE, &status);
  // We ended it ourselves: the status says why.
  const bool is_cut = code == CURLE_WRITE_ERROR && !answer.is_partial;
  if (code == CURLE_WRITE_ERROR && answer.is_partial) {
    return make_error(ErrorKind::failed,
                      fmt::format("The server of {} sent more bytes than it was asked for.",
                                  place.name));
  }
  if (code != CURLE_OK && !is_cut) return failure(place, code, examines);
  const ErrorKind lasting = examines ? ErrorKind::config : ErrorKind::failed;
  const std::string detail = place.s3 ? code_of_s3(answer.error_body) : std::string();
  if (status == 408 || status == 425 || status == 429 || status >= 500) {
    return make_error(ErrorKind::transient, fmt::format("The server of {} answers {}{}.",
                                                        place.name, status, detail));
  }
  if (status == 404 || status == 410) {
    return make_error(lasting, fmt::format("No such object: {}: the server answers {}{}.",
                                           place.name, status, detail));
  }
  if (status == 401 || status == 403) {
    return make_error(lasting,
                      fmt::format("{} is not to be had: the server answers {}{}. Check the "
                                  "credentials, or whether the signature of the URL has expired.",
                                  place.name, status, detail));
  }
  if (status == 200 || status == 206 || status == 412 || status == 416) return status;
  return make_error(lasting, fmt::format("{} can't be read: the server answers {}{}.", place.name,
                                         status, detail));
}

Error HttpReader::State::failure(const HttpPlace& place, CURLcode code, bool examines) const {
  const std::string what =
      error_text[0] != '\0' ? std::string(error_text.c_str()) : curl_easy_strerror(code);
  const ErrorKind lasting = examines ? ErrorKind::config : ErrorKind::failed;
  ErrorKind kind = ErrorKind::transient;
  std::string advice;
  switch (code) {
    case CURLE_ABORTED_BY_CALLBACK:
      return make_error(ErrorKind::stopped, fmt::format("Reading {} was ended.", place.name));
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
      // It was known at the start: it will be again.
      if (examines) kind = ErrorKind::config;
      break;
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_ISSUER_ERROR:
      kind = lasting;
      advice = " Where its certificate is of an authority of your own, name the file of that in "
               "SSL_CERT_FILE.";
      break;
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_URL_MALFORMAT:
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_TOO_MANY_REDIRECTS:
      kind = lasting;
      break;
    default:
      break;
  }
  return make_error(kind, fmt::format("{} can't be read: {}.{}", place.name, excerpt(what, 200),
                                      advice));
}

HttpReader::HttpReader(const std::atomic<bool>* ended) : state_(std::make_unique<State>()) {
  state_->ended = ended;
}
HttpReader::HttpReader(HttpReader&&) noexcept = default;
HttpReader& HttpReader::operator=(HttpReader&&) noexcept = default;
HttpReader::~HttpReader() = default;

Result<HttpObject> HttpReader::examine(const HttpPlace& place) {
  char first = 0;
  Answer answer;
  answer.buffer = &first;
  answer.capacity = 1;
  HeaderList headers;
  TRANCHE_ASSIGN(const long status, state_->request(place, 0, 1, headers, answer, true));
  const auto range = parse_range(answer.range);
  HttpObject object;
  object.entity_tag = answer.entity_tag;
  const auto modified = static_cast<std::int64_t>(curl_getdate(answer.modified.c_str(), nullptr));
  if (modified > 0) object.modified_nanoseconds = modified * 1'000'000'000;
  // An empty object has no first byte.
  if (status == 200 && answer.length == "0") return object;
  if (status == 416 && (!range || range->total == 0)) return object;
  if (status != 206 || !range) {
    return make_error(ErrorKind::config,
                      fmt::format("The server of {} does not serve ranges of it, so it can be "
                                  "neither read in parallel nor resumed. Download it, and name the "
                                  "file.", place.name));
  }
  object.bytes = range->total;
  return object;
}

Result<void> HttpReader::read(const HttpPlace& place, const HttpObject& object, char* buffer,
                              std::size_t bytes, std::uint64_t offset) {
  Answer answer;
  answer.buffer = buffer;
  answer.capacity = bytes;
  HeaderList headers;
  if (is_strong(object.entity_tag)) headers.add("If-Match: " + object.entity_tag);
  TRANCHE_ASSIGN(const long status, state_->request(place, offset, bytes, headers, answer, false));
  if (status == 412) return changed(place.name, "its ETag is not the same");
  const auto range = parse_range(answer.range);
  if (range && range->total != object.bytes) {
    return changed(place.name,
                   fmt::format("it had {} bytes and has {}", object.bytes, range->total));
  }
  if (status != 206 || !range || range->begin != offset) {
    return make_error(ErrorKind::failed,
                      fmt::format("The server of {} does not serve ranges of it any more.",
                                  place.name));
  }
  if (answer.entity_tag != object.entity_tag) {
    return changed(place.name, fmt::format("its ETag was {} and is {}",
                                           excerpt(object.entity_tag), excerpt(answer.entity_tag)));
  }
  const auto modified = static_cast<std::int64_t>(curl_getdate(answer.modified.c_str(), nullptr));
  if (object.entity_tag.empty() && object.modified_nanoseconds > 0 && modified > 0 &&
      modified * 1'000'000'000 != object.modified_nanoseconds) {
    return changed(place.name, "it was modified since");
  }
  if (answer.received == bytes) return {};
  return make_error(ErrorKind::transient,
                    fmt::format("The server of {} sent {} of {} bytes.", place.name,
                                answer.received, bytes));
}

}  // namespace tranche
