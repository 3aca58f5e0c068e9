#include "base/file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <utility>

#include <fmt/format.h>

#include "base/system_error.h"

namespace tranche {
namespace {

constexpr mode_t file_mode = 0666;  // the umask takes away what the user wants taken away
constexpr mode_t folder_mode = 0777;
constexpr int all_seals = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;
// One read or write moves at most this much; Linux itself stops at 2 GiB.
constexpr std::size_t transfer_bytes_max = std::size_t{1} << 30;

Error failure(std::string_view verb, const fs::path& path, int error_number) {
  return system_error(ErrorKind::failed, verb, path.native(), error_number);
}

// A wrongly named input is the job's mistake; all else (EIO, ENFILE) is the machine's.
Error input_failure(const fs::path& path, int error_number) {
  switch (error_number) {
    case ENOENT:
    case ENOTDIR:
      return make_error(ErrorKind::config, fmt::format("No such file: {}.", path.native()));
    case EACCES:
    case EPERM:
    case EISDIR:
    case ELOOP:
    case ENAMETOOLONG:
      return system_error(ErrorKind::config, "read", path.native(), error_number);
    default:
      return failure("read", path, error_number);
  }
}

template <class Call> auto retry_interrupted(const Call& call) {
  for (;;) {
    const auto result = call();
    if (result != -1 || errno != EINTR) return result;
  }
}

int open_descriptor(const fs::path& path, int flags) {
  return retry_interrupted([&] { return ::open(path.c_str(), flags | O_CLOEXEC, file_mode); });
}

// Linux frees the descriptor even when close is interrupted: a second close could hit another
// thread's new file.
int close_descriptor(int descriptor) {
  return ::close(descriptor) == 0 || errno == EINTR ? 0 : errno;
}

fs::path folder_of(const fs::path& path) {
  fs::path folder = path.parent_path();
  return folder.empty() ? fs::path(".") : folder;
}

std::int64_t nanoseconds(const timespec& time) {
  return std::int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
}

// For file systems without O_TMPFILE: a named file whose name is gone at once.
int open_unlinked(const fs::path& folder) {
  std::string name = (folder / ".tranche-XXXXXX").native();
  const int descriptor = ::mkostemp(name.data(), O_CLOEXEC);
  if (descriptor < 0) return -1;
  if (::unlink(name.c_str()) == 0) return descriptor;
  const int error_number = errno;
  static_cast<void>(close_descriptor(descriptor));
  errno = error_number;
  return -1;
}

}  // namespace

void begin_writeback(int descriptor, std::uint64_t offset, std::uint64_t bytes) {
  static_cast<void>(::sync_file_range(descriptor, static_cast<off64_t>(offset),
                                      static_cast<off64_t>(bytes), SYNC_FILE_RANGE_WRITE));
}

File::File(File&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)), path_(std::move(other.path_)) {}

File& File::operator=(File&& other) noexcept {
  if (this != &other) {
    if (is_open()) static_cast<void>(close_descriptor(descriptor_));
    descriptor_ = std::exchange(other.descriptor_, -1);
    path_ = std::move(other.path_);
  }
  return *this;
}

File::~File() {
  if (is_open()) static_cast<void>(close_descriptor(descriptor_));
}

Result<File> File::open_read(const fs::path& path) {
  const int descriptor = open_descriptor(path, O_RDONLY);
  if (descriptor < 0) return input_failure(path, errno);
  File file(descriptor, path);
  struct stat found {};
  if (::fstat(descriptor, &found) != 0) return failure("read", path, errno);
  if (S_ISDIR(found.st_mode)) return input_failure(path, EISDIR);
  return file;
}

Result<File> File::create(const fs::path& path, bool exclusive) {
  const int flags = O_RDWR | O_CREAT | (exclusive ? O_EXCL : O_TRUNC);
  const int descriptor = open_descriptor(path, flags);
  if (descriptor < 0) return failure("create", path, errno);
  return File(descriptor, path);
}

Result<File> File::open_write(const fs::path& path) {
  const int descriptor = open_descriptor(path, O_RDWR);
  if (descriptor < 0) return failure("open", path, errno);
  return File(descriptor, path);
}

Result<File> File::create_anonymous(const fs::path& folder) {
  const fs::path place = folder.empty() ? fs::path(".") : folder;
  int descriptor = open_descriptor(place, O_TMPFILE | O_EXCL | O_RDWR);
  if (descriptor < 0 && (errno == EOPNOTSUPP || errno == EISDIR || errno == EINVAL))
    descriptor = open_unlinked(place);
  if (descriptor < 0) return failure("create a temporary file in", place, errno);
  return File(descriptor, place / "(temporary)");
}

