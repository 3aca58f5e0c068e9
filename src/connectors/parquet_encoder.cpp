#include "connectors/parquet_encoder.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <string_view>
#include <unordered_map>
#include <utility>

#include <tranche/core/value.h>

#include "base/early_writeback.h"
#include "base/fault.h"
#include "base/file.h"
#include "base/text.h"
#include "connectors/parquet_file.h"
#include "drivers/duckdb_database.h"
#include "formats/page_codec.h"

namespace tranche {
namespace {

// What may stand in a folder's name as it is; the rest is percent-encoded, as Hive and DuckDB do.
bool is_plain(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' ||
         c == '_' || c == '.' || c == ' ' || static_cast<unsigned char>(c) >= 0x80;
}

void append_encoded(std::string& out, std::string_view text) {
  for (const char c : text) {
    if (is_plain(c))
      out += c;
    else
      out += fmt::format("%{:02X}", static_cast<unsigned char>(c));
  }
}

// The rows of one partition in the chunk that is being encoded.
struct Partition {
  std::string frames;
  std::uint64_t rows = 0;
  std::vector<std::uint32_t> selected;  // of the present page
};

// The segments of a part, read one after the other while DuckDB asks for rows.
struct PartFeed {
  explicit PartFeed(Breadcrumb& of_worker) : breadcrumb(of_worker) {}
  Breadcrumb& breadcrumb;  // who looks at it sees that a long merge gets on
  std::vector<Segment> segments;
  std::uint64_t rows = 0;    // given to DuckDB
  EarlyWriteback writeback;  // of the file that it makes of them
};

Result<PageRun> next_run(PartFeed& part, const SchemaPtr& schema, std::size_t& at,
                         std::unique_ptr<PageFrames>& frames) {
  while (true) {
    if (frames) {
      TRANCHE_ASSIGN(std::unique_ptr<Page> page, frames->next());
      if (page) {
        const std::size_t rows = page->rows();
        part.breadcrumb.beat();
        part.writeback.advance();
        part.rows += rows;
        return PageRun{std::shared_ptr<const Page>(std::move(page)), 0, rows};
      }
      frames.reset();
    }
    if (at == part.segments.size()) return PageRun{};
    TRANCHE_ASSIGN(auto bytes, part.segments[at++].load());
    frames = std::make_unique<PageFrames>(schema, std::move(bytes));
  }
}

struct KeyHash {
  using is_transparent = void;
  std::size_t operator()(std::string_view key) const { return std::hash<std::string_view>{}(key); }
};

class ParquetEncoder : public Encoder {
 public:
  ParquetEncoder(PartTarget target, WorkerScope& worker)
      : target_(std::move(target)),
        worker_(worker),
        part_(std::make_shared<PartFeed>(worker.breadcrumb())) {}

  Result<void> add(const Page& page) override {
    if (page.rows() == 0) return {};
    for (auto& [folder, partition] : partitions_) partition.selected.clear();
    const bool drops = fault_drops_record("encode");
    const auto rows = static_cast<std::uint32_t>(page.rows() - (drops ? 1 : 0));
    if (target_.partition_columns.empty()) {
      Partition& partition = partitions_[""];
      // A little more than the last chunk took, since no two are equally long.
      if (partition.frames.empty()) partition.frames.reserve(bytes_last_ + bytes_last_ / 16);
      if (drops) {
        for (std::uint32_t row = 0; row < rows; ++row) partition.selected.push_back(row);
        append_page_frame(partition.frames, page, partition.selected, FrameOrigins::left_out);
      } else {
        append_page_frame(partition.frames, page, FrameOrigins::left_out);
      }
      partition.rows += rows;
      rows_ += rows;
      return {};
    }
    for (std::uint32_t row = 0; row < rows; ++row) partition_of(page, row).selected.push_back(row);
    for (auto& [folder, partition] : partitions_) {
      if (partition.selected.empty()) continue;
      append_page_frame(partition.frames, page, partition.selected,
                        folder == refused_label ? FrameOrigins::kept : FrameOrigins::left_out);
      partition.rows += partition.selected.size();
      rows_ += partition.selected.size();
    }
    return {};
  }

  std::uint64_t rows_encoded() const override { return rows_; }

