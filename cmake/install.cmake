# `cmake --install` makes a folder that can be moved: bin/tranche, the library and libduckdb.so beside it, the headers, and
# the package that find_package(Tranche) reads. Installed, Tranche::tranche is the shared library: it alone needs nothing
# but itself of whoever links it.

if(NOT TRANCHE_LIBRARY)
  return()
endif()
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)
set(package_dir "${CMAKE_INSTALL_LIBDIR}/cmake/Tranche")

set_target_properties(tranche_shared PROPERTIES EXPORT_NAME tranche INSTALL_RPATH "$ORIGIN")
install(TARGETS tranche_shared EXPORT TrancheTargets LIBRARY DESTINATION "${CMAKE_INSTALL_LIBDIR}")
install(FILES "$<TARGET_FILE:tranche_static>" DESTINATION "${CMAKE_INSTALL_LIBDIR}")
install(DIRECTORY "${PROJECT_SOURCE_DIR}/include/tranche" DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}" FILES_MATCHING PATTERN "*.h")
install(EXPORT TrancheTargets NAMESPACE Tranche:: DESTINATION "${package_dir}")
if(TARGET tranche)
  set_target_properties(tranche PROPERTIES INSTALL_RPATH "$ORIGIN;$ORIGIN/../${CMAKE_INSTALL_LIBDIR}")
  install(TARGETS tranche RUNTIME DESTINATION "${CMAKE_INSTALL_BINDIR}")
endif()
# What `command:` lets programs in Python import; the command looks for it beside itself, and in the prefix it is in.
configure_file("${PROJECT_SOURCE_DIR}/python/tranche.py" "${PROJECT_BINARY_DIR}/share/tranche/python/tranche.py" COPYONLY)
install(FILES "${PROJECT_SOURCE_DIR}/python/tranche.py" DESTINATION "${CMAKE_INSTALL_DATADIR}/tranche/python")
if(DuckDB_BUNDLED)
  install(PROGRAMS "${PROJECT_BINARY_DIR}/libduckdb.so" DESTINATION "${CMAKE_INSTALL_LIBDIR}")
endif()

file(CONFIGURE OUTPUT "${PROJECT_BINARY_DIR}/TrancheConfig.cmake" @ONLY CONTENT [[
include("${CMAKE_CURRENT_LIST_DIR}/TrancheTargets.cmake")
if(NOT TARGET Tranche::main)
  add_library(Tranche::main INTERFACE IMPORTED)
  target_link_libraries(Tranche::main INTERFACE Tranche::tranche)
endif()
]])
write_basic_package_version_file("${PROJECT_BINARY_DIR}/TrancheConfigVersion.cmake" COMPATIBILITY SameMinorVersion)
install(FILES "${PROJECT_BINARY_DIR}/TrancheConfig.cmake" "${PROJECT_BINARY_DIR}/TrancheConfigVersion.cmake"
  DESTINATION "${package_dir}")
