#include "connectors/parquet_sink.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <set>
#include <utility>

#include "base/digest.h"
#include "base/fault.h"
#include "base/json.h"
#include "base/text.h"
#include "connectors/parquet_encoder.h"
#include "connectors/parquet_file.h"
#include "formats/page_codec.h"
#include "formats/text_compressor.h"

namespace tranche {
namespace {

constexpr const char* manifest_folder = "_tranche";
constexpr std::string_view temporary_names = ".tranche-";

// One file of a group, as a receipt's payload keeps it.
struct Part {
  std::string temporary;  // path inside the folder
  std::string folder;     // "" or "day=2026-01-01/"
  std::uint64_t rows = 0;
  std::uint64_t bytes = 0;
  std::uint64_t checksum = 0;
};

std::uint64_t parse_hex(const std::string& text) {
  std::uint64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value, 16);
  return value;
}

Json to_json(const Part& part) {
  Json json;
  json.set("temporary", part.temporary);
  json.set("folder", part.folder);
  json.set("rows", part.rows);
  json.set("bytes", part.bytes);
  json.set("checksum", to_hex64(part.checksum));
  return json;
}

Result<std::vector<Part>> parts_of(const Receipt& receipt) {
  TRANCHE_ASSIGN(const Json payload, Json::parse(receipt.payload));
  std::vector<Part> parts;
  for (const Json& json : payload["parts"].items()) {
    parts.push_back(Part{json["temporary"].text(), json["folder"].text(), json["rows"].natural(),
                         json["bytes"].natural(), parse_hex(json["checksum"].text())});
  }
  return parts;
}

bool holds_hugeint(Type type) {
  if (!is_nested(type)) return type.id == TypeId::hugeint;
  return std::any_of(type.members->begin(), type.members->end(),
                     [](const TypeMember& member) { return holds_hugeint(member.type); });
}

std::string final_path(const Part& part, std::uint64_t sequence, std::uint64_t group) {
  return fmt::format("{}part-{:06}-{:06}.parquet", part.folder, sequence, group);
}

std::string temporary_prefix_of(const std::string& run_id) {
  return fmt::format("{}{}-", temporary_names, run_id.substr(0, 8));
}

// What is wrong with a file of known length and checksum, as a sentence; empty when nothing is.
Result<std::string> differs(const fs::path& path, const Part& part, bool read_it) {
  if (!exists(path)) return fmt::format("{} is gone", path.string());
  TRANCHE_ASSIGN(const FileStatus found, file_status(path));
  if (found.bytes != part.bytes)
    return fmt::format("{} has {} bytes instead of {}", path.string(), found.bytes, part.bytes);
  if (!read_it) return std::string();
  TRANCHE_ASSIGN(const File file, File::open_read(path));
  TRANCHE_ASSIGN(const std::uint64_t checksum, digest_range(file, 0, part.bytes));
  if (checksum == part.checksum) return std::string();
  return fmt::format("{} has other bytes than were written", path.string());
}

// The files in and below `folder` whose names begin with `prefix`, sorted.
Result<std::vector<fs::path>> find_files(const fs::path& folder, std::string_view prefix) {
  std::vector<fs::path> found;
  std::error_code error;
  fs::recursive_directory_iterator at(folder, error);
  for (; !error && at != fs::recursive_directory_iterator(); at.increment(error)) {
    if (at->path().filename().string().starts_with(prefix)) found.push_back(at->path());
  }
  if (error && error != std::errc::no_such_file_or_directory)
    return make_error(ErrorKind::failed,
                      fmt::format("Can't list {}: {}", folder.string(), error.message()));
  std::sort(found.begin(), found.end());
  return found;
}

struct Manifest {
  std::uint64_t sequence = 0;
  std::vector<std::string> files;
  Watermark watermark;
};

// The manifests of a folder in the order of their sequence.
Result<std::vector<Manifest>> read_manifests(const fs::path& folder) {
  std::vector<Manifest> manifests;
  TRANCHE_ASSIGN(const auto paths, find_files(folder / manifest_folder, ""));
  for (const fs::path& path : paths) {
    if (path.extension() != ".json" || path.filename().string().starts_with('.')) continue;
    Manifest manifest;
    const std::string stem = path.stem().string();
    const auto read = std::from_chars(stem.data(), stem.data() + stem.size(), manifest.sequence);
    if (read.ec != std::errc() || read.ptr != stem.data() + stem.size()) continue;
    TRANCHE_ASSIGN(const std::string text, read_file(path));
    auto json = Json::parse(text);
    if (!json)
      return make_error(ErrorKind::failed, fmt::format("The manifest {} is damaged: {}",
                                                       path.string(), json.error().message));
    for (const Json& file : (*json)["files"].items()) manifest.files.push_back(file["name"].text());
    manifest.watermark = Watermark{(*json)["increment"].text(), (*json)["watermark"].text()};
    manifests.push_back(std::move(manifest));
  }
  return manifests;
}

// The highest commit sequence in the names of part files. Their manifests may have been removed,
// and a rename must never put a new part over an old one.
Result<std::uint64_t> highest_part_sequence(const fs::path& folder) {
  constexpr std::string_view prefix = "part-";
  TRANCHE_ASSIGN(const auto paths, find_files(folder, prefix));
  std::uint64_t highest = 0;
  for (const fs::path& path : paths) {
    const std::string name = path.filename().string().substr(prefix.size());
    std::uint64_t sequence = 0;
    const auto read = std::from_chars(name.data(), name.data() + name.size(), sequence);
    if (read.ec == std::errc() && name.substr(read.ptr - name.data()).starts_with('-'))
      highest = std::max(highest, sequence);
  }
  return highest;
}

fs::path manifest_path(const fs::path& folder, std::uint64_t sequence) {
  return folder / manifest_folder / fmt::format("{:06}.json", sequence);
}

// A folder is the output's own as soon as a part lies there; an empty one that we made may go.
void remove_empty_folders(const fs::path& root, fs::path folder) {
  std::error_code error;
  while (folder != root && folder.string().size() > root.string().size() &&
         fs::remove(folder, error) && !error)
    folder = folder.parent_path();
}

Result<void> remove_temporaries(const fs::path& root, const std::string& prefix,
                                const std::set<std::string>& kept) {
  TRANCHE_ASSIGN(const auto files, find_files(root, prefix));
  for (const fs::path& file : files) {
    if (kept.contains(file.lexically_relative(root).string())) continue;
    TRANCHE_TRY(remove_file(file));
    remove_empty_folders(root, file.parent_path());
  }
  return {};
}

class ParquetCommitter : public Committer {
 public:
  ParquetCommitter(fs::path folder, SchemaPtr schema, std::vector<std::size_t> partition_columns)
      : folder_(std::move(folder)),
        schema_(std::move(schema)),
        partition_columns_(std::move(partition_columns)) {}

