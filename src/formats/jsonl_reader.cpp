#include "formats/jsonl_reader.h"

#include <algorithm>
#include <unordered_map>

#include <fmt/format.h>

#include "base/text.h"
#include "formats/jsonl_convert.h"
#include "formats/jsonl_cursor.h"
#include "formats/jsonl_line.h"
#include "formats/record_reader.h"

namespace tranche {
namespace {

constexpr std::size_t block_records = 1024;

// A name that a key can be compared with as it stands.
bool is_plain(std::string_view name) {
  return name.size() < search_padding_bytes &&
         std::none_of(name.begin(), name.end(), [](char c) {
           return c == '"' || c == '\\' || static_cast<unsigned char>(c) < 0x20;
         });
}

// Takes the members of one line into one row of a page.
class RowFiller {
 public:
  RowFiller(const SchemaPtr& schema, bool unknown_keys_ignored)
      : schema_(schema), ignores_(unknown_keys_ignored), line_of_column_(schema->fields.size(), 0) {
    for (std::size_t i = 0; i < schema->fields.size(); ++i) {
      const std::string& name = schema->fields[i].name;
      columns_.emplace(name, i);
      plain_.push_back(is_plain(name));
    }
  }

  void begin(Page& page, std::size_t row) {
    page_ = &page;
    row_ = row;
    ++line_;
    column_ = 0;
    taken_ = 0;
    is_unknown_ = false;
    error_.clear();
  }

  // Keys mostly come in the order of the columns.
  bool expects(const JsonlKey& key) const {
    return column_ < plain_.size() && plain_[column_] && key.is(schema_->fields[column_].name);
  }
  bool find(std::string_view name) {
    const auto found = columns_.find(name);
    if (found != columns_.end()) {
      column_ = found->second;
      return true;
    }
    is_unknown_ = true;
    return ignores_ || refuse(describe_unknown(name));
  }
  bool take(const JsonlToken& token) {
    if (is_unknown_) {
      is_unknown_ = false;
      return true;
    }
    const std::size_t index = column_++;
    const Field& field = schema_->fields[index];
    if (line_of_column_[index] == line_) {
      return refuse(fmt::format("The key \"{}\" comes twice.", excerpt(field.name)));
    }
    line_of_column_[index] = line_;
    ++taken_;
    Column& column = page_->column(index);
    if (token.kind == JsonlKind::null) {
      if (field.required) return refuse(describe_null(field, "is null"));
      column.set_null(row_);
      return true;
    }
    if (column.has_nulls()) column.ensure_validity()[row_ >> 6] |= std::uint64_t{1} << (row_ & 63);
    const JsonlStatus status = convert_json(
        field.type, token, column.bytes() + row_ * column.stride(), page_->arena);
    if (status == JsonlStatus::ok) return true;
    return refuse(fmt::format("Column \"{}\": {}.", excerpt(field.name),
                              describe_json(status, field.type, token)));
  }

  // After the last member: columns that had no key are null.
  bool finish() {
    if (taken_ == plain_.size()) return true;
    for (std::size_t i = 0; i < plain_.size(); ++i) {
      if (line_of_column_[i] == line_) continue;
      const Field& field = schema_->fields[i];
      if (field.required) return refuse(describe_null(field, "is missing"));
      page_->column(i).set_null(row_);
    }
    return true;
  }

  std::string& error() { return error_; }

 private:
  bool refuse(std::string why) {
    error_ = std::move(why);
    return false;
  }
  static std::string describe_null(const Field& field, std::string_view what) {
    return fmt::format("Column \"{}\" {}, but a value is required.", excerpt(field.name), what);
  }
  std::string describe_unknown(std::string_view name) const {
    const auto names = schema_->names();
    std::string text = fmt::format("The key \"{}\" is no column", excerpt(name));
    if (const auto near = nearest(name, names)) text += fmt::format(" (\"{}\"?)", *near);
    return text + "; to skip such keys, say `unknown_keys: ignore`.";
  }

  const SchemaPtr schema_;
  const bool ignores_;
  std::unordered_map<std::string_view, std::size_t> columns_;  // names are the schema's
  std::vector<bool> plain_;
  std::vector<std::uint64_t> line_of_column_;  // the line that last had a value for it
  std::uint64_t line_ = 0;
  Page* page_ = nullptr;
  std::size_t row_ = 0;
  std::size_t column_ = 0;   // that is expected or was found
  bool is_unknown_ = false;  // the key that was found is no column
  std::size_t taken_ = 0;
  std::string error_;
};

}  // namespace

struct JsonlReader::State final : RecordReader {
  State(TextFile opened, std::shared_ptr<const std::string> source, const JsonlDialect& how,
        SchemaPtr into, const Slice& which)
      : RecordReader(std::move(opened), std::move(source), std::move(into), which),
        dialect(how),
        records(file(), name(), dialect.max_record_bytes, use(block_records)),
        filler(schema(), dialect.unknown_keys_ignored) {}

  RecordCursor& cursor() override { return records; }
  const RecordCursor& cursor() const override { return records; }
  void add_block(Page& page, std::span<const TextRecord> block, std::uint64_t first_record,
                 std::vector<Reject>& rejects) override;
  std::string fill(Page& page, const TextRecord& record);

  JsonlDialect dialect;
  JsonlCursor records;
  JsonlLine line;
  RowFiller filler;
};

void JsonlReader::State::add_block(Page& page, std::span<const TextRecord> block,
                                   std::uint64_t first_record, std::vector<Reject>& rejects) {
  for (std::size_t i = 0; i < block.size(); ++i) {
    const TextRecord& record = block[i];
    std::string error = fill(page, record);
    if (!error.empty()) [[unlikely]] {
      rejects.push_back(reject(record, first_record + i, std::move(error)));
      continue;
    }
    page.origins.push_back(origin(page, record, first_record + i));
    page.set_rows(page.rows() + 1);
  }
}

// Writes the record behind the last row; what is wrong with it, or nothing.
std::string JsonlReader::State::fill(Page& page, const TextRecord& record) {
  if (record.fault != RecordFault::none) return describe_too_long(record, dialect.max_record_bytes);
  filler.begin(page, page.rows());
  const auto bytes = static_cast<std::size_t>(record.bytes);
  if (line.read(records.at(record.offset), bytes, filler) && filler.finish()) return {};
  if (line.error().empty()) return std::move(filler.error());
  return fmt::format("The line is no JSON object: {} (byte {}).", line.error(),
                     record.offset + line.error_at());
}

JsonlReader::JsonlReader(TextFile file, std::shared_ptr<const std::string> name,
                         const JsonlDialect& dialect, SchemaPtr schema, const Slice& slice)
    : state_(std::make_unique<State>(std::move(file), std::move(name), dialect, std::move(schema),
                                     slice)) {}

JsonlReader::~JsonlReader() = default;

Result<std::unique_ptr<Page>> JsonlReader::next(std::vector<Reject>& rejects) {
  return state_->next(rejects);
}

std::uint64_t JsonlReader::bytes_read() const { return state_->bytes_read(); }

}  // namespace tranche
