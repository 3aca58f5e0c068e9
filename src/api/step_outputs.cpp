#include "api/step_outputs.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "api/assemble.h"
#include "api/move_use.h"
#include "api/report_use.h"
#include "base/text.h"

namespace tranche {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view file_prefix = "file:";

struct Output {
  std::string name;  // equal for one thing
  Mark mark;         // where the job names it
  bool is_whole;     // it takes the place of all that is there
};

std::string file_name(const fs::path& path) {
  std::error_code failed;
  const auto canonical = fs::weakly_canonical(fs::absolute(path), failed);
  return std::string(file_prefix) + (failed ? path.lexically_normal() : canonical).string();
}

Mark mark_of(const Node& options, const std::string& key, Mark otherwise) {
  const Node* const named = options.find(key);
  return named != nullptr && named->mark.line > 0 ? named->mark : otherwise;
}

Result<std::vector<Output>> outputs_of(const JobSpec& job, const StepSpec& spec) {
  std::vector<Output> outputs;
  if (spec.report) {
    outputs.push_back({file_name(report_path(*spec.report, job.base)),
                       mark_of(*spec.report, "report", spec.mark), true});
  }
  if (const Node* const move = move_options(spec)) {
    TRANCHE_ASSIGN(const MoveOrder order, move_order(job, spec));
    const bool is_backup = order.kind == MoveKind::backup;
    outputs.push_back({is_backup ? file_name(order.folder) : order.target.name(),
                       mark_of(*move, is_backup ? "to" : order.target.system, spec.mark), false});
  }
  if (!spec.has_records()) return outputs;
  TRANCHE_ASSIGN(const auto sink, make_sink(spec.write, job.base));
  const Node* const mode = spec.write.options.find("mode");
  const bool is_whole = writes_one_file(spec.write) || (mode && mode->text == "replace");
  for (const std::string& target : sink->targets()) {
    const bool is_file = target.starts_with(file_prefix);
    outputs.push_back({is_file ? file_name(target.substr(file_prefix.size())) : target,
                       mark_of(spec.write.options, spec.write.connector, spec.mark), is_whole});
  }
  if (!spec.rejects_path.empty())
    outputs.push_back({file_name(job.base / spec.rejects_path), spec.mark, true});
  return outputs;
}

// The file or folder that a target is, or the database file that it lies in.
std::optional<fs::path> path_of_target(const std::string& target) {
  for (const std::string_view prefix :
       {file_prefix, std::string_view("sqlite:"), std::string_view("duckdb:")}) {
    if (!target.starts_with(prefix)) continue;
    std::string path = target.substr(prefix.size());
    // Its table is behind it, but for a restore, which makes them all.
    const std::size_t table = prefix == file_prefix ? std::string::npos : path.rfind(':');
    if (table != std::string::npos) path.resize(table);
    return path;
  }
  return std::nullopt;
}

// One file by whatever name, or `inner` below the folder `outer`.
bool is_within(const fs::path& inner, const fs::path& outer) {
  std::error_code failed;
  if (fs::equivalent(inner, outer, failed)) return true;
  const fs::path outside = fs::weakly_canonical(fs::absolute(outer), failed);
  const fs::path inside = fs::weakly_canonical(fs::absolute(inner), failed);
  return std::mismatch(outside.begin(), outside.end(), inside.begin(), inside.end()).first ==
         outside.end();
}

bool is_file(const fs::path& path, const fs::path& other) {
  std::error_code unknown;
  return !fs::is_directory(other, unknown) && is_within(path, other);
}

Error writes_over(const JobSpec& job, Mark mark, const fs::path& path, std::string_view what) {
  Error error = make_error(
      ErrorKind::config,
      fmt::format("{} {}; give what is written a place of its own.", path.string(), what));
  error.where = place(job, mark);
  return error;
}

// The steps whose completion it needs, or whose failure.
std::vector<std::size_t> needed(const JobSpec& job, const StepGraph& graph, std::size_t number,
                                bool completion) {
  const StepSpec& spec = job.steps[number];
  std::vector<std::size_t> steps;
  if (spec.when_any && graph.before(number).size() > 1) return steps;  // another one will do
  for (const std::size_t before : graph.before(number)) {
    const auto asks = std::find_if(spec.when.begin(), spec.when.end(), [&](const auto& condition) {
      return condition.step == job.steps[before].name;
    });
    const auto outcome =
        asks == spec.when.end() ? StepCondition::Outcome::completed : asks->outcome;
    const bool fits = completion ? outcome == StepCondition::Outcome::completed ||
                                       outcome == StepCondition::Outcome::rejects
                                 : outcome == StepCondition::Outcome::failed;
    if (fits) steps.push_back(before);
  }
  return steps;
}

bool share_any(const std::vector<std::size_t>& a, const std::vector<std::size_t>& b) {
  return std::find_first_of(a.begin(), a.end(), b.begin(), b.end()) != a.end();
}

// One runs when a step has completed, the other one when it has failed.
bool exclude_each_other(const JobSpec& job, const StepGraph& graph, std::size_t a, std::size_t b) {
  return share_any(needed(job, graph, a, true), needed(job, graph, b, false)) ||
         share_any(needed(job, graph, a, false), needed(job, graph, b, true));
}

// Of a step whose output can't be what it says there are none.
std::vector<std::vector<Output>> all_outputs(const JobSpec& job) {
  std::vector<std::vector<Output>> all;
  for (const StepSpec& spec : job.steps) {
    auto written = outputs_of(job, spec);
    all.push_back(written ? *std::move(written) : std::vector<Output>());
  }
  return all;
}

const Output* find_output(const std::vector<Output>& outputs, const std::string& name) {
  const auto found = std::find_if(outputs.begin(), outputs.end(),
                                  [&](const Output& output) { return output.name == name; });
  return found == outputs.end() ? nullptr : &*found;
}

std::string_view shown_name(const Output& output) {
  std::string_view name = output.name;
  if (name.starts_with(file_prefix)) name.remove_prefix(file_prefix.size());
  return name;
}

// Whether a text may name what is called `name`, by a pattern too.
bool may_name(const Node& node, const std::string& name) {
  if (node.kind == Node::Kind::scalar) {
    const std::string text = to_lower(node.text);
    if (text.find(name) != std::string::npos) return true;
    for (const char* pattern : {"*.", "/*", "?", "["})
      if (text.find(pattern) != std::string::npos) return true;
  }
  return std::any_of(node.items.begin(), node.items.end(),
                     [&](const Node& item) { return may_name(item, name); }) ||
         std::any_of(node.entries.begin(), node.entries.end(),
                     [&](const Node::Entry& entry) { return may_name(entry.value, name); });
}

// Whether the step might read the output; of programs and of C++ nobody knows.
bool may_read(const StepSpec& spec, const std::string& name) {
  if (spec.exec) return true;
  for (const TransformUse& transform : spec.process) {
    if (transform.kind != "sql" || may_name(transform.options, name)) return true;
  }
  for (const ConnectorUse& source : spec.also_read)
    if (may_name(source.options, name)) return true;
  return may_name(spec.read.options, name) || (spec.query && may_name(*spec.query, name)) ||
         (spec.report && may_name(*spec.report, name)) ||
         (spec.execute && may_name(spec.execute->options, name));
}

// By the later step, or by one that need not be over when that one begins.
bool may_be_read(const JobSpec& job, const StepGraph& graph, std::size_t earlier, std::size_t later,
                 const std::string& output) {
  const std::string name = to_lower(output.substr(output.find_last_of("/:.") + 1));
  const std::string file = to_lower(std::filesystem::path(output).filename().string());
  for (std::size_t step = 0; step < job.steps.size(); ++step) {
    const bool is_apart = graph.is_ordered(step, earlier) || graph.is_ordered(later, step);
    if (step == earlier || is_apart) continue;
    if (may_read(job.steps[step], output.starts_with(file_prefix) ? file : name)) return true;
  }
  return false;
}

std::string loss(const JobSpec& job, std::size_t earlier, const Output& of_earlier,
                 std::size_t later, const Output& of_later) {
  const std::string here = place(job, of_later.mark);
  const std::string there = place(job, of_earlier.mark);
  return fmt::format(
      "{}Step \"{}\" replaces what step \"{}\"{} has written to {}, and no step in between reads "
      "it; give each an output of its own.",
      here.empty() ? "" : here + ": ", job.steps[later].name, job.steps[earlier].name,
      there.empty() ? "" : " (" + there + ")", shown_name(of_later));
}

Error clash(const JobSpec& job, std::size_t earlier, const Output& of_earlier, std::size_t later,
            const Output& of_later) {
  const std::string other = place(job, of_earlier.mark);
  Error error = make_error(
      ErrorKind::config,
      fmt::format(
          "Steps \"{}\"{} and \"{}\" may run at once, and both write {}. Say in one of "
          "them that it comes after the other, by `after:`, or give each an output of its own.",
          job.steps[earlier].name, other.empty() ? "" : " (" + other + ")", job.steps[later].name,
          shown_name(of_later)));
  error.where = place(job, of_later.mark);
  return error;
}

}  // namespace

