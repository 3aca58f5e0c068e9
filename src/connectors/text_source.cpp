#include "connectors/text_source.h"

#include <algorithm>
#include <set>

#include <fmt/format.h>

#include "base/digest.h"

namespace tranche {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t digest_piece_bytes = std::size_t{1} << 20;
constexpr std::size_t sampled_records_head = 4096;
constexpr std::size_t sampled_records_place = 512;
constexpr std::uint64_t sampled_places = 4;

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
  std::uint64_t nested_bytes = 0;
  for (const auto& field : schema.fields) {
    row_bytes += estimated_bytes(field.type);
    // A list may be longer than was expected, and its elements are larger than their text.
    if (is_nested(field.type)) nested_bytes = 2 * bytes;
  }
  const std::uint64_t vectors = (records + vector_rows - 1) / vector_rows;
  return bytes + nested_bytes + vectors * vector_rows * row_bytes;
}

class TextSliceStream final : public SliceStream {
 public:
  TextSliceStream(const TextSource& source, SchemaPtr schema, const Slice* after)
      : source_(source), inputs_(source.files()), schema_(std::move(schema)) {
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
        const TextRecord& record = block_[block_at_];
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
    slice.memory_bytes = estimate_memory(*schema_, slice.bytes, slice.records);
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
    if (position_ == 0 || position_ == bytes || !source_.lines_end_records(input_)) return {};
    char last = '\n';
    TRANCHE_TRY(file_.read_at(&last, 1, position_ - 1));
    if (last == '\n' || (last == '\r' && source_.return_ends_lines())) return {};
    return make_error(ErrorKind::config,
                      fmt::format("{} goes on at byte {} within the last record that is committed. "
                                  "Restore the input, or start again with --fresh.",
                                  input.name, position_));
  }

  Result<void> open() {
    const Input& input = inputs_.inputs[input_];
    TRANCHE_ASSIGN(const TextBegin begin, source_.begin_of(input_));
    TRANCHE_ASSIGN(file_, File::open_read(inputs_.paths[input_]));
    TRANCHE_ASSIGN(const std::uint64_t bytes, file_.size());
    if (bytes != input.bytes) {
      return make_error(ErrorKind::failed,
                        fmt::format("{} had {} bytes when the run began and has {} now. Give back "
                                    "the file as it was and run again, or accept the change with "
                                    "--accept input.", input.name, input.bytes, bytes));
    }
    position_ = begin.offset;
    line_ = begin.line;
    if (resumed_) {
      position_ = std::max(position_, std::min(resumed_->end, bytes));
      TRANCHE_TRY(check_line_end(input, bytes));
      line_ = resumed_->end_line;
      resumed_.reset();
    }
    RecordCursor::Use use;
    use.begin = position_;
    use.end = bytes;
    cursor_line_ = line_;
    cursor_ = source_.cursor(file_, input_, use);
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

  const TextSource& source_;
  const TextInputs& inputs_;
  const SchemaPtr schema_;
  std::optional<Slice> resumed_;
  std::size_t input_ = 0;
  File file_;
  std::unique_ptr<RecordCursor> cursor_;
  std::uint64_t cursor_line_ = 0;  // where the cursor began
  std::span<const TextRecord> block_;
  std::size_t block_at_ = 0;
  std::uint64_t position_ = 0;     // behind the last slice
  std::uint64_t line_ = 0;
  std::uint64_t next_record_ = 0;
};

Result<void> check_name(const std::string& name) {
  for (const std::string_view suffix : {".gz", ".zst"}) {
    if (!name.ends_with(suffix)) continue;
    return make_error(ErrorKind::config,
                      fmt::format("{} is compressed, which this version can't read; unpack it "
                                  "first, for example by {}.", name,
                                  suffix == ".gz" ? "gunzip -k" : "unzstd"));
  }
  return {};
}

// The beginning of a line behind `offset`; the end of the file when there is none near.
Result<std::uint64_t> next_line(const File& file, const Input& input, std::uint64_t offset,
                                bool return_ends_lines) {
  std::string piece(std::size_t{64} << 10, '\0');
  TRANCHE_ASSIGN(const std::size_t count, file.read_at(piece.data(), piece.size(), offset));
  const std::size_t at =
      std::string_view(piece.data(), count).find_first_of(return_ends_lines ? "\r\n" : "\n");
  if (at >= count) return input.bytes;
  const bool pair = piece[at] == '\r' && at + 1 < count && piece[at + 1] == '\n';
  return offset + at + (pair ? 2 : 1);
}

}  // namespace

