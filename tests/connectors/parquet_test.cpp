#include "connectors/parquet_connector.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include <tranche/core/value.h>

#include "base/digest.h"
#include "base/file.h"
#include "base/json.h"
#include "connectors/parquet_file.h"
#include "drivers/duckdb_database.h"

namespace {
std::vector<std::string>* synced = nullptr;  // what fsync was asked for, while somebody looks
}

extern "C" int fsync(int descriptor) {
  if (synced != nullptr)
    synced->push_back(
        std::filesystem::read_symlink(fmt::format("/proc/self/fd/{}", descriptor)).string());
  return static_cast<int>(::syscall(SYS_fsync, descriptor));
}

namespace tranche {
namespace {

class ParquetTest : public testing::Test {
 protected:
  ParquetTest() {
    folder = fs::temp_directory_path() / fmt::format("tranche-parquet-{}", random_id());
    fs::create_directories(folder);
    database = DuckDatabase::open(256ULL << 20, "").value();
    duck = database->connect().value();
  }
  ~ParquetTest() override {
    std::error_code ignored;
    fs::remove_all(folder, ignored);
  }

  void sql(const std::string& text) {
    const auto done = duck->execute(text);
    ASSERT_TRUE(done) << text << ": " << done.error().message;
  }
  std::string cell(const std::string& text) {
    auto rows = duck->query_texts(text);
    if (!rows) return rows.error().message;
    std::string all;
    for (const auto& row : *rows) {
      for (const auto& value : row) all += value + "|";
    }
    return all;
  }
  // 10,000 rows in row groups of 4096, 4096 and 1808.
  void make_file(const std::string& name,
                 const std::string& select =
                     "SELECT i AS id, 'a name that is long ' || i AS name FROM range(10000) t(i)") {
    sql(fmt::format("COPY ({}) TO '{}' (FORMAT parquet, ROW_GROUP_SIZE 4096)", select,
                    (folder / name).string()));
  }

  std::unique_ptr<Source> source(const std::string& path, std::vector<std::string> columns = {}) {
    Node node = Node::map();
    node.set("parquet", Node::scalar(path));
    std::vector<Node> list;
    for (auto& column : columns) list.push_back(Node::scalar(column));
    if (!list.empty()) node.set("columns", Node::list(std::move(list)));
    return parquet_connector().make_source(node, folder).value();
  }
  static Result<void> fix(Source& of) {
    TRANCHE_ASSIGN(auto inputs, of.inputs());
    return of.use_inputs(std::move(inputs));
  }
  static std::vector<Slice> slices(Source& of, CutLimits limits, const Slice* after = nullptr) {
    auto stream = of.divide(after).value();
    std::vector<Slice> all;
    while (auto slice = stream->next(limits).value()) all.push_back(*slice);
    return all;
  }

  std::unique_ptr<Sink> sink(const std::string& mode, const std::string& partition = "") {
    Node node = Node::map();
    node.set("parquet", Node::scalar("out"));
    node.set("mode", Node::scalar(mode));
    node.set("row_group_rows", Node::scalar("4096"));
    if (!partition.empty()) node.set("partition_by", Node::scalar(partition));
    return parquet_connector().make_sink(node, folder).value();
  }

  std::vector<std::string> files(const std::string& below = "out") const {
    std::vector<std::string> names;
    for (const auto& entry : fs::recursive_directory_iterator(folder / below))
      if (entry.is_regular_file()) names.push_back(entry.path().lexically_relative(folder / below));
    std::sort(names.begin(), names.end());
    return names;
  }

  SchemaPtr schema = std::make_shared<const Schema>(
      Schema{{{"id", Type{TypeId::bigint}}, {"day", Type{TypeId::varchar}}}});
  SinkRun run{"0123456789abcdef", "load", ""};
  WorkerScope worker{0, 256ULL << 20, ""};

  // Rows first .. first + rows - 1; days "d0" and "d1" in turns, every tenth null.
  std::unique_ptr<Page> page(std::int64_t first, std::size_t rows) const {
    auto made = std::make_unique<Page>(schema, std::max<std::size_t>(rows, 1));
    for (std::size_t row = 0; row < rows; ++row) {
      const std::int64_t id = first + static_cast<std::int64_t>(row);
      made->column(0).values<std::int64_t>()[row] = id;
      made->column(1).values<StringRef>()[row] = StringRef::make(id % 2 == 0 ? "d/0" : "d1");
      if (id % 10 == 0) made->column(1).set_null(row);
    }
    made->set_rows(rows);
    return made;
  }

