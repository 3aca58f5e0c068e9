#include "base/data_output.h"

#include <fcntl.h>
#include <unistd.h>

namespace tranche {
namespace {

int kept = -1;  // for the life of the process

}  // namespace

void keep_data_output() {
  if (kept < 0) kept = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
}

int data_output() { return kept >= 0 ? kept : STDOUT_FILENO; }

}  // namespace tranche
