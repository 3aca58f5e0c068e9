#include "api/step_values.h"

#include <algorithm>
#include <functional>

#include <fmt/format.h>

#include "base/text.h"

namespace tranche {
namespace {

// YAML has no such character in a text, and no system has one in a value.
constexpr char marker = '\x1a';

bool is_number(std::string_view field) {
  return field != "state" && field != "error" && field != "output";
}

using TextVisitor = std::function<void(Node& text, bool is_sql)>;

void visit_texts(Node& node, bool is_sql, const TextVisitor& visit) {
  if (node.kind == Node::Kind::scalar) visit(node, is_sql);
  for (Node& item : node.items) visit_texts(item, is_sql, visit);
  for (Node::Entry& entry : node.entries)
    visit_texts(entry.value, entry.key == "sql" || entry.key == "query", visit);
}

void visit_texts(StepSpec& step, const TextVisitor& visit) {
  visit_texts(step.read.options, false, visit);
  for (ConnectorUse& source : step.also_read) visit_texts(source.options, false, visit);
  for (TransformUse& transform : step.process) visit_texts(transform.options, false, visit);
  visit_texts(step.write.options, false, visit);
  for (auto* const node : {&step.query, &step.exec, &step.report})
    if (*node) visit_texts(**node, false, visit);
  if (step.execute) visit_texts(step.execute->options, false, visit);
}

// Each "load.written" between two markers becomes what `give` makes of it.
std::string replace(const std::string& text,
                    const std::function<std::string(const std::string& name)>& give) {
  std::string out;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t begin = text.find(marker, at);
    const std::size_t end = begin == std::string::npos ? begin : text.find(marker, begin + 1);
    out.append(text, at, std::min(begin, text.size()) - at);
    if (end == std::string::npos) break;
    out += give(text.substr(begin + 1, end - begin - 1));
    at = end + 1;
  }
  return out;
}

std::string_view step_of(std::string_view name) { return name.substr(0, name.rfind('.')); }
std::string_view field_of(std::string_view name) { return name.substr(name.rfind('.') + 1); }

std::string sql_text(const std::string& text) {
  std::string out = "'";
  for (const char c : text) out += c == '\'' ? std::string("''") : std::string(1, c);
  return out + "'";
}

std::string fault_of(const JobSpec& job, const StepGraph& graph, std::size_t number,
                     const std::string& name) {
  const auto& fields = step_value_fields();
  const std::string field(field_of(name));
  const std::string step(step_of(name));
  if (std::find(fields.begin(), fields.end(), field) == fields.end()) {
    return fmt::format("Of a step there is no \"{}\"; one of {} was expected", excerpt(field, 40),
                       join(fields, ", "));
  }
  std::vector<std::string> before;
  for (std::size_t earlier = 0; earlier < job.steps.size(); ++earlier) {
    if (!graph.is_ordered(earlier, number)) continue;
    if (job.steps[earlier].name == step) return {};
    before.push_back(job.steps[earlier].name);
  }
  return fmt::format("Step \"{}\" names what became of \"{}\", for which it does not wait; {}",
                     job.steps[number].name, excerpt(step, 40),
                     before.empty() ? "it waits for none" : "it waits for " + join(before, ", "));
}

}  // namespace

const std::vector<std::string>& step_value_fields() {
  static const std::vector<std::string> fields{"state",    "read",    "written", "rejected",
                                               "filtered", "batches", "error",   "output"};
  return fields;
}

std::string step_value(std::string_view step, std::string_view field) {
  return fmt::format("{0}{1}.{2}{0}", marker, step, field);
}

void add_step_values(StepValues& values, const StepSummary& summary, const std::string& error,
                     const std::string& output) {
  const auto set = [&](const char* field, std::string value) {
    values[summary.name + "." + field] = std::move(value);
  };
  set("state", summary.state);
  set("read", std::to_string(summary.counts.read));
  set("written", std::to_string(summary.counts.written));
  set("rejected", std::to_string(summary.counts.rejected()));
  set("filtered", std::to_string(summary.filtered));
  set("batches", std::to_string(summary.batches));
  set("error", error);
  set("output", output);
}

StepSpec with_step_values(StepSpec step, const StepValues& values) {
  visit_texts(step, [&](Node& node, bool is_sql) {
    const auto give = [&](const std::string& name) {
      const auto found = values.find(name);
      const bool is_text = !is_number(field_of(name));
      const std::string value = found != values.end() ? found->second : is_text ? "" : "0";
      return is_sql && is_text ? sql_text(value) : value;
    };
    node.text = replace(node.text, give);
    node.unresolved = replace(node.unresolved, give);
  });
  return step;
}

void check_step_values(const JobSpec& job, const StepGraph& graph, Problems& problems) {
  for (std::size_t number = 0; number < job.steps.size(); ++number) {
    StepSpec step = job.steps[number];
    visit_texts(step, [&](Node& node, bool) {
      replace(node.text, [&](const std::string& name) {
        if (auto fault = fault_of(job, graph, number, name); !fault.empty())
          problems.push_back({node.mark, std::move(fault)});
        return std::string();
      });
    });
  }
}

}  // namespace tranche
