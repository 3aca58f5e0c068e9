#include "jobfile/load.h"

#include <limits>
#include <optional>

#include <fmt/format.h>

#include "base/file.h"
#include "base/text.h"
#include "jobfile/job_reader.h"
#include "jobfile/parameters.h"
#include "jobfile/schedule.h"
#include "jobfile/yaml.h"

namespace tranche {
namespace {

std::string where(const fs::path& file, Mark mark) {
  return fmt::format("{}:{}:{}", file.string(), mark.line, mark.column);
}

Error summarise(const fs::path& file, Problems& problems) {
  std::stable_sort(problems.begin(), problems.end(), [](const Problem& a, const Problem& b) {
    return std::pair(a.mark.line, a.mark.column) < std::pair(b.mark.line, b.mark.column);
  });
  const auto same = [](const Problem& a, const Problem& b) {
    return a.mark.line == b.mark.line && a.mark.column == b.mark.column && a.message == b.message;
  };
  problems.erase(std::unique(problems.begin(), problems.end(), same), problems.end());
  const std::size_t count = problems.size();
  return make_error(ErrorKind::config,
                    count == 1 ? fmt::format("{} has an error; nothing was started", file.string())
                               : fmt::format("{} has {} errors; nothing was started", file.string(),
                                             format_count(count)));
}

Result<std::string> read_job_file(const fs::path& file) {
  TRANCHE_ASSIGN(const FileStatus found, file_status(file));
  if (found.is_folder)
    return make_error(ErrorKind::config,
                      fmt::format("{} is a folder; a job file was expected", file.string()));
  if (found.bytes > yaml_bytes_max)
    return make_error(ErrorKind::config,
                      fmt::format("{} has {}; a job file of at most {} was expected", file.string(),
                                  format_size(found.bytes), format_size(yaml_bytes_max)));
  return read_file(file);
}

// The parameters that a person gave, one text for the same ones in any order.
std::string variant_of(std::span<const GivenParameter> given) {
  std::vector<std::string> texts;
  for (const auto& [name, value] : given) texts.push_back(name + "=" + value);
  std::sort(texts.begin(), texts.end());
  return join(texts, "\n");
}

}  // namespace

Result<JobSpec> parse_job(std::string_view text, const fs::path& file,
                          std::span<const GivenParameter> given, Problems& problems,
                          const WindowChoice& choose) {
  std::optional<Node> root = parse_yaml(text, problems);
  if (!root) return summarise(file, problems);
  if (root->kind != Node::Kind::map) {
    problems.push_back({root->mark,
                        "A job file is a map; \"job: name\" and \"steps:\" were "
                        "expected"});
    return summarise(file, problems);
  }
  JobSpec job;
  WindowValues values;
  for (Node::Entry& entry : root->entries) {
    if (entry.key != "schedule") continue;
    substitute_parameters(entry.value, {}, problems);
    values.has_schedule = true;
    const auto schedule = read_schedule(entry.value, problems);
    if (!schedule) continue;
    values.timetable = schedule->timetable;
    values.window = schedule->timetable.first();
    job.schedule = schedule->spec;
    if (!choose) continue;
    TRANCHE_ASSIGN(values.window, choose(schedule->timetable));
    job.window = RunWindow{values.window, schedule->timetable.name_of(values.window),
                           variant_of(given)};
  }
  job.parameters = read_parameters(root->find("params"), given, values, problems);
  for (Node::Entry& entry : root->entries)
    if (entry.key != "params" && entry.key != "schedule")
      substitute_parameters(entry.value, job.parameters, problems);
  JobReader(problems).read(std::move(*root), job);
  if (!problems.empty()) return summarise(file, problems);
  job.file = file;
  job.base = file.parent_path();
  return job;
}

Result<JobSpec> load_job(const fs::path& file, std::span<const GivenParameter> given,
                         Problems& problems, const WindowChoice& choose) {
  TRANCHE_ASSIGN(const std::string text, read_job_file(file));
  return parse_job(text, file, given, problems, choose);
}

std::string format_problems(const fs::path& file, const Problems& problems) {
  std::string out;
  for (const Problem& problem : problems) {
    if (problem.mark.line > 0) out += where(file, problem.mark) + ": ";
    out += problem.message;
    out += problem.message.find_last_of(".?!") + 1 == problem.message.size() ? "\n" : ".\n";
  }
  return out;
}

Result<WorkersSpec> parse_workers(std::string_view text) {
  Problems problems;
  const std::optional<Node> node = parse_yaml(text, problems);
  WorkersSpec made;
  if (node) made = JobReader(problems).workers(*node);
  if (problems.empty()) return made;
  return make_error(ErrorKind::usage,
                    fmt::format("--workers {}: {}", excerpt(text), problems.front().message));
}

Result<std::string> read_job_name(const fs::path& file) {
  TRANCHE_ASSIGN(const std::string text, read_job_file(file));
  Problems problems;
  const std::optional<Node> root = parse_yaml(text, problems);
  if (!root) return summarise(file, problems);
  const Node* name = root->kind == Node::Kind::map ? root->find("job") : nullptr;
  if (name == nullptr || name->kind != Node::Kind::scalar || name->text.empty())
    return make_error(ErrorKind::config,
                      fmt::format("{} names no job; \"job: name\" was expected", file.string()));
  return name->text;
}

}  // namespace tranche
