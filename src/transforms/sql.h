// The `sql` transform: a SELECT over the table `batch`, in the worker's embedded DuckDB.
//
// The SELECT sees one whole batch, so it must mean the same whatever the batches are: what is
// computed over several records of `batch` is refused unless `per_batch` says that it is meant.
// A record at which the SQL fails is found by bisection and rejected; the rest of the batch is then
// processed whole.
//
// Order: results follow the order of the input. Where DuckDB's plan does not keep it (a range, ASOF
// or cross join, a row with several matches or none), the batch's rows are sorted back into it;
// where that can't be said in SQL, bind refuses, unless `per_batch` accepts any order.
//
// Threads and lifetime: as core/transform.h says.
// Errors of bind: config, with `place`. Of process: memory, failed.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include <tranche/core/parameter.h>
#include <tranche/core/source.h>
#include <tranche/core/transform.h>

#include "transforms/sql_lookups.h"

namespace tranche {

struct SqlOptions {
  std::string text;
  std::string place;  // of the text: "job.yaml:12:9"
  bool per_batch = false;
  std::vector<Parameter> parameters;  // of the job, for $name
  std::vector<SqlLookup> tables;      // to be joined with `batch`
  std::filesystem::path base;         // relative paths inside the SQL are relative to it
};

Result<std::unique_ptr<Transform>> make_sql_transform(SqlOptions options);

}  // namespace tranche
