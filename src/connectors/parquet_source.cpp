#include "connectors/parquet_source.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/digest.h"
#include "connectors/bad_file.h"
#include "connectors/file_inputs.h"
#include "connectors/parquet_windows.h"

namespace tranche {
namespace {

constexpr std::uint64_t batch_memory_bytes = 32ULL << 20;
constexpr std::uint64_t batch_rows_max = 122'880;  // DuckDB's own row group
constexpr std::size_t page_rows = 8 * vector_rows;

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
  ParquetSlices(const std::vector<Input>& inputs, const std::vector<ParquetInput>& files,
                OpenFile open, std::size_t input, std::uint64_t row, std::uint64_t first_record)
      : inputs_(inputs),
        files_(files),
        open_(std::move(open)),
        input_(input),
        row_(row),
        record_(first_record) {}

  Result<std::optional<Slice>> next(const CutLimits& limits) override {
    while (input_ < files_.size() && row_ == files_[input_].footer.rows) {
      const std::size_t passed = input_++;
      row_ = 0;
      file_ = File();
      digested_ = nullptr;
      const std::string& fault = files_[passed].fault;
      if (!fault.empty())
        return std::optional(bad_file_slice(passed, inputs_[passed], record_++, fault));
    }
    if (input_ == files_.size()) return std::optional<Slice>();
    const RowGroup& group = files_[input_].footer.group_of(row_);
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
    slice.digest = parquet_slice_digest(group_digest_, slice);
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

  const std::vector<Input>& inputs_;
  const std::vector<ParquetInput>& files_;
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
      add_origins(*page, *rows);
    }
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

  // The result's last column is the row's number in the file.
  void add_origins(Page& page, std::size_t rows) const {
    page.base.source = name_;
    page.base.record = slice_.first_record + done_;
    const std::int64_t* const numbers = result_->numbers(page.column_count());
    const std::size_t before = page.origins.size();
    page.origins.resize(before + rows);
    for (std::size_t row = 0; row < rows; ++row) {
      page.origins[before + row].offset = static_cast<std::uint64_t>(numbers[row]);
      page.origins[before + row].record = static_cast<std::uint32_t>(before + row);
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

}  // namespace

std::filesystem::path ParquetSource::path_of(const Input& input) const {
  return options_.base / input.name;
}

Result<std::vector<Input>> ParquetSource::inputs() {
  return list_files({"parquet", options_.patterns, options_.base});
}

Result<void> ParquetSource::use_inputs(std::vector<Input> inputs) {
  files_ = ParquetInputs();
  inputs_ = std::move(inputs);
  if (inputs_.empty()) return make_error(ErrorKind::config, "There is no Parquet file to read");
  TRANCHE_ASSIGN(files_, read_parquet_inputs(inputs_, options_));
  return {};
}

Result<SchemaPtr> ParquetSource::schema() {
  if (!files_.schema)
    return make_error(ErrorKind::bug, "The Parquet source was not given its inputs");
  return files_.schema;
}

Result<void> ParquetSource::use_division(const Division& division) {
  windows_.reset();
  if (!division.window || !division.key.empty()) return Source::use_division(division);
  TRANCHE_ASSIGN(const SchemaPtr schema, this->schema());
  TRANCHE_ASSIGN(windows_, find_time_windows(*schema, *division.window));
  return {};
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
  const bool is_behind_bad = after != nullptr && bad_file_of(*after).has_value();
  if (after != nullptr && (after->input >= inputs_.size() ||
                           after->end > files_.files[after->input].footer.rows))
    return make_error(ErrorKind::failed,
                      "The Parquet files have fewer rows than when the run was planned");
  if (windows_) {
    auto slices = std::make_unique<ParquetWindowSlices>(
        WindowedFiles{inputs_, files_.files, *windows_,
                      files_.schema->fields[windows_->column].type, default_division().rows, open});
    TRANCHE_TRY(slices->open(after));
    return std::unique_ptr<SliceStream>(std::move(slices));
  }
  const std::size_t input = after ? after->input + (is_behind_bad ? 1U : 0U) : 0;
  const std::uint64_t row = after ? after->end : 0;
  const std::uint64_t record = after ? after->first_record + after->records : 0;
  return std::unique_ptr<SliceStream>(
      std::make_unique<ParquetSlices>(inputs_, files_.files, open, input, row, record));
}

Result<std::unique_ptr<Reader>> ParquetSource::open(const Slice& slice, WorkerScope& worker) const {
  const Input& input = inputs_[slice.input];
  if (bad_file_of(slice)) return bad_file_reader(input.name, slice);
  TRANCHE_ASSIGN(File file, open_unchanged(input));
  TRANCHE_ASSIGN(const auto database, DuckDatabase::of(worker));
  TRANCHE_ASSIGN(auto connection, database->connect());
  const auto& expressions = files_.files[slice.input].expressions;
  std::string list;
  for (const std::string& expression : expressions) list += expression + ", ";
  // Row groups outside the range are skipped by their row numbers; they are not read.
  std::string sql =
      fmt::format("SELECT {}file_row_number FROM read_parquet({}, file_row_number=true, "
                  "hive_partitioning=false) WHERE file_row_number >= {} AND file_row_number < {}",
                  list, sql_literal(descriptor_path(file)), slice.begin, slice.end);
  if (const auto part = part_of_range(slice.range); windows_ && part) {
    sql += " AND " + window_condition(*part, expressions[windows_->column],
                                      files_.schema->fields[windows_->column].type);
    // Of a whole window all is read, so that a row too many is noticed.
    if (slice.records < part->rows_all)
      sql += fmt::format(" LIMIT {} OFFSET {}", slice.records, part->skipped);
  }
  auto result = connection->query(sql);
  if (!result) return file_error(std::move(result).error(), file, input.name);
  return std::unique_ptr<Reader>(std::make_unique<ParquetReader>(
      files_.schema, std::make_shared<const std::string>(input.name), std::move(file), slice,
      std::move(connection), *std::move(result)));
}

Result<std::optional<std::uint64_t>> ParquetSource::digest(const Slice& slice) const {
  const std::optional<std::uint64_t> none;
  if (slice.input >= inputs_.size()) return none;
  const ParquetInput& input = files_.files[slice.input];
  if (const auto was = bad_file_of(slice))
    return *was == input.fault ? std::optional(slice.digest) : none;
  if (slice.begin >= input.footer.rows) return none;
  const RowGroup& group = input.footer.group_of(slice.begin);
  if (slice.end > group.first_row + group.rows) return none;
  TRANCHE_ASSIGN(const File file, File::open_read(path_of(inputs_[slice.input])));
  TRANCHE_ASSIGN(const std::uint64_t bytes, digest_range(file, group.offset, group.bytes));
  return std::optional<std::uint64_t>(parquet_slice_digest(bytes, slice));
}

Division ParquetSource::default_division() const {
  std::uint64_t rows = 0;
  std::uint64_t memory_bytes = 0;
  for (const ParquetInput& file : files_.files) {
    rows += file.footer.rows;
    for (const RowGroup& group : file.footer.groups) memory_bytes += group.memory_bytes;
  }
  const std::uint64_t row_bytes = rows == 0 ? 1 : std::max<std::uint64_t>(1, memory_bytes / rows);
  const std::uint64_t fitting = batch_memory_bytes / row_bytes / vector_rows * vector_rows;
  Division division;
  division.rows = std::clamp<std::uint64_t>(fitting, vector_rows, batch_rows_max);
  return division;
}

}  // namespace tranche
