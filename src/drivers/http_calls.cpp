#include "drivers/http_calls.h"

#include <sys/epoll.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <unordered_map>
#include <utility>

#include <fmt/format.h>

#include "base/channel.h"
#include "base/system_error.h"
#include "drivers/curl_session.h"

namespace tranche {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

constexpr std::chrono::milliseconds connect_longest = 30s;
constexpr long buffer_bytes = 8 << 10;

// One call on its way. The handle is used for many, one after the other.
struct Transfer {
  CURL* handle = nullptr;
  std::size_t reply_bytes_max = 0;
  HttpCall call;
  HeaderList headers;
  HttpReply reply;
  std::array<char, CURL_ERROR_SIZE> error_text{};

  Transfer() : handle(curl_easy_init()) {}
  Transfer(const Transfer&) = delete;
  Transfer& operator=(const Transfer&) = delete;
  ~Transfer() { curl_easy_cleanup(handle); }

  template <class Value> void set(CURLoption option, Value value) {
    curl_easy_setopt(handle, option, value);
  }

  void prepare(const HttpLimits& limits);
  void address(std::uint64_t number, HttpCall given);
  void conclude(CURLcode code);
  void collect_links();
};

std::size_t take_body(char* data, std::size_t size, std::size_t count, void* user) {
  auto& transfer = *static_cast<Transfer*>(user);
  const std::size_t bytes = size * count;
  if (transfer.reply.body.size() + bytes > transfer.reply_bytes_max) {
    transfer.reply.outcome = HttpReply::Outcome::too_long;
    return 0;
  }
  transfer.reply.body.append(data, bytes);
  return bytes;
}

// What all calls of the handle have in common.
void Transfer::prepare(const HttpLimits& limits) {
  reply_bytes_max = limits.reply_bytes_max;
  set_manners(handle);
  set(CURLOPT_ERRORBUFFER, error_text.data());
  set(CURLOPT_PRIVATE, this);
  set(CURLOPT_PROTOCOLS_STR, "http,https");
  set(CURLOPT_FOLLOWLOCATION, 0L);
  set(CURLOPT_PATH_AS_IS, 1L);  // "..", where it is a value, is no way up
  set(CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_2TLS);
  set(CURLOPT_ACCEPT_ENCODING, "");  // all that it knows
  set(CURLOPT_TCP_KEEPALIVE, 1L);
  set(CURLOPT_BUFFERSIZE, buffer_bytes);  // each call on its way has one
  set(CURLOPT_CONNECTTIMEOUT_MS,
      static_cast<long>(std::min(limits.timeout, connect_longest) / 1ms));
  set(CURLOPT_TIMEOUT_MS, static_cast<long>(limits.timeout / 1ms));
  set(CURLOPT_WRITEFUNCTION, take_body);
  set(CURLOPT_WRITEDATA, this);
}

void Transfer::address(std::uint64_t number, HttpCall given) {
  call = std::move(given);
  reply = HttpReply();
  reply.number = number;
  error_text[0] = '\0';
  headers.clear();
  for (const std::string& line : call.headers) headers.add(line);
  headers.add("Expect:");  // of a long body it would wait for leave to be sent
  set(CURLOPT_URL, call.url.c_str());
  set(CURLOPT_HTTPHEADER, headers.get());
  // With the first call it is not known yet whether the connection can be shared.
  set(CURLOPT_PIPEWAIT, call.url.starts_with("https:") ? 1L : 0L);
  if (call.body) {
    set(CURLOPT_POST, 1L);
    set(CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(call.body->size()));
    set(CURLOPT_POSTFIELDS, call.body->data());
    set(CURLOPT_NOBODY, 0L);
  } else {
    set(CURLOPT_HTTPGET, 1L);
    set(CURLOPT_NOBODY, call.method == "HEAD" ? 1L : 0L);
  }
  set(CURLOPT_CUSTOMREQUEST, call.method.c_str());
}

void Transfer::collect_links() {
  curl_header* found = nullptr;
  for (std::size_t i = 0;
       curl_easy_header(handle, "Link", i, CURLH_HEADER, -1, &found) == CURLHE_OK; ++i) {
    if (i > 0) reply.links += ", ";
    reply.links += found->value;
  }
}

void Transfer::conclude(CURLcode code) {
  long status = 0;
  curl_easy_getinfo(handle, CURLINFO_RESPONSE_CODE, &status);
  reply.status = static_cast<int>(status);
  curl_off_t seconds = 0;
  if (curl_easy_getinfo(handle, CURLINFO_RETRY_AFTER, &seconds) == CURLE_OK && seconds > 0)
    reply.retry_after = std::chrono::seconds(seconds);
  if (call.wants_links) collect_links();
  if (code == CURLE_OK) return;
  reply.failure = error_text[0] != '\0' ? error_text.data() : curl_easy_strerror(code);
  if (reply.outcome == HttpReply::Outcome::too_long) return;
  switch (code) {
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_URL_MALFORMAT:
    case CURLE_UNSUPPORTED_PROTOCOL:
      reply.outcome = HttpReply::Outcome::refused;
      return;
    default:
      reply.outcome = HttpReply::Outcome::broken;
  }
}

}  // namespace

struct HttpCalls::State {
  HttpLimits limits;
  Descriptor poll{::epoll_create1(EPOLL_CLOEXEC)};
  CURLM* multi = nullptr;
  std::unordered_map<CURL*, std::unique_ptr<Transfer>> in_flight;
  std::vector<std::unique_ptr<Transfer>> idle;
  std::optional<Clock::time_point> due;  // when curl wants to be asked, whatever its sockets do

