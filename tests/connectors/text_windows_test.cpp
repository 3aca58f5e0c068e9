// Text files that are cut into windows of time: the same windows from every format and coding,
// wherever a plan goes on, and late records where the job wants them.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <tranche/core/value.h>

#include "base/temporary_folder.h"
#include "connectors/csv.h"
#include "connectors/jsonl.h"
#include "formats/text_compressor.h"

namespace tranche {
namespace {

using Options = std::vector<std::pair<std::string, Node>>;

struct Sale {
  int id;
  std::string sold_at;  // as in the file; empty: null
};

class TextWindowsTest : public TemporaryFolder {
 protected:
  std::unique_ptr<Source> open(const Connector& connector, const std::string& pattern,
                               const std::string& type = "timestamp", bool rejects_late = false,
                               const std::string& every = "1 day", const std::string& zone = "") {
    Node node = Node::map();
    node.set(connector.name, Node::scalar(pattern));
    Node columns = Node::map();
    columns.set("id", Node::scalar("int"));
    columns.set("sold_at", Node::scalar(type));
    columns.set("text", Node::scalar("varchar"));
    node.set("columns", columns);
    Problems problems;
    check_options(node, connector.read_options, connector.name, problems);
    for (const auto& problem : problems) ADD_FAILURE() << problem.message;
    auto source = connector.make_source(node, folder_).value();
    EXPECT_TRUE(source->use_inputs(source->inputs().value()));
    EXPECT_TRUE(source->schema());
    Division division;
    division.window = WindowDivision{"sold_at", every, zone, rejects_late};
    const auto used = source->use_division(division);
    EXPECT_TRUE(used) << (used ? "" : used.error().message);
    return source;
  }

  static std::vector<Slice> cut(Source& source, const CutLimits& limits,
                                const Slice* after = nullptr) {
    auto stream = source.divide(after).value();
    std::vector<Slice> slices;
    while (true) {
      const auto slice = stream->next(limits);
      EXPECT_TRUE(slice) << slice.error().message;
      if (!slice || !*slice) return slices;
      slices.push_back(**slice);
    }
  }

  // How many records each window has.
  static std::vector<std::uint64_t> windows(const std::vector<Slice>& slices) {
    std::vector<std::uint64_t> all{0};
    for (const Slice& slice : slices) {
      all.back() += slice.records;
      if (slice.ends_batch) all.push_back(0);
    }
    return all;
  }

  // "id" of rows and "!id" of rejects, in record order.
  std::string read(const Source& source, const Slice& slice, std::string* error = nullptr) {
    WorkerScope worker(0, 0, "");
    auto reader = source.open(slice, worker).value();
    std::vector<std::pair<std::uint64_t, std::string>> found;
    std::vector<Reject> rejects;
    while (true) {
      const auto page = reader->next(rejects);
      EXPECT_TRUE(page) << page.error().message;
      if (!page || *page == nullptr) break;
      for (std::size_t row = 0; row < (*page)->rows(); ++row) {
        std::string id;
        append_value_text(id, (*page)->column(0), row);
        found.emplace_back((*page)->base.record + (*page)->origins[row].record, id);
      }
    }
    for (const auto& reject : rejects) {
      found.emplace_back(reject.record, "!" + reject.raw.substr(0, reject.raw.find(',')));
      if (error != nullptr) *error = reject.error;
    }
    std::sort(found.begin(), found.end());
    EXPECT_EQ(found.size(), slice.records);
    std::string text;
    for (const auto& one : found) text += (text.empty() ? "" : " ") + one.second;
    return text;
  }