  // Encodes pages of the given sizes, merges and commits them as one group.
  Receipt commit(Sink& of, std::uint64_t group, std::int64_t first, std::vector<std::size_t> sizes,
                 std::size_t pages_a_segment = 2) {
    auto encoder = of.encoder(worker).value();
    std::vector<Segment> segments;
    std::size_t pages = 0;
    std::uint64_t rows = 0;
    for (const std::size_t size : sizes) {
      EXPECT_TRUE(encoder->add(*page(first, size)));
      first += static_cast<std::int64_t>(size);
      rows += size;
      if (++pages % pages_a_segment != 0 && pages != sizes.size()) continue;
      auto finished = encoder->finish().value();
      std::move(finished.begin(), finished.end(), std::back_inserter(segments));
    }
    EXPECT_EQ(encoder->rows_encoded(), rows);
    auto parts = encoder->merge(group, segments);
    EXPECT_TRUE(parts) << parts.error().message;
    auto committer = of.committer().value();
    const auto applied = committer->apply(group, *parts, "reject-id");
    EXPECT_TRUE(applied) << applied.error().message;
    EXPECT_EQ(applied->rows, rows);
    return committer->commit().value();
  }
  void seal(Sink& of, const std::vector<Receipt>& receipts) {
    const auto intent = of.plan_seal(receipts);
    ASSERT_TRUE(intent) << intent.error().message;
    const auto done = of.seal(*intent);
    ASSERT_TRUE(done) << done.error().message;
    const auto again = of.seal(*intent);
    ASSERT_TRUE(again) << again.error().message;
    const auto differences = of.verify(run, *intent, receipts);
    ASSERT_TRUE(differences);
    EXPECT_TRUE(differences->empty()) << differences->front();
  }

  fs::path folder;
  std::shared_ptr<DuckDatabase> database;
  std::unique_ptr<DuckConnection> duck;
};

using ParquetSourceTest = ParquetTest;
using ParquetSinkTest = ParquetTest;

TEST_F(ParquetSourceTest, GivesEveryRowOnceInOrderHoweverItIsCut) {
  make_file("a.parquet");
  make_file("b.parquet", "SELECT i + 10000 AS id, 'n' || i AS name FROM range(3000) t(i)");
  auto of = source("*.parquet");
  ASSERT_TRUE(fix(*of));
  for (const CutLimits limits : {CutLimits{}, CutLimits{1000, UINT64_MAX}, CutLimits{4096, 7000}}) {
    std::int64_t next = 0;
    for (const Slice& slice : slices(*of, limits)) {
      EXPECT_EQ(slice.first_record, static_cast<std::uint64_t>(next));
      EXPECT_LE(slice.records, limits.records_max);
      auto reader = of->open(slice, worker).value();
      std::vector<Reject> rejects;
      std::uint64_t rows = 0;
      while (auto got = reader->next(rejects).value()) {
        for (std::size_t row = 0; row < got->rows(); ++row, ++next) {
          ASSERT_EQ(got->column(0).values<std::int64_t>()[row], next);
          ASSERT_EQ(got->base.record + got->origins[row].record, static_cast<std::uint64_t>(next));
          ASSERT_EQ(got->origins[row].offset, static_cast<std::uint64_t>(next % 10000));
        }
        rows += got->rows();
        EXPECT_EQ(*got->base.source, slice.input == 0 ? "a.parquet" : "b.parquet");
      }
      EXPECT_EQ(rows, slice.records);
      EXPECT_EQ(reader->bytes_read(), slice.bytes);
      EXPECT_EQ(of->digest(slice).value(), slice.digest);
    }
    EXPECT_EQ(next, 13000);
  }
}

TEST_F(ParquetSourceTest, CutsRowGroupsAtExactRowsAndNeverAcrossThem) {
  make_file("a.parquet");
  auto of = source("a.parquet");
  ASSERT_TRUE(fix(*of));
  std::vector<std::uint64_t> ends;
  for (const Slice& slice : slices(*of, CutLimits{3000, UINT64_MAX})) ends.push_back(slice.end);
  EXPECT_EQ(ends, (std::vector<std::uint64_t>{3000, 4096, 7096, 8192, 10000}));
}

TEST_F(ParquetSourceTest, SharesTheBytesOfARowGroupWithoutRemainder) {
  make_file("a.parquet");
  auto of = source("a.parquet");
  ASSERT_TRUE(fix(*of));
  const auto sum = [&](CutLimits limits) {
    std::uint64_t bytes = 0;
    for (const Slice& slice : slices(*of, limits)) bytes += slice.bytes;
    return bytes;
  };
  const std::uint64_t whole = sum({});
  EXPECT_GT(whole, 0U);
  EXPECT_EQ(sum({777, UINT64_MAX}), whole);
  EXPECT_EQ(sum({UINT64_MAX, 1000}), whole);
  const auto small = slices(*of, {UINT64_MAX, 1000});
  EXPECT_GE(small[0].bytes, 1000U);
  EXPECT_LT(small[0].bytes, 1100U);
}

TEST_F(ParquetSourceTest, GoesOnBehindASlice) {
  make_file("a.parquet");
  auto of = source("a.parquet");
  ASSERT_TRUE(fix(*of));
  const auto all = slices(*of, CutLimits{3000, UINT64_MAX});
  const auto rest = slices(*of, CutLimits{3000, UINT64_MAX}, &all[1]);
  EXPECT_EQ(rest, std::vector<Slice>(all.begin() + 2, all.end()));
}

TEST_F(ParquetSourceTest, ReadsOnlyTheColumnsThatAreNamedInThatOrder) {
  make_file("a.parquet", "SELECT 1 AS first, 'b' AS second, [1] AS third");
  auto of = source("a.parquet", {"Second", "first"});
  ASSERT_TRUE(fix(*of));
  EXPECT_EQ(to_string(*of->schema().value()), "second varchar, first integer");
  auto wrong = source("a.parquet", {"frist"});
  const auto done = fix(*wrong);
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().kind, ErrorKind::config);
  EXPECT_EQ(done.error().message,
            "a.parquet: There is no column \"frist\"; did you mean \"first\"?");
}

TEST_F(ParquetSourceTest, RefusesAColumnOfATypeThatWeDoNotHaveByName) {
  make_file("a.parquet", "SELECT 1 AS x, [MAP {'a': 1}] AS tags");
  const auto done = fix(*source("a.parquet"));
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().kind, ErrorKind::config);
  EXPECT_NE(done.error().message.find("a.parquet: Column \"tags\" is of type MAP"),
            std::string::npos)
      << done.error().message;
}

