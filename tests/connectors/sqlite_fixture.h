// A database in a temporary folder, a sink on one of its tables, and groups of rows to commit.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <tranche/core/worker.h>
#include "base/temporary_folder.h"
#include "connectors/sqlite.h"
#include "drivers/sqlite.h"

namespace tranche {

struct Row {
  std::optional<std::int64_t> id;
  std::optional<std::string> name;
};

class SqliteSinkTest : public TemporaryFolder {
 protected:
  SqliteSinkTest() : run_{"0123456789abcdef0123456789abcdef", "load", at("run").string()} {}

  std::unique_ptr<Sink> sink(const std::string& mode, const std::vector<std::string>& key = {},
                             const std::string& path = "w.db") {
    auto made = try_sink(mode, key, path);
    EXPECT_TRUE(made) << made.error().message;
    return std::move(made).value();
  }

  Result<std::unique_ptr<Sink>> try_sink(const std::string& mode,
                                         const std::vector<std::string>& key,
                                         const std::string& path, const std::string& table = "t") {
    Node options = Node::map();
    options.set("sqlite", Node::scalar(path));
    options.set("table", Node::scalar(table));
    options.set("mode", Node::scalar(mode));
    options.set("lock_wait", Node::scalar("50ms"));
    if (!key.empty()) {
      std::vector<Node> columns;
      for (const auto& column : key) columns.push_back(Node::scalar(column));
      options.set("key", Node::list(std::move(columns)));
    }
    return sqlite_connector().make_sink(options, folder_);
  }

  // Another connection to the sink's database; it waits for nobody.
  std::unique_ptr<SqliteDatabase> database(const std::string& path = "w.db") {
    auto opened = SqliteDatabase::open(at(path), SqliteDatabase::Access::create,
                                       std::chrono::milliseconds(0));
    EXPECT_TRUE(opened) << opened.error().message;
    return std::move(opened).value();
  }
  void execute(const std::string& sql) {
    const auto done = database()->execute(sql);
    ASSERT_TRUE(done) << done.error().message;
  }
  std::int64_t number(const std::string& sql) {
    const auto found = database()->query_integer(sql);
    EXPECT_TRUE(found) << found.error().message;
    return found ? *found : -1;
  }
  // The first column of all rows, with commas between.
  std::string texts(const std::string& sql) {
    auto connection = database();
    auto rows = connection->query(sql);
    if (!rows) return rows.error().message;
    std::string found;
    while (rows->step().value()) {
      if (!found.empty()) found += ",";
      found += rows->is_null(0) ? "null" : rows->string(0);
    }
    return found;
  }

  static SchemaPtr schema() {
    return std::make_shared<const Schema>(
        Schema{{Field{"id", Type{TypeId::bigint}}, Field{"name", Type{TypeId::varchar}}}});
  }
  static Page page_of(const std::vector<Row>& rows, std::uint64_t first_record = 0) {
    Page page(schema());
    page.set_rows(rows.size());
    page.base.source = std::make_shared<const std::string>("in.csv");
    page.base.line = 2;
    page.base.record = first_record;
    for (std::size_t i = 0; i < rows.size(); ++i) {
      page.origins.push_back(Origin{.offset = 10 * i,
                                    .bytes = 10,
                                    .line = static_cast<std::uint32_t>(i),
                                    .record = static_cast<std::uint32_t>(i)});
      if (rows[i].id) {
        page.column(0).values<std::int64_t>()[i] = *rows[i].id;
      } else {
        page.column(0).set_null(i);
      }
      if (rows[i].name) {
        page.column(1).values<StringRef>()[i] = StringRef::make(page.arena.copy(*rows[i].name));
      } else {
        page.column(1).set_null(i);
      }
    }
    return page;
  }

  static std::vector<Segment> encode(const Sink& sink, const Page& page) {
    WorkerScope worker(0, 0, "");
    auto encoder = sink.encoder(worker).value();
    EXPECT_TRUE(encoder->add(page));
    EXPECT_EQ(encoder->rows_encoded(), page.rows());
    return encoder->finish().value();
  }

  // Commits one group of rows; the receipt.
  static Receipt commit(Sink& sink, std::uint64_t group, const std::vector<Row>& rows) {
    auto committer = sink.committer().value();
    auto applied =
        committer->apply(group, encode(sink, page_of(rows)), "r" + std::to_string(group));
    EXPECT_TRUE(applied) << applied.error().message;
    auto receipt = committer->commit();
    EXPECT_TRUE(receipt) << receipt.error().message;
    return receipt.value();
  }
  std::vector<Receipt> recover(Sink& sink, const std::vector<Receipt>& committed = {}) {
    auto receipts = sink.recover(run_, schema(), committed);
    EXPECT_TRUE(receipts) << receipts.error().message;
    return receipts ? *receipts : std::vector<Receipt>{};
  }
  static std::string seal(Sink& sink, const std::vector<Receipt>& committed) {
    const std::string intent = sink.plan_seal(committed).value();
    const auto sealed = sink.seal(intent);
    EXPECT_TRUE(sealed) << sealed.error().message;
    return intent;
  }
  static std::string problem(const Result<void>& result) {
    return result ? "none" : result.error().message;
  }

  SinkRun run_;
};

}  // namespace tranche
