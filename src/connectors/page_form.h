// One form for the pages of several sources: which column of a source becomes which column of the
// form, and how.
//
// The form is that of the first source. Columns of another one are found by name; their types are
// equal, or widen without loss. Nothing is guessed: text never becomes a number, nor a number text.
// Threads: immutable once made. Errors: config, with the column, the types and both sources.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <tranche/core/page.h>
#include <tranche/core/reject.h>

namespace tranche {

// Whether every value of `from` is a value of `to`. Of dates as timestamps those that lie further
// away than a timestamp can tell are not: they become rejects.
bool widens(Type from, Type to);

// A source whose pages are to take the form.
struct FormedSource {
  std::string name;             // for people: "source 2 (csv shop.csv)"
  SchemaPtr schema;
  bool missing_is_null = false;  // columns of the form that it lacks
  bool extra_is_ignored = false;  // columns that the form lacks
};

class PageForm {
 public:
  // `form`: the columns that pages will have, in their order. `source_column`: the name of one more
  // behind them, which says where each record came from; empty: none.
  static Result<PageForm> make(const FormedSource& source, const FormedSource& form,
                               const std::string& source_column);

  // The columns of the form, `source_column` behind them. Errors: config, when there is a column of
  // that name.
  static Result<SchemaPtr> schema_with(Schema form, const std::string& source_column);

  // Pages become those of `schema`. REQUIRES what schema_with gave for the form, with the same
  // names and types.
  void use_schema(SchemaPtr schema) { schema_ = std::move(schema); }
  // Whether pages of `source` are left as they are.
  bool changes(const Schema& source) const { return !(*schema_ == source); }
  // What a record takes more as a row of the form than as one of its source.
  std::uint64_t added_record_bytes() const { return added_record_bytes_; }
  // Takes the page apart: columns whose types are equal are handed on, none is copied. A row whose
  // value the form can't hold becomes a reject.
  std::unique_ptr<Page> shape(std::unique_ptr<Page> page, std::vector<Reject>& rejects) const;

 private:
  static constexpr std::size_t none = SIZE_MAX;
  std::vector<std::size_t> columns_;  // of the source, one a column of the form; none: null
  bool has_source_column_ = false;
  std::uint64_t added_record_bytes_ = 0;
  SchemaPtr schema_;
};

}  // namespace tranche
