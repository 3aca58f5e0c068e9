# The house: which rooms there are, on which floor each stands, and which third-party packages it may use.
# This table is the only truth. CMake builds from it, and tests/house/includes.test.py judges every #include by it.
#
# A room includes only rooms on lower floors. Rooms on one floor never include each other.
# A room exists as soon as it has a source or a public header; rooms without sources are skipped.

# room | floor | packages it may include and is linked with (fmt is everybody's)
set(TRANCHE_ROOMS
  "base       | 0 | xxhash nlohmann_json"
  "core       | 1 | fast_float"
  "formats    | 2 | fast_float simdjson zlib zstd"
  "drivers    | 2 | duckdb sqlite3 libpq curl"
  "plan       | 2 | "
  "report     | 2 | xlsxwriter"
  "engine     | 3 | "
  "connectors | 3 | "
  "transforms | 3 | "
  "executors  | 3 | "
  "ledger     | 3 | "
  "pipeline   | 4 | "
  "steps      | 5 | "
  "api        | 6 | "
  "jobfile    | 7 | yaml_cpp"
  "render     | 7 | "
  "schedule   | 7 | "
  "cli        | 8 | cli11"
  "main       | 9 | "
)

# package | the headers it is known by | the only file that may include it, or "-" for any file of its rooms
set(TRANCHE_THIRD_PARTY
  "fmt           | fmt/                            | -"
  "xxhash        | xxhash.h xxh3.h xxh_x86dispatch.h | -"
  "nlohmann_json | nlohmann/                       | src/base/json.cpp"
  "fast_float    | fast_float/                     | -"
  "simdjson      | simdjson.h simdjson/            | -"
  "zlib          | zlib.h                          | -"
  "zstd          | zstd.h zstd_errors.h            | -"
  "duckdb        | duckdb.h duckdb.hpp duckdb/     | -"
  "sqlite3       | sqlite3.h                       | -"
  "libpq         | libpq-fe.h libpq/ postgresql/   | src/drivers/postgres.cpp"
  "xlsxwriter    | xlsxwriter.h xlsxwriter/        | src/report/xlsx_writer.cpp"
  "curl          | curl/                           | -"
  "yaml_cpp      | yaml-cpp/                       | -"
  "cli11         | CLI/                            | one file"
)

# Rooms that are pure: what they do depends on their arguments alone. They include none of these headers.
# (std::filesystem::path is vocabulary; the functions of that header are not for them either.)
set(TRANCHE_PURE_ROOMS core plan)
set(TRANCHE_IMPURE_HEADERS
  thread mutex shared_mutex condition_variable future fstream
  unistd.h fcntl.h signal.h pthread.h time.h dirent.h poll.h sys/)

# Slow to compile, or printing: nobody includes these.
set(TRANCHE_BANNED_HEADERS regex iostream)

# Splits "a | b | c" into the given variables, blanks removed.
function(tranche_split row)
  string(REPLACE "|" ";" cells "${row}")
  foreach(name IN LISTS ARGN)
    list(POP_FRONT cells cell)
    string(STRIP "${cell}" cell)
    set(${name} "${cell}" PARENT_SCOPE)
  endforeach()
endfunction()