  Result<std::vector<Segment>> finish() override {
    std::vector<Segment> segments;
    for (auto& [folder, partition] : partitions_) {
      if (partition.rows == 0) continue;
      bytes_last_ = partition.frames.size();
      segments.push_back(Segment::make(std::move(partition.frames), partition.rows));
      segments.back().label = folder;
    }
    partitions_.clear();
    keys_.clear();
    last_ = nullptr;
    return segments;
  }

  Result<std::vector<Segment>> merge(std::uint64_t group,
                                     std::span<const Segment> segments) override {
    TRANCHE_TRY(connect());
    std::map<std::string, std::vector<Segment>> by_folder;
    for (const Segment& segment : segments) by_folder[segment.label].push_back(segment);
    const auto refused = by_folder.extract(std::string(refused_label));
    std::vector<Segment> parts;
    for (auto& [folder, of_folder] : by_folder) {
      part_->segments = std::move(of_folder);
      auto part = write_part(group, parts.size(), folder);
      part_->segments.clear();
      part_->writeback = EarlyWriteback();
      if (!part) return std::move(part).error();
      parts.push_back(*std::move(part));
    }
    if (refused) parts.insert(parts.end(), refused.mapped().begin(), refused.mapped().end());
    return parts;
  }

 private:
  // The bytes of the partition columns of a row, as they lie in memory: equal for equal values.
  void make_key(const Page& page, std::size_t row) {
    key_.clear();
    for (const std::size_t at : target_.partition_columns) {
      const Column& column = page.column(at);
      const bool valid = column.is_valid(row);
      key_ += valid ? '\1' : '\0';
      if (!valid) continue;
      if (!is_string(column.type())) {
        key_.append(column.bytes() + row * column.stride(), column.stride());
        continue;
      }
      const std::string_view text = column.values<StringRef>()[row].view();
      const std::uint64_t bytes = text.size();
      key_.append(reinterpret_cast<const char*>(&bytes), sizeof bytes);
      key_ += text;
    }
  }

  Partition& partition_of(const Page& page, std::size_t row) {
    make_key(page, row);
    if (last_ != nullptr && key_ == last_key_) return *last_;
    const auto found = keys_.find(std::string_view(key_));
    if (found != keys_.end()) {
      last_ = found->second;
    } else {
      const bool is_refused = !partition_fault(page, row, target_.partition_columns).empty();
      last_ = &partitions_[is_refused ? std::string(refused_label) : folder_of(page, row)];
      keys_.emplace(key_, last_);
    }
    last_key_ = key_;
    return *last_;
  }

  std::string folder_of(const Page& page, std::size_t row) const {
    std::string folders;
    std::string text;
    for (const std::size_t at : target_.partition_columns) {
      text = null_partition;
      if (page.column(at).is_valid(row)) {
        text.clear();
        append_value_text(text, page.column(at), row);
      }
      folders += partition_folder(target_.schema->fields[at].name, text);
      folders += '/';
    }
    return folders;
  }

  // Makes the table function that COPY reads. Not before something is merged: many a worker only
  // encodes.
  Result<void> connect() {
    if (connection_) return {};
    TRANCHE_ASSIGN(const auto database, DuckDatabase::of(worker_));
    TRANCHE_ASSIGN(connection_, database->connect());
    PageFeed feed;
    feed.schema = target_.schema;
    feed.open = [part = part_, schema = target_.schema]() -> Result<PageCursor> {
      auto frames = std::make_shared<std::unique_ptr<PageFrames>>();
      return PageCursor([part, schema, frames, at = std::size_t{0}]() mutable {
        return next_run(*part, schema, at, *frames);
      });
    };
    TRANCHE_ASSIGN(feed_name_, connection_->add_feed(std::move(feed)));
    for (std::size_t at = 0; at < target_.schema->fields.size(); ++at) {
      const auto& of = target_.partition_columns;
      if (std::find(of.begin(), of.end(), at) != of.end()) continue;
      columns_ += (columns_.empty() ? "" : ", ") + sql_identifier(target_.schema->fields[at].name);
    }
    return {};
  }

