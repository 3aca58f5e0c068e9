#include "connectors/table_commits.h"

#include <charconv>
#include <utility>

#include "base/digest.h"

namespace tranche {

Segment make_row_segment(std::string bytes, std::uint64_t rows, RowDigest& digest) {
  Segment segment = Segment::make(std::move(bytes), rows);
  segment.label = to_hex64(digest.take());
  return segment;
}

Receipt receipt_of(std::uint64_t group, std::span<const Segment> segments,
                   const std::string& reject_id) {
  Receipt receipt;
  receipt.group = group;
  receipt.reject_id = reject_id;
  for (const Segment& segment : segments) {
    receipt.rows += segment.rows;
    receipt.bytes += segment.bytes;
    std::uint64_t digest = 0;
    std::from_chars(segment.label.data(), segment.label.data() + segment.label.size(), digest, 16);
    receipt.checksum += digest;
  }
  return receipt;
}

Json seal_intent(const SinkRun& run, const std::string& table, TableMode mode,
                 std::span<const Receipt> committed) {
  Json intent(Json::Object{{"run", run.run_id},
                           {"step", run.step},
                           {"table", table},
                           {"mode", to_string(mode)},
                           {"batches", std::uint64_t{committed.size()}},
                           {"rows", total_rows(committed)}});
  if (run.watermark.is_empty()) return intent;
  intent.set("increment", run.watermark.increment);
  intent.set("watermark", run.watermark.until);
  return intent;
}

SealPlan seal_plan(const Json& intent) {
  SealPlan plan;
  plan.run.run_id = intent["run"].text();
  plan.run.step = intent["step"].text();
  plan.run.watermark = Watermark{intent["increment"].text(), intent["watermark"].text()};
  plan.rows = intent["rows"].natural();
  return plan;
}

}  // namespace tranche
