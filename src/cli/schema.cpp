#include "jobfile/schema.h"

#include "cli/command.h"
#include "cli/output.h"

namespace tranche {
namespace {

int act(const Invocation&) { return finish(job_schema_json()); }

}  // namespace

Command schema_command() {
  Command made;
  made.name = "schema";
  made.group = "Prepare";
  made.summary = "prints the JSON Schema of job files, for editors";
  made.detail =
      "An editor with a YAML language server completes and checks job files by it: write\n"
      "  # yaml-language-server: $schema=job.schema.json\n"
      "as the first line of the job file.";
  made.examples = {{"schema > job.schema.json", "beside the job file"}};
  made.act = act;
  return made;
}

}  // namespace tranche
