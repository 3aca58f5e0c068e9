// Files and folders of the operating system, with every return value checked and fsync where it is
// promised. All file I/O of the engine, the sinks and the planner passes here, so that faults can
// be injected below one seam.
//
// Threads: a File may be read (read_at) by many threads at once; writing is for one thread.
// Lifetime: File owns its descriptor.
// Errors: kind failed, message "Can't <verb> <path>: <reason>."; a missing or unreadable input is
// config where the function says so. EINTR and short writes are handled; a failed fsync is never
// repeated.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <tranche/base/result.h>

namespace tranche {

namespace fs = std::filesystem;

struct FileStatus {
  std::uint64_t bytes = 0;
  std::int64_t modified_nanoseconds = 0;  // since the epoch
  bool is_folder = false;
  bool is_regular = false;
};

// Has the system begin to write these bytes to the disk, so that a later sync waits for less.
// Advice only: an error of the disk is for the sync to tell.
void begin_writeback(int descriptor, std::uint64_t offset, std::uint64_t bytes);

class File {
 public:
  File() = default;
  File(File&& other) noexcept;
  File& operator=(File&& other) noexcept;
  ~File();

  // Opens for reading. Errors: config ("No such file: ..." / "Can't read ...: permission denied").
  static Result<File> open_read(const fs::path& path);
  // Creates or truncates; `exclusive` fails when it exists. Opened for reading and writing.
  static Result<File> create(const fs::path& path, bool exclusive = false);
  // Opens an existing file for reading and writing without truncating it.
  static Result<File> open_write(const fs::path& path);
  // An anonymous file in `folder` that vanishes with its last descriptor (spill).
  static Result<File> create_anonymous(const fs::path& folder);

  // One in shared memory, which vanishes likewise and can be sealed.
  static Result<File> create_in_memory();
  // Takes over an open descriptor; `name` is for messages.
  static File adopt(int descriptor, const fs::path& name) { return File(descriptor, name); }

  bool is_open() const { return descriptor_ >= 0; }
  int descriptor() const { return descriptor_; }
  const fs::path& path() const { return path_; }

  // Reads up to `bytes` at `offset` into `buffer`; returns the count, less only at the file's end.
  Result<std::size_t> read_at(char* buffer, std::size_t bytes, std::uint64_t offset) const;
  Result<void> write(std::string_view bytes);  // all of them, at the present position
  Result<void> write_at(std::string_view bytes, std::uint64_t offset);
  void begin_writeback(std::uint64_t offset, std::uint64_t bytes) const {
    tranche::begin_writeback(descriptor_, offset, bytes);
  }
  Result<void> truncate(std::uint64_t bytes);  // and seeks to the new end
  Result<void> sync();                         // fsync; on failure the file must be written anew
  Result<std::uint64_t> size() const;
  // Who may read and write it: as of the regular file at `path`, where there is one.
  Result<void> take_mode_of(const fs::path& path);
  // Of a file in shared memory: nobody can change it any more.
  Result<void> seal();
  bool is_sealed() const;
  Result<void> close();  // checked; the destructor's close is not

 private:
  File(int descriptor, fs::path path) : descriptor_(descriptor), path_(std::move(path)) {}
  int descriptor_ = -1;
  fs::path path_;
};

Result<std::string> read_file(const fs::path& path);
// Durable and atomic: temporary file beside it, write, fsync, rename, fsync of the folder.
// REQUIRES one writer of `path` at a time: the temporary name is fixed (.<name>.tmp).
Result<void> write_file_durably(const fs::path& path, std::string_view bytes);
// Durably and whole, or not at all, like it; a file that is there already stays as it is. Where the
// file system has unnamed files, several may do so at once: the first one wins.
Result<void> create_file_durably(const fs::path& path, std::string_view bytes);
Result<void> sync_folder(const fs::path& folder);
Result<void> rename_file(const fs::path& from, const fs::path& to);  // not yet durable
// Renames and syncs the folders of both names.
Result<void> rename_durably(const fs::path& from, const fs::path& to);
Result<void> remove_file(const fs::path& path);  // a missing file is no error
Result<void> remove_tree(const fs::path& path);  // a missing one is no error
// Creates the folder and its parents, and syncs the parent of each that it created.
Result<void> create_folders(const fs::path& folder);
Result<FileStatus> file_status(const fs::path& path);  // errors: config when missing
bool file_exists(const fs::path& path);
// The files that `pattern` names, sorted by bytes, each as the user wrote it, behind `base` where
// it is relative; in `base` itself nothing is a pattern. `pattern` is a plain path, or a glob with
// * ? [] and ** (any chain of folders); a path with such characters that is there is a plain one. A
// glob skips folders, and hidden names unless it spells out the dot.
// Errors: config when the file is missing ("No such file: ..."), when nothing matches ("No file
// matches ..."), when the path is a folder, or when a file or folder on the way can't be read.
Result<std::vector<fs::path>> expand_glob(const fs::path& pattern, const fs::path& base = {});
// Bytes that can be written on the file system of `path`, which need not exist yet.
Result<std::uint64_t> free_bytes(const fs::path& path);

}  // namespace tranche
