#include "formats/jsonl_cursor.h"

#include <cstring>

namespace tranche {
namespace {

bool is_blank(const char* p, const char* end) {
  while (p != end && (*p == ' ' || *p == '\t' || *p == '\r')) ++p;
  return p == end;
}

}  // namespace

ScanStep JsonlScanner::next(const char* p, const char* end, bool final, RecordSpan& span) const {
  span = RecordSpan();
  while (true) {
    span.begin = p;
    if (p == end) return final ? ScanStep::end : ScanStep::more;
    const auto left = static_cast<std::size_t>(end - p);
    const char* const feed = static_cast<const char*>(std::memchr(p, '\n', left));
    if (feed == nullptr && !final) {
      if (left <= limit_bytes_ + 1) return ScanStep::more;  // one more: it may be the CR of a CRLF
      span.fault = RecordFault::too_long;
      return ScanStep::endless;
    }
    span.end = feed == nullptr ? end : feed;
    if (feed != nullptr && feed != p && feed[-1] == '\r') --span.end;
    const bool too_long = static_cast<std::size_t>(span.end - p) > limit_bytes_;
    if (too_long || !is_blank(p, span.end)) {
      span.next = feed == nullptr ? end : feed + 1;
      span.lines = feed == nullptr ? 0 : 1;
      span.fault = too_long ? RecordFault::too_long : RecordFault::none;
      return ScanStep::record;
    }
    if (feed == nullptr) return ScanStep::end;
    ++span.lines_before;
    p = feed + 1;
  }
}

}  // namespace tranche
