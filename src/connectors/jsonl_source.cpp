#include "connectors/jsonl_source.h"

#include <mutex>

#include <fmt/format.h>

#include "connectors/bad_file.h"
#include "formats/jsonl_guess.h"

namespace tranche {
namespace {

namespace fs = std::filesystem;

// What all inputs together are, once they were looked at.
struct Shapes {
  SchemaPtr schema;
  std::vector<JsonPlace> places;    // one an input
  std::vector<std::string> faults;  // of files that are one reject each; empty: none
};

// The comma before an element of an array that begins a line near `offset`: one whose line begins
// with a brace behind no more blanks than any other such line. None: nullopt.
Result<std::optional<std::uint64_t>> find_element(const TextFile& file, std::uint64_t offset) {
  std::string piece(std::size_t{256} << 10, '\0');
  TRANCHE_ASSIGN(const std::size_t count, file.read_at(piece.data(), piece.size(), offset));
  const std::string_view text(piece.data(), count);
  std::optional<std::uint64_t> found;
  std::size_t fewest = SIZE_MAX;
  for (std::size_t feed = text.find('\n'); feed < count; feed = text.find('\n', feed + 1)) {
    const std::size_t first = text.find_first_not_of(" \t\r", feed + 1);
    const std::size_t comma = text.find_last_not_of(" \t\r\n", feed);
    if (first >= count || text[first] != '{' || comma >= count || text[comma] != ',') continue;
    if (first - feed >= fewest) continue;
    fewest = first - feed;
    found = offset + comma;
  }
  return found;
}

// Adds up to `records_max` records from `begin` on to the guess. Somewhere in an array, `begin` is
// the beginning of a line; it is looked for one that begins as elements do.
Result<void> look(const TextFile& file, const std::string& name, const JsonlDialect& dialect,
                  const JsonPlace& place, std::uint64_t begin, std::size_t records_max,
                  JsonlGuess& guess) {
  if (place.is_array && begin != place.begin) {
    TRANCHE_ASSIGN(const auto element, find_element(file, begin));
    if (!element) return {};
    begin = *element;
  }
  RecordCursor::Use use;
  use.begin = begin;
  use.end = place.end;
  const auto cursor = make_json_cursor(file, name, dialect, place, use);
  for (std::size_t seen = 0; seen < records_max;) {
    TRANCHE_ASSIGN(const auto block, cursor->next());
    if (block.empty()) break;
    for (const auto& record : block) {
      if (record.fault == RecordFault::none) {
        guess.add({cursor->at(record.offset), static_cast<std::size_t>(record.bytes)});
      }
      if (++seen == records_max) break;
    }
  }
  return {};
}

// `faults`: takes what is wrong with files; nullptr: that is an error.
Result<SchemaPtr> guess_schema(const TextInputs& files, const std::vector<JsonPlace>& places,
                               const JsonlDialect& dialect, std::vector<std::string>* faults) {
  if (dialect.rules.is_any_value) {
    return make_error(ErrorKind::config,
                      "With `record: value`, `columns:` names the one column that the values "
                      "become, as in columns: { value: json }.");
  }
  JsonlGuess guess;
  for (const std::size_t i : sampled_inputs(files)) {
    const JsonPlace& place = places[i];
    if (faults != nullptr && !(*faults)[i].empty()) continue;
    const auto look_there = [&](const TextFile& file, std::uint64_t begin,
                                std::size_t records_max) {
      return look(file, files.inputs[i].name, dialect, place, begin, records_max, guess);
    };
    const auto sampled = sample_text(files, i, place.begin, false, look_there);
    if (!sampled && (faults == nullptr || may_pass(sampled.error()))) return sampled.error();
    if (!sampled) (*faults)[i] = sampled.error().message;
  }
  auto schema = std::make_shared<const Schema>(guess.schema());
  if (!schema->fields.empty()) return SchemaPtr(std::move(schema));
  return make_error(ErrorKind::config,
                    fmt::format("{} has no JSON object among the records that were looked at, so "
                                "its columns can't be guessed; declare them in `columns:`.",
                                files.inputs.empty() ? std::string("The input")
                                                     : files.inputs[0].name));
}

class JsonlSource final : public TextSource {
 public:
  JsonlSource(std::vector<std::string> patterns, fs::path base, const JsonlDialect& dialect,
              const AskedCoding& coding, const FileRules& rules, Schema declared)
      : TextSource("jsonl", std::move(patterns), std::move(base), coding, rules),
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

