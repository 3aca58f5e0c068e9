#include "connectors/parquet_source.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/digest.h"
#include "connectors/file_inputs.h"

namespace tranche {
namespace {

constexpr std::uint64_t batch_memory_bytes = 32ULL << 20;
constexpr std::uint64_t batch_rows_max = 122'880;  // DuckDB's own row group
constexpr std::size_t page_rows = 8 * vector_rows;
constexpr std::uint64_t footer_database_memory_bytes = 128ULL << 20;

std::uint64_t range_digest(std::uint64_t group_digest, std::uint64_t begin, std::uint64_t end) {
  return digest64(fmt::format("{:016x} {} {}", group_digest, begin, end));
}

// The bytes of the first `rows` rows of a group: shares that add up to the whole exactly.
std::uint64_t share(std::uint64_t bytes, std::uint64_t rows, std::uint64_t rows_all) {
  return static_cast<std::uint64_t>(static_cast<Int128>(bytes) * rows / rows_all);
}

// The fewest rows of a group behind `begin` whose share reaches `bytes_max`.
std::uint64_t rows_within(const RowGroup& group, std::uint64_t begin, std::uint64_t bytes_max) {
  const std::uint64_t before = share(group.bytes, begin, group.rows);
  std::uint64_t low = 1;
  std::uint64_t high = group.rows - begin;
  while (low < high) {
    const std::uint64_t middle = low + (high - low) / 2;
    if (share(group.bytes, begin + middle, group.rows) - before >= bytes_max)
      high = middle;
    else
      low = middle + 1;
  }
  return low;
}

class ParquetSlices : public SliceStream {
 public:
  using OpenFile = std::function<Result<File>(std::size_t input)>;
  ParquetSlices(const std::vector<ParquetFooter>& footers, OpenFile open, std::size_t input,
                std::uint64_t row, std::uint64_t first_record)
      : footers_(footers),
        open_(std::move(open)),
        input_(input),
        row_(row),
        record_(first_record) {}

  Result<std::optional<Slice>> next(const CutLimits& limits) override {
    while (input_ < footers_.size() && row_ == footers_[input_].rows) {
      ++input_;
      row_ = 0;
      file_ = File();
      digested_ = nullptr;
    }
    if (input_ == footers_.size()) return std::optional<Slice>();
    const RowGroup& group = footers_[input_].group_of(row_);
    const std::uint64_t begin = row_ - group.first_row;
    std::uint64_t rows =
        std::min(group.rows - begin, std::max<std::uint64_t>(1, limits.records_max));
    rows = std::min(rows, rows_within(group, begin, limits.bytes_max));
    TRANCHE_TRY(digest_group(group));
    Slice slice;
    slice.input = static_cast<std::uint32_t>(input_);
    slice.begin = row_;
    slice.end = row_ + rows;
    slice.records = rows;
    slice.first_record = record_;
    slice.bytes =
        share(group.bytes, begin + rows, group.rows) - share(group.bytes, begin, group.rows);
    slice.file_bytes = slice.bytes;
    slice.memory_bytes = share(group.memory_bytes, rows, group.rows) + 1;
    slice.digest = range_digest(group_digest_, slice.begin, slice.end);
    row_ += rows;
    record_ += rows;
    return std::optional<Slice>(slice);
  }

 private:
  Result<void> digest_group(const RowGroup& group) {
    if (digested_ == &group) return {};
    if (!file_.is_open()) {
      TRANCHE_ASSIGN(file_, open_(input_));
    }
    TRANCHE_ASSIGN(group_digest_, digest_range(file_, group.offset, group.bytes));
    digested_ = &group;
    return {};
  }

  const std::vector<ParquetFooter>& footers_;
  OpenFile open_;
  std::size_t input_;
  std::uint64_t row_;
  std::uint64_t record_;
  File file_;
  const RowGroup* digested_ = nullptr;
  std::uint64_t group_digest_ = 0;
};

class ParquetReader : public Reader {
 public:
  ParquetReader(SchemaPtr schema, std::shared_ptr<const std::string> name, File file,
                const Slice& slice, std::unique_ptr<DuckConnection> connection,
                std::unique_ptr<DuckResult> result)
      : schema_(std::move(schema)),
        name_(std::move(name)),
        file_(std::move(file)),
        slice_(slice),
        connection_(std::move(connection)),
        result_(std::move(result)) {}

