#include <fmt/format.h>

#include "cli/command.h"
#include "cli/output.h"

namespace tranche {
namespace {

int act(const Invocation& invocation) {
  if (invocation.has("--json"))
    return finish_json(
        Json().set("version", TRANCHE_VERSION).set("duckdb", TRANCHE_DUCKDB_VERSION));
  return finish(fmt::format("tranche {} (DuckDB {})\n", TRANCHE_VERSION, TRANCHE_DUCKDB_VERSION));
}

}  // namespace

Command version_command() {
  Command made;
  made.name = "version";
  made.group = "Help";
  made.summary = "prints the version";
  made.flags = {{"--json", "", "prints one JSON object on standard output"}};
  made.examples = {{"version", ""}};
  made.act = act;
  return made;
}

}  // namespace tranche
