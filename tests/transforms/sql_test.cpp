#include "transforms/sql.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <utility>

#include <tranche/core/value.h>

namespace tranche {
namespace {

const Type bigint{TypeId::bigint};
const Type varchar{TypeId::varchar};

SchemaPtr sales_schema() {
  return std::make_shared<const Schema>(
      Schema{{{"id", bigint}, {"store", varchar}, {"amount", varchar}}});
}

// Rows first .. first + rows - 1: id, a store of 7, an amount that is a number as text.
std::unique_ptr<Page> sales(std::int64_t first, std::size_t rows) {
  auto page = std::make_unique<Page>(sales_schema(), rows);
  page->base.source = std::make_shared<const std::string>("sales.csv");
  page->base.line = 2 + static_cast<std::uint64_t>(first);
  page->base.record = static_cast<std::uint64_t>(first);
  for (std::size_t row = 0; row < rows; ++row) {
    const std::int64_t id = first + static_cast<std::int64_t>(row);
    page->column(0).values<std::int64_t>()[row] = id;
    page->column(1).values<StringRef>()[row] =
        StringRef::make(page->arena.copy(fmt::format("store number {}", id % 7)));
    page->column(2).values<StringRef>()[row] =
        StringRef::make(page->arena.copy(fmt::format("{}", id * 10)));
    page->origins.push_back(Origin{static_cast<std::uint64_t>(id) * 20, 19,
                                   static_cast<std::uint32_t>(row),
                                   static_cast<std::uint32_t>(row)});
  }
  page->set_rows(rows);
  return page;
}

// A source of one table in memory: rates per store.
class RatesSource : public Source {
 public:
  explicit RatesSource(std::size_t rows, bool broken = false) : rows_(rows), broken_(broken) {}
  Result<std::vector<Input>> inputs() override {
    return std::vector<Input>{Input{"rates.csv", 1, 1}};
  }
  Result<void> use_inputs(std::vector<Input>) override { return {}; }
  Result<SchemaPtr> schema() override { return schema_; }
  Result<std::unique_ptr<SliceStream>> divide(const Slice*) override {
    struct One : SliceStream {
      explicit One(std::size_t rows) : records(rows) {}
      Result<std::optional<Slice>> next(const CutLimits&) override {
        if (std::exchange(done, true)) return std::optional<Slice>();
        Slice slice;
        slice.records = records;
        slice.digest = records;
        return std::optional<Slice>(slice);
      }
      std::size_t records;
      bool done = false;
    };
    return std::unique_ptr<SliceStream>(std::make_unique<One>(rows_));
  }
  Result<std::unique_ptr<Reader>> open(const Slice&, WorkerScope&) const override {
    struct Rates : Reader {
      Rates(SchemaPtr of, std::size_t count, bool damaged)
          : schema(std::move(of)), rows(count), broken(damaged) {}
      Result<std::unique_ptr<Page>> next(std::vector<Reject>& rejects) override {
        if (broken) {
          Reject reject;
          reject.source = "rates.csv";
          reject.line = 3;
          reject.error = "column \"rate\" is no number";
          rejects.push_back(reject);
        }
        if (std::exchange(done, true)) return std::unique_ptr<Page>();
        auto page = std::make_unique<Page>(schema, rows);
        for (std::size_t row = 0; row < rows; ++row) {
          page->column(0).values<StringRef>()[row] =
              StringRef::make(page->arena.copy(fmt::format("store number {}", row)));
          page->column(1).values<std::int64_t>()[row] = static_cast<std::int64_t>(row) + 1;
        }
        page->set_rows(rows);
        return page;
      }
      std::uint64_t bytes_read() const override { return 0; }
      SchemaPtr schema;
      std::size_t rows;
      bool broken;
      bool done = false;
    };
    return std::unique_ptr<Reader>(std::make_unique<Rates>(schema_, rows_, broken_));
  }
  Result<std::optional<std::uint64_t>> digest(const Slice&) const override {
    return std::optional<std::uint64_t>(rows_);
  }
  Division default_division() const override { return {}; }