TEST_F(ParquetSourceTest, NamesTheFileAndColumnThatDiffer) {
  make_file("a.parquet", "SELECT 1 AS x, 'b' AS y");
  make_file("b.parquet", "SELECT 1::bigint AS x, 'b' AS y");
  make_file("c.parquet", "SELECT 1 AS x");
  auto done = fix(*source("[ab].parquet"));
  ASSERT_FALSE(done);
  EXPECT_NE(
      done.error().message.find("Column \"x\" is bigint in b.parquet but integer in a.parquet"),
      std::string::npos)
      << done.error().message;
  done = fix(*source("[ac].parquet"));
  ASSERT_FALSE(done);
  EXPECT_NE(done.error().message.find("c.parquet has no column \"y\""), std::string::npos);
}

TEST_F(ParquetSourceTest, RefusesAFileThatIsNamedTwice) {
  make_file("a.parquet", "SELECT 1 AS x");
  Node both = Node::list({Node::scalar("a.parquet"), Node::scalar("*.parquet")});
  Node node = Node::map();
  node.set("parquet", std::move(both));
  const auto of = parquet_connector().make_source(node, folder).value();
  const auto inputs = of->inputs();
  ASSERT_FALSE(inputs);
  EXPECT_EQ(inputs.error().kind, ErrorKind::config);
  EXPECT_NE(inputs.error().message.find("a.parquet is named twice"), std::string::npos);
}

TEST_F(ParquetSourceTest, SaysThatAFileIsNoParquet) {
  ASSERT_TRUE(write_file_durably(folder / "a.parquet", "id,name\n1,x\n"));
  const auto done = fix(*source("a.parquet"));
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().kind, ErrorKind::config);
  EXPECT_NE(done.error().message.find("a.parquet"), std::string::npos);
  EXPECT_EQ(done.error().message.find("/proc"), std::string::npos) << done.error().message;
}

