// CSV, JSON Lines and Parquet for the contract suites.
#include <gtest/gtest.h>

#include <fstream>

#include <fmt/format.h>

#include <tranche/core/value.h>

#include "base/text.h"
#include "contracts/system.h"
#include "drivers/duckdb_database.h"

namespace tranche::contracts {
namespace {

namespace fs = std::filesystem;

// Inputs in `in`, outputs in `out`, which may go away for a while.
class FileSystem : public System {
 public:
  explicit FileSystem(const fs::path& folder) : in_(folder / "in"), out_(folder / "out") {
    fs::create_directories(in_);
  }

  // The folder of the target is gone, and can't be made anew.
  std::vector<Moment> troubles() const override {
    return {Moment::before_recover, Moment::before_apply, Moment::before_commit,
            Moment::before_seal};
  }
  void hurt(Moment) override {
    fs::rename(out_, away());
    std::ofstream(out_) << "no folder";
  }
  void mend() override {
    fs::remove(out_);
    fs::rename(away(), out_);
  }

 protected:
  fs::path away() const { return out_.parent_path() / "away"; }

  const fs::path in_;
  const fs::path out_;
};

class TextSystem : public FileSystem {
 public:
  TextSystem(const fs::path& folder, std::string format)
      : FileSystem(folder), format_(std::move(format)) {}

  Node input(const Schema& columns) const override {
    return node(in_ / ("data." + format_), columns);
  }
  Node output(const std::string& mode) const override {
    Node node = Node::map();
    node.set(format_, Node::scalar(target().string()));
    if (!mode.empty()) node.set("mode", Node::scalar(mode));
    return node;
  }
  std::optional<Node> output_as_input(const Schema& columns) const override {
    if (!fs::exists(target())) return std::nullopt;
    return node(target(), columns);
  }
  void make_misfit() override { fs::create_directories(target()); }

 protected:
  void write(const std::string& text) const {
    std::ofstream(in_ / ("data." + format_), std::ios::binary) << text;
  }

 private:
  fs::path target() const { return out_ / ("data." + format_); }
  Node node(const fs::path& path, const Schema& columns) const {
    Node node = Node::map();
    node.set(format_, Node::scalar(path.string()));
    node.set("columns", columns_node(columns));
    return node;
  }

  std::string format_;
};

class CsvSystem final : public TextSystem {
 public:
  explicit CsvSystem(const fs::path& folder) : TextSystem(folder, "csv") {}
  bool reads(Type type) const override { return !is_nested(type); }
  bool writes(Type type) const override { return !is_nested(type); }
  void make_input(const Table& table) override {
    std::string text = join(table.schema.names(), ",") + "\n";
    for (const auto& row : table.rows) {
      for (std::size_t at = 0; at < row.size(); ++at) {
        if (at > 0) text += ',';
        if (row[at]) text += quoted(*row[at]);
      }
      text += '\n';
    }
    write(text);
  }

 private:
  static std::string quoted(const std::string& value) {
    std::string text = "\"";
    for (const char byte : value) text += byte == '"' ? std::string("\"\"") : std::string(1, byte);
    return text + "\"";
  }
};

class JsonlSystem final : public TextSystem {
 public:
  explicit JsonlSystem(const fs::path& folder) : TextSystem(folder, "jsonl") {}
  bool knows_its_columns() const override { return false; }
  void make_input(const Table& table) override {
    std::string text;
    for (const auto& row : table.rows) {
      text += '{';
      for (std::size_t at = 0; at < row.size(); ++at) {
        const Field& field = table.schema.fields[at];
        text += fmt::format("{}\"{}\":{}", at > 0 ? "," : "", field.name,
                            row[at] ? json_of(field.type, *row[at]) : "null");
      }
      text += "}\n";
    }
    write(text);
  }

 private:
  static std::string json_of(Type type, const std::string& value) {
    const bool is_finite = value.find_first_of("0123456789") != std::string::npos;
    if (is_nested(type) || type.id == TypeId::json || type.id == TypeId::boolean) return value;
    if (is_numeric(type) && is_finite) return value;
    std::string bytes = value;
    if (type.id == TypeId::blob) bytes = hex(bytes_of(value));
    std::string text = "\"";
    for (const char byte : bytes) {
      const auto code = static_cast<unsigned char>(byte);
      const bool is_special = code < 0x20 || byte == '"' || byte == '\\';
      text += is_special ? fmt::format("\\u{:04x}", code) : std::string(1, byte);
    }
    return text + "\"";
  }
  static std::string bytes_of(const std::string& value) {
    Arena arena;
    StringRef bytes;
    EXPECT_EQ(parse_blob(value, arena, bytes), ParseStatus::ok);
    return std::string(bytes.view());
  }
};

class ParquetSystem final : public FileSystem {
 public:
  using FileSystem::FileSystem;
  bool reads(Type type) const override { return type.id != TypeId::hugeint; }
  bool writes(Type type) const override { return type.id != TypeId::hugeint; }
  void make_input(const Table& table) override {
    const auto database = DuckDatabase::open(64ULL << 20, "").value();
    const auto done = database->connect().value()->execute(
        fmt::format("COPY ({}) TO {} (FORMAT parquet)", select_of(table),
                    sql_literal((in_ / "data.parquet").string())));
    ASSERT_TRUE(done) << done.error().message;
  }
  Node input(const Schema& columns) const override {
    return node((in_ / "data.parquet").string(), columns);
  }
  Node output(const std::string& mode) const override {
    Node node = Node::map();
    node.set("parquet", Node::scalar((out_ / "parts").string()));
    node.set("mode", Node::scalar(mode));
    return node;
  }
  std::optional<Node> output_as_input(const Schema& columns) const override {
    if (!fs::exists(out_ / "parts")) return std::nullopt;
    for (const auto& entry : fs::directory_iterator(out_ / "parts")) {
      const std::string name = entry.path().filename().string();
      if (name.ends_with(".parquet") && !name.starts_with("."))
        return node((out_ / "parts" / "*.parquet").string(), columns);
    }
    return std::nullopt;
  }
  void make_misfit() override {
    fs::create_directories(out_);
    std::ofstream(out_ / "parts") << "no folder";
  }

 private:
  static Node node(const std::string& path, const Schema& columns) {
    Node node = Node::map();
    node.set("parquet", Node::scalar(path));
    node.set("columns", names_node(columns));
    return node;
  }
};

}  // namespace

std::unique_ptr<System> make_csv_system(const fs::path& folder) {
  return std::make_unique<CsvSystem>(folder);
}
std::unique_ptr<System> make_jsonl_system(const fs::path& folder) {
  return std::make_unique<JsonlSystem>(folder);
}
std::unique_ptr<System> make_parquet_system(const fs::path& folder) {
  return std::make_unique<ParquetSystem>(folder);
}

}  // namespace tranche::contracts
