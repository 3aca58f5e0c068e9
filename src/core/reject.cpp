#include <tranche/core/reject.h>

#include <utility>

namespace tranche {

Reject reject_row(const Page& page, std::size_t row, std::string_view phase, std::string error) {
  Reject reject;
  reject.phase = phase;
  reject.error = std::move(error);
  reject.record = page.base.record;
  const bool has_origin = row < page.origins.size();
  if (has_origin) reject.record += page.origins[row].record;
  if (page.base.source) {
    reject.source = *page.base.source;
    if (has_origin) {
      const Origin& origin = page.origins[row];
      reject.line = page.base.line == 0 ? 0 : page.base.line + origin.line;
      reject.offset = origin.offset;
      reject.has_position = true;
    }
  }
  // A record of no bytes is a record too: what counts is whether its bytes are at hand.
  if (has_origin && page.base.raw != nullptr)
    reject.raw = page.raw(row);
  else
    reject.raw = row_as_json(page, row);
  return reject;
}

}  // namespace tranche