  std::vector<std::string> notes() const override {
    return declared_.fields.empty() ? std::vector<std::string>{guessed_note}
                                    : std::vector<std::string>();
  }

  Result<TextBegin> begin_of(std::size_t input) const override {
    TRANCHE_ASSIGN(const Shapes* shapes, this->shapes());
    return TextBegin{shapes->places[input].begin, shapes->places[input].line};
  }

  bool lines_end_records(std::size_t input) const override {
    return !shapes_->places[input].is_array;
  }

  std::unique_ptr<RecordCursor> cursor(const TextFile& file, std::size_t input,
                                       const RecordCursor::Use& use) const override {
    // begin_of() gave no error, so the shapes are there.
    return make_json_cursor(file, files().inputs[input].name, dialect_, shapes_->places[input],
                            use);
  }

  Result<std::unique_ptr<Reader>> column_reader(TextFile file, const Slice& range,
                                                std::size_t column) const override {
    JsonlDialect dialect = dialect_;
    dialect.rules.unknown_keys_ignored = true;
    Field field = shapes_->schema->fields[column];
    field.required = false;
    return std::unique_ptr<Reader>(std::make_unique<JsonlReader>(
        std::move(file), std::make_shared<const std::string>(files().inputs[range.input].name),
        dialect, shapes_->places[range.input],
        std::make_shared<const Schema>(Schema{{std::move(field)}}), range));
  }

 protected:
  Result<std::string> fault_of_head(std::size_t input) const override {
    TRANCHE_ASSIGN(const Shapes* shapes, this->shapes());
    return shapes->faults[input];
  }
  Result<std::unique_ptr<Reader>> reader(TextFile file, std::shared_ptr<const std::string> name,
                                         const Slice& slice) const override {
    TRANCHE_ASSIGN(const Shapes* shapes, this->shapes());
    JsonlDialect dialect = dialect_;
    dialect.rules.guessed = declared_.fields.empty();
    return std::unique_ptr<Reader>(std::make_unique<JsonlReader>(
        std::move(file), std::move(name), dialect, shapes->places[slice.input], shapes->schema,
        slice));
  }

 private:
  // Looks at the beginnings of all files, once; later calls give what was found.
  Result<const Shapes*> shapes() const {
    const std::lock_guard lock(mutex_);
    if (shapes_) return shapes_.get();
    auto made = std::make_unique<Shapes>();
    made->faults.resize(files().inputs.size());
    auto* const faults = rules().bad_rejected ? &made->faults : nullptr;
    for (std::size_t i = 0; i < files().inputs.size(); ++i) {
      if (faults != nullptr) TRANCHE_TRY(files().check_size(i));
      auto place = find_place(i);
      if (!place && (faults == nullptr || may_pass(place.error()))) return std::move(place).error();
      if (!place) made->faults[i] = place.error().message;
      made->places.push_back(place ? *place : JsonPlace());
      if (place && rules().empty_refused) TRANCHE_TRY(refuse_empty(i, *place));
    }
    if (declared_.fields.empty()) {
      TRANCHE_ASSIGN(made->schema, guess_schema(files(), made->places, dialect_, faults));
    } else {
      made->schema = std::make_shared<const Schema>(declared_);
    }
    shapes_ = std::move(made);
    return shapes_.get();
  }

  Result<JsonPlace> find_place(std::size_t input) const {
    TRANCHE_ASSIGN(const TextFile file, files().open(input));
    return find_json_place(file, files().inputs[input].name, files().end_of(input), dialect_);
  }

  // Errors: config, when the file has no record.
  Result<void> refuse_empty(std::size_t input, const JsonPlace& place) const {
    const std::string& name = files().inputs[input].name;
    TRANCHE_ASSIGN(const TextFile file, files().open(input));
    RecordCursor::Use use;
    use.begin = place.begin;
    use.end = place.end;
    const auto records = make_json_cursor(file, name, dialect_, place, use);
    TRANCHE_ASSIGN(const auto block, records->next());
    return block.empty() ? Result<void>(empty_file_error(name)) : Result<void>();
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
                                                  const AskedCoding& coding,
                                                  const FileRules& rules, Schema declared) {
  return std::unique_ptr<Source>(std::make_unique<JsonlSource>(
      std::move(patterns), base, dialect, coding, rules, std::move(declared)));
}

}  // namespace tranche
