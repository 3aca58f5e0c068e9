# Programs that measurements and the memory tests need: bench/<name>.cpp becomes build/<preset>/bench/<name>. They stand
# alone. A plain build leaves them out; the tests need generate_sales.

file(GLOB programs CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/bench/*.cpp")
add_custom_target(bench_programs)
foreach(source IN LISTS programs)
  cmake_path(GET source STEM name)
  add_executable(bench_${name} EXCLUDE_FROM_ALL "${source}")
  target_link_libraries(bench_${name} PRIVATE tranche_flags)
  set_target_properties(bench_${name} PROPERTIES
    OUTPUT_NAME ${name} RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/bench")
  add_dependencies(bench_programs bench_${name})
endforeach()
if(TARGET tests)
  add_dependencies(tests bench_programs)
endif()
