#include "api/report_use.h"

#include <algorithm>

#include <fmt/format.h>

#include "api/assemble.h"
#include "api/query_result.h"
#include "api/step_graph.h"
#include "base/json.h"
#include "base/text.h"

namespace tranche {
namespace {

Error placed(Error error, const JobSpec& job, Mark mark) {
  if (error.where.empty()) error.where = place(job, mark);
  return error;
}

// A scalar of YAML as what it looks like: a number, true, false, null, or text.
Json plain_scalar(const Node& node) {
  const std::string& text = node.text;
  if (node.quoted) return text;
  if (text == "true" || text == "false") return text == "true";
  const bool may_be_number =
      !text.empty() && (text[0] == '-' || (text[0] >= '0' && text[0] <= '9'));
  if (!may_be_number) return text;
  auto number = Json::parse(text);
  return number ? *std::move(number) : Json(text);
}

Json plain_json(const Node& node) {
  switch (node.kind) {
    case Node::Kind::null:
      return {};
    case Node::Kind::scalar:
      return plain_scalar(node);
    case Node::Kind::list: {
      Json list(Json::Array{});
      for (const Node& item : node.items) list.push(plain_json(item));
      return list;
    }
    case Node::Kind::map: {
      Json map(Json::Object{});
      for (const Node::Entry& entry : node.entries) map.set(entry.key, plain_json(entry.value));
      return map;
    }
  }
  return {};
}

const OptionTable& chart_options() {
  for (const Option& option : report_section_options()) {
    if (option.name == "chart") return option.children;
  }
  return report_section_options();
}

Result<reporting::ChartWish> chart_of(const JobSpec& job, const Node& node) {
  const OptionReader options(node, chart_options());
  reporting::ChartWish wish;
  wish.type = options.text("type");
  wish.x = options.text("x");
  if (options.has("y")) wish.y = options.texts("y");
  wish.color = options.text("color");
  if (const Node* const spec = options.node("vega_lite")) wish.vega_lite = plain_json(*spec).dump();
  const auto checked = reporting::check_chart(wish);
  if (!checked) return placed(checked.error(), job, node.mark);
  return wish;
}

// A section's rejects are those of a step that has ended before.
Result<void> check_rejects_of(const JobSpec& job, const StepSpec& spec, const std::string& step,
                              Mark mark) {
  Problems problems;
  const StepGraph graph = StepGraph::of(job, problems);
  const auto same = [&](const StepSpec& other) { return other.name == spec.name; };
  const auto number = static_cast<std::size_t>(
      std::find_if(job.steps.begin(), job.steps.end(), same) - job.steps.begin());
  std::vector<std::string> names;
  for (std::size_t i = 0; i < job.steps.size() && problems.empty(); ++i) {
    if (job.steps[i].has_records() && graph.is_ordered(i, number))
      names.push_back(job.steps[i].name);
  }
  if (std::find(names.begin(), names.end(), step) != names.end()) return {};
  const auto near = nearest(step, names);
  return make_error(
      ErrorKind::config,
      fmt::format("\"rejects\" names no step with records that this one waits for: \"{}\"{}.",
                  excerpt(step, 40),
                  near            ? fmt::format(" (did you mean \"{}\"?)", *near)
                  : names.empty() ? std::string(", and there is none")
                                  : fmt::format(" ({})", join(names, ", "))),
      place(job, mark));
}

Result<ReportSection> section_of(const JobSpec& job, const StepSpec& spec, const Node& node,
                                 const Node* tables, const StepSurroundings& surroundings) {
  const OptionReader options(node, report_section_options());
  ReportSection section;
  section.title = options.text("title");
  section.text = options.text("text");
  section.rejects_of = options.text("rejects");
  if (options.has("rows")) section.rows = options.count("rows");
  const Mark mark = options.mark("query");
  const bool has_query = options.has("query");
  if (has_query && !section.rejects_of.empty()) {
    return make_error(ErrorKind::config,
                      "A section has a table of its own: a query's, or a step's rejects. Make two "
                      "sections of it.",
                      place(job, mark));
  }
  if (!section.rejects_of.empty())
    TRANCHE_TRY(check_rejects_of(job, spec, section.rejects_of, options.mark("rejects")));
  if (const Node* const chart = options.node("chart")) {
    section.place = place(job, options.mark("chart"));
    if (!has_query) {
      return make_error(ErrorKind::config,
                        "A chart is drawn of the rows of a query; \"query\" is missing.",
                        section.place);
    }
    TRANCHE_ASSIGN(section.chart, chart_of(job, *chart));
  }
  if (!has_query) return section;
  // Once now, so that what is wrong with its tables is known before the start.
  TRANCHE_TRY(assemble_query(job, options.text("query"), mark, tables));
  section.query = [&job, &surroundings, text = options.text("query"), mark,
                   tables]() -> Result<QueryStep> {
    TRANCHE_ASSIGN(auto query, assemble_query(job, text, mark, tables));
    give_share(query, surroundings);
    return query;
  };
  return section;
}

}  // namespace

std::string fault_of_report_file(std::string_view path) {
  if (reporting::format_of(std::filesystem::path(path))) return {};
  return fmt::format("\"{}\" names no report; a file that ends in .html, .md or .xlsx was expected",
                     excerpt(path, 60));
}

std::filesystem::path report_path(const Node& report, const std::filesystem::path& base) {
  return base / OptionReader(report, report_options()).text("report");
}

Result<ReportStep> assemble_report(const JobSpec& job, const StepSpec& spec,
                                   const StepSurroundings& surroundings) {
  const OptionReader options(*spec.report, report_options());
  ReportStep step;
  step.name = spec.name;
  step.retry = spec.retry;
  step.path = report_path(*spec.report, base_folder(job));
  const auto fault = fault_of_report_file(step.path.string());
  if (!fault.empty())
    return make_error(ErrorKind::config, fault + ".", place(job, options.mark("report")));
  step.format = *reporting::format_of(step.path);
  step.title = options.has("title") ? options.text("title") : spec.name;
  step.text = options.text("text");
  const Node* const sections = options.node("sections");
  if (sections == nullptr || sections->items.empty()) {
    return make_error(ErrorKind::config,
                      "A report needs \"sections\", a list with at least one of them.",
                      place(job, options.mark("report")));
  }
  for (const Node& node : sections->items) {
    auto section = section_of(job, spec, node, options.node("tables"), surroundings);
    if (!section) return placed(std::move(section).error(), job, node.mark);
    if (!section->rows && options.has("rows")) section->rows = options.count("rows");
    step.sections.push_back(*std::move(section));
  }
  return step;
}

Result<void> examine_report(const JobSpec& job, const StepSpec& spec,
                            const StepSurroundings& surroundings, std::vector<Error>* others) {
  TRANCHE_ASSIGN(const auto step, assemble_report(job, spec, surroundings));
  Result<void> first;
  for (const ReportSection& section : step.sections) {
    auto examined = examine_report_section(section, surroundings.spill_folder);
    if (examined) continue;
    if (first)
      first = std::move(examined);
    else if (others != nullptr)
      others->push_back(std::move(examined).error());
  }
  return first;
}

}  // namespace tranche
