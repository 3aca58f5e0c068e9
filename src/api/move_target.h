// What the target of a restore or a migration takes: tried before anything is begun.
// Threads: those of `ask`.
#pragma once

#include <string>
#include <vector>

#include "api/aside.h"
#include "api/move_plan.h"

namespace tranche {

struct TargetStatement {
  std::string step;
  std::string table;  // whose rows it waits for; empty: all
  bool is_behind_rows = false;
  std::string sql;  // empty: there is only something to be taken back
  std::string undo;
};

struct TargetScript {
  std::vector<TargetStatement> statements;
  std::vector<std::string> computed;  // "table.column" of the source that the target computes
  std::vector<NotCarried> not_carried;
  std::vector<std::string> changes;

  bool computes(const CatalogName& table, const std::string& column) const;
};

// Errors: config, where the target is not empty, or can't have a table.
Result<TargetScript> examine_target(const Catalog& catalog, const MoveOrder& order,
                                    const std::vector<CatalogName>& names,
                                    const std::vector<CatalogName>& upserted, Asking ask);

}  // namespace tranche
