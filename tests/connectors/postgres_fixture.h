// A sink on a table of the test's PostgreSQL, and groups of rows to commit.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include <tranche/core/worker.h>
#include "base/temporary_folder.h"
#include "connectors/postgres.h"
#include "postgres_scene.h"

namespace tranche {

class PostgresSinkTest : public TemporaryFolder {
 protected:
  struct Row {
    std::optional<std::int64_t> id;
    std::optional<std::string> name;
  };

  PostgresSinkTest() : run_{"0123456789abcdef0123456789abcdef", "load", at("run").string()} {}

  std::unique_ptr<Sink> sink(const std::string& mode, const std::vector<std::string>& key = {},
                             const std::string& table = "t") {
    auto made = try_sink(mode, key, table, scene_.url());
    EXPECT_TRUE(made) << made.error().message;
    return std::move(made).value();
  }
  static Result<std::unique_ptr<Sink>> try_sink(const std::string& mode,
                                                const std::vector<std::string>& key,
                                                const std::string& table, const std::string& url) {
    Node options = Node::map();
    options.set("postgres", Node::scalar(url));
    options.set("table", Node::scalar(table));
    options.set("mode", Node::scalar(mode));
    options.set("lock_wait", Node::scalar("50ms"));
    if (!key.empty()) {
      std::vector<Node> columns;
      for (const auto& column : key) columns.push_back(Node::scalar(column));
      options.set("key", Node::list(std::move(columns)));
    }
    return postgres_connector().make_sink(options, "");
  }

  static SchemaPtr schema() {
    return std::make_shared<const Schema>(
        Schema{{Field{"id", Type{TypeId::bigint}}, Field{"name", Type{TypeId::varchar}}}});
  }
  static Page page_of(const std::vector<Row>& rows, std::uint64_t first_record = 0) {
    Page page(schema(), rows.size() + 1);
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
  // Applies and commits one group; what was applied, and the receipt.
  static std::pair<Applied, Receipt> commit_page(Sink& sink, std::uint64_t group,
                                                 const Page& page) {
    auto committer = sink.committer().value();
    auto applied = committer->apply(group, encode(sink, page), fmt::format("r{}", group));
    EXPECT_TRUE(applied) << applied.error().message;
    auto receipt = committer->commit();
    EXPECT_TRUE(receipt) << receipt.error().message;
    return {std::move(applied).value(), receipt.value()};
  }
  static Receipt commit(Sink& sink, std::uint64_t group, const std::vector<Row>& rows) {
    return commit_page(sink, group, page_of(rows)).second;
  }
  std::vector<Receipt> recover(Sink& sink, const std::vector<Receipt>& committed = {}) {
    const auto examined = sink.examine(schema());
    EXPECT_TRUE(examined) << examined.error().message;
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
  std::string problem_of(const std::string& mode, const std::vector<std::string>& key = {},
                         const std::string& table = "t") {
    const auto examined = sink(mode, key, table)->examine(schema());
    EXPECT_TRUE(examined || examined.error().kind == ErrorKind::config);
    return examined ? "none" : examined.error().message;
  }
  // Ends the server's side of all connections but the scene's own.
  void cut_connections() {
    scene_.must(
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE pid <> "
        "pg_backend_pid() AND application_name = 'tranche'");
  }

  PostgresScene scene_;
  SinkRun run_;
};

inline void expect_contains(const std::string& text, const std::string& part) {
  EXPECT_NE(text.find(part), std::string::npos) << text;
}

}  // namespace tranche
