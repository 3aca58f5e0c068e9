#include "connectors/single_file_sink.h"

#include <unistd.h>

#include <algorithm>
#include <optional>

#include <fmt/format.h>

#include "base/digest.h"
#include "base/fault.h"
#include "base/file.h"
#include "base/json.h"
#include "connectors/sealed_groups.h"
#include "connectors/standard_output.h"

namespace tranche {
namespace {

namespace fs = std::filesystem;

// What of a file has been committed.
struct Committed {
  std::uint64_t position = 0;    // the file's length
  std::uint64_t bytes_last = 0;  // of the last group
  std::uint64_t checksum_last = 0;
};

Result<std::uint64_t> digest_of(const File& file, std::uint64_t begin, std::uint64_t bytes) {
  constexpr std::size_t piece_bytes = std::size_t{1} << 20;
  Digest digest;
  std::string piece;
  for (std::uint64_t done = 0; done < bytes; done += piece.size()) {
    piece.resize(static_cast<std::size_t>(std::min<std::uint64_t>(piece_bytes, bytes - done)));
    TRANCHE_ASSIGN(const std::size_t count, file.read_at(piece.data(), piece.size(), begin + done));
    digest.update({piece.data(), count});
    if (count < piece.size()) break;  // the length is judged elsewhere
  }
  return digest.value();
}

Result<std::uint64_t> copy_bytes(const File& from, File& to) {
  constexpr std::size_t piece_bytes = std::size_t{1} << 20;
  std::string piece(piece_bytes, '\0');
  std::uint64_t done = 0;
  while (true) {
    TRANCHE_ASSIGN(const std::size_t count, from.read_at(piece.data(), piece.size(), done));
    if (count == 0) return done;
    TRANCHE_TRY(to.write({piece.data(), count}));
    done += count;
  }
}

// Appends groups to the temporary file. There is one, since order is the file's.
class SingleFileCommitter final : public Committer {
 public:
  // `position`: of the sink, the length of what is committed. `earlier`: what is rewritten.
  SingleFileCommitter(File file, std::uint64_t& position, std::optional<SealedGroups> earlier)
      : file_(std::move(file)),
        committed_(position),
        earlier_(std::move(earlier)),
        applied_(position),
        end_(position) {}

  Result<Applied> apply(std::uint64_t group, std::span<const Segment> segments,
                        const std::string&) override {
    TRANCHE_TRY(begin(group));
    if (earlier_) TRANCHE_TRY(earlier_->check_kept(group, segments));
    Applied applied;
    for (const auto& segment : segments) {
      TRANCHE_ASSIGN(const auto data, segment.load());
      std::string_view bytes = *data;
      if (!bytes.empty() && fault_drops_record("sink")) {
        const std::size_t line_end = bytes.substr(0, bytes.size() - 1).rfind('\n');
        bytes = bytes.substr(0, line_end == std::string_view::npos ? 0 : line_end + 1);
      }
      TRANCHE_TRY(append(bytes));
      if (bytes.size() == segment.bytes) rows_ += segment.rows;  // all of it went in
    }
    begin_writeback();
    applied.rows = rows_;
    return applied;
  }

  Result<Applied> carry_over(std::uint64_t group) override {
    if (!earlier_) return Committer::carry_over(group);
    TRANCHE_TRY(begin(group));
    TRANCHE_ASSIGN(const Receipt receipt,
                   earlier_->copy(group, [&](std::string_view bytes) { return append(bytes); }));
    begin_writeback();
    rows_ = receipt.rows;
    return Applied{};
  }

  std::optional<Receipt> defer_commit() override {
    applied_ = end_;
    dirty_ = false;
    return receipt();
  }

  Result<Receipt> commit() override {
    TRANCHE_TRY(file_.sync());
    committed_ = applied_ = end_;
    dirty_ = false;
    return receipt();
  }

  void rollback() override {
    if (applied_ != committed_) dirty_ = true;
    applied_ = committed_;
    // Best effort: what can't be cut now is cut before the next group, or at the next start.
    if (dirty_) static_cast<void>(cut());
  }

