// How columns of one system are declared in another.
// Threads: pure functions.
#pragma once

#include <string>

#include "connectors/catalog.h"

namespace tranche {

// The type of the column in the system `to`, as its CREATE TABLE has it.
std::string column_type(const CatalogColumn& column, const std::string& from,
                        const std::string& to);
// What the values of the column become in another system, as a phrase; empty: they stay what they
// are.
// "integer, text": in which storage classes SQLite holds its values.
std::string class_names(const CatalogColumn& column);
std::string type_change(const CatalogColumn& column, const std::string& to);
// Whether a system can take the values of such a column of its own only as text, of which it makes
// the column's type when they are there.
bool loads_as_text(const CatalogColumn& column, const std::string& system);
bool is_whole_number(Type type);

}  // namespace tranche
