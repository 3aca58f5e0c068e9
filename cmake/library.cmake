# The rooms, the library in its two forms, the command and the examples.

# Everything that all rooms up to a floor are linked with: the objects themselves, then their packages.
set(TRANCHE_BUILT_ROOMS)      # "room|floor" of each room that has sources
set(TRANCHE_ALL_PACKAGES fmt)

foreach(row IN LISTS TRANCHE_ROOMS)
  tranche_split("${row}" room floor packages)
  file(GLOB sources CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/src/${room}/*.cpp")
  if(room STREQUAL "main" OR NOT sources)
    continue()
  endif()
  separate_arguments(packages)
  add_library(tranche_${room} OBJECT ${sources})
  target_link_libraries(tranche_${room} PUBLIC tranche_flags)
  target_precompile_headers(tranche_${room} REUSE_FROM tranche_pch)
  foreach(package IN LISTS packages)
    if(TARGET tranche_dep_${package})
      target_link_libraries(tranche_${room} PUBLIC tranche_dep_${package})
      list(APPEND TRANCHE_ALL_PACKAGES ${package})
    endif()
  endforeach()
  list(APPEND TRANCHE_BUILT_ROOMS "${room}|${floor}")
endforeach()
list(REMOVE_DUPLICATES TRANCHE_ALL_PACKAGES)
list(TRANSFORM TRANCHE_ALL_PACKAGES PREPEND tranche_dep_ OUTPUT_VARIABLE TRANCHE_ALL_DEPENDENCIES)

# Links a target with the objects of a room and of every room on a lower floor.
function(tranche_link_rooms target room)
  foreach(row IN LISTS TRANCHE_ROOMS)
    tranche_split("${row}" name floor packages)
    if(name STREQUAL "${room}")
      set(top ${floor})
    endif()
  endforeach()
  foreach(built IN LISTS TRANCHE_BUILT_ROOMS)
    tranche_split("${built}" name floor)
    if(floor LESS top OR name STREQUAL "${room}")
      target_link_libraries(${target} PRIVATE tranche_${name})
    endif()
  endforeach()
endfunction()

# DuckDB lies beside what needs it, unless the system has it.
if(DuckDB_BUNDLED)
  add_custom_command(OUTPUT "${PROJECT_BINARY_DIR}/libduckdb.so"
    COMMAND ${CMAKE_COMMAND} -E copy_if_different "${DuckDB_LIBRARY}" "${PROJECT_BINARY_DIR}/libduckdb.so"
    COMMAND ${CMAKE_COMMAND} -E touch_nocreate "${PROJECT_BINARY_DIR}/libduckdb.so"
    DEPENDS "${DuckDB_LIBRARY}" VERBATIM)
  add_custom_target(tranche_duckdb_beside ALL DEPENDS "${PROJECT_BINARY_DIR}/libduckdb.so")
else()
  add_custom_target(tranche_duckdb_beside)
endif()

set(TRANCHE_LIBRARY)          # the static library, where there is anything to put into it
if(TRANCHE_BUILT_ROOMS)
  set(objects)
  foreach(built IN LISTS TRANCHE_BUILT_ROOMS)
    tranche_split("${built}" name floor)
    list(APPEND objects $<TARGET_OBJECTS:tranche_${name}>)
  endforeach()
  add_library(tranche_static STATIC ${objects})
  add_library(tranche_shared SHARED ${objects})
  target_link_libraries(tranche_static INTERFACE ${TRANCHE_ALL_DEPENDENCIES} Threads::Threads ${CMAKE_DL_LIBS})
  target_link_libraries(tranche_shared PRIVATE ${TRANCHE_ALL_DEPENDENCIES} Threads::Threads ${CMAKE_DL_LIBS})
  set_target_properties(tranche_static tranche_shared PROPERTIES OUTPUT_NAME tranche LINKER_LANGUAGE CXX)
  set_target_properties(tranche_shared PROPERTIES
    VERSION ${PROJECT_VERSION} SOVERSION ${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR})
  foreach(library IN ITEMS tranche_static tranche_shared)
    target_include_directories(${library} INTERFACE
      $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include> $<INSTALL_INTERFACE:include>)
    target_compile_features(${library} INTERFACE cxx_std_20)
    add_dependencies(${library} tranche_duckdb_beside)
    if(TRANCHE_SANITIZE)
      target_link_options(${library} PUBLIC "-fsanitize=${TRANCHE_SANITIZE}")
    endif()
  endforeach()
  if(DuckDB_BUNDLED AND NOT PROJECT_IS_TOP_LEVEL)   # ours look beside themselves
    target_link_options(tranche_static INTERFACE "-Wl,-rpath,${PROJECT_BINARY_DIR}")
  endif()
  add_library(Tranche::tranche ALIAS tranche_static)
  add_library(Tranche::tranche_shared ALIAS tranche_shared)
  add_library(tranche_main INTERFACE)   # tranche::main lives in the library; this says that a program wants it
  target_link_libraries(tranche_main INTERFACE tranche_static)
  add_library(Tranche::main ALIAS tranche_main)
  set(TRANCHE_LIBRARY tranche_static)
endif()

if(TRANCHE_LIBRARY AND TARGET tranche_cli AND EXISTS "${PROJECT_SOURCE_DIR}/src/main/main.cpp")
  add_executable(tranche "${PROJECT_SOURCE_DIR}/src/main/main.cpp")
  target_link_libraries(tranche PRIVATE tranche_flags ${TRANCHE_LIBRARY})
  # Its path is to hold for the libraries of its libraries too: a tarball brings all of them.
  target_link_options(tranche PRIVATE -Wl,--disable-new-dtags)
endif()

file(GLOB examples CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/examples/cpp/*.cpp")
if(TRANCHE_EXAMPLES AND TRANCHE_LIBRARY)
  foreach(source IN LISTS examples)
    cmake_path(GET source STEM name)
    add_executable(example_${name} "${source}")
    target_link_libraries(example_${name} PRIVATE tranche_flags ${TRANCHE_LIBRARY})
    set_target_properties(example_${name} PROPERTIES
      OUTPUT_NAME ${name} RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/examples")
  endforeach()
endif()
