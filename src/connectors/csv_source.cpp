#include "connectors/csv_source.h"

#include <algorithm>
#include <mutex>
#include <set>

#include <fmt/format.h>

#include "base/digest.h"
#include "base/file.h"
#include "connectors/csv_shape.h"

namespace tranche {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t digest_piece_bytes = std::size_t{1} << 20;

// What all inputs together are, once their heads were read.
struct Shapes {
  SchemaPtr schema;
  std::vector<CsvShape> files;
};

// Adds the bytes [begin, end) of a file to a digest. False: the file is shorter.
Result<bool> add_to_digest(const File& file, std::uint64_t begin, std::uint64_t end,
                           Digest& digest) {
  std::string piece;
  while (begin < end) {
    const std::uint64_t wanted = std::min<std::uint64_t>(digest_piece_bytes, end - begin);
    piece.resize(static_cast<std::size_t>(wanted));
    TRANCHE_ASSIGN(const std::size_t count, file.read_at(piece.data(), piece.size(), begin));
    digest.update({piece.data(), count});
    if (count < piece.size()) return false;
    begin += count;
  }
  return true;
}

// The memory that a slice's records take as Pages, with the window that they point into.
std::uint64_t estimate_memory(const Schema& schema, std::uint64_t bytes, std::uint64_t records) {
  std::uint64_t row_bytes = sizeof(Origin);
  for (const auto& field : schema.fields) row_bytes += physical_bytes(physical_type(field.type));
  const std::uint64_t vectors = (records + vector_rows - 1) / vector_rows;
  return bytes + vectors * vector_rows * row_bytes;
}

class CsvSliceStream final : public SliceStream {
 public:
  CsvSliceStream(const CsvInputs& inputs, const Shapes& shapes, const CsvDialect& dialect,
                 const Slice* after)
      : inputs_(inputs), shapes_(shapes), dialect_(dialect) {
    if (after == nullptr) return;
    resumed_ = *after;
    input_ = after->input;
    next_record_ = after->first_record + after->records;
  }

  Result<std::optional<Slice>> next(const CutLimits& limits) override {
    TRANCHE_ASSIGN(const bool more, find_record());
    if (!more) return std::optional<Slice>();
    Slice slice;
    slice.input = static_cast<std::uint32_t>(input_);
    slice.begin = slice.end = position_;
    slice.first_line = slice.end_line = line_;
    slice.first_record = next_record_;
    Digest digest;
    bool full = false;
    while (!full) {
      const std::uint64_t digested = slice.end;
      for (; block_at_ < block_.size() && !full; ++block_at_) {
        const CsvRecord& record = block_[block_at_];
        slice.end = record.next;
        slice.end_line = cursor_line_ + record.line + record.lines;
        ++slice.records;
        full = slice.records >= limits.records_max || slice.end - slice.begin >= limits.bytes_max;
      }
      TRANCHE_TRY(digest_range(digested, slice.end, digest));
      if (full) break;
      TRANCHE_TRY(read_block());
      full = block_.empty();
    }
    slice.bytes = slice.end - slice.begin;
    slice.memory_bytes = estimate_memory(*shapes_.schema, slice.bytes, slice.records);
    slice.digest = digest.value();
    position_ = slice.end;
    line_ = slice.end_line;
    next_record_ += slice.records;
    return std::optional<Slice>(slice);
  }

 private:
  // Goes to the next record, into the next file if need be. False: there is none.
  Result<bool> find_record() {
    while (true) {
      if (cursor_ == nullptr) {
        if (input_ == inputs_.inputs.size()) return false;
        TRANCHE_TRY(open());
      }
      if (block_at_ < block_.size()) return true;
      TRANCHE_TRY(read_block());
      if (!block_.empty()) return true;
      cursor_.reset();
      ++input_;
    }
  }

  // A last record without a line end that was added to is another record by now.
  Result<void> check_line_end(const Input& input, std::uint64_t bytes) const {
    if (position_ == 0 || position_ == bytes) return {};
    char last = '\n';
    TRANCHE_TRY(file_.read_at(&last, 1, position_ - 1));
    if (last == '\n' || last == '\r') return {};
    return make_error(ErrorKind::config,
                      fmt::format("{} goes on at byte {} within the last record that is committed. "
                                  "Restore the input, or start again with --fresh.",
                                  input.name, position_));
  }

