// What is sent for a record: the call, put together from templates, and what it is called when
// people are told of it.
//
// Threads: const functions are thread-safe. Lifetime: a value type.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include <tranche/core/page.h>

#include "drivers/http_calls.h"
#include "formats/http_template.h"

namespace tranche {

struct HttpOptions;

class HttpRequest {
 public:
  // Errors: config, with a place.
  static Result<HttpRequest> parse(const HttpOptions& options);
  // Errors: config, with a place.
  Result<void> bind(const Schema& input);

  // The call for a record, or several. `work` names the run, the step and the transform: together
  // with the record it is the Idempotency-Key. `id`: of the record, or of all of them; empty: there
  // is none, and the key is made of what is sent. Errors: bad_record.
  Result<HttpCall> make(const Page& page, std::span<const std::uint32_t> rows,
                        std::string_view work, std::string_view id) const;

  // "POST https://scores.internal/v1/score", for messages: without a query, and without secrets.
  const std::string& name() const { return name_; }
  // Of everything, for the fingerprint.
  const std::string& digest() const { return digest_; }
  std::string hide_secrets(std::string text) const {
    return without_secrets(std::move(text), secrets_);
  }

 private:
  struct Part {
    HttpTemplate made;
    std::string place;
  };
  std::vector<Part*> parts();
  Result<void> check_host() const;
  Result<void> check_json() const;
  Result<void> check_records(std::size_t records_per_call) const;

  std::string method_;
  Part url_;
  std::vector<std::pair<std::string, Part>> headers_;
  Part body_;
  std::vector<std::string> own_headers_;  // that nobody gave
  bool has_key_ = false;                  // an Idempotency-Key is sent
  std::string name_;
  std::string digest_;
  HttpTemplate::Secrets secrets_;
};

}  // namespace tranche
