#include "api/job_case.h"

#include <algorithm>
#include <map>
#include <set>

#include <fmt/format.h>

#include <tranche/api/inspect.h>
#include <tranche/api/run.h>

#include "api/assemble.h"
#include "api/move_use.h"
#include "base/json.h"
#include "base/scratch_folder.h"
#include "base/text.h"

namespace tranche {
namespace {

constexpr std::uintmax_t file_bytes_max = std::uintmax_t{64} << 20;  // of one that is copied
constexpr std::uintmax_t all_bytes_max = std::uintmax_t{512} << 20;
constexpr const char* expected_folder = "expected";
constexpr const char* rejects_file = "rejects.jsonl";

using Texts = std::map<std::string, std::string>;  // by name

fs::path base_of(const JobSpec& job) {
  return job.base.empty() ? fs::current_path() : fs::absolute(job.base);
}

Error cant(std::string_view deed, const fs::path& path, const std::error_code& why) {
  return make_error(ErrorKind::failed,
                    fmt::format("Can't {} {}: {}.", deed, path.string(), why.message()));
}

std::string option_of(const ConnectorUse& use, std::string_view key) {
  const Node* const given = use.options.find(key);
  return given == nullptr ? std::string() : given->text;
}

// Where a use reads or writes, without the scheme of a file's URL.
std::string place_of(const ConnectorUse& use) {
  std::string text = option_of(use, use.connector);
  if (const std::string scheme = use.connector + ":"; text.starts_with(scheme))
    text.erase(0, scheme.size());
  return text;
}

bool is_below_base(const std::string& place) {
  const fs::path path = fs::path(place).lexically_normal();
  const bool is_url = place.find("://") != std::string::npos;
  return !place.empty() && !is_url && path.is_relative() && *path.begin() != "..";
}

// Whether a step backs up what is elsewhere, or restores it there.
bool moves_outside(const StepSpec& step) {
  const Node* const move = move_options(step);
  if (move == nullptr) return false;
  const auto is_outside = [&](const char* key) {
    const Node* const given = move->find(key);
    return given != nullptr && !is_below_base(place_of(ConnectorUse{key, *move}));
  };
  return move->find("postgres") != nullptr || is_outside("sqlite") || is_outside("duckdb") ||
         is_outside("to") || is_outside("from");
}

bool writes(const StepSpec& step) { return step.has_records() && !step.write.connector.empty(); }

// --- The throw-away folder

// Copies what lies beside the job file, but what the case brings itself and what jobs make.
class Scene {
 public:
  Scene(const JobSpec& job, const fs::path& of_case, const fs::path& to)
      : from_(base_of(job)), of_case_(of_case), to_(to) {
    for (const StepSpec& step : job.steps)
      if (writes(step)) outputs_.insert(fs::path(place_of(step.write)).lexically_normal());
  }

  Result<void> make() {
    TRANCHE_TRY(copy(from_, {}, true));
    return copy(of_case_, {}, false);
  }
  const std::vector<std::string>& left_out() const { return left_out_; }

 private:
  bool is_skipped(const fs::path& name, bool is_own) const {
    if (!is_own) return name == expected_folder;
    const bool is_at_top = name == name.filename();
    std::error_code ignored;
    return name.filename().string().starts_with('.') || outputs_.contains(name) ||
           (is_at_top && (name == "tests" || fs::exists(of_case_ / name, ignored)));
  }

  Result<void> copy(const fs::path& root, const fs::path& below, bool is_own) {
    std::error_code why;
    for (fs::directory_iterator entries(root / below, why); !why && entries != fs::end(entries);
         entries.increment(why)) {
      const fs::path name = below / entries->path().filename();
      if (is_skipped(name, is_own)) continue;
      if (entries->is_directory(why) && !entries->is_symlink(why)) {
        TRANCHE_TRY(create_folders(to_ / name));
        TRANCHE_TRY(copy(root, name, is_own));
      } else if (entries->is_regular_file(why)) {
        TRANCHE_TRY(copy_file(root, name, entries->file_size(why)));
      }
    }
    return why ? cant("read", root / below, why) : Result<void>();
  }

  Result<void> copy_file(const fs::path& root, const fs::path& name, std::uintmax_t bytes) {
    if (bytes > file_bytes_max || copied_bytes_ + bytes > all_bytes_max) {
      left_out_.push_back(
          fmt::format("{}, {}, was not copied for the test", name.string(), format_size(bytes)));
      return {};
    }
    copied_bytes_ += bytes;
    std::error_code why;
    fs::copy_file(root / name, to_ / name, fs::copy_options::overwrite_existing, why);
    return why ? cant("copy", root / name, why) : Result<void>();
  }

  fs::path from_;
  fs::path of_case_;
  fs::path to_;
  std::set<fs::path> outputs_;
  std::uintmax_t copied_bytes_ = 0;
  std::vector<std::string> left_out_;
};

// The process works in another folder: DuckDB looks there first for what SQL names.
class WorkingFolder {
 public:
  explicit WorkingFolder(const fs::path& folder) : before_(fs::current_path()) {
    std::error_code ignored;
    fs::current_path(folder, ignored);
  }
  ~WorkingFolder() {
    std::error_code ignored;
    fs::current_path(before_, ignored);
  }
  WorkingFolder(const WorkingFolder&) = delete;
  WorkingFolder& operator=(const WorkingFolder&) = delete;