 private:
  SchemaPtr schema_ =
      std::make_shared<const Schema>(Schema{{{"store", varchar}, {"rate", bigint}}});
  std::size_t rows_;
  bool broken_;
};

class SqlTransformTest : public testing::Test {
 protected:
  WorkerScope worker{0, 256ULL << 20, ""};
  std::unique_ptr<Transform> transform;
  std::vector<std::unique_ptr<Page>> output;
  std::vector<Reject> rejects;
  StageCounts counts;

  SqlOptions options(std::string text) {
    SqlOptions made;
    made.text = std::move(text);
    made.place = "job.yaml:12:9";
    return made;
  }

  Result<SchemaPtr> bind(SqlOptions made) {
    auto sql = make_sql_transform(std::move(made));
    if (!sql) return sql.error();
    transform = *std::move(sql);
    return transform->bind(sales_schema(), worker);
  }

  Result<void> run(const std::vector<std::unique_ptr<Page>>& pages) {
    TRANCHE_ASSIGN(auto instance, transform->instance(worker));
    return run_again(*instance, pages);
  }

  Result<void> run_again(TransformInstance& instance,
                         const std::vector<std::unique_ptr<Page>>& pages) {
    return instance.process(
        pages,
        [&](std::unique_ptr<Page> page) -> Result<void> {
          output.push_back(std::move(page));
          return {};
        },
        rejects, counts);
  }

  std::string refused(std::string text) {
    auto bound = bind(options(std::move(text)));
    if (bound) return "it was accepted";
    EXPECT_EQ(bound.error().kind, ErrorKind::config) << bound.error().message;
    EXPECT_EQ(bound.error().where, "job.yaml:12:9");
    return bound.error().message;
  }