TEST_F(ParquetSourceTest, NoticesAFileThatWasChangedSinceThePlan) {
  make_file("a.parquet");
  auto of = source("a.parquet");
  ASSERT_TRUE(fix(*of));
  const auto all = slices(*of, {});
  make_file("a.parquet", "SELECT i AS id, 'x' AS name FROM range(10000) t(i)");
  const auto opened = of->open(all[0], worker);
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().kind, ErrorKind::failed);
  auto now = source("a.parquet");
  ASSERT_TRUE(fix(*now));
  EXPECT_NE(now->digest(all[0]).value(), all[0].digest);
}

TEST_F(ParquetSourceTest, ConvertsEnumerationsAndOtherTimestampsWithoutLoss) {
  make_file("a.parquet",
            "SELECT 'b'::ENUM('a', 'b') AS e, TIMESTAMP_NS '2026-01-02 03:04:05.000006' AS ns, "
            "TIMESTAMP_MS '2026-01-02 03:04:05.678' AS ms, '{\"k\": 1}'::json AS j, "
            "'6f1c3e5a-0000-4000-8000-000000000001'::uuid AS u, 1.50::decimal(30,2) AS d");
  auto of = source("a.parquet");
  const auto done = fix(*of);
  ASSERT_TRUE(done) << done.error().message;
  auto reader = of->open(slices(*of, {})[0], worker).value();
  std::vector<Reject> rejects;
  const auto got = reader->next(rejects).value();
  EXPECT_EQ(row_as_json(*got, 0),
            "{\"e\":\"b\",\"ns\":\"2026-01-02T03:04:05.000006\",\"ms\":\"2026-01-02T03:04:05.678\","
            "\"j\":{\"k\": 1},\"u\":\"6f1c3e5a-0000-4000-8000-000000000001\",\"d\":1.50}");
}

TEST_F(ParquetSourceTest, RefusesATimestampThatMicrosecondsCantHold) {
  make_file("a.parquet", "SELECT TIMESTAMP_NS '2026-01-02 03:04:05.000006789' AS ns");
  auto of = source("a.parquet");
  ASSERT_TRUE(fix(*of));
  auto reader = of->open(slices(*of, {})[0], worker).value();
  std::vector<Reject> rejects;
  const auto got = reader->next(rejects);
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error().kind, ErrorKind::failed);
  EXPECT_NE(got.error().message.find("a.parquet: Column \"ns\""), std::string::npos);
}

