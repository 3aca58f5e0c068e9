#include "connectors/jsonl_source.h"

#include <mutex>

#include <fmt/format.h>

#include "formats/jsonl_cursor.h"
#include "formats/jsonl_guess.h"

namespace tranche {
namespace {

namespace fs = std::filesystem;

// What all inputs together are, once they were looked at.
struct Shapes {
  SchemaPtr schema;
  std::vector<TextBegin> begins;  // one an input
};

// Adds up to `records_max` lines from `begin` on to the guess.
Result<void> look(const TextFile& file, const std::string& name, std::uint64_t end,
                  const JsonlDialect& dialect, std::uint64_t begin, std::size_t records_max,
                  JsonlGuess& guess) {
  RecordCursor::Use use;
  use.begin = begin;
  use.end = end;
  JsonlCursor cursor(file, name, dialect.max_record_bytes, use);
  for (std::size_t seen = 0; seen < records_max;) {
    TRANCHE_ASSIGN(const auto block, cursor.next());
    if (block.empty()) break;
    for (const auto& record : block) {
      if (record.fault == RecordFault::none) {
        guess.add(cursor.at(record.offset), static_cast<std::size_t>(record.bytes));
      }
      if (++seen == records_max) break;
    }
  }
  return {};
}

Result<SchemaPtr> guess_schema(const TextInputs& files, const std::vector<TextBegin>& begins,
                               const JsonlDialect& dialect) {
  JsonlGuess guess;
  std::size_t sampled = 0;
  for (std::size_t i = 0; i < files.inputs.size() && sampled < sampled_files_max; ++i) {
    {
      TRANCHE_ASSIGN(const TextFile file, files.open(i));
      TRANCHE_ASSIGN(const bool is_empty, ends_at(file, begins[i].offset));
      if (is_empty) continue;
    }
    ++sampled;
    TRANCHE_TRY(sample_text(files, i, begins[i].offset, false,
                            [&](const TextFile& file, std::uint64_t begin,
                                std::size_t records_max) {
                              return look(file, files.inputs[i].name, files.end_of(i), dialect,
                                          begin, records_max, guess);
                            }));
  }
  auto schema = std::make_shared<const Schema>(guess.schema());
  if (!schema->fields.empty()) return SchemaPtr(std::move(schema));
  return make_error(ErrorKind::config,
                    fmt::format("{} has no JSON object among the lines that were looked at, so its "
                                "columns can't be guessed; declare them in `columns:`.",
                                files.inputs.empty() ? std::string("The input")
                                                     : files.inputs[0].name));
}

class JsonlSource final : public TextSource {
 public:
  JsonlSource(std::vector<std::string> patterns, fs::path base, const JsonlDialect& dialect,
              const AskedCoding& coding, Schema declared)
      : TextSource("jsonl", std::move(patterns), std::move(base), coding, false),
        dialect_(dialect),
        declared_(std::move(declared)) {}

  Result<void> use_inputs(std::vector<Input> inputs) override {
    shapes_.reset();
    return TextSource::use_inputs(std::move(inputs));
  }

  Result<SchemaPtr> schema() override {
    TRANCHE_ASSIGN(const Shapes* shapes, this->shapes());
    return shapes->schema;
  }

  Result<TextBegin> begin_of(std::size_t input) const override {
    TRANCHE_ASSIGN(const Shapes* shapes, this->shapes());
    return shapes->begins[input];
  }

  std::unique_ptr<RecordCursor> cursor(const TextFile& file, std::size_t input,
                                       const RecordCursor::Use& use) const override {
    return std::make_unique<JsonlCursor>(file, files().inputs[input].name,
                                         dialect_.max_record_bytes, use);
  }

 protected:
  Result<std::unique_ptr<Reader>> reader(TextFile file, std::shared_ptr<const std::string> name,
                                         const Slice& slice) const override {
    TRANCHE_ASSIGN(const Shapes* shapes, this->shapes());
    return std::unique_ptr<Reader>(std::make_unique<JsonlReader>(
        std::move(file), std::move(name), dialect_, shapes->schema, slice));
  }

 private:
  // Looks at the beginnings of all files, once; later calls give what was found.
  Result<const Shapes*> shapes() const {
    const std::lock_guard lock(mutex_);
    if (shapes_) return shapes_.get();
    auto made = std::make_unique<Shapes>();
    for (std::size_t i = 0; i < files().inputs.size(); ++i) {
      TRANCHE_ASSIGN(const TextFile file, files().open(i));
      TRANCHE_ASSIGN(const std::uint64_t offset, find_text_begin(file, files().inputs[i].name));
      made->begins.push_back({.offset = offset});
    }
    if (declared_.fields.empty()) {
      TRANCHE_ASSIGN(made->schema, guess_schema(files(), made->begins, dialect_));
    } else {
      made->schema = std::make_shared<const Schema>(declared_);
    }
    shapes_ = std::move(made);
    return shapes_.get();
  }

  const JsonlDialect dialect_;
  const Schema declared_;
  mutable std::mutex mutex_;  // guards the making of shapes_, which never changes afterwards
  mutable std::unique_ptr<const Shapes> shapes_;
};

}  // namespace

Result<std::unique_ptr<Source>> make_jsonl_source(std::vector<std::string> patterns,
                                                  const fs::path& base,
                                                  const JsonlDialect& dialect,
                                                  const AskedCoding& coding, Schema declared) {
  return std::unique_ptr<Source>(std::make_unique<JsonlSource>(
      std::move(patterns), base, dialect, coding, std::move(declared)));
}

}  // namespace tranche
