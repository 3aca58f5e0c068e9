// All cases of csv-spectrum, which tools/setup fetches: each file read, and compared with its JSON.
#include <cstdlib>

#include "base/json.h"
#include "connectors/csv_suite.h"

namespace tranche {
namespace {

class CsvSpectrum : public CsvSuite {
 protected:
  // The records that the JSON of a case has, as CsvSuite writes them.
  static std::vector<std::string> expected_of(const fs::path& path) {
    std::vector<std::string> records;
    const Json json = Json::parse(read_file(path).value()).value();
    for (const Json& record : json.items()) {
      std::string line;
      for (const auto& [name, value] : record.entries()) {
        if (!line.empty()) line += '|';
        line += value.text();
      }
      records.push_back(line);
    }
    return records;
  }

  static std::vector<std::string> names_of(const fs::path& path) {
    std::vector<std::string> names;
    const Json json = Json::parse(read_file(path).value()).value();
    for (const auto& [name, value] : json.items().at(0).entries()) names.push_back(name);
    return names;
  }
};

TEST_F(CsvSpectrum, EveryFileIsReadAsItsJsonSays) {
  const char* const sources = std::getenv("TRANCHE_SOURCE_DIR");
  ASSERT_NE(sources, nullptr) << "run it by ctest, or set TRANCHE_SOURCE_DIR";
  const fs::path folder = fs::path(sources) / ".deps" / "csv-spectrum";
  std::size_t cases = 0;
  for (const auto& entry : fs::directory_iterator(folder / "csvs")) {
    const std::string name = entry.path().stem().string();
    SCOPED_TRACE(name);
    ++cases;
    const std::string text = read_file(entry.path()).value();
    if (name == "location_coordinates") {
      // It has quotes inside of fields that are not quoted, so it is a file without quoting. Its
      // JSON is no list, and has another telephone number than the file.
      Node options = Node::map();
      const Answer strict = read(text, options);
      ASSERT_EQ(strict.records.size(), 1U) << strict.refusal;
      EXPECT_TRUE(strict.records[0].starts_with("reject: The quote at byte"));
      options.set("quote", Node::scalar(""));
      EXPECT_EQ(read(text, options).records,
                std::vector<std::string>{"2095257564|37\xEF\xBF\xBD" "36'37.8\"N 121\xEF\xBF\xBD"
                                         "2'17.9\"W|Modesto|Stanislaus"});
      continue;
    }
    const fs::path json = folder / "json" / (name + ".json");
    Node options = Node::map();
    options.set("columns", varchar_columns(names_of(json)));
    const Answer answer = read(text, options);
    EXPECT_EQ(answer.refusal, "");
    EXPECT_EQ(answer.records, expected_of(json));
  }
  EXPECT_EQ(cases, 12U);
}

}  // namespace
}  // namespace tranche