  explicit State(HttpLimits given) : limits(given) {
    begin_curl();
    multi = curl_multi_init();
    curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, watch_socket);
    curl_multi_setopt(multi, CURLMOPT_SOCKETDATA, this);
    curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, set_timer);
    curl_multi_setopt(multi, CURLMOPT_TIMERDATA, this);
    curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, static_cast<long>(limits.connections_kept));
  }
  State(const State&) = delete;
  State& operator=(const State&) = delete;
  ~State() {
    for (const auto& [handle, transfer] : in_flight) curl_multi_remove_handle(multi, handle);
    in_flight.clear();
    idle.clear();
    curl_multi_cleanup(multi);
  }

  static int watch_socket(CURL*, curl_socket_t socket, int what, void* user, void* is_known) {
    auto& state = *static_cast<State*>(user);
    if (what == CURL_POLL_REMOVE) {
      ::epoll_ctl(state.poll.number(), EPOLL_CTL_DEL, socket, nullptr);
      return 0;
    }
    epoll_event event{};
    event.data.fd = socket;
    if ((what & CURL_POLL_IN) != 0) event.events |= EPOLLIN;
    if ((what & CURL_POLL_OUT) != 0) event.events |= EPOLLOUT;
    const int deed = is_known != nullptr ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;
    // Curl may have closed it behind our back, and have another one of its number.
    if (::epoll_ctl(state.poll.number(), deed, socket, &event) != 0)
      ::epoll_ctl(state.poll.number(), deed == EPOLL_CTL_MOD ? EPOLL_CTL_ADD : EPOLL_CTL_MOD,
                  socket, &event);
    if (is_known == nullptr) curl_multi_assign(state.multi, socket, &state);
    return 0;
  }

  static int set_timer(CURLM*, long milliseconds, void* user) {
    auto& state = *static_cast<State*>(user);
    if (milliseconds < 0)
      state.due.reset();
    else
      state.due = Clock::now() + std::chrono::milliseconds(milliseconds);
    return 0;
  }

  Result<void> look(std::chrono::milliseconds longest);
  void collect(std::vector<HttpReply>& replies);
};

// Waits for the sockets and the timer of curl, and tells it what there is.
Result<void> HttpCalls::State::look(std::chrono::milliseconds longest) {
  std::array<epoll_event, 256> events;
  if (due) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(*due - Clock::now());
    longest = std::clamp(left, 0ms, longest);
  }
  const int count = ::epoll_wait(poll.number(), events.data(), static_cast<int>(events.size()),
                                 static_cast<int>(longest / 1ms));
  if (count < 0 && errno != EINTR)
    return system_error(ErrorKind::failed, "wait for", "web services", errno);
  int running = 0;
  for (int i = 0; i < count; ++i) {
    const auto& event = events[static_cast<std::size_t>(i)];
    int what = 0;
    if ((event.events & EPOLLIN) != 0) what |= CURL_CSELECT_IN;
    if ((event.events & EPOLLOUT) != 0) what |= CURL_CSELECT_OUT;
    if ((event.events & (EPOLLERR | EPOLLHUP)) != 0) what |= CURL_CSELECT_ERR;
    curl_multi_socket_action(multi, event.data.fd, what, &running);
  }
  if (due && *due <= Clock::now()) {
    due.reset();  // it sets it anew
    curl_multi_socket_action(multi, CURL_SOCKET_TIMEOUT, 0, &running);
  }
  return {};
}

void HttpCalls::State::collect(std::vector<HttpReply>& replies) {
  int left = 0;
  while (const CURLMsg* const message = curl_multi_info_read(multi, &left)) {
    if (message->msg != CURLMSG_DONE) continue;
    CURL* const handle = message->easy_handle;
    const CURLcode code = message->data.result;
    curl_multi_remove_handle(multi, handle);
    auto found = in_flight.extract(handle);
    found.mapped()->conclude(code);
    replies.push_back(std::move(found.mapped()->reply));
    idle.push_back(std::move(found.mapped()));
  }
}

HttpCalls::HttpCalls(HttpLimits limits) : state_(std::make_unique<State>(limits)) {}
HttpCalls::~HttpCalls() = default;

std::size_t HttpCalls::in_flight() const { return state_->in_flight.size(); }

Result<void> HttpCalls::begin(std::uint64_t number, HttpCall call) {
  std::unique_ptr<Transfer> transfer;
  if (!state_->idle.empty()) {
    transfer = std::move(state_->idle.back());
    state_->idle.pop_back();
  } else {
    transfer = std::make_unique<Transfer>();
    if (transfer->handle == nullptr || state_->multi == nullptr || state_->poll.number() < 0)
      return make_error(ErrorKind::failed, "There is no memory for a call of a web service.");
    transfer->prepare(state_->limits);
  }
  transfer->address(number, std::move(call));
  CURL* const handle = transfer->handle;
  const CURLMcode code = curl_multi_add_handle(state_->multi, handle);
  if (code != CURLM_OK) {
    return make_error(ErrorKind::failed, fmt::format("A call of a web service can't be begun: {}.",
                                                     curl_multi_strerror(code)));
  }
  state_->in_flight.emplace(handle, std::move(transfer));
  return {};
}

Result<std::vector<HttpReply>> HttpCalls::wait(std::chrono::milliseconds longest) {
  std::vector<HttpReply> replies;
  const auto until = Clock::now() + longest;
  for (;;) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - Clock::now());
    TRANCHE_TRY(state_->look(std::max(left, 0ms)));
    state_->collect(replies);
    if (!replies.empty() || Clock::now() >= until) return replies;
  }
}

}  // namespace tranche
