#include "executors/segment_files.h"

#include <utility>

namespace tranche {

Result<std::shared_ptr<AnonymousFile>> AnonymousFile::create_on_disk(const std::string& folder) {
  TRANCHE_ASSIGN(auto file, File::create_anonymous(folder));
  return std::shared_ptr<AnonymousFile>(new AnonymousFile(std::move(file), false));
}

Result<std::shared_ptr<AnonymousFile>> AnonymousFile::create_in_memory() {
  TRANCHE_ASSIGN(auto file, File::create_in_memory());
  return std::shared_ptr<AnonymousFile>(new AnonymousFile(std::move(file), true));
}

Result<std::shared_ptr<AnonymousFile>> AnonymousFile::adopt(int descriptor, bool is_in_memory) {
  File file = File::adopt(descriptor, "(from another process)");
  if (is_in_memory && !file.is_sealed()) {
    return make_error(ErrorKind::crash, "A worker handed over shared memory that is not sealed.");
  }
  return std::shared_ptr<AnonymousFile>(new AnonymousFile(std::move(file), is_in_memory));
}

Result<std::string> AnonymousFile::read(std::uint64_t offset, std::uint64_t bytes) const {
  std::string data(bytes, '\0');
  TRANCHE_ASSIGN(const auto count, file_.read_at(data.data(), bytes, offset));
  data.resize(count);
  return data;
}

Result<void> move_to_file(const std::shared_ptr<AnonymousFile>& file,
                          std::vector<Segment>& segments) {
  for (auto& segment : segments) {
    if (!segment.data) continue;
    TRANCHE_TRY(file->file_.write_at(*segment.data, file->bytes_));
    segment.file = file;
    segment.file_offset = file->bytes_;
    file->bytes_ += segment.data->size();
    segment.data.reset();
  }
  return {};
}

}  // namespace tranche
