// A schema of its own in the test's PostgreSQL (tests/postgres_server.py), gone with the test.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <memory>
#include <string>

#include <fmt/format.h>

#include "base/digest.h"
#include "drivers/postgres.h"

namespace tranche {

inline std::string postgres_test_url() {
  const char* const url = std::getenv("TRANCHE_TEST_POSTGRES");
  if (url == nullptr) {
    ADD_FAILURE() << "Run it by tests/postgres_server.py PROGRAM, as ctest does.";
    return "postgresql://nobody@127.0.0.1:1/none";
  }
  return url;
}

class PostgresScene {
 public:
  PostgresScene() : schema_(fmt::format("t{:.12}", random_id())) {
    must("CREATE SCHEMA " + schema_);
    must(fmt::format("SET search_path = {}", schema_));
  }
  ~PostgresScene() { must(fmt::format("DROP SCHEMA {} CASCADE", schema_)); }

  const std::string& schema() const { return schema_; }
  std::string qualified(const std::string& table) const { return schema_ + "." + table; }
  // Sessions of this URL find the tables of the schema without its name.
  std::string url() const { return postgres_test_url() + "?options=-csearch_path%3D" + schema_; }
  PostgresConnection& connection() {
    if (!connection_) {
      auto opened = PostgresConnection::open(postgres_test_url());
      EXPECT_TRUE(opened) << opened.error().message;
      if (opened) connection_ = std::move(opened).value();
    }
    return *connection_;
  }
  void must(const std::string& sql) {
    const auto done = connection().execute(sql);
    EXPECT_TRUE(done) << sql << ": " << done.error().message;
  }
  std::int64_t number(const std::string& sql) {
    const auto found = connection().query_integer(sql);
    EXPECT_TRUE(found) << found.error().message;
    return found ? *found : -1;
  }
  // All rows, columns with | and rows with commas between, nulls as "null".
  std::string texts(const std::string& sql) {
    const auto rows = connection().query(sql);
    if (!rows) return rows.error().message;
    std::string found;
    for (std::size_t row = 0; row < rows->size(); ++row) {
      if (row > 0) found += ",";
      for (std::size_t column = 0; column < rows->column_count(); ++column) {
        if (column > 0) found += "|";
        found += rows->is_null(row, column) ? "null" : rows->string(row, column);
      }
    }
    return found;
  }

 private:
  std::string schema_;
  std::unique_ptr<PostgresConnection> connection_;
};

}  // namespace tranche
