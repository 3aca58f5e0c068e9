#include "connectors/table_query.h"

#include "base/text.h"

namespace tranche {

std::string without_semicolon(std::string_view query) {
  query = trim(query);
  while (query.ends_with(';')) query = trim(query.substr(0, query.size() - 1));
  return std::string(query);
}

}  // namespace tranche
