// What the sources of all text formats do alike: inputs from paths and globs, cuts between records,
// digests of slices. A format says what its columns are, where its records begin and how they are
// read.
//
// Threads and lifetime: those of core/source.h.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <tranche/core/source.h>

#include "base/file.h"
#include "formats/record_cursor.h"

namespace tranche {

// The files of one source, with where they are.
struct TextInputs {
  std::vector<Input> inputs;
  std::vector<std::filesystem::path> paths;  // one an input
};

// Where the records of a file begin.
struct TextBegin {
  std::uint64_t offset = 0;
  std::uint64_t line = 1;
};

class TextSource : public Source {
 public:
  Result<std::vector<Input>> inputs() final;
  Result<void> use_inputs(std::vector<Input> inputs) override;
  Result<std::unique_ptr<SliceStream>> divide(const Slice* after) final;
  Result<std::unique_ptr<Reader>> open(const Slice& slice, WorkerScope& worker) const final;
  Result<std::optional<std::uint64_t>> digest(const Slice& slice) const final;
  Division default_division() const final;

  const TextInputs& files() const { return files_; }
  bool return_ends_lines() const { return return_ends_lines_; }
  virtual Result<TextBegin> begin_of(std::size_t input) const = 0;
  // Whether a record of the input ends with its line. REQUIRES that begin_of(input) gave no error.
  virtual bool lines_end_records(std::size_t) const { return true; }
  // A cursor over records of the input. REQUIRES that begin_of(input) gave no error.
  virtual std::unique_ptr<RecordCursor> cursor(const File& file, std::size_t input,
                                               const RecordCursor::Use& use) const = 0;

 protected:
  // `key`: of the system in `read:`. `return_ends_lines`: a CR that no LF follows ends a line.
  TextSource(std::string key, std::vector<std::string> patterns, std::filesystem::path base,
             bool return_ends_lines);
  virtual Result<std::unique_ptr<Reader>> reader(File file,
                                                 std::shared_ptr<const std::string> name,
                                                 const Slice& slice) const = 0;

 private:
  const std::string key_;
  const std::vector<std::string> patterns_;
  const std::filesystem::path base_;
  const bool return_ends_lines_;
  TextInputs files_;
  std::vector<std::shared_ptr<const std::string>> names_;
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
    std::function<Result<void>(const File& file, std::uint64_t begin, std::size_t records_max)>;

// Calls `look` with places all over the file, for a guess of its columns: its beginning, and some
// lines further down and at its end when it is large. `return_ends_lines`: a CR that no LF follows
// ends a line.
Result<void> sample_text(const TextInputs& files, std::size_t input, std::uint64_t data_begin,
                         bool return_ends_lines, const LookAtRecords& look);

}  // namespace tranche
