// Reads the tree of a job file, checked against the option tables, into a JobSpec.
//
// Threads: one reader, one thread. Lifetime: refers to the problems it was given.
// Errors: every finding is appended to the problems; what was read is complete only without any.
#pragma once

#include <string_view>
#include <vector>

#include <tranche/api/job.h>
#include <tranche/core/options.h>
#include "jobfile/tables.h"

namespace tranche {

class JobReader {
 public:
  explicit JobReader(Problems& problems) : problems_(problems) {}

  // REQUIRES a map; parameters were replaced.
  void read(Node root, JobSpec& job);
  WorkersSpec workers(Node node);

 private:
  void workers_count(const Node& node, WorkersSpec::Kind kind, WorkersSpec& made);
  // `job`: with the steps above it.
  StepSpec step(Node node, std::size_t number, const JobSpec& job);
  // Takes `after` and `when` out of a step. `above`: the step above it, or nullptr.
  void read_order(Node& node, const StepSpec* above, StepSpec& order);
  StepCondition condition(const Node& node);
  StepSpec step_of_kind(Node node);
  void connections(const Node& given);
  void use_connections(Node& step);
  void use_connection(Node& system);
  ConnectorUse connector(const Node& node, SystemPlace place, std::string_view what);
  // One source, or a list of them.
  void sources(const Node& node, StepSpec& step);
  // What all kinds of steps say: their name, and what trouble does to them.
  StepSpec named_step(const Node& node, const OptionTable& table, std::string_view what);
  StepSpec execute_step(const Node& node);
  StepSpec exec_step(const Node& node);
  StepSpec move_step(const Node& node, const char* kind, const OptionTable& table);
  StepSpec query_step(Node node);
  StepSpec report_step(Node node);
  void report_section(Node& node);
  Division division(Node node);
  std::optional<WindowDivision> window(const Node& batch);
  std::vector<TransformUse> process(const Node& node);
  std::optional<TransformUse> transform(Node node);
  void plugin_settings(const Node& options);
  void lookups(const Node& tables);
  void on_error(const Node& node, StepSpec& step);
  void name(const Node* node, std::string_view what);
  bool is_map(const Node& node, std::string_view what, std::string_view example);
  void problem(Mark mark, std::string message) { problems_.push_back({mark, std::move(message)}); }

  Problems& problems_;
  Node connections_;  // a map of names to URLs
  std::vector<Parameter> parameters_;
};

}  // namespace tranche
