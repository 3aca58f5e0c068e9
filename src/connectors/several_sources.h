// Several sources of any systems as one, read one after the other in one form: that of the first.
//
// The inputs are those of all, in order; each says which source it belongs to. A slice lies in one
// input, so each source cuts and reads its own, and a batch may span them.
// Threads and lifetime: those of core/source.h.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include <tranche/core/options.h>
#include <tranche/core/source.h>

namespace tranche {

struct SourceItem {
  std::string name;  // for people: "csv shop.csv"
  std::unique_ptr<Source> source;
  bool missing_is_null = false;   // columns of the first source that it lacks
  bool extra_is_ignored = false;  // columns that the first source lacks
};

// What an item of a list may say besides the options of its system, where that has them not.
const OptionTable& source_item_options();
// An item of checked options; name and source are left to the caller.
SourceItem read_source_item(const Node& options);

// REQUIRES at least one item. `source_column`: a column more, with the name of the file or table
// that each record came from; empty: none.
std::unique_ptr<Source> make_several_sources(std::vector<SourceItem> items,
                                             std::string source_column);

}  // namespace tranche