  Result<std::unique_ptr<Page>> next(std::vector<Reject>&) override {
    if (ended_) return std::unique_ptr<Page>();
    const std::uint64_t left = slice_.records - std::min(slice_.records, done_);
    auto page = std::make_unique<Page>(
        schema_, std::min<std::uint64_t>(page_rows, (left / vector_rows + 1) * vector_rows));
    while (page->rows() + vector_rows <= page->capacity()) {
      auto rows = result_->fetch();
      if (!rows) return broken(std::move(rows).error());
      if (*rows == 0) {
        ended_ = true;
        break;
      }
      auto appended = result_->append_to(*page);
      if (!appended) return broken(std::move(appended).error());
    }
    set_origins(*page);
    done_ += page->rows();
    if (ended_ && done_ != slice_.records)
      return make_error(ErrorKind::failed,
                        fmt::format("{} gave {} rows of rows {} to {}; it was changed while it was "
                                    "read, or it is damaged",
                                    *name_, done_, slice_.begin, slice_.end));
    if (page->rows() == 0) page.reset();
    return page;
  }

  std::uint64_t bytes_read() const override {
    return slice_.records == 0 ? 0 : share(slice_.bytes, done_, slice_.records);
  }

 private:
  Error broken(Error error) const {
    // A broken file is no broken record: what is behind it can't be read either.
    if (error.kind == ErrorKind::bad_record) error.kind = ErrorKind::failed;
    return file_error(std::move(error), file_, *name_);
  }

  void set_origins(Page& page) const {
    page.base.source = name_;
    page.base.record = slice_.first_record + done_;
    page.origins.resize(page.rows());
    for (std::size_t row = 0; row < page.rows(); ++row) {
      page.origins[row].offset = slice_.begin + done_ + row;
      page.origins[row].record = static_cast<std::uint32_t>(row);
    }
  }