Result<void> check_writes_outside(const JobSpec& job, const StepSpec& spec,
                                  const std::filesystem::path& state) {
  const auto check = [&](const std::string& target, Mark mark) -> Result<void> {
    const auto path = path_of_target(target);
    if (!path || !is_within(*path, state)) return {};
    return writes_over(job, mark, *path,
                       fmt::format("lies in {}, where Tranche keeps its runs", state.string()));
  };
  if (spec.execute && spec.execute->connector != "postgres") {
    const ConnectorUse& use = *spec.execute;
    const Node* const file = use.options.find(use.connector);
    if (file != nullptr)
      TRANCHE_TRY(
          check(file_name(job.base / file->text), mark_of(use.options, use.connector, spec.mark)));
  }
  const auto outputs = outputs_of(job, spec);
  if (!outputs) return {};  // what it can't be is found where the step is put together
  for (const Output& output : *outputs) TRANCHE_TRY(check(output.name, output.mark));
  return {};
}

Result<void> check_writes_apart(const JobSpec& job, const StepSpec& spec,
                                const std::vector<Input>& inputs) {
  TRANCHE_ASSIGN(const auto sink, make_sink(spec.write, job.base));
  const Mark mark = mark_of(spec.write.options, spec.write.connector, spec.mark);
  const fs::path rejects = spec.rejects_path.empty() ? fs::path() : job.base / spec.rejects_path;
  std::vector<std::pair<fs::path, Mark>> written;
  for (const std::string& target : sink->targets()) {
    const auto path = path_of_target(target);
    if (!path) continue;
    if (!rejects.empty() && is_within(rejects, *path))
      return writes_over(job, spec.mark, rejects,
                         "is what the step writes, and its rejects would replace it");
    // A database file has a guard of its own, and may be read and written.
    if (target.starts_with(file_prefix)) written.emplace_back(*path, mark);
  }
  if (!rejects.empty()) written.emplace_back(rejects, spec.mark);
  for (const auto& [path, at] : written) {
    if (!job.file.empty() && is_file(job.file, path))
      return writes_over(job, at, path, "is the job file, which the step would replace");
    for (const Input& input : inputs) {
      const fs::path read = job.base / input.name;
      std::error_code unknown;
      if (fs::is_regular_file(read, unknown) && is_within(read, path))
        return writes_over(job, at, read, "is read by the step, which would write over it");
    }
  }
  return {};
}

