// Arrow arrays that others have made as rows of a page, every value judged.
//
// Layouts that mean the same are taken: strings with short and long offsets or as views, whole
// numbers and decimals of other widths, times of other units, where the value is exactly one of the
// column's type; a column of the type null is one of nulls. Long texts stay where they are.
//
// Threads: pure functions; the page's texts keep the arrays alive, so that whoever drops the page
// last releases them.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include <tranche/core/page.h>
#include <tranche/plugin.h>

namespace tranche {

// Owns an array as its C data interface says: releases it.
class ArrowHolder {
 public:
  explicit ArrowHolder(ArrowArray& taken) : array(taken) { taken.release = nullptr; }
  ~ArrowHolder() {
    if (array.release != nullptr) array.release(&array);
  }
  ArrowHolder(const ArrowHolder&) = delete;
  ArrowHolder& operator=(const ArrowHolder&) = delete;
  ArrowArray array;
};

// Whether columns of these Arrow types can be taken for those of `schema`: by position, names and
// number alike. Errors: failed, naming column and both types.
Result<void> check_arrow_schema(const ArrowSchema& arrow, const Schema& schema);

// A value that its column can't hold.
struct ArrowFault {
  std::size_t row = 0;
  std::string why;  // a sentence
};

// The rows of a struct array; what `faults` name is null in the page. REQUIRES a checked schema.
// Errors: failed, for arrays that are not what their schema says.
Result<std::unique_ptr<Page>> import_arrow(const ArrowSchema& arrow,
                                           std::shared_ptr<const ArrowHolder> holder,
                                           SchemaPtr schema, std::vector<ArrowFault>& faults);

}  // namespace tranche