  Result<Applied> apply(std::uint64_t group, std::span<const Segment> segments,
                        const std::string& reject_id) override {
    Applied applied;
    Json parts{Json::Array{}};
    Digest digest;
    std::set<fs::path> folders{folder_};
    receipt_ = Receipt{};
    const bool drops = !segments.empty() && fault_drops_record("sink");
    for (const Segment& segment : segments) {
      if (segment.label == refused_label) {
        TRANCHE_TRY(refuse(segment, applied));
        continue;
      }
      const Part part{segment.label, segment.final_name, segment.rows, segment.bytes,
                      segment.checksum};
      TRANCHE_ASSIGN(const std::string wrong, differs(folder_ / part.temporary, part, false));
      if (!wrong.empty()) return make_error(ErrorKind::failed, wrong + "; the group is done again");
      // With every folder on the way: an earlier attempt may have died before it synced them.
      for (fs::path at = fs::path(part.temporary).parent_path(); !at.empty(); at = at.parent_path())
        folders.insert(folder_ / at);
      parts.push(to_json(part));
      digest.update(to_hex64(part.checksum));
      receipt_.rows += part.rows;
      receipt_.bytes += part.bytes;
    }
    if (drops) --receipt_.rows;
    // The names must be as durable as the bytes before the ledger says that the group is there.
    for (const fs::path& folder : folders) TRANCHE_TRY(sync_folder(folder));
    Json payload;
    payload.set("parts", std::move(parts));
    receipt_.group = group;
    receipt_.checksum = digest.value();
    receipt_.payload = payload.dump();
    receipt_.reject_id = reject_id;
    applied.rows = receipt_.rows;
    return applied;
  }

