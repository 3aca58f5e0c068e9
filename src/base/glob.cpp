// The expansion of glob patterns. Not glob(3): it has no **, follows the locale, and reports an
// unreadable folder only through a callback.
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>

#include <fmt/format.h>

#include "base/file.h"
#include "base/system_error.h"

namespace tranche {
namespace {

// One name of the pattern with the slashes after it, so that results read as the user wrote them.
struct Component {
  std::string name;
  std::string slashes;
  bool is_wild() const { return name.find_first_of("*?[") != std::string::npos; }
  bool is_recursive() const { return name == "**"; }
};

std::vector<Component> split_components(std::string_view pattern) {
  std::vector<Component> components;
  std::size_t at = 0;
  while (at < pattern.size()) {
    const std::size_t name_end = std::min(pattern.find('/', at), pattern.size());
    const std::size_t next = std::min(pattern.find_first_not_of('/', name_end), pattern.size());
    components.push_back({std::string(pattern.substr(at, name_end - at)),
                          std::string(pattern.substr(name_end, next - name_end))});
    at = next;
  }
  return components;
}

// The characters of UTF-8 text. A byte that is none stands for itself, above all of Unicode, so
// that every file name can be matched.
std::u32string characters(std::string_view bytes) {
  constexpr char32_t invalid_byte = 0x200000;
  std::u32string result;
  for (std::size_t at = 0; at < bytes.size();) {
    const auto first = static_cast<unsigned char>(bytes[at]);
    const std::size_t length = first < 0x80                    ? 1
                               : first >= 0xC2 && first < 0xE0 ? 2
                               : first >= 0xE0 && first < 0xF0 ? 3
                               : first >= 0xF0 && first < 0xF5 ? 4
                                                               : 0;
    char32_t value = length <= 1 ? first : first & (0x7Fu >> length);
    bool valid = length > 0 && at + length <= bytes.size();
    for (std::size_t i = 1; valid && i < length; ++i) {
      const auto byte = static_cast<unsigned char>(bytes[at + i]);
      valid = (byte & 0xC0) == 0x80;
      value = (value << 6) | (byte & 0x3Fu);
    }
    result.push_back(valid ? value : invalid_byte + first);
    at += valid ? length : 1;
  }
  return result;
}

// Matches `value` against the set that starts at pattern[at] == '['; moves `at` behind it. A '['
// that nothing closes is an ordinary character.
bool matches_set(std::u32string_view pattern, std::size_t& at, char32_t value) {
  std::size_t i = at + 1;
  const bool negated = i < pattern.size() && (pattern[i] == U'!' || pattern[i] == U'^');
  if (negated) ++i;
  const std::size_t close = pattern.find(U']', i + 1);  // a ']' in front is a member
  if (close == std::u32string_view::npos) return pattern[at++] == value;
  bool found = false;
  while (i < close) {
    const bool is_range = i + 2 < close && pattern[i + 1] == U'-';
    const char32_t last = is_range ? pattern[i + 2] : pattern[i];
    found = found || (pattern[i] <= value && value <= last);
    i += is_range ? 3 : 1;
  }
  at = close + 1;
  return found != negated;
}

bool matches_name(std::u32string_view pattern, std::u32string_view name) {
  if (!name.empty() && name[0] == U'.' && (pattern.empty() || pattern[0] != U'.')) return false;
  std::size_t p = 0;
  std::size_t n = 0;
  std::size_t star = std::u32string_view::npos;  // the last '*', to which a mismatch goes back
  std::size_t star_name = 0;                     // where in the name that '*' ends for now
  while (n < name.size()) {
    if (p < pattern.size() && pattern[p] == U'*') {
      star = ++p;
      star_name = n;
      continue;
    }
    std::size_t next = p;
    bool matched = false;
    if (p < pattern.size()) {
      if (pattern[p] == U'[') {
        matched = matches_set(pattern, next, name[n]);
      } else {
        matched = pattern[p] == U'?' || pattern[p] == name[n];
        next = p + 1;
      }
    }
    if (matched) {
      p = next;
      ++n;
    } else if (star != std::u32string_view::npos) {
      p = star;
      n = ++star_name;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == U'*') ++p;
  return p == pattern.size();
}

struct Entry {
  std::string name;
  unsigned char kind = DT_UNKNOWN;
};

// The names in a folder, without "." and "..". A folder that is not there has none.
Result<std::vector<Entry>> list_folder(const std::string& path) {
  const std::string folder = path.empty() ? "." : path;
  const auto failure = [&](int error_number) {
    return system_error(ErrorKind::config, "read the folder", folder, error_number);
  };
  struct CloseFolder {
    void operator()(DIR* opened) const { ::closedir(opened); }
  };
  const std::unique_ptr<DIR, CloseFolder> opened(::opendir(folder.c_str()));
  std::vector<Entry> entries;
  if (!opened) {
    if (errno == ENOENT || errno == ENOTDIR) return entries;
    return failure(errno);
  }
  for (;;) {
    errno = 0;
    const dirent* entry = ::readdir(opened.get());
    if (entry == nullptr) break;
    const std::string_view name = entry->d_name;
    if (name != "." && name != "..") entries.push_back({std::string(name), entry->d_type});
  }
  if (errno != 0) return failure(errno);
  return entries;
}

bool is_folder(const std::string& path) {
  struct stat found {};
  return ::stat(path.c_str(), &found) == 0 && S_ISDIR(found.st_mode);
}

bool is_folder_itself(const Entry& entry, const std::string& path) {
  if (entry.kind != DT_UNKNOWN) return entry.kind == DT_DIR;
  struct stat found {};
  return ::lstat(path.c_str(), &found) == 0 && S_ISDIR(found.st_mode);
}

// A file that can't be read is found here, before anything is started.
Result<void> check_readable(const std::string& path) {
  if (::faccessat(AT_FDCWD, path.c_str(), R_OK, AT_EACCESS) != 0)
    return system_error(ErrorKind::config, "read", path, errno);
  return {};
}

class Expansion {
 public:
  explicit Expansion(std::vector<Component> components) : components_(std::move(components)) {}

  // Collects what components_[index...] match below `base`.
  Result<void> walk(const std::string& base, std::size_t index);
  std::vector<std::string> take() && { return std::move(matches_); }

 private:
  Result<void> walk_below(const std::string& base, std::size_t index);
  Result<void> add(const std::string& path);

  std::vector<Component> components_;
  std::vector<std::string> matches_;
};

Result<void> Expansion::walk(const std::string& base, std::size_t index) {
  const Component& component = components_[index];
  const bool is_last = index + 1 == components_.size();
  if (component.is_recursive()) return walk_below(base, index);
  if (!component.is_wild()) {
    const std::string path = base + component.name + component.slashes;
    return is_last ? add(path) : walk(path, index + 1);
  }
  TRANCHE_ASSIGN(const std::vector<Entry> entries, list_folder(base));
  const std::u32string pattern = characters(component.name);
  for (const Entry& entry : entries) {
    if (!matches_name(pattern, characters(entry.name))) continue;
    const std::string path = base + entry.name;
    if (is_last) {
      TRANCHE_TRY(add(path + component.slashes));
    } else if (is_folder(path)) {
      TRANCHE_TRY(walk(path + component.slashes, index + 1));
    }
  }
  return {};
}

// "**" stands for no folder, or for any chain of them. Links to folders are left alone: they may
// lead back up.
Result<void> Expansion::walk_below(const std::string& base, std::size_t index) {
  TRANCHE_TRY(walk(base, index + 1));
  TRANCHE_ASSIGN(const std::vector<Entry> entries, list_folder(base));
  for (const Entry& entry : entries) {
    const std::string path = base + entry.name;
    if (entry.name[0] == '.' || !is_folder_itself(entry, path)) continue;
    TRANCHE_TRY(walk_below(path + components_[index].slashes, index));
  }
  return {};
}

Result<void> Expansion::add(const std::string& path) {
  struct stat found {};
  if (::lstat(path.c_str(), &found) != 0) {
    if (errno == ENOENT || errno == ENOTDIR) return {};
    return system_error(ErrorKind::config, "read", path, errno);
  }
  if (::stat(path.c_str(), &found) != 0)  // a link that leads nowhere
    return system_error(ErrorKind::config, "read", path, errno);
  if (S_ISDIR(found.st_mode)) return {};
  TRANCHE_TRY(check_readable(path));
  matches_.push_back(path);
  return {};
}

Result<std::vector<fs::path>> expand_plain(const fs::path& path) {
  TRANCHE_ASSIGN(const FileStatus found, file_status(path));
  if (found.is_folder)
    return make_error(ErrorKind::config,
                      fmt::format("{} is a folder: name the files in it, as in {}.", path.native(),
                                  (path / "*").native()));
  TRANCHE_TRY(check_readable(path.native()));
  return std::vector<fs::path>{path};
}

}  // namespace

Result<std::vector<fs::path>> expand_glob(const fs::path& pattern, const fs::path& base) {
  const fs::path whole = base / pattern;
  std::string spelled = pattern.native();
  if (spelled == "**" || spelled.ends_with("/**")) spelled += "/*";  // all files below
  std::vector<Component> components = split_components(spelled);
  const bool is_glob = std::any_of(components.begin(), components.end(),
                                   [](const Component& component) { return component.is_wild(); });
  if (!is_glob || file_exists(whole)) return expand_plain(whole);
  Expansion expansion(std::move(components));
  const bool is_behind_base = pattern.is_relative() && !base.empty();
  TRANCHE_TRY(expansion.walk(is_behind_base ? (base / "").native() : "", 0));
  std::vector<std::string> matches = std::move(expansion).take();
  if (matches.empty())
    return make_error(ErrorKind::config, fmt::format("No file matches {}.", whole.native()));
  std::sort(matches.begin(), matches.end());
  // Two ** in a row find a file more than once.
  matches.erase(std::unique(matches.begin(), matches.end()), matches.end());
  return std::vector<fs::path>(matches.begin(), matches.end());
}

}  // namespace tranche