  std::vector<std::string> lines() const {
    std::vector<std::string> all;
    for (const auto& page : output) {
      for (std::size_t row = 0; row < page->rows(); ++row) {
        std::string line;
        for (std::size_t at = 0; at < page->column_count(); ++at) {
          if (at > 0) line += '|';
          append_value_text(line, page->column(at), row);
        }
        all.push_back(line);
      }
    }
    return all;
  }
};

std::vector<std::unique_ptr<Page>> batch(std::vector<std::size_t> sizes) {
  std::vector<std::unique_ptr<Page>> pages;
  std::int64_t first = 0;
  for (const std::size_t rows : sizes) {
    pages.push_back(sales(first, rows));
    first += static_cast<std::int64_t>(rows);
  }
  return pages;
}

void set_amount(Page& page, std::size_t row, std::string_view text) {
  page.column(2).values<StringRef>()[row] = StringRef::make(page.arena.copy(text));
}

TEST_F(SqlTransformTest, GivesColumnsAndTypesOfTheSelect) {
  const auto schema = bind(options("SELECT id, store, amount::decimal(12,2) AS total FROM batch"));
  ASSERT_TRUE(schema) << schema.error().message;
  EXPECT_EQ(to_string(**schema), "id bigint, store varchar, total decimal(12,2)");
}

TEST_F(SqlTransformTest, ProcessesEveryRowInOrderAcrossPagesOfAnySize) {
  ASSERT_TRUE(
      bind(options("SELECT id, store, amount::bigint + 1 AS a FROM batch WHERE id % 3 = 0;")));
  const auto done = run(batch({1, 5000, 0, 2047, 2048, 3, 4096, 1}));
  ASSERT_TRUE(done) << done.error().message;
  const auto got = lines();
  ASSERT_EQ(got.size(), 4399U);
  for (std::size_t at = 0; at < got.size(); ++at)
    ASSERT_EQ(got[at], fmt::format("{}|store number {}|{}", at * 3, at * 3 % 7, at * 30 + 1));
  EXPECT_EQ(counts.in, 13196U);
  EXPECT_EQ(counts.out, 4399U);
  EXPECT_EQ(counts.rejected, 0U);
}

TEST_F(SqlTransformTest, KeepsNullsInEveryPositionOfAVector) {
  ASSERT_TRUE(bind(options("SELECT id, amount FROM batch")));
  auto pages = batch({100, 3000, 7});
  std::vector<std::string> expected;
  for (auto& page : pages) {
    for (std::size_t row = 0; row < page->rows(); ++row) {
      const std::int64_t id = page->column(0).values<std::int64_t>()[row];
      if (id % 5 == 2) page->column(2).set_null(row);
      expected.push_back(fmt::format("{}|{}", id, id % 5 == 2 ? "" : fmt::format("{}", id * 10)));
    }
  }
  ASSERT_TRUE(run(pages));
  EXPECT_EQ(lines(), expected);
  EXPECT_FALSE(output[0]->column(1).is_valid(2));
  EXPECT_TRUE(output[0]->column(1).is_valid(3));
}

TEST_F(SqlTransformTest, RejectsTheRecordsAtWhichItFailsAndProcessesTheRest) {
  ASSERT_TRUE(bind(options("SELECT id, amount::integer AS a FROM batch")));
  auto pages = batch({3000, 3000});
  set_amount(*pages[0], 17, "seventeen");
  set_amount(*pages[0], 2999, "");
  set_amount(*pages[1], 2000, "99999999999");
  const auto done = run(pages);
  ASSERT_TRUE(done) << done.error().message;
  ASSERT_EQ(rejects.size(), 3U);
  EXPECT_EQ(rejects[0].record, 17U);
  EXPECT_EQ(rejects[0].phase, "sql");
  EXPECT_EQ(rejects[0].source, "sales.csv");
  EXPECT_EQ(rejects[0].line, 19U);
  EXPECT_EQ(rejects[0].offset, 340U);
  EXPECT_EQ(rejects[0].error,
            "Could not convert string 'seventeen' to INT32 when casting from source column amount");
  EXPECT_EQ(rejects[1].record, 2999U);
  EXPECT_EQ(rejects[2].record, 5000U);
  EXPECT_EQ(counts.in, 6000U);
  EXPECT_EQ(counts.out, 5997U);
  EXPECT_EQ(counts.rejected, 3U);
  const auto got = lines();
  ASSERT_EQ(got.size(), 5997U);
  EXPECT_EQ(got[16], "16|160");
  EXPECT_EQ(got[17], "18|180");
}

TEST_F(SqlTransformTest, GoesOnWithTheNextBatchAfterARejectedRecord) {
  ASSERT_TRUE(bind(options("SELECT amount::integer AS a FROM batch")));
  auto instance = transform->instance(worker);
  ASSERT_TRUE(instance);
  auto pages = batch({10});
  set_amount(*pages[0], 3, "x");
  ASSERT_TRUE(run_again(**instance, pages));
  ASSERT_TRUE(run_again(**instance, batch({4})));
  EXPECT_EQ(lines().size(), 13U);
}

TEST_F(SqlTransformTest, RejectsEveryRecordOfABatchThatIsAllBroken) {
  ASSERT_TRUE(bind(options("SELECT store::integer AS a FROM batch")));
  ASSERT_TRUE(run(batch({50})));
  ASSERT_EQ(rejects.size(), 50U);
  for (std::size_t at = 0; at < 50; ++at) EXPECT_EQ(rejects[at].record, at);
  EXPECT_EQ(counts.out, 0U);
}

TEST_F(SqlTransformTest, LooksForNoMoreRejectsThanAreEnoughToFailTheStep) {
  ASSERT_TRUE(bind(
      options("SELECT CASE WHEN id > 2 THEN store::bigint ELSE id END AS id FROM batch")));
  WorkerScope strict(1, 256ULL << 20, "", 10);
  auto instance = transform->instance(strict);
  ASSERT_TRUE(instance);
  ASSERT_TRUE(run_again(**instance, batch({3000, 3000})));
  EXPECT_TRUE((*instance)->rejects_incomplete());
  EXPECT_TRUE(output.empty());
  ASSERT_EQ(rejects.size(), 10U);
  for (std::size_t at = 0; at < rejects.size(); ++at) EXPECT_EQ(rejects[at].record, at + 3);

  rejects.clear();
  ASSERT_TRUE(run_again(**instance, batch({13})));  // as many as are enough, and no more
  EXPECT_FALSE((*instance)->rejects_incomplete());
  EXPECT_EQ(rejects.size(), 10U);
  EXPECT_EQ(lines(), (std::vector<std::string>{"0", "1", "2"}));
}

TEST_F(SqlTransformTest, LetsTheSqlRejectARecordWithItsOwnWords) {
  ASSERT_TRUE(bind(options(
      "SELECT CASE WHEN id = 5 THEN error('five is right out') ELSE id END AS id FROM batch")));
  ASSERT_TRUE(run(batch({10})));
  ASSERT_EQ(rejects.size(), 1U);
  EXPECT_EQ(rejects[0].error, "five is right out");
}

TEST_F(SqlTransformTest, FailsBeforeTheStartWhenNoRecordIsToBlame) {
  SqlOptions made = options("SELECT id, (SELECT max(store::integer) FROM rates) AS m FROM batch");
  made.tables.push_back({"rates", std::make_unique<RatesSource>(3)});
  const auto bound = bind(std::move(made));
  ASSERT_FALSE(bound);
  EXPECT_EQ(bound.error().kind, ErrorKind::config);
  EXPECT_NE(bound.error().message.find("store number 0"), std::string::npos);
}

TEST_F(SqlTransformTest, FailsTheWholeBatchWithPerBatch) {
  SqlOptions made =
      options("SELECT store, sum(amount::bigint)::bigint AS s FROM batch GROUP BY ALL");
  made.per_batch = true;
  ASSERT_TRUE(bind(std::move(made)));
  auto pages = batch({10});
  set_amount(*pages[0], 3, "x");
  const auto done = run(pages);
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().kind, ErrorKind::failed);
  EXPECT_TRUE(output.empty());
  EXPECT_TRUE(rejects.empty());
}

TEST_F(SqlTransformTest, KeepsTheOrderOfTheInputInJoins) {
  for (const char* sql :
       {"SELECT id, rate FROM batch JOIN rates USING (store)",
        "SELECT id, rate FROM batch LEFT JOIN rates USING (store)",
        "SELECT b.id, r.rate FROM batch b, rates r WHERE b.store = r.store AND r.rate > 0",
        "SELECT id, (SELECT max(rate) FROM rates r WHERE r.store = b.store) AS rate FROM batch b",
        "WITH x AS (SELECT * FROM batch WHERE id >= 0) SELECT id, rate FROM x JOIN rates USING "
        "(store)",
        "SELECT id, rate FROM batch JOIN (SELECT store, max(rate) AS rate FROM rates GROUP BY ALL) "
        "USING (store)"}) {
    for (const std::size_t rates : {7, 50'000}) {
      SqlOptions made = options(sql);
      made.tables.push_back({"rates", std::make_unique<RatesSource>(rates)});
      const auto bound = bind(std::move(made));
      ASSERT_TRUE(bound) << sql << ": " << bound.error().message;
      for (const std::vector<std::size_t>& sizes :
           {std::vector<std::size_t>{40'000, 60'000}, {1}, {3, 2}}) {
        output.clear();
        const auto done = run(batch(sizes));
        ASSERT_TRUE(done) << done.error().message;
        const auto got = lines();
        std::size_t all = 0;
        for (const std::size_t rows : sizes) all += rows;
        ASSERT_EQ(got.size(), all) << sql;
        for (std::size_t at = 0; at < all; ++at)
          ASSERT_EQ(got[at], fmt::format("{}|{}", at, at % 7 + 1)) << sql << " with " << rates;
      }
    }
  }
}

TEST_F(SqlTransformTest, NamesTheBrokenRecordOfALookup) {
  SqlOptions made = options("SELECT id FROM batch JOIN rates USING (store)");
  made.tables.push_back({"rates", std::make_unique<RatesSource>(3, true)});
  const auto bound = bind(std::move(made));
  ASSERT_FALSE(bound);
  EXPECT_EQ(bound.error().kind, ErrorKind::config);
  EXPECT_EQ(bound.error().where, "rates.csv:3");
  EXPECT_NE(bound.error().message.find("is no number"), std::string::npos);
}

// The ids in order, whatever else is in the lines.
bool ascends(const std::vector<std::string>& lines) {
  return std::is_sorted(lines.begin(), lines.end(), [](const auto& a, const auto& b) {
    return std::stoll(a) < std::stoll(b);
  });
}

TEST_F(SqlTransformTest, KeepsTheOrderOfTheInputInJoinsWithSeveralMatchesOrNone) {
  for (const char* sql :
       {"SELECT id, rate FROM batch JOIN rates r ON id >= r.rate AND id < r.rate + 3",
        "SELECT id, rate FROM batch LEFT JOIN rates r ON id = r.rate",
        "SELECT id, rate FROM batch JOIN rates r ON id % 10 = r.rate % 10",
        "SELECT id, rate FROM batch CROSS JOIN rates",
        "SELECT id, rate FROM batch JOIN rates r ON id = r.rate OR id = r.rate * 2",
        "SELECT id, rate FROM batch ASOF JOIN rates r ON id >= r.rate; -- the last; of them",
        "SELECT id, amount, rate FROM batch \"B x\" LEFT JOIN rates r ON id <> r.rate",
        "SELECT b.*, rate FROM batch b JOIN rates r ON b.id >= r.rate WHERE id < $most",
        "SELECT id, t.v FROM batch, unnest([id, id + 1]) t(v)"}) {
    SqlOptions made = options(sql);
    made.parameters.push_back(Parameter{"most", bigint, "4000"});
    made.tables.push_back({"rates", std::make_unique<RatesSource>(40)});
    const auto bound = bind(std::move(made));
    ASSERT_TRUE(bound) << sql << ": " << bound.error().message;
    EXPECT_EQ(to_string(**bound).find("_tranche"), std::string::npos) << to_string(**bound);
    output.clear();
    const auto done = run(batch({3000, 3000}));
    ASSERT_TRUE(done) << sql << ": " << done.error().message;
    EXPECT_GT(lines().size(), 30U) << sql;
    EXPECT_TRUE(ascends(lines())) << sql;
  }
}

TEST_F(SqlTransformTest, RefusesWhatItCanNotPutInOrderUnlessPerBatch) {
  for (const char* sql :
       {"WITH x AS (SELECT * FROM batch) SELECT id, rate FROM x CROSS JOIN rates",
        "SELECT id, rate FROM (SELECT * FROM batch) x JOIN rates r ON x.id >= r.rate",
        "SELECT COLUMNS('id|rate') FROM batch JOIN rates r ON id >= r.rate",
        "SELECT to_json(b)::varchar AS row FROM batch b JOIN rates r ON b.id >= r.rate"}) {
    for (const bool per_batch : {false, true}) {
      SqlOptions made = options(sql);
      made.per_batch = per_batch;
      made.tables.push_back({"rates", std::make_unique<RatesSource>(40)});
      const auto bound = bind(std::move(made));
      EXPECT_EQ(bool(bound), per_batch) << sql;
      if (bound) continue;
      EXPECT_EQ(bound.error().kind, ErrorKind::config);
      EXPECT_NE(bound.error().message.find("per_batch: true"), std::string::npos)
          << bound.error().message;
    }
  }
}

TEST_F(SqlTransformTest, BindsParametersAsTypedValues) {
  SqlOptions made = options(
      "SELECT $day AS day, $day + 1 AS next, $rate * 2 AS rate, $name || '!' AS name, $n AS n "
      "FROM batch WHERE id < $n");
  const auto add = [&](const char* name, Type type, const char* text) {
    auto parameter = make_parameter(name, type, text);
    ASSERT_TRUE(parameter);
    made.parameters.push_back(*parameter);
  };
  add("day", Type{TypeId::date}, "2026-01-31");
  add("rate", decimal_type(5, 2), "1.50");
  add("name", varchar, "O'Hara and a long name");
  add("n", bigint, "2");
  const auto schema = bind(std::move(made));
  ASSERT_TRUE(schema) << schema.error().message;
  EXPECT_EQ((*schema)->fields[0].type, Type{TypeId::date});
  EXPECT_EQ((*schema)->fields[4].type, bigint);
  ASSERT_TRUE(run(batch({5})));
  EXPECT_EQ(lines(),
            (std::vector<std::string>{"2026-01-31|2026-02-01|3.00|O'Hara and a long name!|2",
                                      "2026-01-31|2026-02-01|3.00|O'Hara and a long name!|2"}));
}

TEST_F(SqlTransformTest, NamesAnUnknownParameter) {
  SqlOptions made = options("SELECT $dya AS day FROM batch");
  made.parameters.push_back({"day", Type{TypeId::date}, "2026-01-31"});
  const auto bound = bind(std::move(made));
  ASSERT_FALSE(bound);
  EXPECT_EQ(bound.error().message, "There is no parameter $dya; did you mean $day?");
}

TEST_F(SqlTransformTest, GivesFileAndLineOnlyWhereTheyAreNamed) {
  auto schema = bind(options("SELECT *, _file, _line FROM batch WHERE id = 2"));
  ASSERT_TRUE(schema) << schema.error().message;
  EXPECT_EQ((*schema)->names(),
            (std::vector<std::string>{"id", "store", "amount", "_file", "_line"}));
  ASSERT_TRUE(run(batch({5})));
  EXPECT_EQ(lines(), (std::vector<std::string>{"2|store number 2|20|sales.csv|4"}));
  schema = bind(options("SELECT b.* EXCLUDE (store), b._line AS l FROM batch b"));
  ASSERT_TRUE(schema) << schema.error().message;
  EXPECT_EQ((*schema)->names(), (std::vector<std::string>{"id", "amount", "l"}));
  schema = bind(options("SELECT * FROM batch"));
  ASSERT_TRUE(schema);
  EXPECT_EQ((*schema)->names(), sales_schema()->names());
}

TEST_F(SqlTransformTest, RefusesWhatDependsOnTheDivisionIntoBatches) {
  for (const char* sql : {"SELECT count(*) AS n FROM batch",
                          "SELECT store FROM batch GROUP BY store",
                          "SELECT store, sum(id) AS s FROM batch GROUP BY ALL",
                          "SELECT DISTINCT store FROM batch",
                          "SELECT id FROM batch LIMIT 3",
                          "SELECT id FROM batch OFFSET 3",
                          "SELECT id FROM batch LIMIT 10%",
                          "SELECT id FROM batch ORDER BY id",
                          "SELECT id, row_number() OVER () AS r FROM batch",
                          "SELECT id, sum(id) OVER (ORDER BY id) AS r FROM batch",
                          "SELECT id FROM batch QUALIFY row_number() OVER () = 1",
                          "SELECT n FROM (SELECT count(*) AS n FROM batch)",
                          "WITH c AS (SELECT max(id) AS m FROM batch) SELECT m FROM c",
                          "SELECT a.id FROM batch a JOIN batch b USING (id)",
                          "SELECT id FROM batch WHERE id IN (SELECT max(id) FROM batch)",
                          "SELECT id FROM batch WHERE id > (SELECT id FROM batch)",
                          "SELECT id FROM batch UNION SELECT id FROM batch",
                          "SELECT id FROM batch UNION ALL SELECT 1",
                          "SELECT id FROM batch EXCEPT SELECT 1",
                          "SELECT b.id FROM (VALUES (1)) v(id) LEFT JOIN batch b USING (id)",
                          "SELECT id FROM batch RIGHT JOIN (VALUES (1)) v(id) USING (id)",
                          "SELECT id FROM batch FULL JOIN (VALUES (1)) v(id) USING (id)"}) {
    EXPECT_NE(refused(sql).find("depend on how the input is divided"), std::string::npos)
        << sql << ": " << refused(sql);
    SqlOptions made = options(sql);
    made.per_batch = true;
    const auto bound = bind(std::move(made));
    EXPECT_TRUE(bound) << sql << ": " << bound.error().message;
  }
}

TEST_F(SqlTransformTest, AcceptsAggregatesOverLookupsAndOneRecord) {
  for (const char* sql :
       {"SELECT id, (SELECT max(v) FROM (VALUES (1), (2)) t(v)) AS m FROM batch",
        "SELECT id FROM batch JOIN (SELECT DISTINCT v FROM (VALUES (1), (1)) t(v) ORDER BY v LIMIT "
        "1) "
        "ON id = v",
        "SELECT id, list_sum([id, 1]) AS s FROM batch", "SELECT unnest([id, id]) AS id FROM batch",
        "SELECT id FROM batch UNION ALL SELECT id FROM batch",
        "WITH b AS (SELECT * FROM batch) SELECT id FROM b",
        "SELECT id FROM batch WHERE store IN (SELECT 'store number 1')"}) {
    const auto bound = bind(options(sql));
    EXPECT_TRUE(bound) << sql << ": " << bound.error().message;
  }
}

TEST_F(SqlTransformTest, RefusesWhatChangesFromRunToRun) {
  for (const char* sql :
       {"SELECT now() AS t FROM batch", "SELECT id FROM batch WHERE random() < 0.5",
        "SELECT uuid() AS u FROM batch", "SELECT current_timestamp AS t FROM batch",
        "SELECT current_date AS t FROM batch", "SELECT today() AS t FROM batch",
        "SELECT age(TIMESTAMP '2020-01-01') AS a FROM batch"}) {
    EXPECT_NE(refused(sql).find("parameter"), std::string::npos) << sql << ": " << refused(sql);
  }
  EXPECT_NE(refused("SELECT * FROM batch USING SAMPLE 10%").find("sample"), std::string::npos);
}

TEST_F(SqlTransformTest, RefusesAnythingButOneSelectOverBatch) {
  EXPECT_NE(refused("SELECT id FROM batch; SELECT id FROM batch").find("2 statements"),
            std::string::npos);
  for (const char* sql : {"DELETE FROM batch", "CREATE TABLE x (i int)", "PRAGMA database_list",
                          "COPY batch TO 'x.csv'", "ATTACH 'x.db'", "SET threads = 4"})
    EXPECT_NE(refused(sql).find("one SELECT"), std::string::npos) << sql << ": " << refused(sql);
  EXPECT_NE(refused("SELECT 1 AS a").find("does not read batch"), std::string::npos);
  EXPECT_NE(refused("").find("empty"), std::string::npos);
}

TEST_F(SqlTransformTest, SaysWhatIsWrongInOneSentence) {
  EXPECT_EQ(refused("SELECT storee FROM batch"),
            "Referenced column \"storee\" not found in FROM clause. Candidate bindings: \"store\"");
  EXPECT_NE(refused("SELECT FROM batch WHERE").find("syntax error"), std::string::npos);
  EXPECT_NE(refused("SELECT id, id FROM batch").find("two columns named \"id\""),
            std::string::npos);
  EXPECT_NE(refused("SELECT MAP {id: id} AS ids FROM batch").find("\"ids\" is of type MAP"),
            std::string::npos);
}

// Its text is part of the job, and compared as such.
TEST_F(SqlTransformTest, HasAFingerprintOfItsLookupsThatNamesThem) {
  const auto print = [&](std::size_t rates) {
    SqlOptions made = options("SELECT 1");
    made.tables.push_back({"rates", std::make_unique<RatesSource>(rates)});
    auto sql = make_sql_transform(std::move(made));
    return (*sql)->fingerprint().value();
  };
  EXPECT_EQ(print(3), print(3));
  EXPECT_NE(print(3), print(4));
  EXPECT_TRUE(print(3).starts_with("lookup table rates")) << print(3);
}

class SqlFilesTest : public SqlTransformTest {
 protected:
  void SetUp() override {
    std::filesystem::create_directories(folder / "more");
    write("rates.csv", "id,rate\n1,10\n");
    write("more/a.csv", "id,rate\n2,20\n");
  }
  void TearDown() override { std::filesystem::remove_all(folder); }

  void write(const std::string& name, const std::string& text) {
    FILE* file = fopen((folder / name).c_str(), "w");
    ASSERT_NE(file, nullptr);
    fputs(text.c_str(), file);
    fclose(file);
  }

  std::string fingerprint(const std::string& sql) {
    SqlOptions made = options(sql);
    made.base = folder;
    const auto bound = bind(std::move(made));
    if (!bound) return bound.error().message;
    const auto print = transform->fingerprint();
    return print ? *print : print.error().message;
  }

  std::filesystem::path folder =
      std::filesystem::temp_directory_path() / fmt::format("tranche-sql-files-{}", getpid());
};

TEST_F(SqlFilesTest, HasAFingerprintOfTheFilesThatTheSqlReadsItself) {
  for (const char* sql : {"SELECT id, rate FROM batch JOIN 'rates.csv' USING (id)",
                          "SELECT id, rate FROM batch JOIN rates.csv USING (id)",
                          "SELECT id, rate FROM batch JOIN read_csv('rates.csv') USING (id)",
                          "SELECT id FROM batch WHERE id IN (SELECT id FROM "
                          "read_csv_auto(['rates.csv', 'more/*.csv']))",
                          "WITH r AS (SELECT * FROM read_csv('r*.csv')) SELECT id, rate FROM batch "
                          "JOIN r USING (id)"}) {
    write("rates.csv", "id,rate\n1,10\n");
    const std::string before = fingerprint(sql);
    EXPECT_TRUE(before.starts_with("file rates.csv, content ")) << sql << ": " << before;
    EXPECT_EQ(fingerprint(sql), before);
    write("rates.csv", "id,rate\n1,11\n");  // as long as before
    EXPECT_NE(fingerprint(sql), before) << sql;
  }
}

TEST_F(SqlFilesTest, HasAFingerprintOfWhichFilesThereAre) {
  const char* const sql = "SELECT id, rate FROM batch JOIN read_csv('more/*.csv') USING (id)";
  const std::string before = fingerprint(sql);
  write("more/b.csv", "id,rate\n3,30\n");
  const std::string now = fingerprint(sql);
  EXPECT_TRUE(now.starts_with(before)) << now;
  EXPECT_NE(now.find("file more/b.csv, content "), std::string::npos) << now;
}

TEST_F(SqlFilesTest, RefusesFilesThatItCanNotKnowBeforeTheStart) {
  EXPECT_NE(refused("SELECT id FROM batch, read_csv('rates' || '.csv')").find("under tables:"),
            std::string::npos);
  EXPECT_NE(refused("SELECT id FROM batch WHERE id IN (SELECT id FROM read_csv($path))")
                .find("under tables:"),
            std::string::npos);
  for (const char* sql : {"SELECT id FROM batch JOIN 'https://example.org/rates.csv' USING (id)",
                          "SELECT id FROM batch, read_parquet('s3://rates/*.parquet')"})
    EXPECT_NE(refused(sql).find("from the network"), std::string::npos) << refused(sql);
  for (const char* sql : {"SELECT id FROM batch, force_checkpoint()",
                          "SELECT id FROM batch, enable_logging()"})
    EXPECT_NE(refused(sql).find("acts on something"), std::string::npos) << refused(sql);
}

TEST_F(SqlTransformTest, ReadsFilesRelativeToItsBase) {
  const auto folder =
      std::filesystem::temp_directory_path() / fmt::format("tranche-sql-{}", getpid());
  std::filesystem::create_directories(folder);
  FILE* file = fopen((folder / "names.csv").c_str(), "w");
  fputs("id,name\n1,one\n", file);
  fclose(file);
  SqlOptions made = options("SELECT id, name FROM batch JOIN read_csv('names.csv') USING (id)");
  made.base = folder;
  const auto bound = bind(std::move(made));
  EXPECT_TRUE(bound) << bound.error().message;
  EXPECT_TRUE(run(batch({5})));
  EXPECT_EQ(lines(), (std::vector<std::string>{"1|one"}));
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace tranche
