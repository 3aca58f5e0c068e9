// DuckDB's reader of JSON as the oracle for values: what it and ours make of generated records is
// the same, for every type and for nested ones, as lines and as one array.
#include <cmath>
#include <random>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "base/json.h"
#include "base/temporary_folder.h"
#include "connectors/jsonl.h"
#include "drivers/duckdb_database.h"

namespace tranche {
namespace {

const std::vector<std::pair<std::string, std::string>> scalar_types{
    {"a", "boolean"}, {"b", "tinyint"}, {"c", "smallint"}, {"d", "integer"}, {"e", "bigint"},
    {"f", "hugeint"}, {"g", "utinyint"}, {"h", "usmallint"}, {"i", "uinteger"}, {"j", "ubigint"},
    {"k", "real"}, {"l", "double"}, {"m", "decimal(4,1)"}, {"n", "decimal(9,2)"},
    {"o", "decimal(18,3)"}, {"p", "decimal(38,10)"}, {"q", "date"}, {"r", "time"},
    {"s", "timestamp"}, {"t", "timestamptz"}, {"u", "varchar"}, {"v", "uuid"}};
const std::vector<std::pair<std::string, std::string>> nested_types{
    {"w", "varchar[]"},
    {"x", "struct(street varchar, zip integer, at timestamp)"},
    {"y", "struct(sku varchar, prices decimal(12,2)[], more struct(ok boolean))[]"},
    {"z", "double[][]"}};

class Generator {
 public:
  explicit Generator(unsigned seed) : random_(seed) {}

  std::string record() {
    auto types = scalar_types;
    types.insert(types.end(), nested_types.begin(), nested_types.end());
    std::shuffle(types.begin(), types.end(), random_);
    std::string text = "{";
    for (const auto& [name, type] : types) {
      if (random_() % 12 == 0) continue;
      if (text.size() > 1) text += blank() + ",";
      text += fmt::format("{}\"{}\"{}:{}{}", blank(), name, blank(), blank(),
                          value(parse_type(type).value()));
    }
    return text + "}";
  }

 private:
  std::string blank() { return random_() % 9 == 0 ? " " : ""; }
  std::string digits(std::size_t count) {
    std::string text;
    for (std::size_t i = 0; i < count; ++i) text += static_cast<char>('0' + random_() % 10);
    return text;
  }
  // Of up to `count` digits, without zeros in front.
  std::string whole(std::size_t count) {
    std::string text = digits(1 + random_() % count);
    const std::size_t first = text.find_first_not_of('0');
    return first == std::string::npos ? "0" : text.substr(first);
  }
  std::string sign() { return random_() % 3 == 0 ? "-" : ""; }
  std::string day() {
    return fmt::format("{:04}-{:02}-{:02}", 1 + random_() % 9999, 1 + random_() % 12,
                       1 + random_() % 28);
  }
  std::string time() {
    const std::string fraction[] = {"", "." + digits(3), "." + digits(6)};
    return fmt::format("{:02}:{:02}:{:02}{}", random_() % 24, random_() % 60, random_() % 60,
                       fraction[random_() % 3]);
  }
  std::string text() {
    static const std::string_view parts[] = {"a", "Zo\xC3\xAB", "\\n", "\\\"", "\\u00e9", " , ",
                                             "\\ud834\\udd1e", "\\\\", "{[", "longer",
                                             "\\/"};
    std::string all;
    for (auto count = random_() % 6; count > 0; --count) all += parts[random_() % std::size(parts)];
    return "\"" + all + "\"";
  }

  std::string value(Type type) {
    if (random_() % 12 == 0) return "null";
    switch (type.id) {
      case TypeId::boolean: return random_() % 2 == 0 ? "true" : "false";
      case TypeId::tinyint: return sign() + whole(2);
      case TypeId::smallint: return sign() + whole(4);
      case TypeId::integer: return sign() + whole(9);
      case TypeId::bigint: return sign() + whole(18);
      case TypeId::hugeint: return sign() + whole(19);
      case TypeId::utinyint: return whole(2);
      case TypeId::usmallint: return whole(4);
      case TypeId::uinteger: return whole(9);
      case TypeId::ubigint: return whole(19);
      case TypeId::real:
      case TypeId::double_:
        return sign() + whole(8) + (random_() % 2 == 0 ? "." + digits(1 + random_() % 9) : "") +
               (random_() % 4 == 0 ? fmt::format("e{}", int(random_() % 40) - 20) : "");
      case TypeId::decimal: {
        // DuckDB reads the digits of a JSON number through a double; of a string, exactly.
        const std::size_t width = type.width - type.scale;
        const std::string number =
            sign() + whole(width) + (random_() % 2 == 0 ? "." + digits(type.scale) : "");
        return type.width > 9 ? "\"" + number + "\"" : number;
      }
      case TypeId::date: return "\"" + day() + "\"";
      case TypeId::time: return "\"" + time() + "\"";
      case TypeId::timestamp:
        return "\"" + day() + (random_() % 2 == 0 ? " " : "T") + time() + "\"";
      case TypeId::timestamptz: return "\"" + day() + " " + time() + "+00\"";
      case TypeId::uuid:
        return fmt::format("\"{:08x}-{:04x}-4{:03x}-8{:03x}-{:012x}\"", random_(),
                           random_() % 65536, random_() % 4096, random_() % 4096, random_());
      case TypeId::list: {
        std::string all = "[";
        for (auto count = random_() % 4; count > 0; --count) {
          all += value(type.members->front().type);
          if (count > 1) all += "," + blank();
        }
        return all + "]";
      }
      case TypeId::struct_: {
        std::string all = "{";
        for (const TypeMember& member : *type.members) {
          if (random_() % 6 == 0) continue;
          if (all.size() > 1) all += ",";
          all += fmt::format("\"{}\":{}", member.name, value(member.type));
        }
        return all + "}";
      }
      default: return text();
    }
  }

