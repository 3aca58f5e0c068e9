#include "connectors/file_inputs.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include <fmt/format.h>

#include "base/digest.h"
#include "base/file.h"
#include "base/standard_input.h"
#include "base/text.h"
#include "connectors/remote_places.h"
#include "connectors/remote_texts.h"

namespace tranche {
namespace {

constexpr std::size_t digest_piece_bytes = std::size_t{1} << 20;

Error named_twice(const std::string& name, const FilePatterns& files) {
  return make_error(ErrorKind::config,
                    fmt::format("{} is named twice in `{}:`, its records would be read twice. "
                                "Name it once.",
                                name, files.key));
}

// By a link to it, or to a folder above it.
Error reached_twice(const std::string& name, const std::string& other, const FilePatterns& files) {
  return make_error(ErrorKind::config,
                    fmt::format("{} and {} in `{}:` are one file, its records would be read twice. "
                                "Leave out one of the names.",
                                other, name, files.key));
}

// A pipe or a device gives its bytes once, and to whom comes first.
Error no_file(const std::string& name, const FilePatterns& files) {
  return make_error(ErrorKind::config,
                    fmt::format("{} is a pipe or a device, which can't be read a second time, as a "
                                "resume does. Name a file, or give it to the standard input, which "
                                "`{}: \"-\"` keeps in a file first.",
                                name, files.key));
}

Result<void> add_matches(const FilePatterns& files, const std::string& pattern,
                         std::set<std::string>& seen, std::map<std::string, std::string>& places,
                         std::vector<Input>& found) {
  TRANCHE_ASSIGN(const auto paths, expand_glob(pattern, files.base));
  const bool is_relative = fs::path(pattern).is_relative() && !files.base.empty();
  for (const auto& path : paths) {
    Input input;
    input.name = is_relative ? path.lexically_relative(files.base).string() : path.string();
    if (!seen.insert(path.lexically_normal().string()).second)
      return named_twice(input.name, files);
    std::error_code unknown;
    const fs::path place = fs::canonical(path, unknown);
    if (!unknown && !files.knows_content) {
      const auto [known, is_new] = places.emplace(place.string(), input.name);
      if (!is_new) return reached_twice(input.name, known->second, files);
    }
    TRANCHE_ASSIGN(const auto status, file_status(path));
    if (!status.is_regular) return no_file(input.name, files);
    input.bytes = status.bytes;
    input.modified_nanoseconds = status.modified_nanoseconds;
    found.push_back(std::move(input));
  }
  return {};
}

// All of it, as one input. Errors: config, also when it is not alone.
Result<std::vector<Input>> list_standard_input(const FilePatterns& files) {
  if (files.patterns.size() > 1) {
    return make_error(ErrorKind::config,
                      fmt::format("\"-\" in `{}:` is standard input, and stands alone; name files "
                                  "in another source of the step.",
                                  files.key));
  }
  TRANCHE_ASSIGN(const fs::path path, spool_standard_input());
  TRANCHE_ASSIGN(const auto status, file_status(path));
  Input input;
  input.name = standard_input_name;
  input.bytes = status.bytes;
  input.modified_nanoseconds = status.modified_nanoseconds;
  return std::vector<Input>{std::move(input)};
}

Result<Input> find_remote_input(const FilePatterns& files, const std::string& url,
                                const std::string& name) {
  if (!files.may_be_remote) {
    return make_error(ErrorKind::config,
                      fmt::format("{} can't be read from where it is: from URLs only csv and jsonl "
                                  "are read, and `incremental:` and `on_done:` need files here. "
                                  "Download it first.",
                                  name));
  }
  TRANCHE_ASSIGN(const HttpPlace place, find_remote_place(url, name));
  TRANCHE_ASSIGN(HttpObject object, examine_remote(place));
  Input input;
  input.name = name;
  input.bytes = object.bytes;
  input.modified_nanoseconds = object.modified_nanoseconds;
  input.digest = std::move(object.entity_tag);
  return input;
}

// Where a glob that matches nothing is no mistake: nobody has put a file there yet.
bool matches_nothing(const FilePatterns& files, const std::string& pattern) {
  const bool is_glob = pattern.find_first_of("*?[") != std::string::npos;
  const auto paths = expand_glob(pattern, files.base);
  return is_glob && !paths && paths.error().message.starts_with("No file matches");
}

Result<std::string> digest_of(const FilePatterns& files, const Input& input) {
  TRANCHE_ASSIGN(const File file, File::open_read(files.base / input.name));
  Digest digest;
  std::string piece(digest_piece_bytes, '\0');
  std::uint64_t at = 0;
  while (at < input.bytes) {
    const std::uint64_t wanted = std::min<std::uint64_t>(piece.size(), input.bytes - at);
    TRANCHE_ASSIGN(const std::size_t count, file.read_at(piece.data(), wanted, at));
    if (count == 0) break;
    digest.update({piece.data(), count});
    at += count;
  }
  return to_hex64(digest.value());
}

// Finds loaded files by their name, and by what is in them.
class LoadedFiles {
 public:
  explicit LoadedFiles(const std::vector<Input>& loaded) {
    for (const Input& input : loaded) add(input);
  }
  void add(const Input& input) {
    by_name_[input.name] = input;
    by_content_.emplace(std::pair(input.bytes, input.digest), input.name);
  }
  const Input* of_name(const std::string& name) const {
    const auto found = by_name_.find(name);
    return found == by_name_.end() ? nullptr : &found->second;
  }
  const std::string* of_content(const Input& input) const {
    const auto found = by_content_.find({input.bytes, input.digest});
    return found == by_content_.end() ? nullptr : &found->second;
  }

