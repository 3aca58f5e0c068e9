# Programs that measurements and tests need: bench/<name>.cpp becomes build/<preset>/bench/<name>. A plain build leaves
# them out. `tests` builds those that the tests need; `make bench` builds them all (target bench_programs).
#
# Those in TRANCHE_BENCH_ALONE stand alone; the others are linked with libtranche.a.

set(TRANCHE_BENCH_FOR_TESTS generate_sales)
set(TRANCHE_BENCH_ALONE generate_sales duckdb_peer static_split)
find_package(benchmark QUIET)   # Google Benchmark, Debian's libbenchmark-dev: for kernels.cpp only

file(GLOB programs CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/bench/*.cpp")
list(REMOVE_ITEM programs "${PROJECT_SOURCE_DIR}/bench/no_sync.cpp")
add_custom_target(bench_programs)
add_library(bench_no_sync MODULE EXCLUDE_FROM_ALL "${PROJECT_SOURCE_DIR}/bench/no_sync.cpp")
target_link_libraries(bench_no_sync PRIVATE tranche_flags)
set_target_properties(bench_no_sync PROPERTIES
  CXX_VISIBILITY_PRESET default OUTPUT_NAME no_sync LIBRARY_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/bench")
add_dependencies(bench_programs bench_no_sync)
foreach(source IN LISTS programs)
  cmake_path(GET source STEM name)
  if(name STREQUAL "kernels" AND NOT benchmark_FOUND)
    continue()
  endif()
  add_executable(bench_${name} EXCLUDE_FROM_ALL "${source}")
  target_link_libraries(bench_${name} PRIVATE tranche_flags)
  set_target_properties(bench_${name} PROPERTIES
    OUTPUT_NAME ${name} RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/bench")
  add_dependencies(bench_programs bench_${name})
  if(NOT name IN_LIST TRANCHE_BENCH_ALONE)
    target_link_libraries(bench_${name} PRIVATE ${TRANCHE_LIBRARY})
  endif()
  if(TARGET tests AND name IN_LIST TRANCHE_BENCH_FOR_TESTS)
    add_dependencies(tests bench_${name})
  endif()
endforeach()
target_link_libraries(bench_duckdb_peer PRIVATE DuckDB::duckdb)
add_dependencies(bench_duckdb_peer tranche_duckdb_beside)
if(TARGET bench_kernels)
  target_link_libraries(bench_kernels PRIVATE benchmark::benchmark)
endif()
