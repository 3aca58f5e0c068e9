# Finds DuckDB's C API: DuckDB::duckdb, with DuckDB_LIBRARY and DuckDB_INCLUDE_DIR.
# In this order: DUCKDB_ROOT (variable or environment), the system, what tools/setup fetched into .deps/duckdb.
# DuckDB_BUNDLED is true for a library outside the system's own folders: it is then copied beside ours.

set(_duckdb_roots "${DUCKDB_ROOT}" "$ENV{DUCKDB_ROOT}")
list(FILTER _duckdb_roots EXCLUDE REGEX "^$")

foreach(_step IN ITEMS root system fetched)
  if(DuckDB_INCLUDE_DIR AND DuckDB_LIBRARY)
    break()
  endif()
  unset(DuckDB_INCLUDE_DIR CACHE)
  unset(DuckDB_LIBRARY CACHE)
  if(_step STREQUAL "system")
    find_path(DuckDB_INCLUDE_DIR duckdb.h)
    find_library(DuckDB_LIBRARY duckdb)
  elseif(_step STREQUAL "fetched" OR _duckdb_roots)
    set(_places "${_duckdb_roots}")
    if(_step STREQUAL "fetched")
      set(_places "${PROJECT_SOURCE_DIR}/.deps/duckdb")
    endif()
    find_path(DuckDB_INCLUDE_DIR duckdb.h PATHS ${_places} PATH_SUFFIXES include . NO_DEFAULT_PATH)
    find_library(DuckDB_LIBRARY duckdb PATHS ${_places} PATH_SUFFIXES lib . NO_DEFAULT_PATH)
  endif()
endforeach()

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(DuckDB REQUIRED_VARS DuckDB_LIBRARY DuckDB_INCLUDE_DIR
  REASON_FAILURE_MESSAGE "Run tools/setup, or set DUCKDB_ROOT to a folder with include/duckdb.h and lib/libduckdb.so.")

if(DuckDB_FOUND)
  set(DuckDB_BUNDLED TRUE)
  if(DuckDB_LIBRARY MATCHES "^/(usr/)?(local/)?lib(64)?/")
    set(DuckDB_BUNDLED FALSE)
  endif()
  if(NOT TARGET DuckDB::duckdb)
    add_library(DuckDB::duckdb SHARED IMPORTED)
    set_target_properties(DuckDB::duckdb PROPERTIES
      IMPORTED_LOCATION "${DuckDB_LIBRARY}"
      INTERFACE_INCLUDE_DIRECTORIES "${DuckDB_INCLUDE_DIR}")
  endif()
endif()
mark_as_advanced(DuckDB_LIBRARY DuckDB_INCLUDE_DIR)
