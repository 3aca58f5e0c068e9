#include "connectors/table_commits.h"

#include "base/digest.h"

namespace tranche {

Receipt receipt_of(std::uint64_t group, std::span<const Segment> segments,
                   const std::string& reject_id) {
  Receipt receipt;
  receipt.group = group;
  receipt.reject_id = reject_id;
  Digest digest;
  for (const Segment& segment : segments) {
    receipt.rows += segment.rows;
    receipt.bytes += segment.bytes;
    digest.update(to_hex64(segment.checksum));
  }
  receipt.checksum = digest.value();
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