  Result<Segment> write_part(std::uint64_t group, std::size_t number, const std::string& folder) {
    std::uint64_t rows = 0;
    for (const Segment& segment : part_->segments) rows += segment.rows;
    Segment part;
    part.label = fmt::format("{}{}{:06}-{}.tmp", folder, target_.temporary_prefix, group, number);
    part.final_name = folder;
    TRANCHE_TRY(create_folders(target_.options.folder / folder));
    TRANCHE_ASSIGN(File file, File::create(target_.options.folder / part.label));
    part_->rows = 0;
    part_->writeback = EarlyWriteback(file.descriptor());
    // DuckDB writes through our descriptor, so that the fsync and its result are ours.
    const auto& options = target_.options;
    const std::string compression =
        options.compression == "zstd"
            ? fmt::format("zstd, COMPRESSION_LEVEL {}", options.compression_level)
        : options.compression == "none" ? "uncompressed"
                                        : options.compression;
    auto written = connection_->execute(fmt::format(
        "COPY (SELECT {} FROM {}()) TO {} (FORMAT parquet, COMPRESSION {}, ROW_GROUP_SIZE {}, "
        "USE_TMP_FILE false, KV_METADATA {{tranche_job: {}, tranche_step: {}}})",
        columns_, feed_name_, sql_literal(descriptor_path(file)), compression,
        options.row_group_rows, sql_literal(target_.job), sql_literal(target_.step)));
    if (!written) return copy_error(std::move(written).error(), file, part.label);
    if (part_->rows != rows || *written != rows)
      return make_error(ErrorKind::bug,
                        fmt::format("{} rows of a part were encoded, {} read back and {} written "
                                    "to {}",
                                    rows, part_->rows, *written, part.label));
    fault_point("part-written");
    TRANCHE_ASSIGN(part.bytes, file.size());
    file.begin_writeback(0, part.bytes);  // goes on while it is read
    TRANCHE_ASSIGN(part.checksum, digest_range(file, 0, part.bytes));
    TRANCHE_TRY(file.sync());
    TRANCHE_TRY(file.close());
    part.rows = rows;
    return part;
  }

  // What DuckDB can't write is no fault of a record.
  Error copy_error(Error error, const File& file, const std::string& label) const {
    if (error.kind == ErrorKind::bad_record || error.kind == ErrorKind::config)
      error.kind = ErrorKind::failed;
    return file_error(std::move(error), file, (target_.options.folder / label).string());
  }

  PartTarget target_;
  WorkerScope& worker_;
  std::unique_ptr<DuckConnection> connection_;  // once something was merged
  std::shared_ptr<PartFeed> part_;              // what the table function reads
  std::string feed_name_;
  std::string columns_;                          // of the files, for SQL
  std::map<std::string, Partition> partitions_;  // by folder, "" without partitions
  std::unordered_map<std::string, Partition*, KeyHash, std::equal_to<>> keys_;
  std::string key_;
  std::string last_key_;
  Partition* last_ = nullptr;
  std::uint64_t rows_ = 0;      // since it was made
  std::size_t bytes_last_ = 0;  // of the last chunk: the next one will be as large
};

}  // namespace

std::string partition_folder(std::string_view column, std::string_view value) {
  std::string folder;
  append_encoded(folder, column);
  folder += '=';
  // DuckDB takes the word as it is for a null.
  if (to_lower(value) == "null") {
    folder += fmt::format("%{:02X}", static_cast<unsigned char>(value.front()));
    value.remove_prefix(1);
  }
  append_encoded(folder, value);
  return folder;
}

std::string partition_fault(const Page& page, std::size_t row,
                            const std::vector<std::size_t>& partition_columns) {
  std::string text;
  for (const std::size_t at : partition_columns) {
    if (!page.column(at).is_valid(row)) continue;
    text.clear();
    append_value_text(text, page.column(at), row);
    const std::string& column = page.schema().fields[at].name;
    if (text == null_partition) {
      return fmt::format(
          "Column \"{}\", by which folders are named, holds the text {}, which as a folder's name "
          "stands for null.",
          column, text);
    }
    const std::size_t bytes = partition_folder(column, text).size();
    if (bytes <= folder_name_bytes_max) continue;
    return fmt::format(
        "Column \"{}\", by which folders are named, holds \"{}\", a text of {} bytes: the folder's "
        "name would have {}, and {} is the most that one can have.",
        column, excerpt(text, 40), text.size(), bytes, folder_name_bytes_max);
  }
  return {};
}

Result<std::unique_ptr<Encoder>> make_parquet_encoder(PartTarget target, WorkerScope& worker) {
  return std::unique_ptr<Encoder>(std::make_unique<ParquetEncoder>(std::move(target), worker));
}

}  // namespace tranche
