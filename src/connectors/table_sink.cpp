#include "connectors/table_sink.h"

#include <fmt/format.h>

#include "base/text.h"

namespace tranche {

std::string to_string(TableMode mode) {
  if (mode == TableMode::append) return "append";
  return mode == TableMode::replace ? "replace" : "upsert";
}

Option table_mode_option() {
  return Option{.name = "mode",
                .kind = OptionKind::choice,
                .doc =
                    "append adds rows, replace puts them in the place of all rows at the end, "
                    "upsert updates the row of the same key or adds it.",
                .choices = {"append", "replace", "upsert"},
                .required = true,
                .example = "append"};
}

Option table_key_option() {
  return Option{.name = "key",
                .kind = OptionKind::texts,
                .doc =
                    "The columns by which upsert finds a row; the table needs a unique index "
                    "over them.",
                .example = "[id]"};
}

Option commits_table_option(std::string doc) {
  return Option{.name = "commits_table",
                .kind = OptionKind::text,
                .doc = std::move(doc),
                .default_text = "tranche_commits",
                .example = "tranche_commits"};
}

std::filesystem::path database_file(const std::string& name, const std::filesystem::path& base) {
  const std::filesystem::path root = base.empty() ? std::filesystem::current_path() : base;
  return std::filesystem::absolute(root / name).lexically_normal();
}

TableMode read_table_mode(const OptionReader& options) {
  const std::string mode = options.text("mode");
  if (mode == "replace") return TableMode::replace;
  return mode == "upsert" ? TableMode::upsert : TableMode::append;
}

Result<void> check_table_key(TableMode mode, std::span<const std::string> key) {
  const bool is_upsert = mode == TableMode::upsert;
  if (is_upsert && key.empty()) {
    return make_error(ErrorKind::config,
                      "mode: upsert needs the columns by which a row is found, as in key: [id].");
  }
  if (is_upsert || key.empty()) return {};
  return make_error(
      ErrorKind::config,
      fmt::format("key goes with mode: upsert only, not with mode: {}.", to_string(mode)));
}

Error records_and_commits_are_one(const std::string& table) {
  return make_error(ErrorKind::config,
                    fmt::format("Table \"{}\" is the record of commits; choose another name for "
                                "the records, or for the record (commits_table).",
                                table));
}

std::uint64_t total_rows(std::span<const Receipt> receipts) {
  std::uint64_t rows = 0;
  for (const Receipt& receipt : receipts) rows += receipt.rows;
  return rows;
}

Error committed_otherwise(const std::string& place, const std::string& commits_table,
                          std::uint64_t group) {
  return make_error(ErrorKind::failed,
                    fmt::format("{} already has a commit of batch {} of this run, with other "
                                "content: the record in {} was changed from outside. Start again "
                                "with --fresh.",
                                place, group, commits_table));
}

Error lost_commits(const std::string& place, const std::string& commits_table,
                   std::size_t batches) {
  return make_error(ErrorKind::failed,
                    fmt::format("{} has lost its record of commits ({}), so it can't be known "
                                "which of {} batches it holds. Restore that table, or start again "
                                "with --fresh.",
                                place, commits_table, batches));
}

Error table_is_gone(const std::string& place, std::size_t batches) {
  return make_error(ErrorKind::failed,
                    fmt::format("{} is gone, though {} batches of this run are committed to it. "
                                "Restore it, or start again with --fresh --accept committed.",
                                place, batches));
}

Error changed_during_run(const std::string& place, std::uint64_t rows, std::uint64_t present) {
  return make_error(ErrorKind::failed,
                    fmt::format("{} was changed from outside during the run: {} rows were "
                                "committed to it, {} are recorded there. Start again with --fresh.",
                                place, rows, present));
}

Error cant_be_taken_back(const std::string& place, const SinkRun& run,
                         std::span<const Receipt> committed) {
  return make_error(ErrorKind::config,
                    fmt::format("{} batches ({} rows) of run {} are committed to {} and can't be "
                                "taken back; --accept committed gives the run up and leaves them "
                                "there.",
                                committed.size(), total_rows(committed), run.run_id,
                                to_lower(place.substr(0, 1)) + place.substr(1)));
}

Result<void> compare_commits(std::span<const Receipt> committed, const FindReceipt& find,
                             const std::string& commits, std::vector<std::string>& differences) {
  for (const Receipt& receipt : committed) {
    TRANCHE_ASSIGN(const auto found, find(receipt.group));
    if (!found) {
      differences.push_back(fmt::format("Batch {} is not in {}.", receipt.group, commits));
    } else if (found->rows != receipt.rows || found->checksum != receipt.checksum) {
      differences.push_back(
          fmt::format("Batch {} has {} rows with another digest or number than the {} rows that "
                      "were committed.",
                      receipt.group, found->rows, receipt.rows));
    }
  }
  return {};
}

void compare_rows(TableMode mode, const std::string& place, std::uint64_t rows,
                  std::uint64_t rows_committed, std::vector<std::string>& differences) {
  if (mode == TableMode::replace && rows != rows_committed) {
    differences.push_back(
        fmt::format("{} has {} rows; the run left {} there.", place, rows, rows_committed));
  }
  // Others may have added rows, before and since; taken away is only what is missing.
  if (mode == TableMode::append && rows < rows_committed) {
    differences.push_back(
        fmt::format("{} has {} rows; the run alone appended {}.", place, rows, rows_committed));
  }
}

}  // namespace tranche
