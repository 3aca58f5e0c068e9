# `make package`: a .deb for Debian 12, from what cmake/install.cmake installs, and (tools/package) a folder that runs anywhere.
# The manual page and the completions are printed by the command itself.

if(NOT TARGET tranche OR NOT PROJECT_IS_TOP_LEVEL OR TRANCHE_SANITIZE)
  return()
endif()
set(pages "${PROJECT_BINARY_DIR}/pages")
add_custom_command(OUTPUT "${pages}/tranche.1" "${pages}/tranche.bash" "${pages}/_tranche" "${pages}/tranche.fish"
  COMMAND "${CMAKE_COMMAND}" -E make_directory "${pages}"
  COMMAND tranche man > "${pages}/tranche.1"
  COMMAND tranche completion bash > "${pages}/tranche.bash"
  COMMAND tranche completion zsh > "${pages}/_tranche"
  COMMAND tranche completion fish > "${pages}/tranche.fish"
  DEPENDS tranche VERBATIM)
add_custom_target(pages ALL DEPENDS "${pages}/tranche.1")

install(FILES "${pages}/tranche.1" DESTINATION "${CMAKE_INSTALL_MANDIR}/man1")
install(FILES "${pages}/tranche.bash" DESTINATION "${CMAKE_INSTALL_DATADIR}/bash-completion/completions" RENAME tranche)
install(FILES "${pages}/_tranche" DESTINATION "${CMAKE_INSTALL_DATADIR}/zsh/vendor-completions")
install(FILES "${pages}/tranche.fish" DESTINATION "${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d")
install(FILES README.md CHANGELOG.md LICENSE DESTINATION "${CMAKE_INSTALL_DOCDIR}")
install(DIRECTORY docs/ DESTINATION "${CMAKE_INSTALL_DOCDIR}/docs")

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME tranche)
set(CPACK_PACKAGE_CONTACT "Tranche <tranche@localhost>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "batch processing of data that is too large to process at once")
set(CPACK_PACKAGE_DESCRIPTION "Divides large data into batches, commits every batch exactly once, keeps bad records
apart, and goes on where it was interrupted. Reads and writes CSV, JSON Lines,
Parquet, PostgreSQL, SQLite and DuckDB. With the library and its headers.")
set(CPACK_DEBIAN_PACKAGE_SECTION database)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS_PRIVATE_DIRS "${PROJECT_BINARY_DIR}")
set(CPACK_STRIP_FILES ON)
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
include(CPack)
