#include "transforms/file_digests.h"

#include <fmt/format.h>

#include "base/digest.h"
#include "base/file.h"

namespace tranche {

Result<std::uint64_t> digest_file(const std::filesystem::path& path) {
  TRANCHE_ASSIGN(const File file, File::open_read(path));
  Digest digest;
  std::string buffer(std::size_t{1} << 18, '\0');
  for (std::uint64_t offset = 0;;) {
    TRANCHE_ASSIGN(const std::size_t bytes, file.read_at(buffer.data(), buffer.size(), offset));
    if (bytes == 0) return digest.value();
    digest.update({buffer.data(), bytes});
    offset += bytes;
  }
}

Result<std::string> fingerprint_files(const std::vector<std::filesystem::path>& files,
                                      const std::filesystem::path& base) {
  std::string print;
  for (const std::filesystem::path& file : files) {
    TRANCHE_ASSIGN(const std::uint64_t digest, digest_file(file));
    const auto below = file.lexically_normal().lexically_relative(base.lexically_normal());
    const bool is_below = !base.empty() && !below.empty() && *below.begin() != "..";
    print +=
        fmt::format("file {}, content {}\n", (is_below ? below : file).string(), to_hex64(digest));
  }
  return print;
}

}  // namespace tranche
