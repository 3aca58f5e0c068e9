#include "connectors/text_source.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/digest.h"
#include "base/text.h"
#include "connectors/bad_file.h"
#include "connectors/file_inputs.h"
#include "connectors/remote_places.h"

namespace tranche {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t digest_piece_bytes = std::size_t{1} << 20;
constexpr std::size_t sampled_records_head = 4096;
constexpr std::size_t sampled_records_place = 512;
constexpr std::uint64_t sampled_places = 8;  // behind the head; the last one is the tail
constexpr std::size_t sampled_tail_bytes = std::size_t{16} << 10;
constexpr std::uint64_t sampled_bytes_decoded = std::uint64_t{5} << 20;
constexpr std::uint64_t seek_bytes_unsaid = 4 * DecodedTexts::checkpoint_bytes_default;

class TextSliceStream final : public SliceStream {
 public:
  TextSliceStream(const TextSource& source, SchemaPtr schema, const Slice* after)
      : source_(source), inputs_(source.files()), schema_(std::move(schema)) {
    if (source.windows()) time_line_.emplace(source, *source.windows(), after);
    if (after == nullptr) return;
    next_record_ = after->first_record + after->records;
    input_ = after->input;
    if (bad_file_of(*after)) ++input_;
    else resumed_ = *after;
  }

  Result<std::optional<Slice>> next(const CutLimits& limits) override {
    TRANCHE_ASSIGN(RecordCursor::Passed passed, find_records(limits));
    if (fault_) return std::optional<Slice>(pass_bad_file());
    if (passed.records == 0) return std::optional<Slice>();
    Slice slice;
    slice.input = static_cast<std::uint32_t>(input_);
    slice.begin = slice.end = position_;
    slice.first_line = line_;
    slice.first_record = next_record_;
    Digest digest;
    while (passed.records > 0) {
      TRANCHE_TRY(digest_range(slice.end, passed.end, digest));
      slice.end = passed.end;
      slice.end_line = cursor_line_ + passed.lines;
      slice.records += passed.records;
      if (slice.records >= limits.records_max || slice.end - slice.begin >= limits.bytes_max) break;
      TRANCHE_ASSIGN(passed, pass(limits, slice.records));
    }
    slice.bytes = slice.end - slice.begin;
    slice.memory_bytes = estimate_text_memory(*schema_, slice.bytes, slice.records);
    slice.digest = digest.value();
    slice.file_bytes = slice.bytes;
    if (inputs_.end_of(input_) == TextFile::unknown_end) {
      const std::uint64_t reached = inputs_.decoded->file_offset(input_, slice.end);
      slice.file_bytes = reached - std::min(reached, file_position_);
      file_position_ = std::max(reached, file_position_);
    }
    if (time_line_) {
      slice.range = time_line_->range();
      TRANCHE_ASSIGN(slice.ends_batch, time_line_->is_at_window_end(input_));
    }
    position_ = slice.end;
    line_ = slice.end_line;
    next_record_ += slice.records;
    return std::optional<Slice>(slice);
  }

 private:
  // Goes over the next records of a slice that begins at position_ and has `records` so far.
  Result<RecordCursor::Passed> pass(const CutLimits& limits, std::uint64_t records) {
    // A slice has one record at least, whatever the limits are.
    const std::uint64_t left =
        std::max<std::uint64_t>(1, limits.records_max - std::min(records, limits.records_max));
    if (!time_line_) return cursor_->pass({position_, limits.bytes_max, left});
    TRANCHE_ASSIGN(const TimeLine::Stretch stretch, time_line_->ahead(input_));
    if (stretch.records == 0 || (stretch.begins_window && records > 0))
      return RecordCursor::Passed();
    TRANCHE_ASSIGN(const RecordCursor::Passed passed,
                   cursor_->pass({position_, limits.bytes_max, std::min(left, stretch.records)}));
    time_line_->take(passed.records);
    return passed;
  }

  Slice pass_bad_file() {
    const std::string state = time_line_ ? time_line_->range() : std::string();
    Slice slice = bad_file_slice(input_, inputs_.inputs[input_], next_record_,
                                 *std::exchange(fault_, std::nullopt), state);
    ++input_;
    ++next_record_;
    return slice;
  }

