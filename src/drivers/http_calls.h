// Many calls of web services at once, made by one thread: curl's multi interface on epoll.
// Connections are kept, and shared by several calls where a server speaks HTTP/2. Who begins calls
// decides how many there are and what comes of each; nothing is repeated here.
//
// A redirect is an answer like any other, since it may lead where a secret does not belong. Servers
// are verified; proxies are those of the environment.
//
// Threads: belongs to one thread. Lifetime: the destructor ends the calls in flight.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <tranche/base/result.h>

namespace tranche {

struct HttpCall {
  std::string method;                // "POST"
  std::string url;                   // with all that it holds, secrets too
  std::vector<std::string> headers;  // "Name: value"
  std::optional<std::string> body;
  bool wants_links = false;  // HttpReply::links
};

struct HttpReply {
  enum class Outcome {
    answered,  // `status` and `body` are there, whatever they say
    broken,    // no answer, for what may pass: timeouts, connections that break
    too_long,  // more than the limits allow
    refused,   // no call can do better: a certificate that is not trusted, say
  };
  std::uint64_t number = 0;  // that the call was begun with
  Outcome outcome = Outcome::answered;
  int status = 0;
  std::string body;
  std::string failure;                                // curl's words, unless it was answered
  std::optional<std::chrono::seconds> retry_after{};  // that the server asks for
  std::string links{};                                // its Link headers, one behind the other
};

struct HttpLimits {
  std::chrono::milliseconds timeout{0};  // of a call, from its begin to its end
  std::size_t reply_bytes_max = 0;
  std::size_t connections_kept = 0;
};

class HttpCalls {
 public:
  explicit HttpCalls(HttpLimits limits);
  ~HttpCalls();
  HttpCalls(const HttpCalls&) = delete;
  HttpCalls& operator=(const HttpCalls&) = delete;

  // Begins a call, which goes on in wait(). Errors: failed, for want of memory or descriptors.
  Result<void> begin(std::uint64_t number, HttpCall call);
  std::size_t in_flight() const;
  // Goes on with the calls until some are done, or for `longest`. Errors: failed.
  Result<std::vector<HttpReply>> wait(std::chrono::milliseconds longest);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace tranche