 private:
  Result<void> begin(std::uint64_t group) {
    if (dirty_) TRANCHE_TRY(cut());
    group_ = group;
    begin_ = end_;
    rows_ = 0;
    digest_.reset();
    return {};
  }

  // Of the group that was applied last.
  Receipt receipt() const {
    Receipt receipt;
    receipt.group = group_;
    receipt.rows = rows_;
    receipt.bytes = end_ - begin_;
    receipt.checksum = digest_.value();
    receipt.position = end_;
    return receipt;
  }

  Result<void> append(std::string_view bytes) {
    dirty_ = true;  // a write that fails may leave a part
    TRANCHE_TRY(file_.write_at(bytes, end_));
    end_ += bytes.size();
    digest_.update(bytes);
    return {};
  }

  // At once for a whole group: each request costs the processor, however small it is.
  void begin_writeback() { file_.begin_writeback(begin_, end_ - begin_); }

  Result<void> cut() {
    TRANCHE_TRY(file_.truncate(applied_));
    end_ = applied_;
    dirty_ = false;
    return {};
  }

  File file_;
  std::uint64_t& committed_;
  std::optional<SealedGroups> earlier_;
  std::uint64_t applied_;  // the end of the groups whose commit was deferred
  std::uint64_t end_;      // of all that was applied
  bool dirty_ = false;     // there may be bytes behind `applied_`
  std::uint64_t group_ = 0;
  std::uint64_t begin_ = 0;  // of the group that was applied last
  std::uint64_t rows_ = 0;
  Digest digest_;
};

// A link stays one: what it leads to is replaced.
fs::path followed(fs::path path) {
  std::error_code failed;
  if (!fs::is_symlink(path, failed)) return path;
  fs::path target = fs::canonical(path, failed);
  return failed ? path : target;
}

class SingleFileSink final : public Sink {
 public:
  SingleFileSink(fs::path path, std::string name, SingleFileFormat format)
      : path_(followed(std::move(path))), name_(std::move(name)), format_(std::move(format)) {}

  std::vector<std::string> targets() const override { return {"file:" + path_.string()}; }
  bool appends() const override { return false; }
  void extend_sealed() override { extends_ = true; }
  Result<void> rewrite_sealed(EarlierOutput earlier) override {
    earlier_ = std::move(earlier);
    return {};
  }
  Result<void> examine(const SchemaPtr& schema) override;
  Result<std::vector<Receipt>> recover(const SinkRun& run, const SchemaPtr& schema,
                                       std::span<const Receipt> committed) override;
  void bind_encoders(const SinkRun&, const SchemaPtr& schema) override { schema_ = schema; }
  Result<std::unique_ptr<Encoder>> encoder(WorkerScope&) const override {
    std::unique_ptr<TextCompressor> compressor;
    if (format_.packing.compression != Compression::none) {
      TRANCHE_ASSIGN(compressor, make_text_compressor(format_.packing));
    }
    return format_.encoder(schema_, std::move(compressor));
  }
  std::uint64_t encoder_bytes() const override { return compressor_bytes(format_.packing); }
  Result<std::unique_ptr<Committer>> committer() override {
    TRANCHE_ASSIGN(auto file, File::open_write(temporary_));
    std::optional<SealedGroups> earlier;
    if (earlier_) {
      TRANCHE_ASSIGN(earlier,
                     SealedGroups::open(path_, name_, *earlier_, format_.packing.compression));
    }
    return std::unique_ptr<Committer>(
        std::make_unique<SingleFileCommitter>(std::move(file), position_, std::move(earlier)));
  }
  // The file keeps no record of its groups: what the ledger does not know is cut off and redone.
  Result<std::optional<Receipt>> find_receipt(std::uint64_t) override {
    return std::optional<Receipt>();
  }
  Result<std::string> plan_seal(std::span<const Receipt> committed) override;
  Result<void> seal(const std::string& intent) override;
  Result<void> discard(const SinkRun& run, std::span<const Receipt>, bool) override {
    return remove_file(temporary_of(run));
  }
  Result<std::vector<std::string>> verify(const SinkRun& run, const std::string& intent,
                                          std::span<const Receipt> committed) override;

