// Tables of databases in a file, the same whichever system it is.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "connectors/duckdb_connector.h"
#include "connectors/sqlite.h"
#include "connectors/table_source_fixture.h"
#include "drivers/duckdb_database.h"
#include "drivers/sqlite.h"

namespace tranche {

class EmbeddedTableTest : public TableSourceTest,
                          public ::testing::WithParamInterface<const char*> {
 protected:
  bool is_sqlite() const { return GetParam() == std::string("sqlite"); }
  Connector connector() const { return is_sqlite() ? sqlite_connector() : duckdb_connector(); }
  void execute(const std::string& sql) {
    if (is_sqlite()) {
      const auto database = SqliteDatabase::open(at("t.db"), SqliteDatabase::Access::create,
                                                 std::chrono::milliseconds(0));
      ASSERT_TRUE(database) << database.error().message;
      const auto done = (*database)->execute(sql);
      ASSERT_TRUE(done) << done.error().message;
    } else {
      const auto database = DuckDatabase::open_file(at("t.db").string(), 64 << 20, "");
      ASSERT_TRUE(database) << database.error().message;
      const auto done = (*database)->connect().value()->execute(sql);
      ASSERT_TRUE(done) << done.error().message;
    }
  }
  // Inserts rows of texts; an empty one is a null.
  void insert(const std::vector<std::vector<std::string>>& rows) {
    std::string sql;
    for (const auto& row : rows) {
      sql += sql.empty() ? "INSERT INTO t VALUES (" : ", (";
      for (std::size_t at = 0; at < row.size(); ++at) {
        if (at > 0) sql += ", ";
        sql += row[at].empty() ? "NULL" : sql_literal(row[at]);
      }
      sql += ")";
    }
    execute(sql);
  }
  std::unique_ptr<Source> table(const Division& division, Schema types = {}) {
    return bound(connector(), {{GetParam(), "t.db"}, {"table", "t"}}, division, std::move(types));
  }
};

inline std::string system_name(const ::testing::TestParamInfo<const char*>& one) {
  return one.param;
}

}  // namespace tranche
