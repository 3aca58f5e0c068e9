// The answers of web services that a run has had, kept in the run's folder until its step is done:
// a batch that is processed again, after a kill or an error, repeats only the calls without one.
//
// A file a page. Entries are appended, and not synced: a kill leaves them, a power cut may cost
// some, and then calls are repeated. One that was cut off is found out by its digest.
//
// Threads: belongs to one thread; nobody else works on the same page meanwhile. Lifetime: a file is
// open while its page is in work.
// Errors: failed, transient, as base/file.h has them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/file.h"

namespace tranche {

class HttpJournal {
 public:
  // What came of a call.
  struct Entry {
    bool is_filtered = false;
    std::string record;  // else: the values, HttpAnswers::extract()
  };
  // `folder` empty: nothing is kept. `logic`: names what shapes entries; those of another are
  // forgotten.
  HttpJournal(fs::path folder, std::uint64_t logic) : folder_(std::move(folder)), logic_(logic) {}

  // Another page, which begins with this record of the step.
  Result<void> begin(std::uint64_t first_record);
  // What came of the call of this digest; nullptr: nothing that is known.
  const Entry* find(std::uint64_t call) const;
  bool is_empty() const { return entries_.empty(); }
  void add(std::uint64_t call, const Entry& entry);
  // Writes what was added.
  Result<void> flush();
  void end();

 private:
  std::size_t load(std::string_view bytes);

  fs::path folder_;
  std::uint64_t logic_;
  File file_;
  std::unordered_map<std::uint64_t, Entry> entries_;
  std::string unwritten_;
};

}  // namespace tranche