  // Goes over the first records of a slice, in the next file if need be; none: there are no more,
  // or a file is next that can't be read.
  Result<RecordCursor::Passed> find_records(const CutLimits& limits) {
    while (true) {
      if (cursor_ == nullptr) {
        if (input_ == inputs_.inputs.size()) return RecordCursor::Passed();
        TRANCHE_ASSIGN(fault_, source_.bad_file(input_));
        if (fault_) return RecordCursor::Passed();
        TRANCHE_TRY(open());
      }
      TRANCHE_ASSIGN(const RecordCursor::Passed passed, pass(limits, 0));
      if (passed.records > 0) return passed;
      cursor_.reset();
      ++input_;
    }
  }

  // A last record without a line end that was added to is another record by now.
  Result<void> check_line_end(const Input& input) const {
    if (position_ == 0 || !source_.lines_end_records(input_)) return {};
    char around[2] = {};  // the last byte that is committed, and the one behind it
    TRANCHE_ASSIGN(const std::size_t count, file_.read_at(around, 2, position_ - 1));
    const bool is_line_end =
        around[0] == '\n' || (around[0] == '\r' && source_.return_ends_lines(input_));
    if (count < 2 || is_line_end) return {};
    return make_error(ErrorKind::config,
                      fmt::format("{} goes on at byte {} within the last record that is committed. "
                                  "Restore the input, or start again with --fresh.",
                                  input.name, position_));
  }