  std::mt19937 random_;
};

class JsonlValues : public TemporaryFolder {
 protected:
  // A table function over what the connector reads from the file.
  std::string ours(const std::string& name, const Node& columns) {
    Node node = Node::map();
    node.set("jsonl", Node::scalar(name));
    node.set("columns", columns);
    source_ = jsonl_connector().make_source(node, folder_).value();
    EXPECT_TRUE(source_->use_inputs(source_->inputs().value()));
    auto pages = std::make_shared<std::vector<std::shared_ptr<const Page>>>();
    auto stream = source_->divide(nullptr).value();
    std::vector<Reject> rejects;
    while (auto slice = stream->next({.records_max = 700}).value()) {
      auto reader = source_->open(*slice, worker_).value();
      while (auto page = reader->next(rejects).value()) pages->push_back(std::move(page));
    }
    for (const Reject& reject : rejects) ADD_FAILURE() << reject.error << "\n" << reject.raw;
    PageFeed feed;
    feed.schema = source_->schema().value();
    feed.open = [pages]() -> Result<PageCursor> {
      return PageCursor([pages, at = std::size_t{0}]() mutable -> Result<PageRun> {
        if (at == pages->size()) return PageRun{};
        const auto page = (*pages)[at++];
        return PageRun{page, 0, page->rows()};
      });
    };
    return fmt::format("SELECT * FROM {}()", duck_->add_feed(std::move(feed)).value());
  }

  std::string count(const std::string& select) {
    const auto rows = duck_->query_texts(fmt::format("SELECT count(*) FROM ({})", select));
    return rows ? (*rows)[0][0] : rows.error().message;
  }

  WorkerScope worker_{0, 0, ""};
  std::unique_ptr<Source> source_;
  std::shared_ptr<DuckDatabase> database_ = DuckDatabase::open(512ULL << 20, "").value();
  std::unique_ptr<DuckConnection> duck_ = database_->connect().value();
};

TEST_F(JsonlValues, AreThoseThatDuckDbReadsFromLinesAndFromAnArray) {
  const unsigned seed = std::random_device{}();
  Generator generator(seed);
  std::string lines;
  std::string array = "[";
  constexpr int records = 5000;
  for (int i = 0; i < records; ++i) {
    const std::string record = generator.record();
    lines += record + "\n";
    array += (i == 0 ? "\n" : ",\n") + record;
  }
  put("lines.json", lines);
  put("array.json", array + "\n]\n");
  Node columns = Node::map();
  std::string theirs_columns;
  auto types = scalar_types;
  types.insert(types.end(), nested_types.begin(), nested_types.end());
  for (const auto& [name, type] : types) {
    columns.set(name, Node::scalar(type));
    theirs_columns += fmt::format("{}{}: {}", theirs_columns.empty() ? "" : ", ", name,
                                  sql_literal(sql_type(parse_type(type).value())));
  }
  const auto made = duck_->execute(
      fmt::format("CREATE TABLE theirs AS SELECT * FROM read_json({}, "
                  "format = 'newline_delimited', columns = {{{}}})",
                  sql_literal(at("lines.json").string()), theirs_columns));
  ASSERT_TRUE(made) << made.error().message;
  ASSERT_EQ(count("SELECT * FROM theirs"), std::to_string(records));
  for (const char* name : {"lines.json", "array.json"}) {
    const std::string select = ours(name, columns);
    EXPECT_EQ(count(select), std::to_string(records)) << name;
    for (const auto& [column, type] : types) {
      const auto of = [&](const std::string& from) {
        return fmt::format("SELECT {} FROM ({})", column, from);
      };
      EXPECT_EQ(count(fmt::format("{} EXCEPT ALL {}", of(select), of("SELECT * FROM theirs"))), "0")
          << type << " in " << name << ", seed " << seed;
      EXPECT_EQ(count(fmt::format("{} EXCEPT ALL {}", of("SELECT * FROM theirs"), of(select))), "0")
          << type << " in " << name << ", seed " << seed;
    }
    EXPECT_EQ(count(fmt::format("{} EXCEPT ALL SELECT * FROM theirs", select)), "0") << seed;
    EXPECT_EQ(count(fmt::format("SELECT * FROM theirs EXCEPT ALL {}", select)), "0") << seed;
  }
}

}  // namespace
}  // namespace tranche
