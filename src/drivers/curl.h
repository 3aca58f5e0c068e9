// Objects of web servers and of S3: what an object is, and ranges of its bytes. Whatever is fetched
// is of the object that was examined: a server that has another one by now is found out. The header
// of curl stays in this room.
//
// Threads: an HttpReader belongs to one thread at a time. Lifetime: the flag that ends a transfer
// outlives the reader.
// Errors: transient, for what may pass (timeouts, connections that break, 429, 5xx); config, when
// an object is examined that is not there, not to be had, or served without ranges; failed, when
// that comes later, and when the object is another by now; stopped. No message holds a secret.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <tranche/base/result.h>

namespace tranche {

struct S3Access {
  std::string region;
  std::string key_id;
  std::string secret;
  std::string session_token;  // empty: none
};

struct HttpPlace {
  std::string url;   // with all that it holds, secrets too
  std::string name;  // for messages: without them
  std::optional<S3Access> s3 = {};  // requests are signed
};

struct HttpObject {
  std::uint64_t bytes = 0;
  std::int64_t modified_nanoseconds = 0;  // since the epoch; 0: the server does not say
  std::string entity_tag = {};            // as the server writes it; empty: it has none
};

class HttpReader {
 public:
  // `ended`: when it becomes true, a transfer in work ends soon.
  explicit HttpReader(const std::atomic<bool>* ended = nullptr);
  HttpReader(HttpReader&&) noexcept;
  HttpReader& operator=(HttpReader&&) noexcept;
  ~HttpReader();

  // By a request for the first byte: a URL that is signed is signed for that, and the answer tells
  // whether the server has ranges.
  Result<HttpObject> examine(const HttpPlace& place);
  // Fills `buffer` with `bytes` at `offset`. REQUIRES that the object has them, and bytes > 0.
  Result<void> read(const HttpPlace& place, const HttpObject& object, char* buffer,
                    std::size_t bytes, std::uint64_t offset);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace tranche
