#include "connectors/csv_source.h"

#include <mutex>

#include <fmt/format.h>

#include "connectors/bad_file.h"
#include "connectors/csv_shape.h"
#include "connectors/text_source.h"
#include "connectors/time_options.h"

namespace tranche {
namespace {

namespace fs = std::filesystem;

// What all inputs together are, once their heads were read.
struct Shapes {
  SchemaPtr schema;
  std::vector<CsvShape> files;
  FileFaults faults;
};

class CsvSource final : public TextSource {
 public:
  CsvSource(std::vector<std::string> patterns, fs::path base, CsvDialect dialect,
            const AskedCoding& coding, const FileRules& rules, Schema declared)
      : TextSource("csv", std::move(patterns), std::move(base), coding, rules),
        dialect_(std::move(dialect)),
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
    const CsvHead& head = shapes->files[input].head;
    return TextBegin{head.data_begin, head.data_line};
  }

  bool return_ends_lines(std::size_t input) const override {
    return shapes_->files[input].head.dialect.return_ends_lines;
  }

  std::unique_ptr<RecordCursor> cursor(const TextFile& file, std::size_t input,
                                       const RecordCursor::Use& use) const override {
    const CsvShape& shape = shapes_->files[input];
    return std::make_unique<CsvCursor>(file, files().inputs[input].name, shape.head.dialect,
                                       shape.columns->empty_line_is_record,
                                       CsvCursor::Find::records, use);
  }

  Result<std::unique_ptr<Reader>> column_reader(TextFile file, const Slice& range,
                                                std::size_t column) const override {
    const CsvShape& shape = shapes_->files[range.input];
    const CsvColumns& all = *shape.columns;
    auto one = std::make_shared<CsvColumns>(all);
    Field field = all.schema->fields[column];
    field.required = false;
    one->schema = std::make_shared<const Schema>(Schema{{std::move(field)}});
    one->field_of_column = {all.field_of_column[column]};
    return std::unique_ptr<Reader>(std::make_unique<CsvReader>(
        std::move(file), std::make_shared<const std::string>(files().inputs[range.input].name),
        shape.head.dialect, std::move(one), range));
  }

 protected:
  Result<std::string> fault_of_head(std::size_t input) const override {
    TRANCHE_ASSIGN(const Shapes* shapes, this->shapes());
    return shapes->faults[input];
  }
  Result<std::unique_ptr<Reader>> reader(TextFile file, std::shared_ptr<const std::string> name,
                                         const Slice& slice) const override {
    TRANCHE_ASSIGN(const Shapes* shapes, this->shapes());
    const CsvShape& shape = shapes->files[slice.input];
    TRANCHE_TRY(check_cut(file, slice, shape.head));
    return std::unique_ptr<Reader>(std::make_unique<CsvReader>(
        std::move(file), std::move(name), shape.head.dialect, shape.columns, slice));
  }

 private:
  // A plan that an earlier version made may be cut at a carriage return that ends no line now.
  // Where text must be unpacked to look, its records are only counted.
  Result<void> check_cut(const TextFile& file, const Slice& slice, const CsvHead& head) const {
    const bool is_near =
        files().codings[slice.input].is_plain() && !files().are_remote[slice.input];
    if (!is_near || head.dialect.return_ends_lines || slice.begin <= head.data_begin) return {};
    char before = '\n';
    TRANCHE_TRY(file.read_at(&before, 1, slice.begin - 1));
    if (before != '\r') return {};
    return make_error(
        ErrorKind::failed,
        fmt::format("The run was planned by an earlier version of Tranche, for which the carriage "
                    "return at byte {} of {} ended a record. Begin it again with --fresh.",
                    slice.begin - 1, files().inputs[slice.input].name));
  }

  // Reads the heads of all files, once; later calls give what was found.
  Result<const Shapes*> shapes() const {
    const std::lock_guard lock(mutex_);
    if (shapes_) return shapes_.get();
    auto made = std::make_unique<Shapes>();
    made->faults.resize(files().inputs.size());
    FileFaults* const faults = rules().bad_rejected ? &made->faults : nullptr;
    TRANCHE_ASSIGN(auto heads, read_csv_heads(files(), dialect_, faults));
    if (declared_.fields.empty()) {
      TRANCHE_ASSIGN(made->schema, guess_csv_schema(files(), heads, dialect_, faults));
    } else {
      made->schema = std::make_shared<const Schema>(declared_);
    }
    TRANCHE_TRY(check_read_times(*made->schema, dialect_.timestamp_formats));
    for (std::size_t i = 0; i < heads.size(); ++i) {
      CsvShape& shape = made->files.emplace_back();
      if (!made->faults[i].empty()) continue;
      auto columns = match_csv_columns(made->schema, heads[i], files().inputs[i].name, dialect_,
                                       declared_.fields.empty());
      if (!columns && faults == nullptr) return std::move(columns).error();
      if (!columns) {
        made->faults[i] = columns.error().message;
        continue;
      }
      shape.columns = *std::move(columns);
      if (rules().empty_refused) TRANCHE_TRY(refuse_empty(i, heads[i], *shape.columns));
      shape.head = std::move(heads[i]);
    }
    shapes_ = std::move(made);
    return shapes_.get();
  }

  // Errors: config, when the file has no record.
  Result<void> refuse_empty(std::size_t input, const CsvHead& head,
                            const CsvColumns& columns) const {
    const std::string& name = files().inputs[input].name;
    TRANCHE_ASSIGN(const TextFile file, files().open(input));
    RecordCursor::Use use;
    use.begin = head.data_begin;
    use.end = files().end_of(input);
    use.block_records = 1;
    CsvCursor cursor(file, name, head.dialect, columns.empty_line_is_record,
                     CsvCursor::Find::records, use);
    TRANCHE_ASSIGN(const auto block, cursor.next());
    if (!block.empty()) return {};
    return empty_file_error(name);
  }

  const CsvDialect dialect_;
  const Schema declared_;
  mutable std::mutex mutex_;  // guards the making of shapes_, which never changes afterwards
  mutable std::unique_ptr<const Shapes> shapes_;
};

}  // namespace

Result<std::unique_ptr<Source>> make_csv_source(std::vector<std::string> patterns,
                                                const fs::path& base, const CsvDialect& dialect,
                                                const AskedCoding& coding,
                                                const FileRules& rules, Schema declared) {
  TRANCHE_TRY(check_dialect(dialect));
  return std::unique_ptr<Source>(std::make_unique<CsvSource>(std::move(patterns), base, dialect,
                                                             coding, rules, std::move(declared)));
}

}  // namespace tranche
