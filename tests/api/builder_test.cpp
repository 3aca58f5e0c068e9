// Steps that are built in C++: what the builders make of several sources.
#include <gtest/gtest.h>

#include <tranche/api/builder.h>
#include <tranche/api/run.h>
#include "base/temporary_folder.h"

namespace tranche {
namespace {

struct Sale {
  std::int64_t id;
  std::string_view from;
};

TEST(BuilderTest, ReadsSeveralSourcesInTheirOrder) {
  const auto made = step("load")
                        .read(csv("a.csv"), jsonl("b.jsonl").option("missing_columns", "null"),
                              sqlite("c.db").table("sales"))
                        .source_column("_source");
  const StepSpec& spec = made.spec();
  EXPECT_EQ(spec.read.connector, "csv");
  ASSERT_EQ(spec.also_read.size(), 2U);
  EXPECT_EQ(spec.also_read[0].options.find("missing_columns")->text, "null");
  EXPECT_EQ(spec.also_read[1].connector, "sqlite");
  EXPECT_EQ(spec.source_column, "_source");
  std::vector<Use> uses{csv("a.csv"), csv("b.csv")};
  EXPECT_EQ(step("load").read(uses).spec().also_read.size(), 1U);
  EXPECT_TRUE(step("load").read(uses).read(csv("c.csv")).spec().also_read.empty());
}

TEST(BuilderTest, DeclaresTheColumnsOfAllTextsButNotThatOfTheSource) {
  const auto made = step("load")
                        .read(csv("a.csv"), jsonl("b.jsonl"), parquet("c.parquet"))
                        .source_column("from")
                        .process([](const Sale& sale) { return sale; });
  const StepSpec& spec = made.spec();
  for (const ConnectorUse* use : {&spec.read, &spec.also_read[0]}) {
    const Node* const columns = use->options.find("columns");
    ASSERT_NE(columns, nullptr);
    EXPECT_NE(columns->find("id"), nullptr);
    EXPECT_EQ(columns->find("from"), nullptr);
  }
  EXPECT_EQ(spec.also_read[1].options.find("columns"), nullptr);
}

class BuiltJob : public TemporaryFolder {};

TEST_F(BuiltJob, RunsAProgramOnce) {
  RunOptions options;
  options.state = at("state");
  const JobSpec spec = job("built").step(
      step("publish").exec({"sh", "-c", "echo $TRANCHE_STEP >> \"$0\"", at("made").string()}));
  const auto summary = run(spec, options);
  ASSERT_TRUE(summary) << summary.error().message;
  EXPECT_EQ(summary->state, RunState::completed);
  EXPECT_EQ(read_file(at("made")).value(), "publish\n");
}

TEST_F(BuiltJob, HasProgramsAndStepsThatAreToldWhatOthersCameTo) {
  RunOptions options;
  options.state = at("state");
  put("in.csv", "id\n1\n2\n");
  const std::string program =
      "import json, sys\n"
      "for line in sys.stdin:\n"
      "    record = json.loads(line)\n"
      "    print(json.dumps({**record, 'twice': 2 * record['id']}))\n";
  const JobSpec spec =
      job("built")
          .step(step("load")
                    .read(csv(at("in.csv").string()).columns({{"id", "bigint"}}))
                    .process(command({"python3", "-uc", program}).columns({{"twice", "bigint"}}))
                    .write(csv(at("out.csv").string())))
          .step(step("publish").exec({"sh", "-c", "echo $1 > \"$0\"", at("made").string(),
                                      step_value("load", "written")}));
  const auto summary = run(spec, options);
  ASSERT_TRUE(summary) << summary.error().message;
  ASSERT_EQ(summary->state, RunState::completed) << summary->error->message;
  EXPECT_EQ(read_file(at("out.csv")).value(), "id,twice\n1,2\n2,4\n");
  EXPECT_EQ(read_file(at("made")).value(), "2\n");
}

TEST_F(BuiltJob, BacksUpWhatItLoadedAndRestoresIt) {
  RunOptions options;
  options.state = at("state");
  put("in.csv", "id\n1\n2\n");
  const auto shop = [&] { return sqlite(at("shop.db").string()); };
  const std::string kept = at("kept").string();
  const JobSpec spec = job("built")
                           .step(step("load")
                                     .read(csv(at("in.csv").string()).columns({{"id", "bigint"}}))
                                     .write(shop().table("sale").mode(append)))
                           .step(step("keep").backup(shop().option("tables", "sale"), kept))
                           .step(step("copy").restore(kept, duckdb(at("copy.duckdb").string())))
                           .step(step("look")
                                     .read(duckdb(at("copy.duckdb").string()).table("sale"))
                                     .write(csv(at("out.csv").string())));
  const auto summary = run(spec, options);
  ASSERT_TRUE(summary) << summary.error().message;
  ASSERT_EQ(summary->state, RunState::completed) << summary->error->message;
  EXPECT_EQ(summary->steps[1].counts.written, 2U);
  EXPECT_EQ(read_file(at("out.csv")).value(), "id\n1\n2\n");
}

TEST_F(BuiltJob, IsToldOfAWebServiceThatCantBe) {
  RunOptions options;
  options.state = at("state");
  put("in.csv", "id\n1\n");
  const JobSpec spec = job("built").step(
      step("load")
          .read(csv(at("in.csv").string()).columns({{"id", "bigint"}}))
          .process(http("http://127.0.0.1:1/${record.nothing}").option("into", {{"a", "bigint"}}))
          .write(csv(at("out.csv").string())));
  const auto summary = run(spec, options);
  ASSERT_FALSE(summary);
  EXPECT_NE(summary.error().message.find("nothing"), std::string::npos) << summary.error().message;
}

TEST_F(BuiltJob, WritesAReport) {
  RunOptions options;
  options.state = at("state");
  const JobSpec spec = job("built").step(
      step("publish").report(report(at("page.html").string())
                                 .title("Built")
                                 .section(section("Squares")
                                              .query("SELECT range AS n, range * range AS square "
                                                     "FROM range(3)")
                                              .chart("line", "n", "square"))));
  const auto summary = run(spec, options);
  ASSERT_TRUE(summary) << summary.error().message;
  EXPECT_EQ(summary->state, RunState::completed);
  const std::string page = read_file(at("page.html")).value();
  EXPECT_NE(page.find("<h1>Built</h1>"), std::string::npos);
  EXPECT_NE(page.find("\"rows\":[[0,0],[1,1],[2,4]]"), std::string::npos);
}

}  // namespace
}  // namespace tranche
