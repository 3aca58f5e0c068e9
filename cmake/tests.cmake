# Tests. One binary a room: tests/<room>/*.cpp becomes <room>_test, linked with that room and the floors below it.
# The folders of whole-product tests are built alike, linked with libtranche.a. Scripts are *.test.sh and *.test.py
# anywhere under tests/. Everything is labelled quick, except what lies in tests/contracts, tests/crash and tests/memory, and the
# longest of tests/jobs, so that the quick ones take two minutes: slow.

find_package(GTest REQUIRED)
tranche_precompiled(tranche_test_pch <gtest/gtest.h>)
target_link_libraries(tranche_test_pch PRIVATE GTest::gtest)

set(TRANCHE_TEST_ENVIRONMENT
  "TRANCHE_BIN=${PROJECT_BINARY_DIR}/tranche"
  "TRANCHE_SOURCE_DIR=${PROJECT_SOURCE_DIR}"
  "TRANCHE_BUILD_DIR=${PROJECT_BINARY_DIR}"
  "TRANCHE_SANITIZE=${TRANCHE_SANITIZE}"
  "PYTHONDONTWRITEBYTECODE=1"
  "ASAN_OPTIONS=detect_stack_use_after_return=1:strict_string_checks=1"
  "UBSAN_OPTIONS=print_stacktrace=1"
  "TSAN_OPTIONS=suppressions=${PROJECT_SOURCE_DIR}/cmake/tsan.supp:second_deadlock_stack=1")
if(TRANCHE_SANITIZE)  # their dlopen looks nowhere that the program's own would: DuckDB lies beside it
  list(APPEND TRANCHE_TEST_ENVIRONMENT "LD_LIBRARY_PATH=${PROJECT_BINARY_DIR}")
endif()

# These have a PostgreSQL of their own while they run, named by TRANCHE_TEST_POSTGRES.
set(TRANCHE_TESTS_WITH_POSTGRES drivers connectors contracts)

# `tests` builds all of them; a plain build leaves them out of its way.
add_custom_target(tests)

function(tranche_register name path)
  set(label quick)
  set(seconds 300)  # against hangs only
  if(path MATCHES "(^|/)tests/(contracts|crash|memory)(/|$)" OR name MATCHES "^jobs/(compressed|examples|guess|moves_in_jobs|moving_servers|parallel|plugins|remote|report|resume|schedule|steps|waiting|web_pages)\\.")
    set(label slow)
    set(seconds 2400)
  endif()
  if(TRANCHE_SANITIZE)  # which makes everything many times slower
    math(EXPR seconds "${seconds} * 8")
  endif()
  set_tests_properties(${name} PROPERTIES LABELS ${label} TIMEOUT ${seconds}
    ENVIRONMENT "${TRANCHE_TEST_ENVIRONMENT}")
endfunction()

