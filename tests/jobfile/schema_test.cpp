#include "jobfile/schema.h"

#include <cstdlib>

#include <tranche/api/job.h>

#include "base/file.h"
#include "base/json.h"

namespace tranche {
namespace {

TEST(JobSchema, IsTheOneThatIsCommitted) {
  const char* source = std::getenv("TRANCHE_SOURCE_DIR");
  const fs::path file =
      fs::path(source != nullptr ? source : "../../..") / "docs/reference/job.schema.json";
  const auto committed = read_file(file);
  ASSERT_TRUE(committed) << committed.error().message;
  EXPECT_TRUE(*committed == job_schema_json())
      << "docs/reference/job.schema.json is stale; write it anew with\n"
         "  build/tranche schema > docs/reference/job.schema.json";
}

TEST(JobSchema, KnowsEverySystemThatCanBeReadAndWritten) {
  const auto schema = Json::parse(job_schema_json());
  ASSERT_TRUE(schema);
  std::vector<std::string> read;
  for (const Json& system : (*schema)["definitions"]["read"]["anyOf"].items())
    read.push_back(system["title"].text());
  std::vector<std::string> expected;
  for (const Connector& connector : connectors())
    if (!connector.read_options.empty()) expected.push_back(connector.name);
  EXPECT_EQ(read, expected);
}

}  // namespace
}  // namespace tranche
