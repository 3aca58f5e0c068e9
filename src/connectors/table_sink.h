// What the sinks of all databases do alike: their modes, the options that all of them have, and
// what they say of a table that is not as the run left it.
// Threads: value types and pure functions.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <tranche/core/options.h>
#include <tranche/core/sink.h>

namespace tranche {

// The batch of the row of a record of commits that stands for the seal.
constexpr std::int64_t seal_batch = -1;

enum class TableMode { append, replace, upsert };
std::string to_string(TableMode mode);

// Rows of the option tables.
Option table_mode_option();
Option table_key_option();
Option commits_table_option(std::string doc);
// The file of an embedded database, absolute; a relative path is relative to `base`.
std::filesystem::path database_file(const std::string& name, const std::filesystem::path& base);
TableMode read_table_mode(const OptionReader& options);
// What the option table can't say. Errors: config.
Result<void> check_table_key(TableMode mode, std::span<const std::string> key);
Error records_and_commits_are_one(const std::string& table);

std::uint64_t total_rows(std::span<const Receipt> receipts);

// `place`: "Table sales of /data/shop.db", as in all below.
Error committed_otherwise(const std::string& place, const std::string& commits_table,
                          std::uint64_t group);
Error lost_commits(const std::string& place, const std::string& commits_table, std::size_t batches);
Error table_is_gone(const std::string& place, std::size_t batches);
Error changed_during_run(const std::string& place, std::uint64_t rows, std::uint64_t present);
Error cant_be_taken_back(const std::string& place, const SinkRun& run,
                         std::span<const Receipt> committed);

// Adds how the record of commits differs from what the ledger has. `commits`: "tranche_commits of
// /data/shop.db".
using FindReceipt = std::function<Result<std::optional<Receipt>>(std::uint64_t group)>;
Result<void> compare_commits(std::span<const Receipt> committed, const FindReceipt& find,
                             const std::string& commits, std::vector<std::string>& differences);
// Adds how the number of rows in the table differs from what the run committed.
void compare_rows(TableMode mode, const std::string& place, std::uint64_t rows,
                  std::uint64_t rows_committed, std::vector<std::string>& differences);

}  // namespace tranche