function(tranche_test_binary folder)
  file(GLOB sources CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/tests/${folder}/*.cpp")
  if(NOT sources)
    return()
  endif()
  set(name ${folder}_test)
  add_executable(${name} EXCLUDE_FROM_ALL ${sources})
  add_dependencies(tests ${name})
  target_link_libraries(${name} PRIVATE tranche_flags GTest::gtest GTest::gtest_main)
  target_include_directories(${name} PRIVATE "${PROJECT_SOURCE_DIR}/tests")
  target_precompile_headers(${name} REUSE_FROM tranche_test_pch)
  # -fPIC rather than the -fPIE of a program: the precompiled header must be made and used alike.
  target_compile_options(${name} PRIVATE -fPIC)
  set_target_properties(${name} PROPERTIES
    POSITION_INDEPENDENT_CODE OFF RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/tests")
  add_dependencies(${name} tranche_duckdb_beside)
  if(ARGN)
    tranche_link_rooms(${name} ${folder})
  elseif(TRANCHE_LIBRARY)
    target_link_libraries(${name} PRIVATE ${TRANCHE_LIBRARY})
    if(TARGET tranche)
      add_dependencies(${name} tranche)
    endif()
  endif()
  set(server)
  if(folder IN_LIST TRANCHE_TESTS_WITH_POSTGRES)
    set(server python3 "${PROJECT_SOURCE_DIR}/tests/postgres_server.py")
  endif()
  add_test(NAME ${name} COMMAND ${server} $<TARGET_FILE:${name}> WORKING_DIRECTORY "${PROJECT_BINARY_DIR}/tests")
  tranche_register(${name} "tests/${folder}")
endfunction()

file(MAKE_DIRECTORY "${PROJECT_BINARY_DIR}/tests")
foreach(row IN LISTS TRANCHE_ROOMS)
  tranche_split("${row}" room floor packages)
  tranche_test_binary(${room} room)
endforeach()
# What the fuzz targets check is checked here too: on inputs of the test's own, and on the corpus.
if(TARGET formats_test)
  file(GLOB checks CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/fuzz/c*.cpp")
  target_sources(formats_test PRIVATE ${checks})
endif()
foreach(folder IN ITEMS contracts jobs crash memory consumer)
  tranche_test_binary(${folder})
endforeach()

# Programs that tests run: business logic of C++.
file(GLOB programs CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/tests/programs/*.cpp")
foreach(source IN LISTS programs)
  cmake_path(GET source STEM name)
  add_executable(program_${name} EXCLUDE_FROM_ALL "${source}")
  add_dependencies(tests program_${name})
  target_link_libraries(program_${name} PRIVATE tranche_flags ${TRANCHE_LIBRARY})
  set_target_properties(program_${name} PROPERTIES
    OUTPUT_NAME ${name} RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/programs")
endforeach()

# Plugins that tests load, each of one file, which needs nothing but the public headers.
enable_language(C)
file(GLOB plugins CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/tests/plugins/*.c" "${PROJECT_SOURCE_DIR}/tests/plugins/*.cpp")
foreach(source IN LISTS plugins)
  cmake_path(GET source STEM name)
  add_library(plugin_${name} MODULE EXCLUDE_FROM_ALL "${source}")
  add_dependencies(tests plugin_${name})
  target_include_directories(plugin_${name} PRIVATE "${PROJECT_SOURCE_DIR}/include")
  target_compile_options(plugin_${name} PRIVATE -Wall -Wextra -Wpedantic -Werror)
  target_link_options(plugin_${name} PRIVATE LINKER:-z,defs)
  set_target_properties(plugin_${name} PROPERTIES
    PREFIX "" OUTPUT_NAME ${name} LIBRARY_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/plugins")
  if(TARGET transforms_test)
    add_dependencies(transforms_test plugin_${name})
  endif()
endforeach()

# What tests load into the command to disturb its calls. Never linked with anything of the product.
add_library(faults MODULE EXCLUDE_FROM_ALL "${PROJECT_SOURCE_DIR}/tests/faults/calls.cpp")
add_dependencies(tests faults)
target_link_libraries(faults PRIVATE tranche_flags)
set_target_properties(faults PROPERTIES
  CXX_VISIBILITY_PRESET default OUTPUT_NAME tranche_faults
  LIBRARY_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/tests")

file(GLOB_RECURSE scripts CONFIGURE_DEPENDS
  "${PROJECT_SOURCE_DIR}/tests/*.test.sh" "${PROJECT_SOURCE_DIR}/tests/*.test.py")
foreach(script IN LISTS scripts)
  file(RELATIVE_PATH path "${PROJECT_SOURCE_DIR}" "${script}")
  string(REGEX REPLACE "^tests/" "" name "${path}")
  set(interpreter bash)
  if(script MATCHES "[.]py$")
    set(interpreter python3)
  endif()
  add_test(NAME ${name} COMMAND ${interpreter} "${script}" WORKING_DIRECTORY "${PROJECT_BINARY_DIR}/tests")
  tranche_register(${name} "${path}")
endforeach()

# Every public header compiles by itself, without the precompiled header.
file(GLOB_RECURSE headers CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/include/tranche/*.h")
set(units)
foreach(header IN LISTS headers)
  file(RELATIVE_PATH path "${PROJECT_SOURCE_DIR}/include" "${header}")
  string(REPLACE "/" "_" unit "${path}")
  set(unit "${PROJECT_BINARY_DIR}/header_check/${unit}.cpp")
  file(CONFIGURE OUTPUT "${unit}" CONTENT "#include <${path}>\n")
  list(APPEND units "${unit}")
endforeach()
if(units)
  add_library(header_check OBJECT EXCLUDE_FROM_ALL ${units})
  target_link_libraries(header_check PRIVATE tranche_flags)
  target_compile_options(header_check PRIVATE -O0 -g0)
  add_dependencies(tests header_check)
endif()