  Result<Receipt> commit() override { return receipt_; }
  void rollback() override { receipt_ = Receipt{}; }  // the files wait to be written again

 private:
  Result<void> refuse(const Segment& segment, Applied& applied) const {
    TRANCHE_ASSIGN(auto bytes, segment.load());
    PageFrames frames(schema_, std::move(bytes));
    while (true) {
      TRANCHE_ASSIGN(const auto page, frames.next());
      if (!page) return {};
      for (std::size_t row = 0; row < page->rows(); ++row)
        applied.rejects.push_back(
            reject_row(*page, row, "write", partition_fault(*page, row, partition_columns_)));
    }
  }

  fs::path folder_;
  SchemaPtr schema_;
  std::vector<std::size_t> partition_columns_;
  Receipt receipt_;
};

Error lost_part(const std::string& wrong) {
  return make_error(ErrorKind::failed,
                    fmt::format("{}, though its group is committed; what is not sealed is lost: "
                                "give this run up and start anew with --fresh",
                                wrong));
}

}  // namespace

std::uint64_t ParquetSink::encoder_bytes() const {
  if (options_.compression != "zstd") return 0;
  return compressor_bytes({Compression::zstd, options_.compression_level});
}

std::vector<std::string> ParquetSink::targets() const {
  std::error_code error;
  const fs::path path = fs::weakly_canonical(fs::absolute(options_.folder, error), error);
  return {fmt::format("file:{}", (error ? options_.folder : path).string())};
}

Result<void> ParquetSink::examine(const SchemaPtr& schema) {
  const auto wrong = [&](std::string message) {
    return make_error(ErrorKind::config, std::move(message));
  };
  if (exists(options_.folder)) {
    TRANCHE_ASSIGN(const FileStatus found, file_status(options_.folder));
    if (!found.is_folder)
      return wrong(fmt::format("{} is a file; parquet writes a folder of parts", options_.name));
  }
  fs::path present = fs::absolute(options_.folder).lexically_normal();
  while (!exists(present) && present.has_relative_path()) present = present.parent_path();
  std::error_code ignored;
  if (!fs::is_directory(present, ignored))
    return wrong(fmt::format("Can't write {}: {} is no folder", options_.name, present.string()));
  if (::access(present.c_str(), W_OK | X_OK) != 0)
    return wrong(fmt::format("Can't write {}: there is no permission to write in {}", options_.name,
                             present.string()));
  for (const std::string& column : options_.partition_by) {
    const auto found = schema->find(column);
    if (found && is_nested(schema->fields[*found].type))
      return wrong(fmt::format("partition_by names \"{}\", a {}, whose values can't name folders",
                               column, to_string(schema->fields[*found].type)));
    if (found && partition_folder(column, null_partition).size() > folder_name_bytes_max)
      return wrong(fmt::format("partition_by names \"{}\", a name too long for folders",
                               excerpt(column, 40)));
    if (found) continue;
    const auto near = nearest(column, schema->names());
    return wrong(near ? fmt::format("partition_by names no column: \"{}\"; did you mean \"{}\"?",
                                    column, *near)
                      : fmt::format("partition_by names no column: \"{}\"; there are {}", column,
                                    join(schema->names(), ", ")));
  }
  if (options_.partition_by.size() >= schema->fields.size())
    return wrong("partition_by names every column; at least one must be left for the files");
  std::set<std::string> names;
  for (const Field& field : schema->fields) {
    if (!names.insert(to_lower(field.name)).second)
      return wrong(
          fmt::format("Column \"{}\" is there twice; Parquet needs different names", field.name));
    if (holds_hugeint(field.type))
      return wrong(
          fmt::format("Column \"{}\" is a {}, and Parquet can't hold a hugeint exactly; cast "
                      "it to bigint or decimal(38,0)",
                      field.name, to_string(field.type)));
  }
  return {};
}