std::vector<OutputClash> find_output_clashes(const JobSpec& job, const StepGraph& graph) {
  std::vector<OutputClash> clashes;
  const auto outputs = all_outputs(job);
  for (std::size_t later = 0; later < job.steps.size(); ++later) {
    for (std::size_t earlier = 0; earlier < later; ++earlier) {
      if (graph.is_ordered(earlier, later) || graph.is_ordered(later, earlier) ||
          exclude_each_other(job, graph, earlier, later))
        continue;
      for (const Output& output : outputs[later]) {
        if (const Output* const same = find_output(outputs[earlier], output.name))
          clashes.push_back({earlier, later, clash(job, earlier, *same, later, output)});
      }
    }
  }
  return clashes;
}

std::vector<LostOutput> find_lost_outputs(const JobSpec& job, const StepGraph& graph) {
  std::vector<LostOutput> lost;
  const auto outputs = all_outputs(job);
  for (std::size_t later = 0; later < job.steps.size(); ++later) {
    for (std::size_t earlier = 0; earlier < job.steps.size(); ++earlier) {
      if (!graph.is_ordered(earlier, later) || !job.steps[later].when.empty()) continue;
      for (const Output& output : outputs[later]) {
        const Output* const same = find_output(outputs[earlier], output.name);
        if (same == nullptr || !output.is_whole ||
            may_be_read(job, graph, earlier, later, output.name))
          continue;
        lost.push_back({later, loss(job, earlier, *same, later, output)});
      }
    }
  }
  return lost;
}

}  // namespace tranche