 private:
  fs::path before_;
};

// --- The job, kept apart

// Standard streams become files of the case.
void use_file_for_stream(ConnectorUse& use, const char* name) {
  const Node* const given = use.options.find(use.connector);
  if (given == nullptr || given->text != "-") return;
  use.options.set(use.connector, Node::scalar(name, given->mark));
}

Error not_apart(const JobSpec& job, const StepSpec& step, std::string_view what) {
  return make_error(ErrorKind::usage,
                    fmt::format("Step \"{}\" {}, which a test can't keep apart from what is real: "
                                "let it write below the job's folder, by a parameter for tests.",
                                step.name, what),
                    place(job, step.mark));
}

// The steps that each step left out waited for, by its name.
using LeftOut = std::map<std::string, std::vector<std::string>>;

// Has a step wait for what those left out waited for.
void wait_instead(StepSpec& step, const LeftOut& left) {
  std::erase_if(step.when,
                [&](const StepCondition& condition) { return left.contains(condition.step); });
  if (!step.after) return;
  std::vector<std::string> waits;
  for (const std::string& name : *step.after) {
    const auto found = left.find(name);
    if (found == left.end())
      waits.push_back(name);
    else
      waits.insert(waits.end(), found->second.begin(), found->second.end());
  }
  step.after = std::move(waits);
}

// The job in its throw-away folder, without what would act outside of it.
Result<JobSpec> apart(const JobSpec& job, const fs::path& folder,
                      std::vector<std::string>& left_out) {
  JobSpec made = job;
  made.base = folder;
  made.steps.clear();
  LeftOut left;
  for (StepSpec step : job.steps) {
    wait_instead(step, left);
    const bool acts_outside = step.exec ||
                              (step.execute && !is_below_base(place_of(*step.execute))) ||
                              moves_outside(step);
    if (acts_outside) {
      left_out.push_back(fmt::format("step \"{}\" was not run: it {}", step.name, deed_of(step)));
      const bool is_first = made.steps.empty();
      left[step.name] = step.after ? *step.after
                        : is_first ? std::vector<std::string>{}
                                   : std::vector<std::string>{made.steps.back().name};
      continue;
    }
    if (writes(step)) {
      use_file_for_stream(step.write, "standard-output");
      const std::string target = place_of(step.write);
      if (!is_below_base(target))
        return not_apart(job, step, fmt::format("writes to {}", url_without_password(target)));
      use_file_for_stream(step.read, "standard-input");
    }
    step.rejects_path.clear();
    std::erase_if(step.read.options.entries,
                  [](const Node::Entry& entry) { return entry.key == "on_done"; });
    made.steps.push_back(std::move(step));
  }
  return made;
}

// --- What came

std::string reject_without_run(const std::string& line) {
  const auto reject = Json::parse(line);
  if (!reject) return line;
  Json kept;
  for (const char* key :
       {"step", "record", "source", "line", "phase", "error", "raw", "raw_base64"})
    if (!(*reject)[key].is_null()) kept.set(key, (*reject)[key]);
  return kept.dump();
}

bool is_compressed(const std::string& place) {
  return place.ends_with(".gz") || place.ends_with(".zst");
}

// A step that writes an output again, as CSV; nullopt: it is read as it lies.
std::optional<StepSpec> as_csv(const StepSpec& step, const fs::path& folder, std::string& name) {
  const std::string place = place_of(step.write);
  const std::string table = option_of(step.write, "table");
  name = fs::path(place).lexically_normal().string();
  if (writes_one_file(step.write) && !is_compressed(place)) return std::nullopt;
  StepSpec made;
  made.name = fmt::format("{} {}", place, table);
  Node read = Node::map();
  std::string from = place;
  if (step.write.connector == "parquet") from += "/**/*.parquet";
  read.set(step.write.connector, Node::scalar(from));
  if (!table.empty()) read.set("table", Node::scalar(table));
  if (step.write.connector == "parquet" || writes_one_file(step.write))
    read.set("empty", Node::scalar("ok"));
  made.read = ConnectorUse{step.write.connector, std::move(read)};
  while (name.ends_with('/')) name.pop_back();
  name += table.empty() ? ".csv" : "/" + table + ".csv";
  Node write = Node::map();
  write.set("csv", Node::scalar((folder / name).string()));
  made.write = ConnectorUse{"csv", std::move(write)};
  return made;
}

// What the steps have written, as texts.
Result<Texts> read_outputs(const JobSpec& job, const fs::path& folder) {
  Texts texts;
  JobSpec again;
  again.name = "outputs";
  again.base = job.base;
  const fs::path readable = folder / "outputs";
  for (const StepSpec& step : job.steps) {
    if (!writes(step)) continue;
    std::string name;
    auto copy = as_csv(step, readable, name);
    if (!copy) {
      TRANCHE_ASSIGN(texts[name], read_file(job.base / name));
    } else if (texts.emplace(name, "").second) {
      TRANCHE_TRY(create_folders((readable / name).parent_path()));
      again.steps.push_back(*std::move(copy));
    }
  }
  if (again.steps.empty()) return texts;
  RunOptions options;
  options.state = folder / "outputs-state";
  TRANCHE_ASSIGN(const auto done, run_supervised(again, options, nullptr));
  if (done.error) return *done.error;
  for (auto& [name, text] : texts)
    if (file_exists(readable / name)) {
      TRANCHE_ASSIGN(text, read_file(readable / name));
    }
  return texts;
}

Result<std::string> read_rejects(const RunSummary& run) {
  std::string text;
  TRANCHE_TRY(for_each_reject(run.state_folder, run.run, true,
                              [&](const std::string& line) -> Result<void> {
                                text += reject_without_run(line) + "\n";
                                return {};
                              }));
  return text;
}

Result<Texts> read_expected(const fs::path& folder) {
  Texts texts;
  std::error_code why;
  for (fs::recursive_directory_iterator entries(folder, why); !why && entries != fs::end(entries);
       entries.increment(why)) {
    if (!entries->is_regular_file(why)) continue;
    TRANCHE_ASSIGN(texts[entries->path().lexically_relative(folder).string()],
                   read_file(entries->path()));
  }
  return why ? Result<Texts>(cant("read", folder, why)) : texts;
}

std::vector<CaseFile> beside(Texts expected, Texts came) {
  std::map<std::string, CaseFile> files;
  for (auto& [name, text] : expected) files[name].expected = std::move(text);
  for (auto& [name, text] : came) files[name].came = std::move(text);
  std::vector<CaseFile> made;
  for (auto& [name, file] : files) {
    file.name = name;
    made.push_back(std::move(file));
  }
  return made;
}

}  // namespace

bool CaseOutcome::is_passed() const {
  return !error && has_expected &&
         std::all_of(files.begin(), files.end(),
                     [](const CaseFile& file) { return file.is_same(); });
}

fs::path cases_folder(const JobSpec& job) {
  const std::string name = job.file.empty() ? job.name : job.file.stem().string();
  return job.base / "tests" / name;
}

Result<std::vector<std::string>> find_cases(const JobSpec& job) {
  const fs::path folder = cases_folder(job);
  std::vector<std::string> names;
  std::error_code ignored;
  for (fs::directory_iterator entries(folder, ignored); !ignored && entries != fs::end(entries);
       entries.increment(ignored)) {
    const std::string name = entries->path().filename().string();
    if (entries->is_directory(ignored) && !name.starts_with('.')) names.push_back(name);
  }
  std::sort(names.begin(), names.end());
  if (!names.empty()) return names;
  return make_error(
      ErrorKind::usage,
      fmt::format("{} has no cases: make a folder {}, with files in it that take "
                  "the place of what the job reads, and say --update.",
                  job.file.empty() ? job.name : job.file.string(), (folder / "first").string()));
}

Result<CaseOutcome> run_case(const JobSpec& job, const std::string& name) {
  const fs::path of_case = fs::absolute(cases_folder(job) / name);
  CaseOutcome outcome;
  const ScratchFolder scratch;
  const fs::path folder = scratch.path() / "job";
  TRANCHE_TRY(create_folders(folder));
  TRANCHE_ASSIGN(const JobSpec copy, apart(job, folder, outcome.left_out));
  Scene scene(job, of_case, folder);
  TRANCHE_TRY(scene.make());
  const WorkingFolder there(folder);
  RunOptions options;
  options.state = scratch.path() / "state";
  const auto run = run_supervised(copy, options, nullptr);
  if (!run || run->error) {
    outcome.error = run ? run->error : run.error();
    outcome.left_out.insert(outcome.left_out.end(), scene.left_out().begin(),
                            scene.left_out().end());
    return outcome;
  }
  TRANCHE_ASSIGN(Texts came, read_outputs(copy, scratch.path()));
  TRANCHE_ASSIGN(std::string rejects, read_rejects(*run));
  if (!rejects.empty()) came[rejects_file] = std::move(rejects);
  outcome.has_expected = file_exists(of_case / expected_folder);
  Texts expected;
  if (outcome.has_expected) {
    TRANCHE_ASSIGN(expected, read_expected(of_case / expected_folder));
  }
  outcome.files = beside(std::move(expected), std::move(came));
  return outcome;
}

Result<std::vector<fs::path>> update_case(const JobSpec& job, const std::string& name,
                                          const CaseOutcome& outcome) {
  const fs::path folder = cases_folder(job) / name / expected_folder;
  TRANCHE_TRY(remove_tree(folder));
  TRANCHE_TRY(create_folders(folder));
  std::vector<fs::path> written;
  for (const CaseFile& file : outcome.files) {
    if (!file.came) continue;
    const fs::path path = folder / file.name;
    TRANCHE_TRY(create_folders(path.parent_path()));
    TRANCHE_TRY(write_file_durably(path, *file.came));
    written.push_back(path);
  }
  return written;
}

}  // namespace tranche