  Result<void> open() {
    const Input& input = inputs_.inputs[input_];
    const CsvShape& shape = shapes_.files[input_];
    TRANCHE_ASSIGN(file_, File::open_read(inputs_.paths[input_]));
    TRANCHE_ASSIGN(const std::uint64_t bytes, file_.size());
    if (bytes != input.bytes) {
      return make_error(ErrorKind::failed,
                        fmt::format("{} had {} bytes when the run began and has {} now. Give back "
                                    "the file as it was and run again, or accept the change with "
                                    "--accept input.", input.name, input.bytes, bytes));
    }
    position_ = shape.head.data_begin;
    line_ = shape.head.data_line;
    if (resumed_) {
      position_ = std::max(position_, std::min(resumed_->end, bytes));
      TRANCHE_TRY(check_line_end(input, bytes));
      line_ = resumed_->end_line;
      resumed_.reset();
    }
    CsvCursor::Use use;
    use.begin = position_;
    use.end = bytes;
    cursor_line_ = line_;
    cursor_ = std::make_unique<CsvCursor>(file_, input.name, dialect_,
                                          shape.columns->empty_line_is_record, use);
    block_ = {};
    block_at_ = 0;
    return {};
  }

  Result<void> read_block() {
    block_at_ = 0;
    TRANCHE_ASSIGN(block_, cursor_->next());
    return {};
  }

  // From the window where it still has the bytes; lines of comment and endless ones are read again.
  Result<void> digest_range(std::uint64_t begin, std::uint64_t end, Digest& digest) const {
    if (begin >= end) return {};
    if (begin >= cursor_->window_begin() && end <= cursor_->window_end()) {
      digest.update({cursor_->at(begin), static_cast<std::size_t>(end - begin)});
      return {};
    }
    TRANCHE_ASSIGN(const bool whole, add_to_digest(file_, begin, end, digest));
    if (whole) return {};
    return make_error(ErrorKind::failed, fmt::format("{} has become shorter while it was read.",
                                                     inputs_.inputs[input_].name));
  }

  const CsvInputs& inputs_;
  const Shapes& shapes_;
  const CsvDialect& dialect_;
  std::optional<Slice> resumed_;
  std::size_t input_ = 0;
  File file_;
  std::unique_ptr<CsvCursor> cursor_;
  std::uint64_t cursor_line_ = 0;  // where the cursor began
  std::span<const CsvRecord> block_;
  std::size_t block_at_ = 0;
  std::uint64_t position_ = 0;     // behind the last slice
  std::uint64_t line_ = 0;
  std::uint64_t next_record_ = 0;
};

class CsvSource final : public Source {
 public:
  CsvSource(std::vector<std::string> patterns, fs::path base, CsvDialect dialect, Schema declared)
      : patterns_(std::move(patterns)),
        base_(std::move(base)),
        dialect_(std::move(dialect)),
        declared_(std::move(declared)) {}

  Result<std::vector<Input>> inputs() override {
    std::vector<Input> found;
    std::set<std::string> seen;
    for (const auto& pattern : patterns_) {
      TRANCHE_ASSIGN(const auto paths, expand_glob(base_ / pattern));
      for (const auto& path : paths) {
        const bool relative = fs::path(pattern).is_relative() && !base_.empty();
        Input input;
        input.name = relative ? path.lexically_relative(base_).string() : path.string();
        TRANCHE_TRY(check_name(input.name));
        if (!seen.insert(path.lexically_normal().string()).second) {
          return make_error(ErrorKind::config,
                            fmt::format("{} is named twice in `csv:`, its records would be read "
                                        "twice. Name it once.", input.name));
        }
        TRANCHE_ASSIGN(const auto status, file_status(path));
        input.bytes = status.bytes;
        input.modified_nanoseconds = status.modified_nanoseconds;
        found.push_back(std::move(input));
      }
    }
    return found;
  }

  Result<void> use_inputs(std::vector<Input> inputs) override {
    files_.inputs = std::move(inputs);
    files_.paths.clear();
    names_.clear();
    for (const auto& input : files_.inputs) {
      files_.paths.push_back(base_ / input.name);
      names_.push_back(std::make_shared<const std::string>(input.name));
    }
    shapes_.reset();
    return {};
  }