  static std::string csv(const std::vector<Sale>& sales) {
    std::string text = "id,sold_at,text\n";
    for (const Sale& sale : sales) {
      text += fmt::format("{},{},\"a\n{}\"\n", sale.id, sale.sold_at, std::string(20, 'x'));
    }
    return text;
  }
  static std::string json_object(const Sale& sale) {
    const std::string time =
        sale.sold_at.empty() ? std::string("null") : fmt::format("\"{}\"", sale.sold_at);
    return fmt::format(R"({{"id":{},"text":"{}","sold_at":{}}})", sale.id, std::string(25, 'x'),
                       time);
  }
  static std::string jsonl(const std::vector<Sale>& sales) {
    std::string text;
    for (const Sale& sale : sales) text += json_object(sale) + "\n";
    return text;
  }
  static std::string json_array(const std::vector<Sale>& sales) {
    std::string text = "[";
    for (const Sale& sale : sales) text += (text.size() > 1 ? ",\n  " : "") + json_object(sale);
    return text + "]\n";
  }
  static std::string pack(std::string_view text) {
    const auto compressor =
        make_text_compressor({.compression = Compression::gzip, .level = 1}).value();
    EXPECT_TRUE(compressor->add(text));
    return compressor->finish().value();
  }

  // Days with 0, 7, 14, ... sales each, many enough to be read ahead in several ranges.
  static std::vector<Sale> month(int day_sales) {
    std::vector<Sale> sales;
    for (int day = 1; day <= 30; ++day) {
      for (int i = 0; i < day * day_sales; ++i) {
        std::string time = fmt::format("2026-01-{:02} 10:{:02}:00", day, i % 60);
        if (i > 0 && i % 11 == 0) time.clear();
        if (i > 0 && i % 13 == 0) time = fmt::format("2025-12-{:02} 01:00:00", day);
        sales.push_back({static_cast<int>(sales.size()), time});
      }
    }
    return sales;
  }

