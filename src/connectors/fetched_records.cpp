#include "connectors/fetched_records.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/json.h"

namespace tranche {
namespace {

constexpr std::size_t piece_bytes = std::size_t{1} << 20;

Error not_whole(const fs::path& folder) {
  return make_error(ErrorKind::failed,
                    fmt::format("What was fetched, in {}, is not whole any more. Start again with "
                                "--fresh.",
                                folder.string()));
}

}  // namespace

fs::path FetchedRecords::lines_path() const {
  if (is_settled_) return folder_ / "records.jsonl";
  return fmt::format("/proc/self/fd/{}", file_.descriptor());
}

Result<void> FetchedRecords::load() {
  if (folder_.empty() || is_settled_ || !file_exists(progress_path())) return {};
  TRANCHE_ASSIGN(const std::string text, read_file(progress_path()));
  const auto json = Json::parse(text);
  if (!json) return not_whole(folder_);
  if ((*json)["request"].text() != request_) {
    return make_error(ErrorKind::config,
                      "What this run has fetched was asked for otherwise: the URL, its headers, "
                      "`records:` or `pages:` changed since. Give them back as they were, or start "
                      "again with --fresh.");
  }
  progress_.pages = (*json)["pages"].natural();
  progress_.records = (*json)["records"].natural();
  progress_.next = (*json)["next"].text();
  progress_.is_complete = (*json)["complete"].boolean();
  progress_.earlier = (*json)["earlier"].natural();
  progress_.kept_for = (*json)["kept_for"].natural(1);
  progress_.last_digest = (*json)["last_digest"].natural();
  bytes_ = (*json)["bytes"].natural();
  first_page_bytes_ = (*json)["first_page_bytes"].natural();
  is_settled_ = true;
  const auto status = file_status(lines_path());
  if (!status || status->bytes < bytes_) return not_whole(folder_);
  return {};
}

Result<void> FetchedRecords::settle() {
  TRANCHE_TRY(load());
  if (folder_.empty() || is_settled_) return {};
  TRANCHE_TRY(create_folders(folder_));
  const File fetched = std::move(file_);
  is_settled_ = true;
  TRANCHE_ASSIGN(file_, File::create(lines_path()));
  std::string piece(piece_bytes, '\0');
  for (std::uint64_t at = 0; at < bytes_;) {
    const auto wanted =
        static_cast<std::size_t>(std::min<std::uint64_t>(piece.size(), bytes_ - at));
    TRANCHE_ASSIGN(const std::size_t count, fetched.read_at(piece.data(), wanted, at));
    if (count == 0) return not_whole(folder_);
    TRANCHE_TRY(file_.write({piece.data(), count}));
    at += count;
  }
  TRANCHE_TRY(file_.sync());
  TRANCHE_TRY(sync_folder(folder_));
  return write_progress();
}

Result<void> FetchedRecords::append(std::string_view lines, const HttpProgress& progress) {
  if (!file_.is_open() && is_settled_) {
    TRANCHE_ASSIGN(file_, File::open_write(lines_path()));
    // A page that was being written when the process died is no part of it.
    TRANCHE_TRY(file_.truncate(bytes_));
  } else if (!file_.is_open()) {
    TRANCHE_ASSIGN(file_, File::create_anonymous(fs::temp_directory_path()));
  }
  TRANCHE_TRY(file_.write(lines));
  if (is_settled_) TRANCHE_TRY(file_.sync());
  bytes_ += lines.size();
  if (progress.pages == 1) first_page_bytes_ = bytes_;
  progress_ = progress;
  return is_settled_ ? write_progress() : Result<void>();
}

Result<void> FetchedRecords::write_progress() const {
  Json json;
  json.set("request", request_);
  json.set("pages", progress_.pages);
  json.set("records", progress_.records);
  json.set("next", progress_.next);
  json.set("complete", progress_.is_complete);
  json.set("earlier", progress_.earlier);
  json.set("kept_for", progress_.kept_for);
  json.set("last_digest", progress_.last_digest);
  json.set("bytes", bytes_);
  json.set("first_page_bytes", first_page_bytes_);
  return write_file_durably(progress_path(), json.dump() + '\n');
}

Result<File> FetchedRecords::open() const { return File::open_read(lines_path()); }

}  // namespace tranche
