#include "render/lineage.h"

#include <filesystem>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/text.h"

namespace tranche {
namespace {

namespace fs = std::filesystem;

constexpr const char* producer = "urn:tranche:" TRANCHE_VERSION;
constexpr const char* event_schema =
    "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent";

Json facet(const char* name) {
  return Json()
      .set("_producer", producer)
      .set("_schemaURL", fmt::format("https://openlineage.io/spec/facets/1-0-0/{}.json", name));
}

// 32 hexadecimal digits as a UUID writes them.
std::string uuid_of(const std::string& run) {
  if (run.size() != 32) return run;
  return fmt::format("{}-{}-{}-{}-{}", run.substr(0, 8), run.substr(8, 4), run.substr(12, 4),
                     run.substr(16, 4), run.substr(20));
}

struct Dataset {
  std::string space;
  std::string name;
  bool operator<(const Dataset& other) const {
    return std::pair(space, name) < std::pair(other.space, other.name);
  }
};

// "postgresql://user@host/shop?x=1" is "shop" in "postgresql://host"; a path is one in "file".
Dataset dataset_at(const std::string& place, const std::string& table, const fs::path& base) {
  const std::string url = url_without_password(place);
  const std::size_t scheme = url.find("://");
  Dataset made;
  if (scheme == std::string::npos) {
    const fs::path path = base.empty() ? fs::path(place) : base / place;
    made = {"file", fs::absolute(path).lexically_normal().string()};
  } else {
    const std::size_t slash = std::min(url.find('/', scheme + 3), url.size());
    std::string host = url.substr(scheme + 3, slash - scheme - 3);
    host.erase(0, host.rfind('@') + 1);
    std::string path = slash < url.size() ? url.substr(slash + 1) : "";
    path.resize(std::min(path.find('?'), path.size()));
    made = {url.substr(0, scheme + 3) + host, std::move(path)};
  }
  if (!table.empty()) made.name += "." + table;
  return made;
}

void add_datasets(const ConnectorUse& use, const fs::path& base, std::set<Dataset>& into) {
  const Node* const place = use.options.find(use.connector);
  if (place == nullptr) return;
  const Node* const table = use.options.find("table");
  const std::string of_table = table == nullptr ? "" : table->text;
  if (place->kind == Node::Kind::scalar && place->text != "-")
    into.insert(dataset_at(place->text, of_table, base));
  for (const Node& item : place->items) into.insert(dataset_at(item.text, of_table, base));
}

std::set<Dataset> inputs_of(const JobSpec& job) {
  std::set<Dataset> inputs;
  for (const StepSpec& step : job.steps) {
    if (!step.has_records() || step.query) continue;
    add_datasets(step.read, job.base, inputs);
    for (const ConnectorUse& use : step.also_read) add_datasets(use, job.base, inputs);
  }
  return inputs;
}

Json dataset_json(const Dataset& dataset) {
  return Json().set("namespace", dataset.space).set("name", dataset.name);
}

Json outputs_json(const JobSpec& job, const RunSummary* summary) {
  Json list{Json::Array{}};
  for (const StepSpec& step : job.steps) {
    std::set<Dataset> outputs;
    if (step.report)
      add_datasets({"report", *step.report}, job.base, outputs);
    else if (step.has_records())
      add_datasets(step.write, job.base, outputs);
    for (const Dataset& output : outputs) {
      Json one = dataset_json(output);
      for (const StepSummary& done :
           summary == nullptr ? std::vector<StepSummary>() : summary->steps) {
        if (done.name != step.name || step.report) continue;
        Json statistics = facet("OutputStatisticsOutputDatasetFacet");
        statistics.set("rowCount", done.counts.written);
        one.set("outputFacets", Json().set("outputStatistics", std::move(statistics)));
      }
      list.push(std::move(one));
    }
  }
  return list;
}

Json event(const JobSpec& job, const char* type, const std::string& run, const RunSummary* summary,
           std::int64_t now_microseconds) {
  Json facets{Json::Object{}};
  if (job.window) {
    Json time = facet("NominalTimeRunFacet");
    time.set("nominalStartTime", format_utc(job.window->times.begin));
    time.set("nominalEndTime", format_utc(job.window->times.end));
    facets.set("nominalTime", std::move(time));
  }
  if (summary != nullptr && summary->error) {
    Json error = facet("ErrorMessageRunFacet");
    error.set("message", summary->error->message).set("programmingLanguage", "Tranche");
    facets.set("errorMessage", std::move(error));
  }
  Json inputs{Json::Array{}};
  for (const Dataset& input : inputs_of(job)) inputs.push(dataset_json(input));
  Json made;
  made.set("eventType", type).set("eventTime", format_utc(now_microseconds));
  made.set("run", Json().set("runId", uuid_of(run)).set("facets", std::move(facets)));
  made.set("job", Json().set("namespace", "tranche").set("name", job.name));
  made.set("inputs", std::move(inputs)).set("outputs", outputs_json(job, summary));
  return made.set("producer", producer).set("schemaURL", event_schema);
}

}  // namespace

std::string lineage_start(const JobSpec& job, const std::string& run,
                          std::int64_t now_microseconds) {
  return event(job, "START", run, nullptr, now_microseconds).dump();
}

std::string lineage_end(const JobSpec& job, const RunSummary& summary,
                        std::int64_t now_microseconds) {
  const char* const type = summary.state == RunState::completed ? "COMPLETE"
                           : summary.state == RunState::stopped ? "ABORT"
                                                                : "FAIL";
  return event(job, type, summary.run, &summary, now_microseconds).dump();
}

}  // namespace tranche