  const Connector csv_ = csv_connector();
  const Connector jsonl_ = jsonl_connector();
};

TEST_F(TextWindowsTest, CutsTheSameWindowsFromEveryFormat) {
  const auto sales = month(40);
  put("a.csv", csv(sales));
  put("a.csv.gz", pack(csv(sales)));
  put("a.jsonl", jsonl(sales));
  put("a.json", json_array(sales));
  put("a.jsonl.gz", pack(jsonl(sales)));
  std::vector<std::uint64_t> expected;
  for (std::uint64_t day = 1; day <= 30; ++day) expected.push_back(day * 40);
  for (const char* name : {"a.csv", "a.csv.gz", "a.jsonl", "a.json", "a.jsonl.gz"}) {
    const bool is_csv = std::string(name).starts_with("a.csv");
    const auto source = open(is_csv ? csv_ : jsonl_, name);
    for (const CutLimits& limits : {CutLimits{}, CutLimits{UINT64_MAX, 10'000}, CutLimits{7}}) {
      EXPECT_EQ(windows(cut(*source, limits)), expected) << name;
    }
  }
}

TEST_F(TextWindowsTest, GoesOnBehindEverySliceAsThePlanDid) {
  const auto sales = month(5);
  put("a1.csv", csv({sales.begin(), sales.begin() + 700}));
  put("a2.csv", "id,sold_at,text\n");
  put("a3.csv", csv({sales.begin() + 700, sales.end()}));
  const auto source = open(csv_, "a*.csv");
  const CutLimits limits{50};
  const auto slices = cut(*source, limits);
  ASSERT_GT(slices.size(), 50U);
  for (std::size_t i = 0; i < slices.size(); ++i) {
    const auto behind = cut(*source, limits, &slices[i]);
    EXPECT_EQ(behind, std::vector<Slice>(slices.begin() + static_cast<std::ptrdiff_t>(i) + 1,
                                         slices.end())) << i;
  }
}

TEST_F(TextWindowsTest, FilesInOrderAreOneTimeLine) {
  put("a1.csv", csv({{1, ""}, {2, "2026-01-01 10:00:00"}}));
  put("a2.csv", csv({{3, "2026-01-01 23:59:59"}, {4, "2026-01-02 00:00:00"}}));
  put("a3.csv", csv({}));
  put("a4.csv", csv({{5, "2026-01-03 00:00:00"}}));
  put("a5.csv", csv({{6, ""}, {7, "2026-01-05 00:00:00"}}));
  const auto source = open(csv_, "a*.csv");
  EXPECT_EQ(windows(cut(*source, {})), (std::vector<std::uint64_t>{3, 1, 2, 1}));
}

TEST_F(TextWindowsTest, LateRecordsAreKeptOrRejected) {
  put("a.csv", csv({{1, "2026-01-02 10:00:00"},
                    {2, "2026-01-01 10:00:00"},
                    {3, "2026-01-03 10:00:00"},
                    {4, "2026-01-02 23:59:59"},
                    {5, ""},
                    {6, "nonsense"},
                    {7, "2026-01-03 00:00:00"}}));
  for (const bool rejects_late : {false, true}) {
    const auto source = open(csv_, "a.csv", "timestamp", rejects_late);
    const auto slices = cut(*source, {});
    ASSERT_EQ(slices.size(), 2U);
    EXPECT_TRUE(slices[0].ends_batch);
    EXPECT_FALSE(slices[1].ends_batch);
    std::string error;
    EXPECT_EQ(read(*source, slices[0], &error), rejects_late ? "1 !2" : "1 2");
    if (rejects_late) {
      EXPECT_EQ(error, "The record is late: \"sold_at\" is 2026-01-01T10:00:00, before the window "
                       "2026-01-02 that has begun.");
    }
    EXPECT_EQ(read(*source, slices[1]), rejects_late ? "3 !4 5 !6 7" : "3 4 5 !6 7");
  }
}

TEST_F(TextWindowsTest, CutsByTheCalendarOfAZone) {
  const std::vector<Sale> sales{{1, "2026-10-24T21:59:59Z"}, {2, "2026-10-24T22:00:00Z"},
                                {3, "2026-10-25T22:59:59Z"}, {4, "2026-10-26T00:00:00+01:00"}};
  put("a.csv", csv(sales));
  put("b.jsonl", jsonl(sales));
  const std::vector<std::uint64_t> expected{1, 2, 1};
  EXPECT_EQ(windows(cut(*open(csv_, "a.csv", "timestamptz", false, "1 day", "Europe/Berlin"), {})),
            expected);
  EXPECT_EQ(windows(cut(*open(jsonl_, "b.jsonl", "timestamptz", false, "1 day", "Europe/Berlin"),
                        {})), expected);
  EXPECT_EQ(windows(cut(*open(csv_, "a.csv", "timestamptz"), {})),
            (std::vector<std::uint64_t>{2, 2})) << "UTC";
}

TEST_F(TextWindowsTest, CutsDatesIntoMonths) {
  put("a.csv", csv({{1, "2026-01-31"}, {2, "2026-02-01"}, {3, "2026-02-28"}, {4, "2026-05-01"}}));
  EXPECT_EQ(windows(cut(*open(csv_, "a.csv", "date", false, "1 month"), {})),
            (std::vector<std::uint64_t>{1, 2, 1}));
}

TEST_F(TextWindowsTest, RefusesWhatIsNoTime) {
  put("a.csv", csv({{1, "2026-01-31"}}));
  const auto source = open(csv_, "a.csv", "date");
  const auto refusal = [&](const char* column, const char* every) {
    Division division;
    division.window = WindowDivision{column, every, "", false};
    const auto used = source->use_division(division);
    EXPECT_FALSE(used);
    EXPECT_EQ(used.error().kind, ErrorKind::config);
    return used.error().message;
  };
  EXPECT_EQ(refusal("soldat", "1 day"),
            "`batch: { on: soldat }` names no column of the input; did you mean \"sold_at\"?");
  EXPECT_EQ(refusal("text", "1 day"),
            "`batch: { on: text }` can't divide by that column: Windows of time need a date, a "
            "timestamp or a timestamptz, not a varchar. Declare its type in `columns:` where the "
            "guess is wrong.");
  EXPECT_EQ(refusal("sold_at", "1 hour"),
            "`batch: { on: sold_at }` can't divide by that column: A date has no hours: its "
            "windows are days at least, not 1 hour.");
}

}  // namespace
}  // namespace tranche