 private:
  fs::path temporary_of(const SinkRun& run) const {
    return fs::path(path_.string() + ".tranche-" + run.run_id.substr(0, 8) + ".tmp");
  }
  Error lost(const SinkRun& run, const std::string& what) const {
    return make_error(ErrorKind::failed,
                      fmt::format("{} {}: it has lost what run {} committed. Start again with "
                                  "--fresh.",
                                  temporary_.string(), what, run.run_id));
  }
  Result<void> create_file();
  Result<std::string> header_bytes() const;
  Result<File> open_present(const std::string& header) const;
  Result<std::uint64_t> begin_file(File& file);
  Result<void> check_committed(const SinkRun& run, const Receipt& last);

  const fs::path path_;  // absolute
  const std::string name_;
  const SingleFileFormat format_;
  SchemaPtr schema_;
  fs::path temporary_;
  std::uint64_t position_ = 0;            // the length of what is committed, the header with it
  bool extends_ = false;                  // begins with what is there under the final name
  std::optional<EarlierOutput> earlier_;  // what is there is written anew, group by group
};

Result<void> SingleFileSink::examine(const SchemaPtr& schema) {
  if (format_.check) TRANCHE_TRY(format_.check(*schema));
  const auto refuse = [this](std::string why) {
    return make_error(ErrorKind::config, fmt::format("Can't write {}: {}", name_, why));
  };
  std::error_code ignored;
  if (fs::is_directory(path_, ignored)) return refuse("it is a folder. Name a file in it.");
  if (file_exists(path_) && !fs::is_regular_file(path_, ignored)) {
    return refuse("it is no regular file.");
  }
  fs::path folder = path_.parent_path();
  while (!file_exists(folder) && folder.has_relative_path()) folder = folder.parent_path();
  if (!fs::is_directory(folder, ignored)) {
    return refuse(fmt::format("{} is no folder.", folder.string()));
  }
  if (access(folder.c_str(), W_OK | X_OK) != 0) {
    return refuse(fmt::format("there is no permission to write in {}.", folder.string()));
  }
  return {};
}

// The bytes in front of the first record.
Result<std::string> SingleFileSink::header_bytes() const {
  std::string header = format_.header(schema_);
  if (format_.packing.compression == Compression::none) return header;
  TRANCHE_ASSIGN(const auto compressor, make_text_compressor(format_.packing));
  TRANCHE_TRY(compressor->add(header));
  return compressor->finish();
}

// That the file which is extended or rewritten is there and holds such records.
Result<File> SingleFileSink::open_present(const std::string& header) const {
  if (!file_exists(path_)) {
    return make_error(ErrorKind::failed,
                      fmt::format("{} is gone, to which records were to be added.", name_));
  }
  TRANCHE_ASSIGN(File present, File::open_read(path_));
  std::string begin(header.size(), '\0');
  TRANCHE_ASSIGN(const std::size_t count, present.read_at(begin.data(), begin.size(), 0));
  if (count < begin.size() || begin != header) {
    return make_error(
        ErrorKind::failed,
        fmt::format("{} has other columns than the records that are to be added to it; "
                    "run the whole job again.",
                    name_));
  }
  return present;
}

// Writes what stands before the first group: the header, or all of the file that is extended.
// Returns its length.
Result<std::uint64_t> SingleFileSink::begin_file(File& file) {
  TRANCHE_ASSIGN(const std::string header, header_bytes());
  if (extends_ || earlier_) {
    TRANCHE_ASSIGN(const File present, open_present(header));
    if (extends_) return copy_bytes(present, file);
  }
  TRANCHE_TRY(file.write(header));
  return header.size();
}

// The temporary file without a group, durable by content and by name.
Result<void> SingleFileSink::create_file() {
  TRANCHE_TRY(create_folders(path_.parent_path()));
  TRANCHE_ASSIGN(auto file, File::create(temporary_));
  TRANCHE_TRY(file.take_mode_of(path_));
  TRANCHE_ASSIGN(position_, begin_file(file));
  TRANCHE_TRY(file.sync());
  TRANCHE_TRY(file.close());
  return sync_folder(path_.parent_path());
}

Result<void> SingleFileSink::check_committed(const SinkRun& run, const Receipt& last) {
  if (!file_exists(temporary_)) return lost(run, "is gone");
  TRANCHE_ASSIGN(auto file, File::open_write(temporary_));
  TRANCHE_ASSIGN(const std::uint64_t bytes, file.size());
  if (bytes < last.position) {
    return lost(run, fmt::format("has {} bytes instead of {}", bytes, last.position));
  }
  if (bytes > last.position) {
    TRANCHE_TRY(file.truncate(last.position));
    TRANCHE_TRY(file.sync());
  }
  TRANCHE_ASSIGN(const auto checksum, digest_of(file, last.position - last.bytes, last.bytes));
  if (checksum != last.checksum) return lost(run, "was changed from outside");
  position_ = last.position;
  return {};
}

Result<std::vector<Receipt>> SingleFileSink::recover(const SinkRun& run, const SchemaPtr& schema,
                                                     std::span<const Receipt> committed) {
  schema_ = schema;
  temporary_ = temporary_of(run);
  if (committed.empty()) {
    TRANCHE_TRY(create_file());
  } else {
    TRANCHE_TRY(check_committed(run, committed.back()));
  }
  return std::vector<Receipt>(committed.begin(), committed.end());
}

Result<std::string> SingleFileSink::plan_seal(std::span<const Receipt> committed) {
  std::uint64_t rows = 0;
  for (const auto& receipt : committed) rows += receipt.rows;
  if (!file_exists(temporary_)) {
    return make_error(ErrorKind::failed,
                      fmt::format("{} is gone, and with it what was to become {}. Bring it back, "
                                  "or start again with --fresh.",
                                  temporary_.string(), path_.string()));
  }
  TRANCHE_ASSIGN(const File file, File::open_read(temporary_));
  Json intent;
  const std::uint64_t header_bytes =
      committed.empty() ? position_ : committed.front().position - committed.front().bytes;
  TRANCHE_ASSIGN(const auto header, digest_of(file, 0, header_bytes));
  intent.set("extends", extends_);
  intent.set("temporary", temporary_.string());
  intent.set("final", path_.string());
  intent.set("bytes", position_);
  intent.set("rows", rows);
  intent.set("header_bytes", header_bytes);
  intent.set("header_checksum", to_hex64(header));
  const Receipt none;
  const Receipt& last = committed.empty() ? none : committed.back();
  intent.set("last_bytes", last.bytes);
  intent.set("last_checksum", to_hex64(committed.empty() ? digest64("") : last.checksum));
  return intent.dump();
}

Result<void> SingleFileSink::seal(const std::string& text) {
  TRANCHE_ASSIGN(const Json intent, Json::parse(text));
  const fs::path temporary = intent["temporary"].text();
  const fs::path final_path = intent["final"].text();
  const std::uint64_t bytes = intent["bytes"].natural();
  const bool renamed = !file_exists(temporary);
  const fs::path& present = renamed ? final_path : temporary;
  if (!file_exists(present)) {
    return make_error(ErrorKind::failed,
                      fmt::format("{} is gone, and there is no {}. Start again with --fresh.",
                                  temporary.string(), final_path.string()));
  }
  TRANCHE_ASSIGN(const File file, File::open_read(present));
  TRANCHE_ASSIGN(const std::uint64_t length, file.size());
  const std::uint64_t last_bytes = intent["last_bytes"].natural();
  const std::uint64_t last_begin = bytes - std::min(last_bytes, bytes);
  TRANCHE_ASSIGN(const auto checksum, digest_of(file, last_begin, last_bytes));
  if (length != bytes || to_hex64(checksum) != intent["last_checksum"].text()) {
    return make_error(ErrorKind::failed,
                      fmt::format("{} is not what was committed ({} bytes instead of {}): it was "
                                  "changed from outside. Start again with --fresh.",
                                  present.string(), length, bytes));
  }
  if (renamed) return sync_folder(final_path.parent_path());
  return rename_durably(temporary, final_path);
}

Result<std::vector<std::string>> SingleFileSink::verify(const SinkRun&, const std::string& text,
                                                        std::span<const Receipt> committed) {
  TRANCHE_ASSIGN(const Json intent, Json::parse(text));
  const fs::path final_path = intent["final"].text();
  std::vector<std::string> differences;
  if (!file_exists(final_path)) {
    differences.push_back(fmt::format("{} is missing.", final_path.string()));
    return differences;
  }
  TRANCHE_ASSIGN(const File file, File::open_read(final_path));
  TRANCHE_ASSIGN(const std::uint64_t length, file.size());
  if (length != intent["bytes"].natural()) {
    differences.push_back(fmt::format("{} has {} bytes instead of {}.", final_path.string(), length,
                                      intent["bytes"].natural()));
  }
  TRANCHE_ASSIGN(const auto header, digest_of(file, 0, intent["header_bytes"].natural()));
  if (to_hex64(header) != intent["header_checksum"].text()) {
    differences.push_back(
        intent["extends"].boolean()
            ? fmt::format("What {} held before the run was changed.", final_path.string())
            : fmt::format("The header of {} was changed.", final_path.string()));
  }
  for (const auto& receipt : committed) {
    const std::uint64_t begin = receipt.position - receipt.bytes;
    TRANCHE_ASSIGN(const auto checksum, digest_of(file, begin, receipt.bytes));
    if (checksum == receipt.checksum) continue;
    differences.push_back(fmt::format("Group {} of {}, bytes {} to {}, was changed.", receipt.group,
                                      final_path.string(), begin, receipt.position));
  }
  return differences;
}

}  // namespace

std::vector<Option> packing_options() {
  return {
      {.name = "compression",
       .kind = OptionKind::choice,
       .doc = "auto: gzip for a file named .gz, zstd for .zst.",
       .default_text = "auto",
       .choices = {"auto", "none", "gzip", "zstd"}},
      {.name = "compression_level",
       .kind = OptionKind::count,
       .doc = "1 (quick) to 9 of gzip, by default 6, or to 19 of zstd, by default 3."},
  };
}

Result<TextPacking> read_packing(const OptionReader& options, const std::string& target) {
  TextPacking packing;
  const std::string compression = options.text("compression");
  if (compression == "auto") packing.compression = compression_of(target);
  if (compression == "gzip") packing.compression = Compression::gzip;
  if (compression == "zstd") packing.compression = Compression::zstd;
  if (!options.has("compression_level")) return packing;
  if (packing.compression == Compression::none) {
    return make_error(ErrorKind::config,
                      fmt::format("`compression_level` is given, but {} is not compressed: name it "
                                  ".gz or .zst, or say `compression:`.",
                                  target));
  }
  TRANCHE_ASSIGN(packing.level,
                 check_compression_level(packing.compression, options.count("compression_level")));
  return packing;
}

Result<std::unique_ptr<Sink>> make_single_file_sink(const std::string& target, const fs::path& base,
                                                    SingleFileFormat format) {
  if (target == standard_output_name) return make_standard_output_sink(std::move(format));
  std::error_code failure;
  const fs::path path = fs::absolute(base / target, failure).lexically_normal();
  if (failure || target.empty() || !path.has_filename()) {
    return make_error(ErrorKind::config,
                      fmt::format("`{}: {}` is no name of a file to write.", format.key, target));
  }
  return std::unique_ptr<Sink>(std::make_unique<SingleFileSink>(path, target, std::move(format)));
}

}  // namespace tranche