  Result<void> open() {
    const Input& input = inputs_.inputs[input_];
    TRANCHE_ASSIGN(const TextBegin begin, source_.begin_of(input_));
    TRANCHE_ASSIGN(file_, inputs_.open(input_));
    const std::uint64_t end = inputs_.end_of(input_);
    position_ = begin.offset;
    line_ = begin.line;
    file_position_ = 0;
    if (resumed_) {
      position_ = std::max(position_, std::min(resumed_->end, end));
      TRANCHE_TRY(check_line_end(input));
      line_ = resumed_->end_line;
      if (end == TextFile::unknown_end) {
        file_position_ = inputs_.decoded->file_offset(input_, position_);
      }
      resumed_.reset();
    }
    RecordCursor::Use use;
    use.begin = position_;
    use.end = end;
    cursor_line_ = line_;
    cursor_ = source_.cursor(file_, input_, use);
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
  std::optional<TimeLine> time_line_;  // where windows of time are cut
  std::optional<Slice> resumed_;
  std::size_t input_ = 0;
  std::optional<std::string> fault_;  // of a file that is one reject, and is next
  TextFile file_;
  std::unique_ptr<RecordCursor> cursor_;
  std::uint64_t cursor_line_ = 0;  // where the cursor began
  std::uint64_t position_ = 0;       // behind the last slice
  std::uint64_t file_position_ = 0;  // the same in the file, where that is another
  std::uint64_t line_ = 0;
  std::uint64_t next_record_ = 0;
};

// The beginning of a line behind `offset`; nullopt when there is none near.
Result<std::optional<std::uint64_t>> next_line(const TextFile& file, std::uint64_t offset,
                                               bool return_ends_lines) {
  std::string piece(std::size_t{64} << 10, '\0');
  TRANCHE_ASSIGN(const std::size_t count, file.read_at(piece.data(), piece.size(), offset));
  const std::size_t at =
      std::string_view(piece.data(), count).find_first_of(return_ends_lines ? "\r\n" : "\n");
  if (at >= count) return std::optional<std::uint64_t>();
  const bool pair = piece[at] == '\r' && at + 1 < count && piece[at + 1] == '\n';
  return std::optional<std::uint64_t>(offset + at + (pair ? 2 : 1));
}

}  // namespace

Result<bool> add_to_digest(const TextFile& file, std::uint64_t begin, std::uint64_t end,
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

std::uint64_t estimate_text_memory(const Schema& schema, std::uint64_t bytes,
                                   std::uint64_t records) {
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

std::vector<Option> coding_options(std::vector<std::string> encodings) {
  return {
      {.name = "compression", .kind = OptionKind::choice,
       .doc = "auto: gzip for files named .gz, zstd for .zst.", .default_text = "auto",
       .choices = {"auto", "none", "gzip", "zstd"}},
      {.name = "encoding", .kind = OptionKind::choice,
       .doc = "What is not UTF-8 is converted to it; utf-16 takes the order from the file's byte "
              "order mark.", .default_text = "utf-8", .choices = std::move(encodings)},
  };
}

AskedCoding read_coding(const OptionReader& options) {
  AskedCoding coding;
  const std::string compression = options.text("compression");
  if (compression == "none") coding.compression = Compression::none;
  if (compression == "gzip") coding.compression = Compression::gzip;
  if (compression == "zstd") coding.compression = Compression::zstd;
  const std::string encoding = options.text("encoding");
  if (encoding == "latin-1") coding.encoding = Encoding::latin1;
  if (encoding == "utf-16") coding.encoding = Encoding::utf16;
  if (encoding == "utf-16le") coding.encoding = Encoding::utf16le;
  if (encoding == "utf-16be") coding.encoding = Encoding::utf16be;
  return coding;
}

FileRules read_file_rules(const OptionReader& options) {
  return {options.text("bad_file") == "reject", options.text("empty") == "fail"};
}

Result<void> TextInputs::check_size(std::size_t input) const {
  if (are_remote[input]) return {};
  TRANCHE_ASSIGN(const FileStatus now, file_status(paths[input]));
  if (now.bytes == inputs[input].bytes) return {};
  return make_error(ErrorKind::failed,
                    fmt::format("{} had {} bytes when the run began and has {} now. Give back the "
                                "file as it was and run again, or accept the change with --accept "
                                "input.", inputs[input].name, inputs[input].bytes, now.bytes));
}

Result<TextFile> TextInputs::open(std::size_t input) const {
  if (!codings[input].is_plain()) return decoded->open(input, DecodedTexts::Reader::ahead);
  if (are_remote[input]) return TextFile(remote->open_ahead(input));
  TRANCHE_ASSIGN(File file, File::open_read(paths[input]));
  TRANCHE_TRY(check_size(input));
  return TextFile(std::move(file));
}

Result<bool> ends_at(const TextFile& file, std::uint64_t offset) {
  char byte = 0;
  TRANCHE_ASSIGN(const std::size_t count, file.read_at(&byte, 1, offset));
  return count == 0;
}

TextSource::TextSource(std::string key, std::vector<std::string> patterns, fs::path base,
                       const AskedCoding& coding, const FileRules& rules)
    : key_(std::move(key)),
      patterns_(std::move(patterns)),
      base_(std::move(base)),
      coding_(coding),
      rules_(rules) {}

Result<std::vector<Input>> TextSource::inputs() {
  return list_files({key_, patterns_, base_, true});
}

// The name stands in the plan and in the ledger; the URL is the job's own.
Result<RemoteFile> TextSource::find_remote(const Input& input) const {
  const auto names = remote_names(patterns_);
  const auto found = std::find(names.begin(), names.end(), input.name);
  if (found == names.end()) {
    return make_error(ErrorKind::config,
                      fmt::format("{} is an input of the run, and the job names it no more.",
                                  input.name));
  }
  const std::string& url = patterns_[static_cast<std::size_t>(found - names.begin())];
  TRANCHE_ASSIGN(HttpPlace place, find_remote_place(url, input.name));
  return RemoteFile{std::move(place),
                    {input.bytes, input.modified_nanoseconds, input.digest}};
}

Result<void> TextSource::use_inputs(std::vector<Input> inputs) {
  files_.inputs = std::move(inputs);
  files_.paths.clear();
  files_.codings.clear();
  files_.are_remote.clear();
  files_.decoded.reset();
  files_.remote.reset();
  names_.clear();
  whole_.clear();
  std::vector<CodedFile> coded;
  std::vector<std::optional<RemoteFile>> remote(files_.inputs.size());
  bool all_plain = true;
  for (const auto& input : files_.inputs) {
    std::string file_name = input.name;
    files_.are_remote.push_back(is_remote(input.name));
    if (files_.are_remote.back()) {
      TRANCHE_ASSIGN(RemoteFile file, find_remote(input));
      file_name = url_without_password(file.place.url);
      remote[files_.are_remote.size() - 1] = std::move(file);
    }
    const TextCoding coding{coding_.compression.value_or(compression_of(file_name)),
                            coding_.encoding};
    all_plain = all_plain && coding.is_plain();
    files_.paths.push_back(path_of_input(base_, input));
    files_.codings.push_back(coding);
    names_.push_back(std::make_shared<const std::string>(input.name));
    coded.push_back({files_.paths.back(), input.name, input.bytes, coding});
  }
  if (std::find(files_.are_remote.begin(), files_.are_remote.end(), true) !=
      files_.are_remote.end()) {
    files_.remote = std::make_shared<RemoteTexts>(std::move(remote));
    for (std::size_t i = 0; i < coded.size(); ++i) {
      if (files_.are_remote[i]) coded[i].remote = files_.remote->open_ahead(i);
    }
  }
  if (!all_plain) files_.decoded = std::make_shared<DecodedTexts>(std::move(coded));
  return {};
}

Result<std::optional<std::string>> TextSource::bad_file(std::size_t input) const {
  std::optional<std::string> none;
  if (!rules_.bad_rejected) return none;
  TRANCHE_ASSIGN(std::string fault, fault_of_head(input));
  if (!fault.empty()) return std::optional(std::move(fault));
  const TextCoding& coding = files_.codings[input];
  if (coding.is_plain()) return none;
  const std::lock_guard lock(whole_mutex_);
  if (const auto known = whole_.find(input); known != whole_.end())
    return known->second.empty() ? none : std::optional(known->second);
  TRANCHE_TRY(files_.check_size(input));
  const DecodedTexts alone(
      {{files_.paths[input], files_.inputs[input].name, files_.inputs[input].bytes, coding,
        files_.are_remote[input] ? files_.remote->open_ahead(input) : nullptr}});
  const TextFile text = alone.open(0, DecodedTexts::Reader::ahead);
  std::string piece(digest_piece_bytes, '\0');
  for (std::uint64_t at = 0;; at += piece.size()) {
    auto count = text.read_at(piece.data(), piece.size(), at);
    if (!count && may_pass(count.error())) return std::move(count).error();
    if (!count) fault = count.error().message;
    if (!count || *count < piece.size()) break;
  }
  whole_[input] = fault;
  return fault.empty() ? none : std::optional(std::move(fault));
}

Result<TextFile> TextSource::open_behind(std::size_t input) const {
  if (!files_.codings[input].is_plain()) {
    return files_.decoded->open(input, DecodedTexts::Reader::behind);
  }
  if (files_.are_remote[input]) return TextFile(files_.remote->open_behind(input));
  auto file = File::open_read(files_.paths[input]);
  if (file) return TextFile(std::move(*file));
  file.error().kind = ErrorKind::failed;  // it was there at the start: this is no error of the job
  return std::move(file).error();
}

Result<void> TextSource::use_division(const Division& division) {
  windows_.reset();
  if (!division.window || !division.key.empty()) return Source::use_division(division);
  TRANCHE_ASSIGN(const SchemaPtr schema, this->schema());
  TRANCHE_ASSIGN(windows_, find_time_windows(*schema, *division.window));
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
  if (bad_file_of(slice)) return bad_file_reader(*names_[slice.input], slice);
  TRANCHE_ASSIGN(TextFile file, open_behind(slice.input));
  TRANCHE_ASSIGN(auto opened, reader(std::move(file), names_[slice.input], slice));
  if (!windows_ || !windows_->rejects_late) return opened;
  return reject_late_records(std::move(opened), *windows_, slice);
}

Result<std::optional<std::uint64_t>> TextSource::digest(const Slice& slice) const {
  std::optional<std::uint64_t> none;
  if (slice.input >= files_.paths.size()) return none;
  if (!files_.are_remote[slice.input] && !file_exists(files_.paths[slice.input])) return none;
  if (const auto was = bad_file_of(slice)) {
    TRANCHE_ASSIGN(const auto is, bad_file(slice.input));
    return is == was ? std::optional(slice.digest) : none;
  }
  TRANCHE_ASSIGN(const TextFile file, open_behind(slice.input));
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

std::vector<std::size_t> sampled_inputs(const TextInputs& files) {
  constexpr std::size_t sampled_files_max = 8;
  std::vector<std::size_t> filled;
  for (std::size_t i = 0; i < files.inputs.size(); ++i) {
    if (files.inputs[i].bytes > 0) filled.push_back(i);
  }
  if (filled.size() <= sampled_files_max) return filled;
  std::vector<std::size_t> sampled;
  for (std::size_t k = 0; k < sampled_files_max; ++k) {
    sampled.push_back(filled[k * (filled.size() - 1) / (sampled_files_max - 1)]);
  }
  return sampled;
}

Result<std::optional<std::uint64_t>> TextSource::decoder_bytes() const {
  if (files_.decoded == nullptr && files_.remote == nullptr) return std::optional<std::uint64_t>();
  std::uint64_t bytes = files_.remote == nullptr ? 0 : RemoteTexts::fetching_bytes();
  if (files_.decoded != nullptr) {
    TRANCHE_ASSIGN(const std::uint64_t of_decoders, files_.decoded->decoder_bytes());
    bytes += of_decoders;
  }
  return std::optional<std::uint64_t>(bytes);
}

// What is remote and decoded waits to be read as text, not as it was fetched.
void TextSource::keep_decoded(std::uint64_t bytes) {
  bool has_plain_remote = false;
  for (std::size_t i = 0; i < files_.inputs.size(); ++i) {
    has_plain_remote = has_plain_remote || (files_.are_remote[i] && files_.codings[i].is_plain());
  }
  const std::uint64_t share = has_plain_remote && files_.decoded != nullptr ? bytes / 2 : bytes;
  if (files_.decoded != nullptr) files_.decoded->keep(share / 2);
  if (files_.remote != nullptr) files_.remote->keep(has_plain_remote ? share : 0);
}

void TextSource::use_checkpoints(std::vector<Checkpoint> checkpoints) {
  if (files_.decoded != nullptr) files_.decoded->use_checkpoints(std::move(checkpoints));
}

std::vector<Checkpoint> TextSource::take_checkpoints() {
  return files_.decoded == nullptr ? std::vector<Checkpoint>()
                                   : files_.decoded->take_checkpoints();
}

std::optional<std::string> TextSource::seek_notice(const Slice& slice) const {
  if (slice.input >= files_.inputs.size() || files_.codings[slice.input].is_plain()) {
    return std::nullopt;
  }
  const std::uint64_t bytes = files_.decoded->bytes_before(slice.input, slice.begin);
  if (bytes < seek_bytes_unsaid) return std::nullopt;
  return fmt::format("{} has no place near byte {} of its text at which reading could begin, so {} "
                     "are unpacked again to get there. A resume is quicker with gzip, or with many "
                     "zstd frames (as pzstd writes them).",
                     files_.inputs[slice.input].name, slice.begin, format_size(bytes));
}

Result<void> sample_text(const TextInputs& files, std::size_t input, std::uint64_t data_begin,
                         bool return_ends_lines, const LookAtRecords& look) {
  TRANCHE_ASSIGN(const TextFile file, files.open(input));
  TRANCHE_TRY(look(file, data_begin, sampled_records_head));
  const std::uint64_t end = files.end_of(input);
  const bool is_decoded = end == TextFile::unknown_end;
  const std::uint64_t data_bytes = is_decoded ? sampled_bytes_decoded : end - data_begin;
  if (data_bytes <= sampled_records_head) return {};  // all of it was seen
  for (std::uint64_t place = 1; place <= sampled_places; ++place) {
    const bool is_tail = place == sampled_places && !is_decoded;
    const std::uint64_t offset =
        is_tail ? data_begin + data_bytes - std::min<std::uint64_t>(data_bytes, sampled_tail_bytes)
                : data_begin + data_bytes * place / sampled_places;
    TRANCHE_ASSIGN(const auto begin, next_line(file, offset, return_ends_lines));
    if (!begin) break;
    TRANCHE_TRY(look(file, *begin, is_tail ? sampled_tail_bytes : sampled_records_place));
  }
  return {};
}

}  // namespace tranche