void ParquetSink::bind_encoders(const SinkRun& run, const SchemaPtr& schema) {
  schema_ = schema;
  temporary_prefix_ = temporary_prefix_of(run.run_id);
  job_ = run.job;
  step_ = run.step;
  watermark_ = run.watermark;
}

Result<std::vector<Receipt>> ParquetSink::recover(const SinkRun& run, const SchemaPtr& schema,
                                                  std::span<const Receipt> committed) {
  bind_encoders(run, schema);
  TRANCHE_TRY(create_folders(options_.folder));
  std::set<std::string> kept;
  for (const Receipt& receipt : committed) {
    TRANCHE_ASSIGN(const auto parts, parts_of(receipt));
    const bool last = &receipt == &committed.back();
    for (const Part& part : parts) {
      TRANCHE_ASSIGN(const std::string wrong,
                     differs(options_.folder / part.temporary, part, last));
      if (!wrong.empty()) return lost_part(wrong);
      kept.insert(part.temporary);
    }
  }
  TRANCHE_TRY(remove_temporaries(options_.folder, temporary_prefix_, kept));
  return std::vector<Receipt>(committed.begin(), committed.end());
}

std::vector<std::size_t> ParquetSink::partition_columns() const {
  std::vector<std::size_t> columns;
  for (const std::string& column : options_.partition_by)
    columns.push_back(schema_->find(column).value());
  return columns;
}

Result<std::unique_ptr<Encoder>> ParquetSink::encoder(WorkerScope& worker) const {
  return make_parquet_encoder(
      {options_, schema_, partition_columns(), temporary_prefix_, job_, step_}, worker);
}

Result<std::unique_ptr<Committer>> ParquetSink::committer() {
  return std::unique_ptr<Committer>(
      std::make_unique<ParquetCommitter>(options_.folder, schema_, partition_columns()));
}

// The ledger's record is the commit, so there is never a doubt that the folder could resolve.
Result<std::optional<Receipt>> ParquetSink::find_receipt(std::uint64_t) {
  return std::optional<Receipt>();
}

Result<std::string> ParquetSink::plan_seal(std::span<const Receipt> committed) {
  TRANCHE_ASSIGN(const auto manifests, read_manifests(options_.folder));
  TRANCHE_ASSIGN(std::uint64_t sequence, highest_part_sequence(options_.folder));
  if (!manifests.empty()) sequence = std::max(sequence, manifests.back().sequence);
  ++sequence;
  Json renames{Json::Array{}};
  Json files{Json::Array{}};
  for (const Receipt& receipt : committed) {
    TRANCHE_ASSIGN(const auto parts, parts_of(receipt));
    for (const Part& part : parts) {
      const std::string name = final_path(part, sequence, receipt.group);
      Json rename;
      rename.set("from", part.temporary);
      rename.set("to", name);
      rename.set("bytes", part.bytes);
      renames.push(std::move(rename));
      Json file;
      file.set("name", name);
      file.set("rows", part.rows);
      file.set("bytes", part.bytes);
      file.set("checksum", to_hex64(part.checksum));
      files.push(std::move(file));
    }
  }
  Json remove{Json::Array{}};
  if (options_.replace) {
    std::set<std::string> earlier;
    for (const Manifest& manifest : manifests)
      earlier.insert(manifest.files.begin(), manifest.files.end());
    for (const std::string& name : earlier)
      if (exists(options_.folder / name)) remove.push(Json(name));
  }
  Json manifest;
  manifest.set("mode", options_.replace ? "replace" : "append");
  manifest.set("files", std::move(files));
  if (!watermark_.is_empty()) {
    manifest.set("increment", watermark_.increment);
    manifest.set("watermark", watermark_.until);
  }
  Json intent;
  intent.set("sequence", sequence);
  intent.set("renames", std::move(renames));
  intent.set("remove", std::move(remove));
  intent.set("temporaries", temporary_prefix_);
  intent.set("manifest", std::move(manifest));
  return intent.dump();
}