  Result<SchemaPtr> schema() override {
    TRANCHE_ASSIGN(const Shapes* shapes, this->shapes());
    return shapes->schema;
  }

  Result<std::unique_ptr<SliceStream>> divide(const Slice* after) override {
    TRANCHE_ASSIGN(const Shapes* shapes, this->shapes());
    return std::unique_ptr<SliceStream>(
        std::make_unique<CsvSliceStream>(files_, *shapes, dialect_, after));
  }

  Result<std::unique_ptr<Reader>> open(const Slice& slice, WorkerScope&) const override {
    TRANCHE_ASSIGN(const Shapes* shapes, this->shapes());
    if (slice.input >= files_.inputs.size()) {
      return make_error(ErrorKind::bug, "A slice of a CSV file names an input that is not there.");
    }
    auto file = File::open_read(files_.paths[slice.input]);
    if (!file) {  // it was there at the start: this is no error of the job
      file.error().kind = ErrorKind::failed;
      return std::move(file).error();
    }
    return std::unique_ptr<Reader>(
        std::make_unique<CsvReader>(std::move(*file), names_[slice.input], dialect_,
                                    shapes->files[slice.input].columns, slice));
  }

  Result<std::optional<std::uint64_t>> digest(const Slice& slice) const override {
    std::optional<std::uint64_t> none;
    if (slice.input >= files_.paths.size() || !file_exists(files_.paths[slice.input])) return none;
    TRANCHE_ASSIGN(const File file, File::open_read(files_.paths[slice.input]));
    Digest digest;
    TRANCHE_ASSIGN(const bool whole, add_to_digest(file, slice.begin, slice.end, digest));
    return whole ? std::optional<std::uint64_t>(digest.value()) : none;
  }

  Division default_division() const override {
    Division division;
    division.bytes = std::uint64_t{8} << 20;
    division.chunk_bytes = std::uint64_t{1} << 20;
    return division;
  }

 private:
  static Result<void> check_name(const std::string& name) {
    for (const std::string_view suffix : {".gz", ".zst"}) {
      if (!name.ends_with(suffix)) continue;
      return make_error(ErrorKind::config,
                        fmt::format("{} is compressed, which this version can't read; unpack it "
                                    "first, for example by {}.", name,
                                    suffix == ".gz" ? "gunzip -k" : "unzstd"));
    }
    return {};
  }

  // Reads the heads of all files, once; later calls give what was found.
  Result<const Shapes*> shapes() const {
    const std::lock_guard lock(mutex_);
    if (shapes_) return shapes_.get();
    TRANCHE_ASSIGN(auto heads, read_csv_heads(files_, dialect_));
    auto made = std::make_unique<Shapes>();
    if (declared_.fields.empty()) {
      TRANCHE_ASSIGN(made->schema, guess_csv_schema(files_, heads, dialect_));
    } else {
      made->schema = std::make_shared<const Schema>(declared_);
    }
    for (std::size_t i = 0; i < heads.size(); ++i) {
      CsvShape shape;
      TRANCHE_ASSIGN(shape.columns, match_csv_columns(made->schema, heads[i],
                                                      files_.inputs[i].name, dialect_));
      shape.head = std::move(heads[i]);
      made->files.push_back(std::move(shape));
    }
    shapes_ = std::move(made);
    return shapes_.get();
  }

  const std::vector<std::string> patterns_;
  const fs::path base_;
  const CsvDialect dialect_;
  const Schema declared_;
  CsvInputs files_;
  std::vector<std::shared_ptr<const std::string>> names_;
  mutable std::mutex mutex_;  // guards the making of shapes_, which never changes afterwards
  mutable std::unique_ptr<const Shapes> shapes_;
};

}  // namespace

Result<std::unique_ptr<Source>> make_csv_source(std::vector<std::string> patterns,
                                                const fs::path& base, const CsvDialect& dialect,
                                                Schema declared) {
  TRANCHE_TRY(check_dialect(dialect));
  return std::unique_ptr<Source>(std::make_unique<CsvSource>(std::move(patterns), base, dialect,
                                                             std::move(declared)));
}

}  // namespace tranche
