// Guesses the columns of JSON from sampled records: their keys in the order in which they first
// came, and for each the type that holds all values that were seen without a loss.
//
// Whole numbers become bigint, others double, true and false boolean; strings become dates or
// timestamps where all of them are, else varchar; values of several kinds, or whole numbers beyond
// bigint, varchar too. Arrays become lists of what their elements are together, objects structs of
// what their members are. A nested column is json where these say too little: an object with very
// many keys or none, arrays without elements, elements of several kinds, a mix of objects, arrays
// and others, keys that differ in case alone, nesting deeper than a few levels.
// Threads: belongs to one thread.
#pragma once

#include <memory>
#include <string_view>

#include <tranche/core/schema.h>

namespace tranche {

class JsonlGuess {
 public:
  JsonlGuess();
  ~JsonlGuess();
  // A record that is no object tells nothing. REQUIRES search_padding_bytes readable behind it.
  void add(std::string_view record);
  Schema schema() const;  // no fields, when no record was an object with a key

 private:
  struct Value;
  std::unique_ptr<Value> record_;
};

}  // namespace tranche