TEST_F(ParquetSourceTest, DividesByRowsThatFitIntoMemory) {
  make_file("a.parquet");
  auto of = source("a.parquet");
  ASSERT_TRUE(fix(*of));
  EXPECT_EQ(of->default_division().rows, 122'880U);
  make_file("wide.parquet", "SELECT i, repeat(md5(i::varchar), 1000) AS s FROM range(300) t(i)");
  auto wide = source("wide.parquet");
  ASSERT_TRUE(fix(*wide));
  EXPECT_LT(wide->default_division().rows, 122'880U);
  EXPECT_EQ(wide->default_division().rows % vector_rows, 0U);
}

TEST_F(ParquetSinkTest, WritesGroupsThatBecomeVisibleAtTheSeal) {
  auto of = sink("append");
  ASSERT_TRUE(of->examine(schema));
  ASSERT_TRUE(of->recover(run, schema, {}));
  std::vector<Receipt> receipts{commit(*of, 0, 0, {5000, 1}), commit(*of, 1, 5001, {99})};
  EXPECT_EQ(receipts[1].rows, 99U);
  EXPECT_EQ(receipts[1].reject_id, "reject-id");
  for (const std::string& name : files())
    EXPECT_TRUE(name.starts_with(".tranche-01234567-")) << name;
  seal(*of, receipts);
  EXPECT_EQ(files(), (std::vector<std::string>{"_tranche/000001.json", "part-000001-000000.parquet",
                                               "part-000001-000001.parquet"}));
  EXPECT_EQ(
      cell(fmt::format("SELECT count(*), sum(id), max(id), count(day) FROM '{}/out/**/*.parquet'",
                       folder.string())),
      "5100|13002450|5099|4590|");
}

TEST_F(ParquetSinkTest, WritesTheSameBytesHoweverTheRowsAreCut) {
  std::vector<std::string> contents;
  for (const std::vector<std::size_t>& sizes :
       {std::vector<std::size_t>{12'000}, {1, 2, 2048, 3000, 49, 2100, 4800}, {6000, 0, 6000}}) {
    for (const std::size_t pages_a_segment : {1, 3}) {
      fs::remove_all(folder / "out");
      WorkerScope other(1, (64ULL + pages_a_segment * 64) << 20, "");
      auto of = sink("append");
      ASSERT_TRUE(of->recover(run, schema, {}));
      seal(*of, {commit(*of, 0, 0, sizes, pages_a_segment)});
      contents.push_back(read_file(folder / "out/part-000001-000000.parquet").value());
      EXPECT_EQ(contents.back(), contents.front());
    }
  }
  EXPECT_EQ(cell(fmt::format("SELECT num_row_groups FROM parquet_file_metadata('{}')",
                             (folder / "out/part-000001-000000.parquet").string())),
            "3|");
}

TEST_F(ParquetSinkTest, FilesNameJobAndStepButNeverTheRun) {
  std::vector<std::string> bytes;
  for (const char* run_id : {"0123456789abcdef", "fedcba9876543210"}) {
    auto parts = sink("replace");
    const SinkRun named{run_id, "load", "", "it's nightly"};
    ASSERT_TRUE(parts->examine(schema));
    ASSERT_TRUE(parts->recover(named, schema, {}));
    seal(*parts, {commit(*parts, 0, 0, {5000})});
    const auto written = files();
    const auto part = std::find_if(written.begin(), written.end(), [](const std::string& name) {
      return name.ends_with(".parquet");
    });
    ASSERT_NE(part, written.end());
    bytes.push_back(read_file(folder / "out" / *part).value());
    EXPECT_EQ(cell(fmt::format("SELECT decode(key), decode(value) FROM parquet_kv_metadata('{}')",
                               (folder / "out" / *part).string())),
              "tranche_job|it's nightly|tranche_step|load|");
  }
  EXPECT_EQ(bytes[0], bytes[1]);
}

TEST_F(ParquetSinkTest, PutsPartitionsIntoFoldersAndKeepsTheOrderInside) {
  auto of = sink("append", "day");
  ASSERT_TRUE(of->examine(schema));
  ASSERT_TRUE(of->recover(run, schema, {}));
  seal(*of, {commit(*of, 0, 0, {5000, 100}), commit(*of, 1, 5100, {900})});
  EXPECT_EQ(files(),
            (std::vector<std::string>{
                "_tranche/000001.json", "day=__HIVE_DEFAULT_PARTITION__/part-000001-000000.parquet",
                "day=__HIVE_DEFAULT_PARTITION__/part-000001-000001.parquet",
                "day=d%2F0/part-000001-000000.parquet", "day=d%2F0/part-000001-000001.parquet",
                "day=d1/part-000001-000000.parquet", "day=d1/part-000001-000001.parquet"}));
  const std::string part = (folder / "out/day=d1/part-000001-000000.parquet").string();
  EXPECT_EQ(cell(fmt::format("SELECT column_name FROM (DESCRIBE SELECT * FROM read_parquet('{}', "
                             "hive_partitioning=false))",
                             part)),
            "id|");
  EXPECT_EQ(cell(fmt::format("SELECT count(*), bool_and(id = 2 * file_row_number + 1) FROM "
                             "read_parquet('{}', file_row_number=true)",
                             part)),
            "2550|true|");
  EXPECT_EQ(cell(fmt::format("SELECT day, count(*) FROM read_parquet('{}/out/**/*.parquet', "
                             "hive_partitioning=true) GROUP BY day ORDER BY day",
                             folder.string())),
            "d/0|2400|d1|3000||600|");
}

TEST_F(ParquetSinkTest, ReplaceRemovesOnlyTheFilesOfEarlierManifests) {
  auto first = sink("append");
  ASSERT_TRUE(first->recover(run, schema, {}));
  seal(*first, {commit(*first, 0, 0, {10})});
  ASSERT_TRUE(write_file_durably(folder / "out/mine.parquet", "not yours"));
  auto second = sink("replace");
  ASSERT_TRUE(second->recover(run, schema, {}));
  seal(*second, {commit(*second, 0, 0, {20})});
  EXPECT_EQ(files(), (std::vector<std::string>{"_tranche/000001.json", "_tranche/000002.json",
                                               "mine.parquet", "part-000002-000000.parquet"}));
}

TEST_F(ParquetSinkTest, NeverPutsAPartOverAnotherOneWhoseManifestIsGone) {
  auto first = sink("append");
  ASSERT_TRUE(first->recover(run, schema, {}));
  seal(*first, {commit(*first, 0, 0, {10})});
  fs::remove_all(folder / "out/_tranche");
  auto second = sink("append");
  ASSERT_TRUE(second->recover(run, schema, {}));
  seal(*second, {commit(*second, 0, 0, {20})});
  EXPECT_EQ(files(), (std::vector<std::string>{"_tranche/000002.json", "part-000001-000000.parquet",
                                               "part-000002-000000.parquet"}));
}

TEST_F(ParquetSinkTest, ManifestIsTheSameForTheSameRows) {
  std::vector<std::string> manifests;
  for (const char* id : {"0123456789abcdef", "fedcba9876543210"}) {
    fs::remove_all(folder / "out");
    auto of = sink("append");
    run.run_id = id;
    ASSERT_TRUE(of->recover(run, schema, {}));
    seal(*of, {commit(*of, 0, 0, {10})});
    manifests.push_back(read_file(folder / "out/_tranche/000001.json").value());
  }
  EXPECT_EQ(manifests[0], manifests[1]);
}

TEST_F(ParquetSinkTest, RollsTheSealForwardFromEveryRename) {
  for (std::size_t renamed = 0; renamed <= 3; ++renamed) {
    fs::remove_all(folder / "out");
    auto of = sink("append");
    ASSERT_TRUE(of->recover(run, schema, {}));
    std::vector<Receipt> receipts;
    for (std::uint64_t group = 0; group < 3; ++group)
      receipts.push_back(commit(*of, group, static_cast<std::int64_t>(group) * 10, {10}));
    const std::string intent = of->plan_seal(receipts).value();
    const Json plan = Json::parse(intent).value();
    for (std::size_t at = 0; at < renamed; ++at) {
      const Json& rename = plan["renames"].items()[at];
      fs::rename(folder / "out" / rename["from"].text(), folder / "out" / rename["to"].text());
    }
    auto later = sink("append");
    const auto done = later->seal(intent);
    ASSERT_TRUE(done) << done.error().message;
    EXPECT_EQ(files().size(), 4U);
    EXPECT_TRUE(later->verify(run, intent, receipts).value().empty());
  }
}

TEST_F(ParquetSinkTest, RecoverKeepsWhatIsCommittedAndRemovesTheRestOfItsRun) {
  auto of = sink("append", "day");
  ASSERT_TRUE(of->recover(run, schema, {}));
  const std::vector<Receipt> receipts{commit(*of, 0, 0, {10})};
  commit(*of, 1, 10, {10});
  ASSERT_TRUE(write_file_durably(folder / "out/.tranche-99999999-000000-0.tmp", "another run's"));
  auto later = sink("append", "day");
  const auto present = later->recover(run, schema, receipts);
  ASSERT_TRUE(present) << present.error().message;
  EXPECT_EQ(*present, receipts);
  EXPECT_EQ(files().size(), 4U);
  ASSERT_TRUE(later->discard(run, receipts, false));
  EXPECT_EQ(files(), std::vector<std::string>{".tranche-99999999-000000-0.tmp"});
}

TEST_F(ParquetSinkTest, LeavesNoTemporaryWhenAGroupWasDoneAgainWithFewerParts) {
  auto of = sink("append", "day");
  ASSERT_TRUE(of->recover(run, schema, {}));
  // The days of rows 0 to 9 need three parts, those of row 3 only one.
  const Receipt given_up = commit(*of, 0, 0, {10});
  ASSERT_EQ(files().size(), 3U);
  const Receipt receipt = commit(*of, 0, 3, {1});
  ASSERT_NE(receipt.payload, given_up.payload);
  seal(*of, {receipt});
  EXPECT_EQ(files(), (std::vector<std::string>{"_tranche/000001.json",
                                               "day=d1/part-000001-000000.parquet"}));
  EXPECT_FALSE(fs::exists(folder / "out/day=d%2F0"));
}

TEST_F(ParquetSinkTest, SyncsEveryFolderBetweenTheOutputAndAPart) {
  for (const char* name : {"out/a=1/b=2/.tranche-01234567-000000-0.tmp", "out/.tranche-x.tmp"}) {
    ASSERT_TRUE(create_folders((folder / name).parent_path()));
    ASSERT_TRUE(write_file_durably(folder / name, "part"));
  }
  Segment nested;
  nested.label = "a=1/b=2/.tranche-01234567-000000-0.tmp";
  nested.final_name = "a=1/b=2/";
  nested.bytes = 4;
  nested.rows = 1;
  Segment plain = nested;
  plain.label = ".tranche-x.tmp";
  plain.final_name = "";
  const auto committer = sink("append")->committer().value();
  std::vector<std::string> seen;
  synced = &seen;
  const auto applied = committer->apply(0, std::vector<Segment>{nested, plain}, "");
  synced = nullptr;
  ASSERT_TRUE(applied) << applied.error().message;
  std::sort(seen.begin(), seen.end());
  const std::string out = fs::canonical(folder / "out").string();
  EXPECT_EQ(seen, (std::vector<std::string>{out, out + "/a=1", out + "/a=1/b=2"}));
}

TEST_F(ParquetSinkTest, SyncsTheFolderOfPartsThatAnEarlierSealHasRenamed) {
  auto of = sink("append");
  ASSERT_TRUE(of->recover(run, schema, {}));
  const auto intent = of->plan_seal(std::vector<Receipt>{commit(*of, 0, 0, {10})});
  ASSERT_TRUE(intent);
  ASSERT_TRUE(of->seal(*intent));
  std::vector<std::string> seen;
  synced = &seen;
  const auto again = of->seal(*intent);
  synced = nullptr;
  ASSERT_TRUE(again) << again.error().message;
  const std::string out = fs::canonical(folder / "out").string();
  EXPECT_EQ(std::count(seen.begin(), seen.end(), out), 1);
}

TEST_F(ParquetSinkTest, RefusesToGoOnWhenACommittedPartIsDamaged) {
  auto of = sink("append");
  ASSERT_TRUE(of->recover(run, schema, {}));
  const std::vector<Receipt> receipts{commit(*of, 0, 0, {10})};
  const fs::path part = folder / "out" / files()[0];
  std::string bytes = read_file(part).value();
  bytes[10] = static_cast<char>(bytes[10] ^ 1);
  ASSERT_TRUE(write_file_durably(part, bytes));
  auto present = sink("append")->recover(run, schema, receipts);
  ASSERT_FALSE(present);
  EXPECT_NE(present.error().message.find("has other bytes"), std::string::npos);
  fs::remove(part);
  present = sink("append")->recover(run, schema, receipts);
  ASSERT_FALSE(present);
  EXPECT_NE(present.error().message.find("is gone"), std::string::npos);
}

TEST_F(ParquetSinkTest, VerifySaysWhichFileDiffers) {
  auto of = sink("append");
  ASSERT_TRUE(of->recover(run, schema, {}));
  const std::vector<Receipt> receipts{commit(*of, 0, 0, {10})};
  const std::string intent = of->plan_seal(receipts).value();
  ASSERT_TRUE(of->seal(intent));
  fs::resize_file(folder / "out/part-000001-000000.parquet", 20);
  const auto differences = of->verify(run, intent, receipts).value();
  ASSERT_EQ(differences.size(), 1U);
  EXPECT_NE(differences[0].find("part-000001-000000.parquet has 20 bytes"), std::string::npos);
}

TEST_F(ParquetSinkTest, ExamineRefusesWhatCantBeWritten) {
  const auto refused = [&](Sink& of, const SchemaPtr& with) {
    const auto done = of.examine(with);
    return done ? std::string("accepted") : done.error().message;
  };
  EXPECT_EQ(refused(*sink("append", "dya"), schema),
            "partition_by names no column: \"dya\"; did you mean \"day\"?");
  const auto big = std::make_shared<const Schema>(Schema{{{"n", Type{TypeId::hugeint}}}});
  EXPECT_NE(refused(*sink("append"), big).find("hugeint"), std::string::npos);
  const auto one = std::make_shared<const Schema>(Schema{{{"n", Type{TypeId::bigint}}}});
  EXPECT_NE(refused(*sink("append", "n"), one).find("every column"), std::string::npos);
  ASSERT_TRUE(write_file_durably(folder / "out", "a file"));
  EXPECT_NE(refused(*sink("append"), schema).find("is a file"), std::string::npos);
}

TEST_F(ParquetSinkTest, SealsAnEmptyOutput) {
  auto of = sink("replace");
  ASSERT_TRUE(of->recover(run, schema, {}));
  seal(*of, {commit(*of, 0, 0, {})});
  EXPECT_EQ(files(), std::vector<std::string>{"_tranche/000001.json"});
}

}  // namespace
}  // namespace tranche
