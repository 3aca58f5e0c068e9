// The records that a web service gave, as lines of JSON in a file that only grows, and how far the
// paging is. What is in it is durable before anybody reads it, and is never fetched again.
//
// Threads: open() by many at once, the rest by one thread. Lifetime: a file in a folder outlives
// the object; one without a folder is the process's own.
// Errors: failed, as base/file.h has them.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

#include "base/file.h"
#include "connectors/http_pages.h"

namespace tranche {

class FetchedRecords {
 public:
  // `folder` empty: a file without a name. `request`: a digest of what shapes the records.
  FetchedRecords(fs::path folder, std::string request)
      : folder_(std::move(folder)), request_(std::move(request)) {}

  // Takes up what is in the folder, if anything is. Errors: config, when that was asked for
  // otherwise.
  Result<void> load();
  // From here on the folder keeps what there is, and what comes.
  Result<void> settle();
  // Puts a page behind the others; when it returns it is durable, where there is a folder.
  Result<void> append(std::string_view lines, const HttpProgress& progress);

  const HttpProgress& progress() const { return progress_; }
  std::uint64_t bytes() const { return bytes_; }
  std::uint64_t first_page_bytes() const { return first_page_bytes_; }
  Result<File> open() const;

 private:
  fs::path lines_path() const;
  fs::path progress_path() const { return folder_ / "progress.json"; }
  Result<void> write_progress() const;

  const fs::path folder_;
  const std::string request_;
  bool is_settled_ = false;
  File file_;  // to write to; opened when it is needed
  HttpProgress progress_;
  std::uint64_t bytes_ = 0;
  std::uint64_t first_page_bytes_ = 0;
};

}  // namespace tranche
