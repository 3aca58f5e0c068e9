// What a backup, a restore or a migration is going to do: which tables go where, what is executed
// before and behind their rows, what can't be carried over; and the job that does it.
//
// Threads: value types. Lifetime: kept as JSON beside the ledger, so that a resume does what was
// begun, and not what it would plan by now; when all is done and compared, under another name.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include <tranche/api/job.h>

#include "base/json.h"
#include "connectors/catalog.h"
#include "connectors/catalog_database.h"
#include "connectors/catalog_script.h"

namespace tranche {

enum class MoveKind { backup, restore, migrate };
std::string to_string(MoveKind kind);

// What a resume does where the source's state can't be read any more: --accept snapshot says the
// second.
enum class SourceChange { refuse, read_on, restart };

// What a person asked for.
struct MoveOrder {
  MoveKind kind = MoveKind::migrate;
  DatabasePlace source;             // but of restore
  DatabasePlace target;             // but of backup
  std::filesystem::path folder;     // of the backup
  std::vector<std::string> tables;  // patterns; none: all
  std::vector<std::string> exclude;
  bool has_schema = true;
  bool has_data = true;
  std::vector<CatalogCast> casts;
  std::string since;  // the column of an increment; empty: none
  SourceChange on_change = SourceChange::refuse;

  std::string source_name() const;
  std::string target_name() const;
  // Equal for orders that ask for the same.
  std::string text() const;
};

struct MovedTable {
  CatalogName source;
  CatalogName target;
  std::string step;
  std::string folder;                   // of its Parquet files, below that of the backup
  std::vector<std::string> files;       // that are restored, likewise
  std::vector<Field> columns;           // as they are read
  std::vector<std::string> literals;    // columns whose text is SQLite's literals
  std::vector<std::string> unquoted;    // likewise, in the files of a restore; plain text there
  std::string batch_key;                // by which it is divided; empty: by what its system has
  std::vector<std::string> upsert_key;  // of one that holds several versions of its rows
  std::uint64_t rows_about = 0;
  bool is_incremental = false;
  bool has_casts = false;  // a restore reads some columns as other types than they were kept as
};

struct MoveScript {
  std::string step;
  std::string table;  // whose rows it waits for; empty: for all before it
  std::vector<std::string> statements;
};

struct MovePlan {
  MoveKind kind = MoveKind::migrate;
  std::string job;
  std::string order;      // MoveOrder::text
  std::string after_run;  // the latest run of the job when this was planned
  std::string owner;      // the run whose step this is; empty: a command of its own
  HeldState held;         // what is read
  std::string backup;     // of a restore: the digest of its manifest
  Catalog catalog;
  std::vector<MovedTable> tables;
  std::vector<MoveScript> before;
  std::vector<MoveScript> behind;
  std::vector<NotCarried> not_carried;
  std::vector<std::string> changes;
  std::vector<std::string> undo;  // statements that take back what `before` makes
  std::int64_t begun_microseconds = 0;
};

Json not_carried_json(const std::vector<NotCarried>& all);
std::vector<NotCarried> not_carried_of(const Json& json);
Json to_json(const MovePlan& plan);
Result<MovePlan> move_plan_from_json(const Json& json);

// How tables are read and written.
ConnectorUse read_use(const DatabasePlace& place, const CatalogName& table,
                      const std::vector<Field>& columns, const std::vector<std::string>& literals);
ConnectorUse parquet_use(const std::filesystem::path& folder, const MovedTable& table);

// The job of a plan.
JobSpec make_job(const MovePlan& plan, const MoveOrder& order);
std::string move_job_name(const MoveOrder& order);
// Where the plan is kept in the state folder of that job.
std::filesystem::path move_plan_path(const MoveOrder& order, const std::filesystem::path& state);
// Where that is of the latest one that was done and compared.
std::filesystem::path finished_plan_path(const MoveOrder& order,
                                         const std::filesystem::path& state);
// The plan that is kept there. Errors: failed: there is none, or it is damaged.
Result<MovePlan> read_move_plan(const std::filesystem::path& path);

// Passwords are in the environment only; there the ledger finds them again.
inline constexpr const char* source_variable = "TRANCHE_SOURCE_URL";
inline constexpr const char* target_variable = "TRANCHE_TARGET_URL";

}  // namespace tranche
