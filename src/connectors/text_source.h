// What the sources of all text formats do alike: inputs from paths and globs, cuts between records,
// digests of slices. A format says what its columns are, where its records begin and how they are
// read.
//
// Threads and lifetime: those of core/source.h.
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include <tranche/core/options.h>
#include <tranche/core/source.h>

#include "base/digest.h"
#include "connectors/remote_texts.h"
#include "connectors/text_windows.h"
#include "formats/decoded_texts.h"
#include "formats/record_cursor.h"

namespace tranche {

// How the files of a source are coded, as the job says it.
struct AskedCoding {
  std::optional<Compression> compression;  // nullopt: what the suffix of each file says
  Encoding encoding = Encoding::utf8;
};

// What is done about files that are no good.
struct FileRules {
  bool bad_rejected = false;   // each is one reject; else an error
  bool empty_refused = false;  // a file without records is an error
};
FileRules read_file_rules(const OptionReader& options);

// The options that say so, for the option table of a format, and what they say.
std::vector<Option> coding_options(std::vector<std::string> encodings);
AskedCoding read_coding(const OptionReader& options);

// The files of one source, with where they are.
struct TextInputs {
  std::vector<Input> inputs;
  std::vector<std::filesystem::path> paths;  // one an input
  std::vector<TextCoding> codings;           // one an input
  std::shared_ptr<RemoteTexts> remote;       // nullptr: all of them are files here
  std::shared_ptr<DecodedTexts> decoded;     // nullptr: all of them are plain
  std::vector<bool> are_remote;              // one an input

  // For the one who reads ahead of all others.
  Result<TextFile> open(std::size_t input) const;
  // Of a file here; of a remote one each range is checked. Errors: failed, when it has another size
  // than it had when the run began.
  Result<void> check_size(std::size_t input) const;
  // The end of its text, as far as it is known.
  std::uint64_t end_of(std::size_t input) const {
    return codings[input].is_plain() ? inputs[input].bytes : TextFile::unknown_end;
  }
};

// Whether the text has nothing from `offset` on.
Result<bool> ends_at(const TextFile& file, std::uint64_t offset);

// Adds the bytes [begin, end) of a file to a digest. False: the file is shorter.
Result<bool> add_to_digest(const TextFile& file, std::uint64_t begin, std::uint64_t end,
                           Digest& digest);
// The memory that a slice's records take as Pages, with the window that they point into.
std::uint64_t estimate_text_memory(const Schema& schema, std::uint64_t bytes,
                                   std::uint64_t records);

// Where the records of a file begin.
struct TextBegin {
  std::uint64_t offset = 0;
  std::uint64_t line = 1;
};

class TextSource : public Source {
 public:
  Result<std::vector<Input>> inputs() final;
  Result<void> use_inputs(std::vector<Input> inputs) override;
  Result<void> use_division(const Division& division) final;
  Result<std::unique_ptr<SliceStream>> divide(const Slice* after) final;
  Result<std::unique_ptr<Reader>> open(const Slice& slice, WorkerScope& worker) const final;
  Result<std::optional<std::uint64_t>> digest(const Slice& slice) const final;
  Division default_division() const final;
  Result<std::optional<std::uint64_t>> decoder_bytes() const final;
  void keep_decoded(std::uint64_t bytes) final;
  void use_checkpoints(std::vector<Checkpoint> checkpoints) final;
  std::vector<Checkpoint> take_checkpoints() final;
  std::optional<std::string> seek_notice(const Slice& slice) const final;

  const TextInputs& files() const { return files_; }
  const std::optional<TimeWindows>& windows() const { return windows_; }
  virtual Result<TextBegin> begin_of(std::size_t input) const = 0;
  // For the one who cuts: what is wrong with a file that is to be one reject. A file that must be
  // decoded is decoded once to its end to find out. Errors: failed, when it is not what it was.
  Result<std::optional<std::string>> bad_file(std::size_t input) const;
  // Whether a record of the input ends with its line. REQUIRES that begin_of(input) gave no error.
  virtual bool lines_end_records(std::size_t) const { return true; }
  // Whether a CR that no LF follows ends a line of the input. REQUIRES that begin_of(input) gave no
  // error.
  virtual bool return_ends_lines(std::size_t) const { return false; }
  // A cursor over records of the input. REQUIRES that begin_of(input) gave no error.
  virtual std::unique_ptr<RecordCursor> cursor(const TextFile& file, std::size_t input,
                                               const RecordCursor::Use& use) const = 0;
  // Reads one column of the schema, without a digest; a null is a value of it.
  virtual Result<std::unique_ptr<Reader>> column_reader(TextFile file, const Slice& range,
                                                        std::size_t column) const = 0;

 protected:
  // `key`: of the system in `read:`.
  TextSource(std::string key, std::vector<std::string> patterns, std::filesystem::path base,
             const AskedCoding& coding, const FileRules& rules);
  const FileRules& rules() const { return rules_; }
  // What was found wrong with the file when its beginning was read; empty: nothing.
  virtual Result<std::string> fault_of_head(std::size_t input) const = 0;
  virtual Result<std::unique_ptr<Reader>> reader(TextFile file,
                                                 std::shared_ptr<const std::string> name,
                                                 const Slice& slice) const = 0;

 private:
  Result<RemoteFile> find_remote(const Input& input) const;
  // For those who read what was divided. Errors: failed; transient, of a remote file.
  Result<TextFile> open_behind(std::size_t input) const;

  const std::string key_;
  const std::vector<std::string> patterns_;
  const std::filesystem::path base_;
  const AskedCoding coding_;
  const FileRules rules_;
  TextInputs files_;
  std::vector<std::shared_ptr<const std::string>> names_;
  mutable std::mutex whole_mutex_;                         // guards whole_
  mutable std::map<std::size_t, std::string> whole_;       // faults of decoded files; empty: none
  std::optional<TimeWindows> windows_;  // what the job divides by; else by records and bytes
};

// Which files are looked at to guess a schema: up to eight that are not empty, from the first to
// the last.
std::vector<std::size_t> sampled_inputs(const TextInputs& files);
// For `check`.
inline constexpr char guessed_note[] =
    "The columns were guessed from a sample of the input. A later value that does not fit is "
    "rejected; declare `columns:` where the guess is wrong.";

// Looks at up to `records_max` records from `begin` on.
using LookAtRecords =
    std::function<Result<void>(const TextFile& file, std::uint64_t begin, std::size_t records_max)>;

// Calls `look` with places of the file, for a guess of its columns: its beginning, and some lines
// further down and at its end when it is large, all over a plain one and within the first megabytes
// of one that must be decoded up to there. `return_ends_lines`: a CR that no LF follows ends a
// line.
Result<void> sample_text(const TextInputs& files, std::size_t input, std::uint64_t data_begin,
                         bool return_ends_lines, const LookAtRecords& look);

}  // namespace tranche
