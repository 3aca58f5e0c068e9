// Where the records of a file lie that is one JSON array: a record is an element, which is what
// stands between two commas of the array.
//
// The search knows strings and nesting, whatever else is wrong within an element. The end of an
// element can't be told where a bracket is closed by one of another kind, a line ends within a
// string, nesting is too deep, or max_record_bytes do not hold it. Such an element costs all up to
// the next comma behind which a line begins as its own did: with the same blanks (none, if it does
// not begin its line) and the same byte; if there is none, the rest of the file. One that is only
// too long ends where its brackets do, if that comes first. What follows the closing bracket of the
// array is one broken record. The range of the record before the closing bracket goes to the end of
// the file, unless it is too long, so that whoever reads it sees whether the bracket is there.
//
// Threads: a scanner and a cursor belong to one thread. Lifetime and errors: those of
// record_cursor.h.
#pragma once

#include <bitset>
#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "base/json_syntax.h"
#include "formats/record_cursor.h"

namespace tranche {

// Finds the end of one element by its brackets, piece by piece.
class JsonElementEnd {
 public:
  // The end, once it is in the piece: the byte behind the element. nullptr: it is not.
  const char* feed(const char* begin, const char* end);
  bool is_lost() const { return lost_; }  // it can't be told
  // Whether the element may end where the last piece does.
  bool is_complete() const { return !lost_ && !in_string_ && depth_ == 0; }

 private:
  bool take_block(const char*& p);
  const char* walk_string(const char* p, const char* end);
  void open(bool is_object);
  bool close(bool is_object);

  std::bitset<json_depth_max + 1> is_object_;  // of the brackets that are open
  std::size_t depth_ = 0;
  bool in_string_ = false;
  bool escaped_ = false;
  bool lost_ = false;
};

// Finds the next line that begins as that of an element, piece by piece.
class JsonLineSearch {
 public:
  // `indent`: the blanks of the element's line before it. `opening`: its first byte.
  JsonLineSearch(std::string_view indent, char opening) : indent_(indent), opening_(opening) {}
  // Where the comma before that line is, in bytes from the first piece on.
  std::optional<std::uint64_t> feed(const char* begin, const char* end);

 private:
  const std::string indent_;
  const char opening_;
  std::uint64_t fed_ = 0;
  std::optional<std::uint64_t> comma_;  // the last one, when only blanks came behind it
  bool line_began_ = false;             // behind that comma
  std::size_t indented_ = 0;            // blanks of that line that are those of indent_
};

class JsonArrayScanner {
 public:
  // `is_first`: the search begins at the opening bracket, not behind an element.
  JsonArrayScanner(std::uint64_t max_record_bytes, bool is_first, bool is_any_value)
      : limit_bytes_(static_cast<std::size_t>(max_record_bytes)),
        is_first_(is_first),
        is_any_value_(is_any_value) {}

  ScanStep next(const char* p, const char* end, bool final, RecordSpan& span);
  std::size_t window_bytes_min() const { return 2 * limit_bytes_ + 64; }
  std::unique_ptr<LongEnd> long_end() const;

 private:
  ScanStep element(const char* p, const char* begin, const char* end, bool final, RecordSpan& span);
  ScanStep rest(const char* p, const char* begin, const char* end, bool final, RecordSpan& span);
  void end_record(const char* begin, const char* next, RecordSpan& span) const;

  const std::size_t limit_bytes_;
  bool is_first_;
  const bool is_any_value_;
  std::string indent_;  // of the element that was looked at last
  char opening_ = '{';
  bool is_rest_ = false;  // what was looked at last is behind the closing bracket
};

class JsonArrayCursor final : public RecordCursor {
 public:
  JsonArrayCursor(const TextFile& file, std::string name, const JsonArrayScanner& scanner,
                  const Use& use)
      : RecordCursor(file, std::move(name), use, false), scanner_(scanner) {}
  Result<std::span<const TextRecord>> next() override {
    return walk(scanner_, use().block_records);
  }

 private:
  std::unique_ptr<LongEnd> long_end() const override { return scanner_.long_end(); }

  JsonArrayScanner scanner_;
};

}  // namespace tranche
