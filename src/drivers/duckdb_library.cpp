#include "drivers/duckdb_library.h"

#include <dlfcn.h>

#include <cstdio>
#include <cstdlib>
#include <string>

#include <fmt/format.h>

namespace tranche {
namespace {

struct Library {
  void* handle = nullptr;
  std::string trouble;  // why there is none
};

// It is found like a library that we are linked with: beside us, or where the system has it.
Library open_library() {
  Library library;
  library.handle = ::dlopen("libduckdb.so", RTLD_LAZY | RTLD_LOCAL);
  if (library.handle == nullptr) library.trouble = ::dlerror();
  return library;
}

const Library& library() {
  static const Library opened = open_library();
  return opened;
}

}  // namespace

Result<void> load_duckdb() {
  if (library().handle != nullptr) return {};
  return make_error(ErrorKind::failed,
                    fmt::format("DuckDB's library can't be loaded: {}. Put it beside "
                                "Tranche, or install it.",
                                library().trouble));
}

void* find_in_duckdb(const char* name) {
  void* const found = library().handle == nullptr ? nullptr : ::dlsym(library().handle, name);
  if (found != nullptr) return found;
  std::fprintf(stderr, "DuckDB's library has no %s: it is not of version %s.\n", name,
               TRANCHE_DUCKDB_VERSION);
  std::abort();
}

}  // namespace tranche
