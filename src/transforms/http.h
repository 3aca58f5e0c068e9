// The `http` transform: a call of a web service for each record, or for several, many at once from
// one thread.
// docs/web-services.md tells people what it does.
//
// What may pass is tried again after a pause; then the record is rejected, if others were answered
// meanwhile, since then it is the record's. If none was, it is the service's, and the batch fails
// as it does when a database is away.
//
// Threads and lifetime: as core/transform.h says.
// Errors of bind: config, with a place. Of process: transient, failed.
#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <tranche/core/policy.h>
#include <tranche/core/transform.h>

#include "transforms/http_answers.h"
#include "transforms/http_pace.h"

namespace tranche {

enum class StatusAction {
  take,  // the answer holds values
  null,  // the record goes on without values
  reject,
  retry,
  skip,  // the record is filtered
};

// A text of the job file and where it stands: "job.yaml:12:9".
struct PlacedText {
  std::string text;
  std::string place;
};

struct HttpOptions {
  PlacedText url;
  std::string method;
  std::vector<std::pair<std::string, PlacedText>> headers;  // a name, and a template
  PlacedText body;                                          // empty: none
  std::vector<HttpColumn> into;
  std::map<std::string, StatusAction> on_status;  // by "404" or "4xx"
  std::chrono::milliseconds timeout{0};
  std::size_t answer_bytes_max = 0;
  RetryPolicy retry;
  HttpPace::Limits pace;
  std::size_t records_per_call = 1;
  JsonPointer answers;    // of a call about several: where in an answer the array of theirs is
  std::string match_by;   // the member, and column, that says whose each is; empty: their order
  std::size_t stage = 0;  // which transform of its step it is
};

Result<std::unique_ptr<Transform>> make_http_transform(HttpOptions options);

}  // namespace tranche
