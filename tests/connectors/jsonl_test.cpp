#include <fmt/format.h>
#include <gtest/gtest.h>

#include <tranche/core/value.h>

#include "connectors/jsonl.h"
#include "connectors/text_connector_fixture.h"

namespace tranche {
namespace {

class JsonlConnector : public TextConnectorTest {
 protected:
  JsonlConnector() : TextConnectorTest(jsonl_connector()) {}
};

TEST_F(JsonlConnector, HowTheInputIsCutDoesNotChangeWhatIsRead) {
  std::string first = "\xEF\xBB\xBF";
  for (int i = 0; i < 40; ++i) {
    first += i % 9 == 4 ? fmt::format("{{\"n\":\"{}\n", i)
                        : fmt::format("{{\"n\":{},\"t\":\"\\n {}\"}}\r\n", i, std::string(50, 'x'));
    if (i % 7 == 0) first += "  \n";
  }
  put("a.jsonl", first);
  put("b.jsonl", "");
  put("c.jsonl", "{\"n\":7}\n\n\n{\"t\":\"unended\"}");
  const auto source =
      open({{"jsonl", Node::list({Node::scalar("a.jsonl"), Node::scalar("[bc].jsonl")})},
            {"max_record", Node::scalar("200")},
            {"columns", columns_of({{"n", "integer"}, {"t", "varchar"}})}});
  const auto whole = cut(*source, {});
  ASSERT_EQ(whole.size(), 2U);  // one a file that has records
  const auto expected = read(*source, whole);
  ASSERT_EQ(expected.size(), 42U);
  EXPECT_EQ(expected[40], "c.jsonl:1@0 7||");
  EXPECT_EQ(expected[41], "c.jsonl:4@10 |unended|");
  for (std::uint64_t records = 1; records < 20; ++records) {
    const auto slices = cut(*source, {.records_max = records});
    EXPECT_EQ(read(*source, slices), expected) << records;
  }
  for (std::uint64_t bytes = 1; bytes < 300; bytes += 7) {
    const auto slices = cut(*source, {.bytes_max = bytes});
    ASSERT_EQ(read(*source, slices), expected) << bytes;
    for (const auto& slice : slices) EXPECT_EQ(source->digest(slice).value(), slice.digest);
  }
}

TEST_F(JsonlConnector, GoesOnBehindAnySliceAsIfItHadNeverStopped) {
  put("a.jsonl", "{\"n\":1}\n\n{\"n\":2}\nx\n");
  put("b.jsonl", "\n{\"n\":5}\n{\"n\":6}\n");
  const auto source = open({{"jsonl", Node::scalar("*.jsonl")}});
  const auto slices = cut(*source, {.records_max = 1});
  ASSERT_EQ(slices.size(), 5U);
  for (std::size_t i = 0; i < slices.size(); ++i) {
    const auto rest = cut(*source, {.records_max = 1}, &slices[i]);
    EXPECT_EQ(rest, std::vector<Slice>(slices.begin() + static_cast<std::ptrdiff_t>(i) + 1,
                                       slices.end()));
  }
}

TEST_F(JsonlConnector, RefusesToGoOnWithinALastRecordThatWasAddedTo) {
  for (const char* end : {"", "\r"}) {
    put("a.jsonl", fmt::format("{{\"n\":1}}\n{{\"n\":2}}{}", end));
    const auto source = open({{"jsonl", Node::scalar("a.jsonl")}});
    const auto slices = cut(*source, {});
    put("a.jsonl", fmt::format("{{\"n\":1}}\n{{\"n\":2}}{}{{\"n\":3}}\n", end));
    const auto grown = open({{"jsonl", Node::scalar("a.jsonl")}});
    const auto next = grown->divide(&slices.at(0)).value()->next({});
    ASSERT_FALSE(next);
    EXPECT_NE(next.error().message.find("within the last record"), std::string::npos);
  }
}

TEST_F(JsonlConnector, CountsALineThatNoWindowHoldsAsOneRecord) {
  const std::string blanks(std::size_t{5} << 20, ' ');
  put("a.jsonl", "{\"n\":1}\n" + blanks + "\r\n{\"n\":3}\n");
  const auto source = open({{"jsonl", Node::scalar("a.jsonl")}});
  for (const std::uint64_t records : {1U, 2U, 3U}) {
    const auto slices = cut(*source, {.records_max = records});
    const auto found = read(*source, slices);
    ASSERT_EQ(found.size(), 3U);
    EXPECT_EQ(found[1].size(), std::string("a.jsonl:2@8 reject ").size() + blanks.size());
    EXPECT_TRUE(found[2].ends_with(" 3|"));
  }
}

TEST_F(JsonlConnector, GuessesWhatIsNotDeclaredFromAllOverTheFile) {
  std::string text;
  for (int i = 0; i < 40000; ++i) {
    text += fmt::format("{{\"id\":{},\"price\":{},\"day\":\"2024-01-02\",\"tags\":[{}]}}\n", i,
                        i < 30000 ? fmt::format("{}", i) : "0.5", i);
  }
  put("a.jsonl", text);
  put("b.jsonl", "{\"extra\":true,\"id\":1}\n");
  const auto source = open({{"jsonl", Node::scalar("*.jsonl")}});
  EXPECT_EQ(to_string(*source->schema().value()),
            "id bigint, price double, day date, tags bigint[], extra boolean");
}

TEST_F(JsonlConnector, ReadsLinesAndArraysAlikeHoweverTheyAreCut) {
  std::string array = "\xEF\xBB\xBF [";
  for (int i = 0; i < 30; ++i) {
    array += i == 0 ? "\n" : ",\n";
    array += i % 10 == 4 ? fmt::format("  {{\"n\":\"{}}}", i)
                         : fmt::format("  {{\"n\":{},\n   \"t\":\"],{{ {}\"}}", i,
                                       std::string(i == 7 ? 400 : 50, 'x'));
  }
  put("a.json", array + "\n]\n");
  put("b.json", "{\"n\":30}\n{\"n\":31}\n");
  put("c.json", "[]");
  put("d.json", "[{\"n\":32},{\"n\":33}]");
  const auto source = open({{"jsonl", Node::scalar("*.json")},
                            {"max_record", Node::scalar("200")},
                            {"columns", columns_of({{"n", "integer"}, {"t", "varchar"}})}});
  const auto whole = cut(*source, {});
  ASSERT_EQ(whole.size(), 3U);  // one a file that has records
  const auto expected = read(*source, whole);
  ASSERT_EQ(expected.size(), 34U);
  EXPECT_EQ(expected[1], "a.json:4@84 1|],{ " + std::string(50, 'x') + "|");
  EXPECT_EQ(expected[4], "a.json:10@312 reject {\"n\":\"4}");
  EXPECT_EQ(expected[30], "b.json:1@0 30||");
  EXPECT_EQ(expected[33], "d.json:1@10 33||");
  for (std::uint64_t records = 1; records < 12; ++records) {
    const auto slices = cut(*source, {.records_max = records});
    ASSERT_EQ(read(*source, slices), expected) << records;
    for (const auto& slice : slices) EXPECT_EQ(source->digest(slice).value(), slice.digest);
    for (std::size_t i = 0; i < slices.size(); ++i) {
      EXPECT_EQ(
          cut(*source, {.records_max = records}, &slices[i]),
          std::vector<Slice>(slices.begin() + static_cast<std::ptrdiff_t>(i) + 1, slices.end()));
    }
  }
  for (std::uint64_t bytes = 1; bytes < 300; bytes += 13) {
    ASSERT_EQ(read(*source, cut(*source, {.bytes_max = bytes})), expected) << bytes;
  }
}

TEST_F(JsonlConnector, GuessesFromAllOverAnArray) {
  std::string text = "[";
  for (int i = 0; i < 60000; ++i) {
    text += fmt::format(
        "{}\n  {{ \"n\": {}, \"tags\": [\n    {{ \"x\": 1 }},\n    {{ \"x\": 2 }}\n"
        "  ] }}",
        i == 0 ? "" : ",", i < 40000 ? "1" : "1.5");
  }
  put("a.json", text + "\n]\n");
  const auto source = open({{"jsonl", Node::scalar("a.json")}});
  EXPECT_EQ(to_string(*source->schema().value()), "n double, tags struct(x bigint)[]");
}

TEST_F(JsonlConnector, TellsWhatALayoutAndARecordNeed) {
  put("a.json", "{\"n\":1}\n");
  const Options options{{"jsonl", Node::scalar("a.json")}};
  Options array = options;
  array.emplace_back("layout", Node::scalar("array"));
  EXPECT_NE(error_of(array).find("a.json is no JSON array"), std::string::npos);
  Options value = options;
  value.emplace_back("record", Node::scalar("value"));
  EXPECT_NE(error_of(value).find("names the one column"), std::string::npos);
  value.emplace_back("columns", columns_of({{"a", "json"}, {"b", "json"}}));
  EXPECT_NE(error_of(value).find("names one column"), std::string::npos);
}

TEST_F(JsonlConnector, RejectsOrSkipsUnknownKeysAsTold) {
  put("a.jsonl", "{\"n\":1,\"m\":2}\n{\"n\":3}\n");
  const Options options{{"jsonl", Node::scalar("a.jsonl")},
                        {"columns", columns_of({{"n", "integer"}})}};
  const auto strict = open(options);
  EXPECT_EQ(read(*strict, cut(*strict, {})),
            (std::vector<std::string>{"a.jsonl:1@0 reject {\"n\":1,\"m\":2}", "a.jsonl:2@14 3|"}));
  Options told = options;
  told.emplace_back("unknown_keys", Node::scalar("ignore"));
  const auto lenient = open(told);
  EXPECT_EQ(read(*lenient, cut(*lenient, {})),
            (std::vector<std::string>{"a.jsonl:1@0 1|", "a.jsonl:2@14 3|"}));
}

TEST_F(JsonlConnector, RefusesWhatItCannotRead) {
  put("a.jsonl.gz", "x");
  put("wide.jsonl", std::string("\xFF\xFE{\0}\0", 6));
  put("empty.jsonl", "\n");
  const auto error = [&](const char* path) { return error_of({{"jsonl", Node::scalar(path)}}); };
  EXPECT_NE(error("a.jsonl.gz").find("compression: none"), std::string::npos);
  EXPECT_NE(error("wide.jsonl").find("UTF-16"), std::string::npos);
  EXPECT_NE(error("none.jsonl").find("No such file"), std::string::npos);
  EXPECT_NE(error("empty.jsonl").find("can't be guessed"), std::string::npos);
  EXPECT_NE(error_of({{"jsonl",
                       Node::list({Node::scalar("empty.jsonl"), Node::scalar("./empty.jsonl")})}})
                .find("is named twice in `jsonl:`"),
            std::string::npos);
  EXPECT_NE(error_of({{"jsonl", Node::scalar("empty.jsonl")}, {"max_record", Node::scalar("2GiB")}})
                .find("max_record"),
            std::string::npos);
}

TEST_F(JsonlConnector, NoticesAFileThatChangesUnderIt) {
  put("a.jsonl", "{\"n\":1}\n{\"n\":2}\n");
  const auto source = open({{"jsonl", Node::scalar("a.jsonl")}});
  const auto slices = cut(*source, {});
  std::vector<Reject> rejects;
  put("a.jsonl", "{\"n\":1}\n{\"n\":3}\n");
  const auto changed = source->open(slices[0], worker_).value()->next(rejects);
  ASSERT_FALSE(changed);
  EXPECT_NE(changed.error().message.find("a.jsonl was changed"), std::string::npos);
}

// The protocol itself is tried with CSV; what is JSON's own is a file without a header.
TEST_F(JsonlConnector, WritesAFileThatGetsItsNameAtTheSeal) {
  auto schema = std::make_shared<Schema>();
  schema->fields.push_back({"n", Type{TypeId::integer}, false});
  Node node = map_of({{"jsonl", Node::scalar("out/a.jsonl")}});
  const SinkRun run{"0123456789abcdef", "step", ""};
  std::vector<Receipt> ledger;
  for (int group = 0; group < 3; ++group) {  // each in a process of its own
    auto sink = connector_.make_sink(node, folder_).value();
    ASSERT_TRUE(sink->examine(schema));
    ASSERT_TRUE(sink->recover(run, schema, ledger));
    auto encoder = sink->encoder(worker_).value();
    Page page(schema);
    page.column(0).values<std::int32_t>()[0] = group;
    page.set_rows(1);
    ASSERT_TRUE(encoder->add(page));
    const auto segments = encoder->finish().value();
    auto committer = sink->committer().value();
    ASSERT_TRUE(committer->apply(static_cast<std::uint64_t>(group), segments, ""));
    if (group < 2) ledger.push_back(committer->commit().value());  // the last one is lost
  }
  auto sink = connector_.make_sink(node, folder_).value();
  ASSERT_TRUE(sink->recover(run, schema, ledger));
  EXPECT_FALSE(file_exists(at("out/a.jsonl")));
  const std::string intent = sink->plan_seal(ledger).value();
  ASSERT_TRUE(sink->seal(intent));
  EXPECT_EQ(read_file(at("out/a.jsonl")).value(), "{\"n\":0}\n{\"n\":1}\n");
  EXPECT_TRUE(sink->verify(run, intent, ledger).value().empty());
  put("out/a.jsonl", "{\"n\":0}\n{\"n\":2}\n");
  EXPECT_EQ(sink->verify(run, intent, ledger).value().size(), 1U);
  EXPECT_FALSE(connector_.make_sink(
      map_of({{"jsonl", Node::scalar("a.jsonl")}, {"mode", Node::scalar("append")}}), folder_));
}

TEST_F(JsonlConnector, SaysThatColumnsWereGuessed) {
  std::string text;
  for (int i = 0; i < 20000; ++i) text += "{\"n\":1}\n";
  put("a.jsonl", text + "{\"n\":\"x\"}\n{\"m\":1}\n" + text + text);
  const auto source = open({{"jsonl", Node::scalar("a.jsonl")}});
  ASSERT_EQ(to_string(*source->schema().value()), "n bigint");
  ASSERT_EQ(source->notes().size(), 1U);
  EXPECT_NE(source->notes()[0].find("guessed from a sample"), std::string::npos);
  std::vector<Reject> rejects;
  for (const Slice& slice : cut(*source, {})) {
    auto reader = source->open(slice, worker_).value();
    while (reader->next(rejects).value() != nullptr) continue;
  }
  ASSERT_EQ(rejects.size(), 2U);
  EXPECT_TRUE(
      rejects[0].error.ends_with("The type was guessed from a sample; if it is wrong, "
                                 "declare the column in `columns:`, for example as "
                                 "varchar."))
      << rejects[0].error;
  EXPECT_TRUE(
      rejects[1].error.ends_with("The columns were guessed from a sample; `columns:` "
                                 "declares them."))
      << rejects[1].error;
}

}  // namespace
}  // namespace tranche
