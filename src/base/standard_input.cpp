#include "base/standard_input.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "base/file.h"
#include "base/system_error.h"

namespace tranche {
namespace {

constexpr std::size_t piece_bytes = std::size_t{1} << 20;
constexpr mode_t mode_when_whole = 0400;  // by this others see that all of it came

struct Spool {
  File file;
  std::filesystem::path path;
};

Spool& spool() {
  static Spool made;  // for the life of the process
  return made;
}

Result<void> copy_all(File& to) {
  std::vector<char> piece(piece_bytes);
  while (true) {
    const ssize_t count = ::read(STDIN_FILENO, piece.data(), piece.size());
    if (count == 0) return {};
    if (count < 0 && errno == EINTR)
      return make_error(ErrorKind::stopped, "Stopped while standard input was read.");
    if (count < 0) return system_error(ErrorKind::config, "read", "standard input", errno);
    TRANCHE_TRY(to.write({piece.data(), static_cast<std::size_t>(count)}));
  }
}

}  // namespace

Result<void> keep_standard_input(const std::filesystem::path& folder) {
  TRANCHE_TRY(create_folders(folder));
  TRANCHE_ASSIGN(spool().file, File::create_anonymous(folder));
  spool().path = fmt::format("/proc/{}/fd/{}", getpid(), spool().file.descriptor());
  return {};
}

std::filesystem::path standard_input_path() { return spool().path; }

Result<std::filesystem::path> spool_standard_input() {
  if (spool().path.empty())
    TRANCHE_TRY(keep_standard_input(std::filesystem::temp_directory_path()));
  struct stat found = {};
  if (fstat(spool().file.descriptor(), &found) != 0)
    return system_error(ErrorKind::config, "look at", "what standard input gave", errno);
  if ((found.st_mode & 0777) == mode_when_whole) return spool().path;
  if (isatty(STDIN_FILENO) != 0) {
    return make_error(ErrorKind::config, "Standard input is to be read (\"-\"), and is a terminal. "
                                         "Give it data, as in: zcat x.gz | tranche run job.yaml");
  }
  // What was taken from the pipe and not yet written is lost with who took it.
  if (found.st_size > 0) {
    return make_error(ErrorKind::config,
                      "Whoever read standard input died before all of it was there. Run it again.");
  }
  TRANCHE_TRY(copy_all(spool().file));
  if (fchmod(spool().file.descriptor(), mode_when_whole) != 0)
    return system_error(ErrorKind::config, "keep", "standard input", errno);
  return spool().path;
}

}  // namespace tranche
