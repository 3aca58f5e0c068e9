# Fuzz targets, with TRANCHE_FUZZ and clang: fuzz/<check>.cpp become fuzz_<target>, linked with formats and the floors
# below, without DuckDB. tools/fuzz builds and runs them.

if(NOT CMAKE_CXX_COMPILER_ID MATCHES "Clang")
  message(FATAL_ERROR "libFuzzer comes with clang: use the preset fuzz")
endif()

file(GLOB checks CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/fuzz/c*.cpp")
add_library(fuzz_checks OBJECT EXCLUDE_FROM_ALL ${checks})
target_link_libraries(fuzz_checks PRIVATE tranche_flags)
target_include_directories(fuzz_checks PRIVATE "${PROJECT_SOURCE_DIR}/tests")

add_custom_target(fuzz)
foreach(target IN ITEMS cutting csv writing jsonl json_rows numbers dates)
  add_executable(fuzz_${target} EXCLUDE_FROM_ALL "${PROJECT_SOURCE_DIR}/fuzz/target.cpp" $<TARGET_OBJECTS:fuzz_checks>)
  target_compile_definitions(fuzz_${target} PRIVATE TRANCHE_FUZZ_CHECK=check_${target})
  target_link_libraries(fuzz_${target} PRIVATE tranche_flags)
  target_link_options(fuzz_${target} PRIVATE -fsanitize=fuzzer)
  foreach(room IN ITEMS base core formats)
    target_link_libraries(fuzz_${target} PRIVATE tranche_${room})
  endforeach()
  set_target_properties(fuzz_${target} PROPERTIES
    OUTPUT_NAME ${target} RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/fuzz")
  add_dependencies(fuzz fuzz_${target})
endforeach()
