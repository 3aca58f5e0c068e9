// A text that is sent to a web service, with what changes from record to record: ${record.column},
// ${record} for all of it as JSON, ${records} and ${records.column} for an array of those of a call
// about several, ${env:NAME}, and $$ for a dollar.
//
// Threads: const functions are thread-safe. Lifetime: a value type.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <tranche/core/page.h>
#include <tranche/core/schema.h>

namespace tranche {

class HttpTemplate {
 public:
  enum class Place {
    url,     // values are percent-encoded
    header,  // values are taken as they are
    body,    // values are JSON
  };
  HttpTemplate() = default;
  // Errors: config, also where a variable of the environment is not set.
  static Result<HttpTemplate> parse(std::string_view text, Place place);

  // Errors: config, where a column is not there.
  Result<void> bind(const Schema& input);
  // Appends the text for these records, of which there is one where it names one; what is wrong
  // with it, as a sentence. REQUIRES bind.
  std::optional<std::string> append(std::string& out, const Page& page,
                                    std::span<const std::uint32_t> rows) const;
  // The text with the same JSON in the place of every value.
  std::string with_values(std::string_view json) const;
  // What stands in front of the first thing that is of a record.
  std::string beginning() const;
  bool is_empty() const { return pieces_.empty(); }
  // Whether it is the same for every record.
  bool is_constant() const;
  // Whether something of it is of several records.
  bool is_of_several() const;
  bool names_one_record() const;

  // Values of the environment, which nobody may see, with their names.
  using Secrets = std::vector<std::pair<std::string, std::string>>;
  void collect_secrets(Secrets& secrets) const;

 private:
  enum class Kind { text, secret, column, record, columns, records };
  struct Piece {
    Kind kind = Kind::text;
    std::string text;  // or the value
    std::string name;  // of the column or the variable
    std::size_t column = 0;
  };
  Result<void> add(std::string_view name);
  static void append_array(std::string& out, const Piece& piece, const Page& page,
                           std::span<const std::uint32_t> rows);
  std::optional<std::string> append_column(std::string& out, const Piece& piece, const Page& page,
                                           std::size_t row) const;

  Place place_ = Place::url;
  std::vector<Piece> pieces_;
};

// The text with names in the place of secrets.
std::string without_secrets(std::string text, const HttpTemplate::Secrets& secrets);

}  // namespace tranche