 private:
  std::map<std::string, Input> by_name_;  // as it was last loaded
  std::map<std::pair<std::uint64_t, std::string>, std::string> by_content_;
};

Error changed_since(const Input& input, const Input& loaded) {
  return make_error(
      ErrorKind::config,
      fmt::format("{} was loaded by an earlier run with {} bytes and is another file by now, of {} "
                  "bytes. Say what to do with such files: incremental: {{ files: true, changed: "
                  "reload }} loads all of it again, changed: ignore leaves it.",
                  input.name, loaded.bytes, input.bytes));
}

}  // namespace

fs::path path_of_input(const fs::path& base, const Input& input) {
  return input.name == standard_input_name ? standard_input_path() : base / input.name;
}

Result<std::vector<Input>> list_files(const FilePatterns& files) {
  const bool is_text = files.key == "csv" || files.key == "jsonl";
  if (is_text && std::find(files.patterns.begin(), files.patterns.end(), standard_input_name) !=
                     files.patterns.end())
    return list_standard_input(files);
  std::vector<Input> found;
  std::set<std::string> seen;
  std::map<std::string, std::string> places;  // and the name by which it was found
  const auto names = remote_names(files.patterns);
  for (std::size_t i = 0; i < names.size(); ++i) {
    const std::string& pattern = files.patterns[i];
    if (names[i].empty()) {
      TRANCHE_TRY(add_matches(files, pattern, seen, places, found));
      continue;
    }
    if (!seen.insert(pattern).second) return named_twice(names[i], files);
    TRANCHE_ASSIGN(Input input, find_remote_input(files, pattern, names[i]));
    found.push_back(std::move(input));
  }
  return found;
}

std::vector<Option> file_increment_options() {
  OptionTable increment{
      {.name = "files",
       .kind = OptionKind::boolean,
       .doc = "Only files are read that no completed run has loaded, by their path, their size and "
              "what is in them.",
       .required = true,
       .example = "true"},
      {.name = "changed",
       .kind = OptionKind::choice,
       .doc = "What a file is that was loaded and is another by now: an error before the start, "
              "loaded again as a whole, or left alone.",
       .default_text = "fail",
       .choices = {"fail", "reload", "ignore"}},
      {.name = "settle",
       .kind = OptionKind::duration,
       .doc = "A file that was changed so short a time ago may still be written: it is left to the "
              "next run.",
       .default_text = "0s",
       .example = "60s"},
  };
  OptionTable done{
      {.name = "move",
       .kind = OptionKind::text,
       .doc = "The folder that the files are moved to when all of them are loaded.",
       .required = true,
       .example = "archive/"},
  };
  return {
      {.name = "incremental",
       .kind = OptionKind::map,
       .doc = "Each file is loaded once, however often the job runs.",
       .children = std::move(increment)},
      {.name = "on_done",
       .kind = OptionKind::map,
       .doc = "What happens to the files behind the step.",
       .children = std::move(done)},
  };
}

std::optional<FileIncrement> read_file_increment(const Node& options, const OptionTable& table,
                                                 FilePatterns files) {
  const bool reads_files = std::any_of(
      table.begin(), table.end(), [](const Option& option) { return option.name == "on_done"; });
  if (!reads_files) return std::nullopt;
  const auto child = [&](std::string_view name) {
    return std::find_if(table.begin(), table.end(),
                        [&](const Option& option) { return option.name == name; });
  };
  const Node* const incremental = options.find("incremental");
  const Node* const done = options.find("on_done");
  if (incremental == nullptr && done == nullptr) return std::nullopt;
  FileIncrement made;
  made.files = std::move(files);
  if (incremental != nullptr) {
    const OptionReader reader(*incremental, child("incremental")->children);
    made.is_incremental = reader.boolean("files");
    made.settle = reader.duration("settle");
    if (reader.text("changed") == "reload") made.changed = FileIncrement::Changed::reload;
    if (reader.text("changed") == "ignore") made.changed = FileIncrement::Changed::ignore;
  }
  if (done != nullptr) made.move_to = OptionReader(*done, child("on_done")->children).text("move");
  return made;
}

Result<NewFiles> find_new_files(const FileIncrement& increment, const std::vector<Input>& loaded,
                                std::int64_t now_microseconds) {
  FilePatterns matching = increment.files;
  matching.knows_content = true;
  std::erase_if(matching.patterns, [&](const std::string& pattern) {
    return matches_nothing(increment.files, pattern);
  });
  TRANCHE_ASSIGN(auto present, list_files(matching));
  LoadedFiles known(loaded);
  NewFiles found;
  for (Input& input : present) {
    const Input* const before = known.of_name(input.name);
    if (before != nullptr && before->bytes == input.bytes &&
        before->modified_nanoseconds == input.modified_nanoseconds) {
      continue;
    }
    const std::int64_t age_microseconds = now_microseconds - input.modified_nanoseconds / 1000;
    if (age_microseconds < std::chrono::microseconds(increment.settle).count()) {
      found.notices.push_back(
          fmt::format("{} was changed a moment ago and may still be written; it "
                      "is left to the next run.",
                      input.name));
      continue;
    }
    TRANCHE_ASSIGN(input.digest, digest_of(increment.files, input));
    const bool is_other =
        before != nullptr && (before->bytes != input.bytes || before->digest != input.digest);
    if (before != nullptr && !is_other) continue;  // only its time was touched
    if (is_other && increment.changed == FileIncrement::Changed::fail) {
      return changed_since(input, *before);
    }
    if (is_other && increment.changed == FileIncrement::Changed::ignore) {
      found.notices.push_back(
          fmt::format("{} was loaded by an earlier run and is another file by "
                      "now; it was left alone.",
                      input.name));
      continue;
    }
    if (const std::string* same = known.of_content(input); same != nullptr && !is_other) {
      found.notices.push_back(
          fmt::format("{} holds the same bytes as {}, which is loaded; it was "
                      "left alone.",
                      input.name, *same));
      continue;
    }
    known.add(input);
    found.inputs.push_back(std::move(input));
  }
  return found;
}

Result<void> move_done(const FileIncrement& increment, const std::vector<Input>& inputs) {
  const auto is_own = [&](const Input& input) { return input.source == increment.source; };
  if (increment.move_to.empty() || std::none_of(inputs.begin(), inputs.end(), is_own)) return {};
  const fs::path folder = increment.files.base / increment.move_to;
  TRANCHE_TRY(create_folders(folder));
  for (const Input& input : inputs) {
    if (!is_own(input)) continue;
    const fs::path from = increment.files.base / input.name;
    if (!file_exists(from)) continue;  // moved before a crash, or by somebody else
    fs::path to = folder / from.filename();
    for (int number = 1; file_exists(to); ++number) {
      to = folder / fmt::format("{}.{}", from.filename().string(), number);
    }
    TRANCHE_TRY(rename_durably(from, to));
  }
  return {};
}

}  // namespace tranche
