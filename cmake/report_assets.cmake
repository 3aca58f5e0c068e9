# What pages of reports bring along: a style sheet and scripts of ours (src/report/assets), and Vega, put into the library as
# they are. A page allows just these by their digests, which are made here.

set(TRANCHE_VEGA_ROOT "${PROJECT_SOURCE_DIR}/.deps/vega" CACHE PATH "Folder with the scripts of Vega that tools/setup fetches")
set(folder "${PROJECT_SOURCE_DIR}/src/report/assets")
set(definitions)
set(files)
foreach(row IN ITEMS "STYLE|${folder}/page.css" "TABLES|${folder}/tables.js" "CHARTS|${folder}/charts.js"
    "VEGA|${TRANCHE_VEGA_ROOT}/vega.min.js" "VEGA_LITE|${TRANCHE_VEGA_ROOT}/vega-lite.min.js"
    "VEGA_INTERPRETER|${TRANCHE_VEGA_ROOT}/vega-interpreter.js" "VEGA_LICENSE|${TRANCHE_VEGA_ROOT}/LICENSE")
  tranche_split("${row}" name file)
  if(NOT EXISTS "${file}")
    message(FATAL_ERROR "${file} is missing. Run tools/setup, or set TRANCHE_VEGA_ROOT.")
  endif()
  file(SHA256 "${file}" digest)
  list(APPEND definitions "TRANCHE_${name}_FILE=\"${file}\"" "TRANCHE_${name}_SHA256=\"${digest}\"")
  list(APPEND files "${file}")
endforeach()
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${files})
set_source_files_properties("${PROJECT_SOURCE_DIR}/src/report/assets.cpp" PROPERTIES
  COMPILE_DEFINITIONS "${definitions}" OBJECT_DEPENDS "${files}")
