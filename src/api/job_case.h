// Cases: a job on small data of a case, in a throw-away folder, and what came of it beside what is
// expected. `tranche test` is made of it; docs/testing.md is for people.
//
// The cases of sales.yaml are the folders in tests/sales/ beside it. A file or folder of a case
// takes the place of the one of that name beside the job file; `expected/` holds what must come.
//
// Threads: run_case REQUIRES a process with one thread. Nothing outside the throw-away folder is
// written but by update_case.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include <tranche/api/job.h>

namespace tranche {

struct CaseFile {
  std::string name;                     // below expected/
  std::optional<std::string> expected;  // nullopt: nothing is
  std::optional<std::string> came;      // nullopt: nothing did
  bool is_same() const { return expected == came; }
};

struct CaseOutcome {
  std::optional<Error> error;         // the run failed
  bool has_expected = false;          // there is an expected/
  std::vector<CaseFile> files;        // by name
  std::vector<std::string> left_out;  // steps that were not run, and files that were not there
  bool is_passed() const;
};

// The folder that holds the cases of a job.
std::filesystem::path cases_folder(const JobSpec& job);
// Their names, sorted. Errors: usage, where there are none, with what to do.
Result<std::vector<std::string>> find_cases(const JobSpec& job);
// Errors: usage, where the job writes to a place that can't be kept apart.
Result<CaseOutcome> run_case(const JobSpec& job, const std::string& name);
// Makes what came the expected; the files that were written. REQUIRES a run that did not fail.
Result<std::vector<std::filesystem::path>> update_case(const JobSpec& job, const std::string& name,
                                                       const CaseOutcome& outcome);

}  // namespace tranche