  SchemaPtr schema_;
  std::shared_ptr<const std::string> name_;
  File file_;
  Slice slice_;
  std::unique_ptr<DuckConnection> connection_;
  std::unique_ptr<DuckResult> result_;
  std::uint64_t done_ = 0;
  bool ended_ = false;
};

// The first difference between two schemas, as a sentence; empty when there is none.
std::string difference(const Schema& first, const std::string& first_name, const Schema& other,
                       const std::string& name) {
  for (const Field& field : first.fields) {
    const auto at = other.find(field.name);
    if (!at)
      return fmt::format(
          "{} has no column \"{}\", which {} has; all files of one source need the "
          "same columns",
          name, field.name, first_name);
    if (other.fields[*at].type != field.type)
      return fmt::format(
          "Column \"{}\" is {} in {} but {} in {}; all files of one source need the "
          "same columns",
          field.name, to_string(other.fields[*at].type), name, to_string(field.type), first_name);
  }
  for (const Field& field : other.fields) {
    if (!first.find(field.name))
      return fmt::format(
          "{} has a column \"{}\", which {} has not; name the columns that you need "
          "with columns: [...]",
          name, field.name, first_name);
  }
  return {};
}

}  // namespace

std::filesystem::path ParquetSource::path_of(const Input& input) const {
  return options_.base / input.name;
}

Result<std::vector<Input>> ParquetSource::inputs() {
  return list_files({"parquet", options_.patterns, options_.base});
}

Result<void> ParquetSource::use_inputs(std::vector<Input> inputs) {
  footers_.clear();
  schema_.reset();
  inputs_ = std::move(inputs);
  if (inputs_.empty()) return make_error(ErrorKind::config, "There is no Parquet file to read");
  TRANCHE_ASSIGN(const auto database, DuckDatabase::open(footer_database_memory_bytes, ""));
  TRANCHE_ASSIGN(const auto connection, database->connect());
  for (const Input& input : inputs_) {
    TRANCHE_ASSIGN(const File file, File::open_read(path_of(input)));
    TRANCHE_ASSIGN(ParquetFooter footer,
                   read_footer(*connection, file, input.name, options_.columns));
    if (!schema_) schema_ = footer.schema;
    std::string differs = difference(*schema_, inputs_[0].name, *footer.schema, input.name);
    if (!differs.empty()) return make_error(ErrorKind::config, std::move(differs));
    footers_.push_back(std::move(footer));
  }
  return {};
}

Result<SchemaPtr> ParquetSource::schema() {
  if (!schema_) return make_error(ErrorKind::bug, "The Parquet source was not given its inputs");
  return schema_;
}

Result<File> ParquetSource::open_unchanged(const Input& input) const {
  TRANCHE_ASSIGN(const FileStatus now, file_status(path_of(input)));
  if (now.bytes != input.bytes || now.modified_nanoseconds != input.modified_nanoseconds)
    return make_error(ErrorKind::failed,
                      fmt::format("{} was changed since the run was planned", input.name));
  return File::open_read(path_of(input));
}

Result<std::unique_ptr<SliceStream>> ParquetSource::divide(const Slice* after) {
  const auto open = [this](std::size_t input) { return open_unchanged(inputs_[input]); };
  const std::size_t input = after ? after->input : 0;
  const std::uint64_t row = after ? after->end : 0;
  const std::uint64_t record = after ? after->first_record + after->records : 0;
  if (after != nullptr && (input >= footers_.size() || row > footers_[input].rows))
    return make_error(ErrorKind::failed,
                      "The Parquet files have fewer rows than when the run was planned");
  return std::unique_ptr<SliceStream>(
      std::make_unique<ParquetSlices>(footers_, open, input, row, record));
}

Result<std::unique_ptr<Reader>> ParquetSource::open(const Slice& slice, WorkerScope& worker) const {
  const Input& input = inputs_[slice.input];
  TRANCHE_ASSIGN(File file, open_unchanged(input));
  TRANCHE_ASSIGN(const auto database, DuckDatabase::of(worker));
  TRANCHE_ASSIGN(auto connection, database->connect());
  std::string list;
  for (const Field& field : schema_->fields)
    list += (list.empty() ? "" : ", ") + sql_identifier(field.name);
  // Row groups outside the range are skipped by their row numbers; they are not read.
  auto result = connection->query(
      fmt::format("SELECT {} FROM read_parquet({}, file_row_number=true, hive_partitioning=false) "
                  "WHERE file_row_number >= {} AND file_row_number < {}",
                  list, sql_literal(descriptor_path(file)), slice.begin, slice.end));
  if (!result) return file_error(std::move(result).error(), file, input.name);
  return std::unique_ptr<Reader>(std::make_unique<ParquetReader>(
      schema_, std::make_shared<const std::string>(input.name), std::move(file), slice,
      std::move(connection), *std::move(result)));
}

Result<std::optional<std::uint64_t>> ParquetSource::digest(const Slice& slice) const {
  if (slice.input >= inputs_.size() || slice.begin >= footers_[slice.input].rows)
    return std::optional<std::uint64_t>();
  const RowGroup& group = footers_[slice.input].group_of(slice.begin);
  if (slice.end > group.first_row + group.rows) return std::optional<std::uint64_t>();
  TRANCHE_ASSIGN(const File file, File::open_read(path_of(inputs_[slice.input])));
  TRANCHE_ASSIGN(const std::uint64_t bytes, digest_range(file, group.offset, group.bytes));
  return std::optional<std::uint64_t>(range_digest(bytes, slice.begin, slice.end));
}

Division ParquetSource::default_division() const {
  std::uint64_t rows = 0;
  std::uint64_t memory_bytes = 0;
  for (const ParquetFooter& footer : footers_) {
    rows += footer.rows;
    for (const RowGroup& group : footer.groups) memory_bytes += group.memory_bytes;
  }
  const std::uint64_t row_bytes = rows == 0 ? 1 : std::max<std::uint64_t>(1, memory_bytes / rows);
  const std::uint64_t fitting = batch_memory_bytes / row_bytes / vector_rows * vector_rows;
  Division division;
  division.rows = std::clamp<std::uint64_t>(fitting, vector_rows, batch_rows_max);
  return division;
}

}  // namespace tranche
