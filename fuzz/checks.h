// What one input of a fuzz target must hold: nothing when all is well, else what is wrong. The
// targets abort on an answer; the tests replay the corpus and make inputs of their own.
//
// Threads: call each from one thread at a time.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace tranche {

// The fast scanner of records against the reference, with windows of any size, cut everywhere.
std::string check_cutting(std::string_view input);
// The reader of CSV against the reference: every value, every reject, cut everywhere.
std::string check_csv(std::string_view input);
// What is written of the rows of a CSV file is the same rows to the reference.
std::string check_writing(std::string_view input);
// Whatever a line is, the lines around it are read, and every line is a row or a reject.
std::string check_jsonl(std::string_view input);
// Many lines of JSON at once are the same rows and rejects as each by itself, cut here and there.
std::string check_json_rows(std::string_view input);
// Numbers: what is parsed, against parsers that are slow and obvious; what is written reads back.
std::string check_numbers(std::string_view input);
// The same of dates and times, in ISO 8601 and by formats.
std::string check_dates(std::string_view input);

struct FuzzTarget {
  const char* name;
  std::string (*check)(std::string_view input);
};

inline constexpr FuzzTarget fuzz_targets[] = {
    {"cutting", check_cutting},     {"csv", check_csv},
    {"writing", check_writing},     {"jsonl", check_jsonl},
    {"json_rows", check_json_rows}, {"numbers", check_numbers},
    {"dates", check_dates},
};

}  // namespace tranche
