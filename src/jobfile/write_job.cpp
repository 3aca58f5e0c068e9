#include "jobfile/write_job.h"

#include <algorithm>
#include <map>

#include <fmt/format.h>

#include "base/json.h"
#include "base/text.h"

namespace tranche {
namespace {

constexpr std::size_t line_bytes_max = 100;

// A text in double quotes, as JSON and YAML both read it; plain where it can only be a word.
std::string scalar(const std::string& text) {
  const bool is_word = !text.empty() && std::isalpha(static_cast<unsigned char>(text[0])) != 0 &&
                       std::all_of(text.begin(), text.end(), [](char c) {
                         return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' ||
                                c == '.' || c == '/' || c == '-';
                       });
  const std::string lower = to_lower(text);
  const bool is_other = lower == "true" || lower == "false" || lower == "null" || lower == "yes" ||
                        lower == "no" || lower == "on" || lower == "off" || lower == "y" ||
                        lower == "n";
  if (is_word && !is_other) return text;
  std::string out;
  append_json_string(out, text);
  return out;
}

class Writer {
 public:
  // In one line, braces and all.
  std::string flow(const Node& node) {
    if (node.kind == Node::Kind::list) {
      std::string out;
      for (const Node& item : node.items) out += (out.empty() ? "" : ", ") + flow(item);
      return "[" + out + "]";
    }
    if (node.kind == Node::Kind::map) {
      std::string out;
      for (const Node::Entry& entry : node.entries)
        out +=
            fmt::format("{}{}: {}", out.empty() ? "" : ", ", scalar(entry.key), flow(entry.value));
      return "{ " + out + " }";
    }
    return node.unresolved.empty() ? scalar(node.text) : connection(node.unresolved);
  }

  // `key: value` on lines of their own, `indent` blanks in.
  std::string block(const std::string& key, const Node& node, std::size_t indent) {
    const std::string margin(indent, ' ');
    std::string line = fmt::format("{}{}: {}\n", margin, scalar(key), flow(node));
    const bool has_lines = node.kind == Node::Kind::list || node.kind == Node::Kind::map;
    if (!has_lines || (line.size() <= line_bytes_max && key != "sql")) return line;
    line = fmt::format("{}{}:\n", margin, scalar(key));
    for (const Node::Entry& entry : node.entries) line += block(entry.key, entry.value, indent + 2);
    for (const Node& item : node.items) {
      if (key != "sql" || item.kind != Node::Kind::scalar) {
        line += fmt::format("{}  - {}\n", margin, flow(item));
        continue;
      }
      // A statement stands as it is, without quotes of YAML's.
      line += fmt::format("{}  - |-\n", margin);
      for (const std::string& one : split(item.text, '\n'))
        line += one.empty() ? "\n" : fmt::format("{}    {}\n", margin, one);
    }
    return line;
  }

  std::string connections() const {
    std::string out;
    for (const auto& [unresolved, name] : connections_)
      out += fmt::format("  {}: {}\n", name, scalar(unresolved));
    return out.empty() ? out : "connections:\n" + out;
  }

 private:
  // The name of a connection, for ${env:TRANCHE_SOURCE_URL}: source.
  std::string connection(const std::string& unresolved) {
    const auto found = connections_.find(unresolved);
    if (found != connections_.end()) return found->second;
    const bool is_source = unresolved.find("SOURCE") != std::string::npos;
    return connections_.emplace(unresolved, is_source ? "source" : "target").first->second;
  }

  std::map<std::string, std::string> connections_;
};

std::string step_text(const StepSpec& step, Writer& writer) {
  std::string out = fmt::format("\n  - name: {}\n", step.name);
  if (step.after) out += fmt::format("    after: [{}]\n", join(*step.after, ", "));
  if (step.execute) return out + writer.block("execute", step.execute->options, 4);
  Node read = step.read.options;
  // A snapshot lives as long as the command that holds it.
  std::erase_if(read.entries, [](const Node::Entry& entry) { return entry.key == "snapshot"; });
  out += writer.block("read", read, 4);
  if (!step.division.key.empty())
    out += fmt::format("    batch: {{ key: {} }}\n", scalar(step.division.key));
  if (!step.process.empty()) {
    out += "    process:\n";
    for (const TransformUse& use : step.process)
      out += fmt::format("      - {}\n", writer.flow(use.options));
  }
  return out + writer.block("write", step.write.options, 4);
}

}  // namespace

Result<std::string> write_job(const JobSpec& job, const std::string& head) {
  Writer writer;
  std::string steps;
  for (const StepSpec& step : job.steps) {
    if (step.query || (!step.has_records() && !step.execute)) {
      return make_error(ErrorKind::config,
                        fmt::format("Step \"{}\" can't be written as a job file.", step.name));
    }
    for (const TransformUse& use : step.process)
      if (use.make)
        return make_error(ErrorKind::config,
                          fmt::format("Step \"{}\" has a function of C++.", step.name));
    steps += step_text(step, writer);
  }
  std::string out;
  for (const std::string& line : split(head, '\n')) out += "# " + line + "\n";
  out += fmt::format("job: {}\n", job.name);
  if (!job.description.empty()) out += fmt::format("description: {}\n", scalar(job.description));
  out += writer.connections();
  return out + "steps:" + steps;
}

}  // namespace tranche
