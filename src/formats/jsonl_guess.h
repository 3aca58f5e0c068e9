// Guesses the columns of JSON Lines from sampled lines: their keys in the order in which they first
// came, and for each the type that holds all values that were seen without a loss.
//
// Whole numbers become bigint, others double, true and false boolean; strings become dates or
// timestamps where all of them are, else varchar. So do columns that hold objects or arrays, values
// of several kinds, or whole numbers beyond bigint.
// Threads: belongs to one thread.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include <tranche/core/schema.h>

namespace tranche {

class JsonlGuess {
 public:
  JsonlGuess();
  ~JsonlGuess();
  // A line that is no object tells nothing. REQUIRES search_padding_bytes readable behind it.
  void add(const char* begin, std::size_t bytes);
  Schema schema() const;  // no fields, when no line was an object with a key

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace tranche