TextSource::TextSource(std::string key, std::vector<std::string> patterns, fs::path base,
                       bool return_ends_lines)
    : key_(std::move(key)),
      patterns_(std::move(patterns)),
      base_(std::move(base)),
      return_ends_lines_(return_ends_lines) {}

Result<std::vector<Input>> TextSource::inputs() {
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
                          fmt::format("{} is named twice in `{}:`, its records would be read "
                                      "twice. Name it once.", input.name, key_));
      }
      TRANCHE_ASSIGN(const auto status, file_status(path));
      input.bytes = status.bytes;
      input.modified_nanoseconds = status.modified_nanoseconds;
      found.push_back(std::move(input));
    }
  }
  return found;
}

Result<void> TextSource::use_inputs(std::vector<Input> inputs) {
  files_.inputs = std::move(inputs);
  files_.paths.clear();
  names_.clear();
  for (const auto& input : files_.inputs) {
    files_.paths.push_back(base_ / input.name);
    names_.push_back(std::make_shared<const std::string>(input.name));
  }
  return {};
}

Result<std::unique_ptr<SliceStream>> TextSource::divide(const Slice* after) {
  TRANCHE_ASSIGN(SchemaPtr schema, this->schema());
  return std::unique_ptr<SliceStream>(
      std::make_unique<TextSliceStream>(*this, std::move(schema), after));
}

Result<std::unique_ptr<Reader>> TextSource::open(const Slice& slice, WorkerScope&) const {
  if (slice.input >= files_.inputs.size()) {
    return make_error(ErrorKind::bug,
                      fmt::format("A slice of `{}:` names an input that is not there.", key_));
  }
  auto file = File::open_read(files_.paths[slice.input]);
  if (!file) {  // it was there at the start: this is no error of the job
    file.error().kind = ErrorKind::failed;
    return std::move(file).error();
  }
  return reader(std::move(*file), names_[slice.input], slice);
}

Result<std::optional<std::uint64_t>> TextSource::digest(const Slice& slice) const {
  std::optional<std::uint64_t> none;
  if (slice.input >= files_.paths.size() || !file_exists(files_.paths[slice.input])) return none;
  TRANCHE_ASSIGN(const File file, File::open_read(files_.paths[slice.input]));
  Digest digest;
  TRANCHE_ASSIGN(const bool whole, add_to_digest(file, slice.begin, slice.end, digest));
  return whole ? std::optional<std::uint64_t>(digest.value()) : none;
}

Division TextSource::default_division() const {
  Division division;
  division.bytes = std::uint64_t{8} << 20;
  division.chunk_bytes = std::uint64_t{1} << 20;
  return division;
}

Result<void> sample_text(const TextInputs& files, std::size_t input, std::uint64_t data_begin,
                         bool return_ends_lines, const LookAtRecords& look) {
  TRANCHE_ASSIGN(const File file, File::open_read(files.paths[input]));
  TRANCHE_TRY(look(file, data_begin, sampled_records_head));
  const std::uint64_t data_bytes = files.inputs[input].bytes - data_begin;
  if (data_bytes < (std::uint64_t{1} << 20)) return {};  // all of it, or nearly, was seen
  for (std::uint64_t place = 1; place <= sampled_places; ++place) {
    const std::uint64_t offset = data_begin + data_bytes * place / (sampled_places + 1);
    TRANCHE_ASSIGN(const std::uint64_t begin,
                   next_line(file, files.inputs[input], offset, return_ends_lines));
    TRANCHE_TRY(look(file, begin, sampled_records_place));
  }
  return {};
}

}  // namespace tranche