Result<void> ParquetSink::seal(const std::string& intent) {
  TRANCHE_ASSIGN(const Json plan, Json::parse(intent));
  const fs::path& folder = options_.folder;
  std::set<fs::path> renamed;  // folders: parts stay in theirs
  for (const Json& rename : plan["renames"].items()) {
    const fs::path from = folder / rename["from"].text();
    const fs::path to = folder / rename["to"].text();
    fault_point("seal-rename");
    renamed.insert(to.parent_path());
    if (exists(from)) {
      TRANCHE_TRY(rename_file(from, to));
      continue;
    }
    // An earlier attempt has renamed it already, and may not have synced its folder.
    Part part;
    part.bytes = rename["bytes"].natural();
    TRANCHE_ASSIGN(const std::string wrong, differs(to, part, false));
    if (!wrong.empty()) return lost_part(wrong);
  }
  // Before the manifest names them; until then a name that is lost is given again.
  for (const fs::path& of_parts : renamed) TRANCHE_TRY(sync_folder(of_parts));
  // What is left was written for a group that was done again with fewer parts.
  if (const std::string& prefix = plan["temporaries"].text(); !prefix.empty())
    TRANCHE_TRY(remove_temporaries(folder, prefix, {}));
  fault_point("seal-manifest");
  const fs::path manifest = manifest_path(folder, plan["sequence"].natural());
  TRANCHE_TRY(create_folders(manifest.parent_path()));
  TRANCHE_TRY(write_file_durably(manifest, plan["manifest"].dump(1) + "\n"));
  std::set<fs::path> touched;
  for (const Json& name : plan["remove"].items()) {
    const fs::path path = folder / name.text();
    fault_point("seal-remove");
    TRANCHE_TRY(remove_file(path));
    touched.insert(path.parent_path());
  }
  for (const fs::path& path : touched) {
    if (exists(path)) TRANCHE_TRY(sync_folder(path));
    remove_empty_folders(folder, path);
  }
  return {};
}

Result<bool> ParquetSink::has_target() { return exists(options_.folder); }

Result<std::optional<std::string>> ParquetSink::sealed_until(const std::string& increment) {
  std::optional<std::string> until;
  TRANCHE_ASSIGN(const auto manifests, read_manifests(options_.folder));
  for (const Manifest& manifest : manifests)
    if (manifest.watermark.increment == increment) until = manifest.watermark.until;
  return until;
}

Result<void> ParquetSink::discard(const SinkRun& run, std::span<const Receipt>, bool) {
  if (!exists(options_.folder)) return {};
  return remove_temporaries(options_.folder, temporary_prefix_of(run.run_id), {});
}

Result<std::vector<std::string>> ParquetSink::verify(const SinkRun&, const std::string& intent,
                                                     std::span<const Receipt> committed) {
  TRANCHE_ASSIGN(const Json plan, Json::parse(intent));
  std::vector<std::string> differences;
  std::uint64_t rows = 0;
  for (const Json& file : plan["manifest"]["files"].items()) {
    Part part;
    part.bytes = file["bytes"].natural();
    part.checksum = parse_hex(file["checksum"].text());
    rows += file["rows"].natural();
    TRANCHE_ASSIGN(std::string wrong, differs(options_.folder / file["name"].text(), part, true));
    if (!wrong.empty()) differences.push_back(std::move(wrong));
  }
  std::uint64_t rows_committed = 0;
  for (const Receipt& receipt : committed) rows_committed += receipt.rows;
  if (rows != rows_committed)
    differences.push_back(fmt::format("The manifest of {} lists {} rows, the ledger {}",
                                      options_.name, rows, rows_committed));
  return differences;
}

}  // namespace tranche
