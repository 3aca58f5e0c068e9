# How everything of ours is compiled: tranche_flags, and the two precompiled headers that all targets reuse.

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_CXX_VISIBILITY_PRESET hidden)
set(CMAKE_VISIBILITY_INLINES_HIDDEN ON)

# Programs and libraries find libduckdb.so beside themselves, so a build or install folder can be moved.
# Tests and examples lie one folder below.
set(CMAKE_BUILD_WITH_INSTALL_RPATH ON)
set(CMAKE_INSTALL_RPATH "$ORIGIN;$ORIGIN/../lib;$ORIGIN/..")
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}")
set(CMAKE_LIBRARY_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}")
set(CMAKE_ARCHIVE_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}")

if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release)
endif()
set(CMAKE_CXX_FLAGS_RELWITHDEBINFO "-O2 -g1")
set(CMAKE_CXX_FLAGS_RELEASE "-O3 -g1 -DNDEBUG")
set(CMAKE_CXX_FLAGS_DEBUG "-O1 -g -fno-omit-frame-pointer")

add_library(tranche_flags INTERFACE)
target_compile_options(tranche_flags INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion
  "-ffile-prefix-map=${PROJECT_SOURCE_DIR}/=")   # no path of the build machine in what we ship
if(TRANCHE_WERROR)
  target_compile_options(tranche_flags INTERFACE -Werror)
endif()
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # g++ 12's flow warnings are wrong about inlined std::string and std::variant; clang and the sanitizers look too.
  target_compile_options(tranche_flags INTERFACE -fdiagnostics-color=auto
    -Wno-restrict -Wno-stringop-overflow -Wno-stringop-overread
    -Wno-error=array-bounds -Wno-error=maybe-uninitialized -Wno-error=dangling-pointer -Wno-error=free-nonheap-object)
endif()
if(CMAKE_CXX_COMPILER_ID MATCHES "Clang")
  target_compile_options(tranche_flags INTERFACE -Wno-sign-conversion)   # g++'s -Wconversion leaves it out too
endif()
target_include_directories(tranche_flags INTERFACE "${PROJECT_SOURCE_DIR}/include" "${PROJECT_SOURCE_DIR}/src")
target_compile_definitions(tranche_flags INTERFACE
  "TRANCHE_VERSION=\"${PROJECT_VERSION}\"" "TRANCHE_DUCKDB_VERSION=\"${TRANCHE_DUCKDB_VERSION}\"")
target_link_libraries(tranche_flags INTERFACE Threads::Threads tranche_dep_fmt)
if(TRANCHE_SANITIZE)
  target_compile_options(tranche_flags INTERFACE "-fsanitize=${TRANCHE_SANITIZE}" -fno-omit-frame-pointer)
  target_link_options(tranche_flags INTERFACE "-fsanitize=${TRANCHE_SANITIZE}")
  if(TRANCHE_SANITIZE MATCHES "undefined")
    target_compile_options(tranche_flags INTERFACE -fno-sanitize-recover=undefined)
  endif()
endif()

# ccache needs to be told that a precompiled header is as good as its text.
find_program(TRANCHE_CCACHE ccache)
if(TRANCHE_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env
    "CCACHE_SLOPPINESS=pch_defines,time_macros"
    "CCACHE_BASEDIR=${PROJECT_SOURCE_DIR}" CCACHE_NOHASHDIR=1 ${TRANCHE_CCACHE})
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    target_compile_options(tranche_flags INTERFACE -fpch-preprocess)
  else()
    target_compile_options(tranche_flags INTERFACE "SHELL:-Xclang -fno-pch-timestamp")
  endif()
endif()

# One precompiled header for all rooms, one for all tests: compiled once, not once a room.
function(tranche_precompiled name)
  file(WRITE "${PROJECT_BINARY_DIR}/pch/${name}.cpp.in" "// holds the precompiled header ${name}\n")
  configure_file("${PROJECT_BINARY_DIR}/pch/${name}.cpp.in" "${PROJECT_BINARY_DIR}/pch/${name}.cpp" COPYONLY)
  add_library(${name} OBJECT EXCLUDE_FROM_ALL "${PROJECT_BINARY_DIR}/pch/${name}.cpp")
  target_link_libraries(${name} PRIVATE tranche_flags)
  target_precompile_headers(${name} PRIVATE
    <algorithm> <functional> <map> <memory> <optional> <span> <string> <unordered_map> <variant> <vector>
    <fmt/format.h> ${ARGN})
endfunction()
tranche_precompiled(tranche_pch)