Result<File> File::create_in_memory() {
  const int descriptor = ::memfd_create("tranche", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  if (descriptor < 0) return failure("create", "shared memory", errno);
  return File(descriptor, "(shared memory)");
}

Result<void> File::seal() {
  if (::fcntl(descriptor_, F_ADD_SEALS, all_seals) != 0) return failure("seal", path_, errno);
  return {};
}

bool File::is_sealed() const {
  const int seals = ::fcntl(descriptor_, F_GET_SEALS);
  return seals >= 0 && (seals & all_seals) == all_seals;
}

Result<std::size_t> File::read_at(char* buffer, std::size_t bytes, std::uint64_t offset) const {
  std::size_t done = 0;
  while (done < bytes) {
    const std::size_t wanted = std::min(bytes - done, transfer_bytes_max);
    const ssize_t count = retry_interrupted([&] {
      return ::pread(descriptor_, buffer + done, wanted, static_cast<off_t>(offset + done));
    });
    if (count < 0) return failure("read", path_, errno);
    if (count == 0) break;
    done += static_cast<std::size_t>(count);
  }
  return done;
}

Result<void> File::write(std::string_view bytes) {
  while (!bytes.empty()) {
    const std::size_t wanted = std::min(bytes.size(), transfer_bytes_max);
    const ssize_t count =
        retry_interrupted([&] { return ::write(descriptor_, bytes.data(), wanted); });
    if (count < 0) return failure("write", path_, errno);
    bytes.remove_prefix(static_cast<std::size_t>(count));
  }
  return {};
}

Result<void> File::write_at(std::string_view bytes, std::uint64_t offset) {
  while (!bytes.empty()) {
    const std::size_t wanted = std::min(bytes.size(), transfer_bytes_max);
    const ssize_t count = retry_interrupted(
        [&] { return ::pwrite(descriptor_, bytes.data(), wanted, static_cast<off_t>(offset)); });
    if (count < 0) return failure("write", path_, errno);
    bytes.remove_prefix(static_cast<std::size_t>(count));
    offset += static_cast<std::uint64_t>(count);
  }
  return {};
}

Result<void> File::truncate(std::uint64_t bytes) {
  const auto length = static_cast<off_t>(bytes);
  if (retry_interrupted([&] { return ::ftruncate(descriptor_, length); }) != 0)
    return failure("truncate", path_, errno);
  if (::lseek(descriptor_, length, SEEK_SET) < 0) return failure("truncate", path_, errno);
  return {};
}

// Not repeated, not even on EINTR: after a failed fsync Linux holds the lost pages for clean, and
// the next one would report success.
Result<void> File::sync() {
  if (::fsync(descriptor_) != 0) return failure("sync", path_, errno);
  return {};
}

Result<void> File::take_mode_of(const fs::path& path) {
  struct stat found {};
  if (::stat(path.c_str(), &found) != 0 || !S_ISREG(found.st_mode)) return {};
  if (::fchmod(descriptor_, found.st_mode & 07777) != 0)
    return failure("set the mode of", path_, errno);
  return {};
}

Result<std::uint64_t> File::size() const {
  struct stat found {};
  if (::fstat(descriptor_, &found) != 0) return failure("examine", path_, errno);
  return static_cast<std::uint64_t>(found.st_size);
}

Result<void> File::close() {
  if (!is_open()) return {};
  const int error_number = close_descriptor(std::exchange(descriptor_, -1));
  if (error_number != 0) return failure("close", path_, error_number);
  return {};
}

// By read, not read_at, and to the end, not to the size: pipes and /proc have neither.
Result<std::string> read_file(const fs::path& path) {
  constexpr std::size_t piece_bytes = std::size_t{64} << 10;
  TRANCHE_ASSIGN(const File file, File::open_read(path));
  TRANCHE_ASSIGN(const std::uint64_t size, file.size());
  std::string bytes;
  std::size_t done = 0;
  for (;;) {
    // One byte more than the size says, so that the usual file ends within the first buffer.
    if (done == bytes.size())
      bytes.resize(done == 0 && size > 0 ? size + 1 : done + std::max(done, piece_bytes));
    const std::size_t wanted = std::min(bytes.size() - done, transfer_bytes_max);
    const ssize_t count =
        retry_interrupted([&] { return ::read(file.descriptor(), bytes.data() + done, wanted); });
    if (count < 0) return failure("read", path, errno);
    if (count == 0) break;
    done += static_cast<std::size_t>(count);
  }
  bytes.resize(done);
  return bytes;
}

Result<void> write_file_durably(const fs::path& path, std::string_view bytes) {
  // A fixed name: what a killed process leaves here is overwritten by the next attempt.
  const fs::path temporary = folder_of(path) / ("." + path.filename().native() + ".tmp");
  const auto write_temporary = [&]() -> Result<void> {
    TRANCHE_ASSIGN(File file, File::create(temporary));
    TRANCHE_TRY(file.write(bytes));
    TRANCHE_TRY(file.sync());
    TRANCHE_TRY(file.close());
    if (::rename(temporary.c_str(), path.c_str()) != 0) return failure("write", path, errno);
    return {};
  };
  if (Result<void> written = write_temporary(); !written) {
    ::unlink(temporary.c_str());  // the first error is the one that counts
    return std::move(written).error();
  }
  return sync_folder(folder_of(path));
}

Result<void> create_file_durably(const fs::path& path, std::string_view bytes) {
  const fs::path folder = folder_of(path);
  // Without a name nothing is left of it when we die on the way.
  const int descriptor = open_descriptor(folder, O_TMPFILE | O_RDWR);
  if (descriptor < 0) {
    if (errno != EOPNOTSUPP && errno != EISDIR && errno != EINVAL)
      return failure("create", path, errno);
    return file_exists(path) ? Result<void>() : write_file_durably(path, bytes);
  }
  File file = File::adopt(descriptor, path);
  TRANCHE_TRY(file.write(bytes));
  TRANCHE_TRY(file.sync());
  const std::string unnamed = fmt::format("/proc/self/fd/{}", descriptor);
  if (::linkat(AT_FDCWD, unnamed.c_str(), AT_FDCWD, path.c_str(), AT_SYMLINK_FOLLOW) != 0 &&
      errno != EEXIST)
    return failure("create", path, errno);
  return sync_folder(folder);
}

Result<void> sync_folder(const fs::path& folder) {
  const fs::path place = folder.empty() ? fs::path(".") : folder;
  const int descriptor = open_descriptor(place, O_RDONLY | O_DIRECTORY);
  if (descriptor < 0) return failure("sync the folder", place, errno);
  // EINVAL: a file system whose folders can't be synced (and need not be).
  const int synced = ::fsync(descriptor) == 0 || errno == EINVAL ? 0 : errno;
  const int closed = close_descriptor(descriptor);
  if (synced != 0) return failure("sync the folder", place, synced);
  if (closed != 0) return failure("sync the folder", place, closed);
  return {};
}

Result<void> rename_file(const fs::path& from, const fs::path& to) {
  if (::rename(from.c_str(), to.c_str()) == 0) return {};
  const int error_number = errno;
  return system_error(ErrorKind::failed, "rename",
                      fmt::format("{} to {}", from.native(), to.native()), error_number);
}

Result<void> rename_durably(const fs::path& from, const fs::path& to) {
  TRANCHE_TRY(rename_file(from, to));
  TRANCHE_TRY(sync_folder(folder_of(to)));
  if (folder_of(from) != folder_of(to)) TRANCHE_TRY(sync_folder(folder_of(from)));
  return {};
}

Result<void> remove_file(const fs::path& path) {
  if (::unlink(path.c_str()) != 0 && errno != ENOENT) return failure("remove", path, errno);
  return {};
}

Result<void> remove_tree(const fs::path& path) {
  std::error_code error;
  fs::remove_all(path, error);
  if (error && error != std::errc::no_such_file_or_directory)
    return failure("remove", path, error.value());
  return {};
}

Result<void> create_folders(const fs::path& folder) {
  std::error_code ignored;
  if (folder.empty() || fs::is_directory(folder, ignored)) return {};
  if (!folder.has_filename()) return create_folders(folder.parent_path());  // "out/"
  TRANCHE_TRY(create_folders(folder.parent_path()));
  if (::mkdir(folder.c_str(), folder_mode) != 0) {
    const int error_number = errno;
    // Another process may have been faster.
    if (error_number == EEXIST && fs::is_directory(folder, ignored)) return {};
    return failure("create the folder", folder, error_number);
  }
  return sync_folder(folder_of(folder));
}

Result<FileStatus> file_status(const fs::path& path) {
  struct stat found {};
  if (::stat(path.c_str(), &found) != 0) return input_failure(path, errno);
  FileStatus status;
  status.bytes = static_cast<std::uint64_t>(found.st_size);
  status.modified_nanoseconds = nanoseconds(found.st_mtim);
  status.is_folder = S_ISDIR(found.st_mode);
  status.is_regular = S_ISREG(found.st_mode);
  return status;
}

bool file_exists(const fs::path& path) {
  struct stat found {};
  return ::stat(path.c_str(), &found) == 0;
}

Result<std::uint64_t> free_bytes(const fs::path& path) {
  fs::path place = path.empty() ? fs::path(".") : path;
  while (!file_exists(place) && folder_of(place) != place) place = folder_of(place);
  struct statvfs found {};
  if (retry_interrupted([&] { return ::statvfs(place.c_str(), &found); }) != 0)
    return failure("examine the file system of", path, errno);
  return std::uint64_t{found.f_bavail} * found.f_frsize;
}

}  // namespace tranche
