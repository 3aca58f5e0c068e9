# Finds every third-party package and gives each one target, tranche_dep_<package>, by which rooms link it.
# All are Debian 12 packages, except DuckDB (see FindDuckDB.cmake). tools/setup installs them.

list(APPEND CMAKE_MODULE_PATH "${CMAKE_CURRENT_LIST_DIR}")

find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)
find_package(fmt 9 REQUIRED)
find_package(nlohmann_json 3.11 REQUIRED)
find_package(FastFloat REQUIRED)
find_package(simdjson 3.0 REQUIRED)
find_package(SQLite3 REQUIRED)
find_package(ZLIB REQUIRED)
find_package(yaml-cpp 0.7 REQUIRED)
find_package(CLI11 REQUIRED)
find_package(DuckDB REQUIRED)
pkg_check_modules(xxhash REQUIRED IMPORTED_TARGET libxxhash)
pkg_check_modules(zstd REQUIRED IMPORTED_TARGET libzstd)
pkg_check_modules(libpq REQUIRED IMPORTED_TARGET libpq)
pkg_check_modules(xlsxwriter REQUIRED IMPORTED_TARGET xlsxwriter)
pkg_check_modules(libcurl REQUIRED IMPORTED_TARGET libcurl)

# Third-party headers are SYSTEM: our warnings are not theirs.
function(tranche_dependency name)
  add_library(tranche_dep_${name} INTERFACE)
  target_link_libraries(tranche_dep_${name} INTERFACE ${ARGN})
endfunction()

tranche_dependency(fmt fmt::fmt)
tranche_dependency(xxhash PkgConfig::xxhash)
tranche_dependency(nlohmann_json nlohmann_json::nlohmann_json)
tranche_dependency(fast_float FastFloat::fast_float)
tranche_dependency(simdjson simdjson::simdjson)
tranche_dependency(zlib ZLIB::ZLIB)
tranche_dependency(zstd PkgConfig::zstd)
# Nothing is linked with DuckDB: it is loaded when it is needed (src/drivers/duckdb_library.h).
add_library(tranche_dep_duckdb INTERFACE)
target_include_directories(tranche_dep_duckdb SYSTEM INTERFACE "${DuckDB_INCLUDE_DIR}")
tranche_dependency(sqlite3 SQLite::SQLite3)
tranche_dependency(libpq PkgConfig::libpq)
tranche_dependency(xlsxwriter PkgConfig::xlsxwriter)
tranche_dependency(curl PkgConfig::libcurl)
tranche_dependency(yaml_cpp yaml-cpp)
tranche_dependency(cli11 CLI11::CLI11)
