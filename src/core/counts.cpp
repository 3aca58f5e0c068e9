#include <tranche/core/counts.h>

#include <fmt/format.h>

namespace tranche {
namespace {

// `figures`: both sides, as "100 records offered, 99 encoded".
Error disagreement(std::string_view stage, std::string_view figures) {
  return make_error(
      ErrorKind::bug,
      fmt::format("The counts of stage \"{}\" do not agree: {}; nothing of this group "
                  "was committed.",
                  stage, figures));
}

Result<void> reconcile_stages(const Counts& counts) {
  std::uint64_t given = counts.read;
  std::string giver = "read";
  for (const StageCounts& stage : counts.stages) {
    if (stage.in != given)
      return disagreement(stage.name, fmt::format("{} records came from stage \"{}\", {} taken in",
                                                  given, giver, stage.in));
    if (stage.counts_filtered && stage.in != stage.out + stage.filtered + stage.rejected)
      return disagreement(
          stage.name, fmt::format("{} records taken in, {} given on, {} filtered and {} rejected",
                                  stage.in, stage.out, stage.filtered, stage.rejected));
    given = stage.out;
    giver = stage.name;
  }
  if (counts.offered != given)
    return disagreement(giver, fmt::format("{} records given on, {} offered to the encoder", given,
                                           counts.offered));
  return {};
}

}  // namespace

void Counts::add(const Counts& other) {
  planned += other.planned;
  read += other.read;
  read_rejects += other.read_rejects;
  skipped += other.skipped;
  bytes_read += other.bytes_read;
  for (std::size_t i = 0; i < other.stages.size(); ++i) {
    if (i == stages.size()) {
      stages.push_back(other.stages[i]);
      continue;
    }
    StageCounts& stage = stages[i];
    stage.in += other.stages[i].in;
    stage.out += other.stages[i].out;
    stage.rejected += other.stages[i].rejected;
    stage.filtered += other.stages[i].filtered;
  }
  offered += other.offered;
  encoded += other.encoded;
  written += other.written;
  write_rejects += other.write_rejects;
}

std::uint64_t Counts::rejected() const {
  std::uint64_t sum = read_rejects + write_rejects;
  for (const StageCounts& stage : stages) sum += stage.rejected;
  return sum;
}

Result<void> reconcile(const Counts& counts) {
  if (counts.planned != counts.read + counts.read_rejects + counts.skipped) {
    const std::string skipped =
        counts.skipped > 0 ? fmt::format(", {} skipped", counts.skipped) : std::string();
    return disagreement("read",
                        fmt::format("{} records planned{}, {} read and {} rejected", counts.planned,
                                    skipped, counts.read, counts.read_rejects));
  }
  TRANCHE_TRY(reconcile_stages(counts));
  if (counts.encoded != counts.offered)
    return disagreement(
        "encode", fmt::format("{} records offered, {} encoded", counts.offered, counts.encoded));
  if (counts.written + counts.write_rejects != counts.encoded)
    return disagreement("write", fmt::format("{} records encoded, {} written and {} rejected",
                                             counts.encoded, counts.written, counts.write_rejects));
  return {};
}

}  // namespace tranche
