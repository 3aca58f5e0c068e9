#include "api/reject_line.h"

#include "base/json.h"
#include "base/text.h"

namespace tranche {

std::string reject_line(const KeptReject& kept) {
  const Reject& reject = kept.reject;
  Json json;
  json.set("run", kept.run);
  json.set("step", kept.step);
  json.set("batch", kept.batch);
  json.set("record", reject.record);
  json.set("source", reject.has_position ? Json(reject.source) : Json());
  json.set("line", reject.has_position && reject.line > 0 ? Json(reject.line) : Json());
  json.set("offset", reject.has_position ? Json(reject.offset) : Json());
  json.set("phase", reject.phase);
  json.set("error", reject.error);
  json.set("attempts", reject.attempts);
  json.set("signal", reject.signal > 0 ? Json(reject.signal) : Json());
  if (is_utf8(reject.raw))
    json.set("raw", reject.raw);
  else
    json.set("raw_base64", base64(reject.raw));
  return json.dump();
}

}  // namespace tranche
