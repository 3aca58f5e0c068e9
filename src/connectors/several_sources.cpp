#include "connectors/several_sources.h"

#include <algorithm>
#include <set>
#include <utility>

#include <fmt/format.h>

#include "connectors/page_form.h"

namespace tranche {
namespace {

// One of the sources, with where it stands among all of them.
struct Part {
  SourceItem item;
  std::uint32_t first_input = 0;
  std::uint32_t inputs = 0;
  bool is_database = false;  // its inputs are read in a snapshot
  SchemaPtr schema = {};     // its own
  PageForm form = {};

  bool holds(std::uint32_t input) const {
    return input >= first_input && input - first_input < inputs;
  }
  Source& source() const { return *item.source; }
  Slice own(Slice slice) const {
    slice.input -= first_input;
    return slice;
  }
};

// The slices of all, one source after the other.
class SeveralSlices final : public SliceStream {
 public:
  struct Stream {
    const Part* part;
    std::unique_ptr<SliceStream> slices;
  };
  explicit SeveralSlices(std::vector<Stream> streams) : streams_(std::move(streams)) {}

  Result<std::optional<Slice>> next(const CutLimits& limits) override {
    for (; current_ < streams_.size(); ++current_) {
      const Stream& stream = streams_[current_];
      TRANCHE_ASSIGN(auto slice, stream.slices->next(limits));
      if (!slice) continue;
      slice->input += stream.part->first_input;
      slice->memory_bytes += slice->records * stream.part->form.added_record_bytes();
      return slice;
    }
    return std::optional<Slice>();
  }
  void interrupt() override {
    for (const Stream& stream : streams_) stream.slices->interrupt();
  }

 private:
  std::vector<Stream> streams_;
  std::size_t current_ = 0;
};

class FormedReader final : public Reader {
 public:
  FormedReader(std::unique_ptr<Reader> reader, const PageForm& form)
      : reader_(std::move(reader)), form_(form) {}

  Result<std::unique_ptr<Page>> next(std::vector<Reject>& rejects) override {
    while (true) {
      TRANCHE_ASSIGN(auto page, reader_->next(rejects));
      if (page == nullptr) return page;
      page = form_.shape(std::move(page), rejects);
      if (page->rows() > 0) return page;
    }
  }
  std::uint64_t bytes_read() const override { return reader_->bytes_read(); }

 private:
  std::unique_ptr<Reader> reader_;
  const PageForm& form_;
};

// What limits batches of one source limits those of all; 0 does not.
void take_less(std::uint64_t& limit, std::uint64_t other) {
  if (limit == 0 || (other != 0 && other < limit)) limit = other;
}

class SeveralSources final : public Source {
 public:
  SeveralSources(std::vector<SourceItem> items, std::string source_column)
      : source_column_(std::move(source_column)) {
    for (SourceItem& item : items) parts_.push_back(Part{.item = std::move(item)});
  }

  bool is_incremental() const override {
    return any([](const Source& source) { return source.is_incremental(); });
  }
  void read_behind(std::string until) override { parts_.front().source().read_behind(until); }
  bool is_fetched() const override {
    return any([](const Source& source) { return source.is_fetched(); });
  }
  void keep_fetched(std::string run, std::string folder) override {
    std::size_t number = 0;
    for (const Part& part : parts_)
      part.source().keep_fetched(run, fmt::format("{}/{}", folder, ++number));
  }
  Result<std::vector<Input>> inputs() override;
  Result<void> use_inputs(std::vector<Input> inputs) override;
  Result<SchemaPtr> schema() override;
  Result<void> use_division(const Division& division) override;
  Result<std::unique_ptr<SliceStream>> divide(const Slice* after) override;
  Result<std::unique_ptr<Reader>> open(const Slice& slice, WorkerScope& worker) const override;
  Result<std::optional<std::uint64_t>> digest(const Slice& slice) const override;
  Division default_division() const override;
  std::vector<std::string> keeps_from_writing() const override;
  std::vector<std::string> notes() const override;
  Result<std::optional<std::uint64_t>> decoder_bytes() const override;
  std::uint64_t planner_bytes() const override;
  void keep_decoded(std::uint64_t bytes) override;
  void use_checkpoints(std::vector<Checkpoint> checkpoints) override;
  std::vector<Checkpoint> take_checkpoints() override;
  std::optional<std::string> seek_notice(const Slice& slice) const override;
  SnapshotLoss on_snapshot_loss() const override;
  bool uses_database() const override {
    return any([](const Source& source) { return source.uses_database(); });
  }

 private:
  template <class Says>
  bool any(const Says& says) const {
    return std::any_of(parts_.begin(), parts_.end(),
                       [&](const Part& part) { return says(part.source()); });
  }
  // How sentences name a part.
  std::string name_of(const Part& part) const {
    return parts_.size() == 1 ? part.item.name
                              : fmt::format("source {} ({})", &part - parts_.data() + 1,
                                            part.item.name);
  }
  Result<const Part*> part_of(std::uint32_t input) const;
  Result<void> check_not_read_twice(const std::vector<Input>& inputs) const;

  std::vector<Part> parts_;
  const std::string source_column_;
  SchemaPtr schema_;
};

Result<const Part*> SeveralSources::part_of(std::uint32_t input) const {
  const auto found = std::find_if(parts_.begin(), parts_.end(),
                                  [&](const Part& part) { return part.holds(input); });
  if (found != parts_.end()) return &*found;
  return make_error(ErrorKind::bug, "A slice names an input that none of the sources has.");
}

// A source looks for that among its own files only.
Result<void> SeveralSources::check_not_read_twice(const std::vector<Input>& inputs) const {
  std::set<std::string> files;
  for (const Input& input : inputs) {
    if (!input.snapshot.empty() || files.insert(input.name).second) continue;
    return make_error(ErrorKind::config,
                      fmt::format("{} is named by two sources of the list, its records would be "
                                  "read twice. Name it once.",
                                  input.name));
  }
  return {};
}

Result<std::vector<Input>> SeveralSources::inputs() {
  std::vector<Input> all;
  std::uint32_t number = 0;
  for (const Part& part : parts_) {
    TRANCHE_ASSIGN(auto inputs, part.source().inputs());
    for (Input& input : inputs) {
      input.source = number;
      all.push_back(std::move(input));
    }
    ++number;
  }
  TRANCHE_TRY(check_not_read_twice(all));
  return all;
}

Result<void> SeveralSources::use_inputs(std::vector<Input> inputs) {
  schema_.reset();
  std::uint32_t passed = 0;
  for (std::uint32_t number = 0; number < parts_.size(); ++number) {
    Part& part = parts_[number];
    part.first_input = passed;
    part.is_database = false;
    std::vector<Input> own;
    for (; passed < inputs.size() && inputs[passed].source == number; ++passed) {
      part.is_database = part.is_database || !inputs[passed].snapshot.empty();
      own.push_back(std::move(inputs[passed]));
      own.back().source = 0;
    }
    part.inputs = static_cast<std::uint32_t>(own.size());
    TRANCHE_TRY(part.source().use_inputs(std::move(own)));
  }
  if (passed == inputs.size()) return {};
  return make_error(ErrorKind::config,
                    "The run began with another list of sources. Start again with --fresh.");
}

Result<SchemaPtr> SeveralSources::schema() {
  if (schema_) return schema_;
  FormedSource first{.name = name_of(parts_.front()), .schema = {}};
  Schema form;
  for (Part& part : parts_) {
    const bool is_first = &part == &parts_.front();
    FormedSource source{name_of(part), {}, part.item.missing_is_null, part.item.extra_is_ignored};
    TRANCHE_ASSIGN(source.schema, part.source().schema());
    part.schema = source.schema;
    if (is_first) {
      first.schema = source.schema;
      form = *source.schema;
    }
    TRANCHE_ASSIGN(part.form, PageForm::make(source, first, source_column_));
    // What one of them may leave empty is not required of the step's records.
    for (Field& field : form.fields) {
      const auto found = source.schema->find(field.name);
      field.required = field.required && found && source.schema->fields[*found].required;
    }
  }
  TRANCHE_ASSIGN(schema_, PageForm::schema_with(std::move(form), source_column_));
  for (Part& part : parts_) part.form.use_schema(schema_);
  return schema_;
}

// A key is one of the databases, each of which is read in its order; files are cut by rows and
// bytes.
Result<void> SeveralSources::use_division(const Division& division) {
  if (parts_.size() == 1) return parts_.front().source().use_division(division);
  if (division.window) {
    return make_error(ErrorKind::config,
                      "A list of sources can't be divided by time, since each would begin anew; "
                      "divide it by rows or bytes, or make a step of each source.");
  }
  const bool has_database = std::any_of(parts_.begin(), parts_.end(),
                                        [](const Part& part) { return part.is_database; });
  if (!division.key.empty() && !has_database) return Source::use_division(division);
  for (const Part& part : parts_) {
    Division own = division;
    if (!part.is_database) own.key.clear();
    TRANCHE_TRY(part.source().use_division(own));
  }
  return {};
}

// All of them are asked now, so that what one can't be divided by is found before the start.
Result<std::unique_ptr<SliceStream>> SeveralSources::divide(const Slice* after) {
  std::vector<SeveralSlices::Stream> streams;
  for (const Part& part : parts_) {
    if (after != nullptr && part.first_input + part.inputs <= after->input) continue;
    std::optional<Slice> own_after;
    if (after != nullptr && part.holds(after->input)) own_after = part.own(*after);
    TRANCHE_ASSIGN(auto slices, part.source().divide(own_after ? &*own_after : nullptr));
    streams.push_back({&part, std::move(slices)});
  }
  return std::unique_ptr<SliceStream>(std::make_unique<SeveralSlices>(std::move(streams)));
}

Result<std::unique_ptr<Reader>> SeveralSources::open(const Slice& slice,
                                                     WorkerScope& worker) const {
  TRANCHE_ASSIGN(const Part* const part, part_of(slice.input));
  TRANCHE_ASSIGN(auto reader, part->source().open(part->own(slice), worker));
  if (!part->form.changes(*part->schema)) return reader;
  return std::unique_ptr<Reader>(std::make_unique<FormedReader>(std::move(reader), part->form));
}

Result<std::optional<std::uint64_t>> SeveralSources::digest(const Slice& slice) const {
  TRANCHE_ASSIGN(const Part* const part, part_of(slice.input));
  return part->source().digest(part->own(slice));
}

Division SeveralSources::default_division() const {
  Division least;
  for (const Part& part : parts_) {
    const Division own = part.source().default_division();
    take_less(least.rows, own.rows);
    take_less(least.bytes, own.bytes);
    take_less(least.chunk_bytes, own.chunk_bytes);
    take_less(least.group_bytes, own.group_bytes);
  }
  return least;
}

std::vector<std::string> SeveralSources::keeps_from_writing() const {
  std::vector<std::string> all;
  for (const Part& part : parts_) {
    for (std::string& kept : part.source().keeps_from_writing()) all.push_back(std::move(kept));
  }
  return all;
}

std::vector<std::string> SeveralSources::notes() const {
  std::vector<std::string> all;
  for (const Part& part : parts_) {
    for (std::string& note : part.source().notes()) {
      all.push_back(parts_.size() == 1 ? std::move(note)
                                       : fmt::format("{}: {}", part.item.name, note));
    }
  }
  return all;
}

Result<std::optional<std::uint64_t>> SeveralSources::decoder_bytes() const {
  std::optional<std::uint64_t> all;
  for (const Part& part : parts_) {
    TRANCHE_ASSIGN(const auto bytes, part.source().decoder_bytes());
    if (bytes) all = all.value_or(0) + *bytes;
  }
  return all;
}

std::uint64_t SeveralSources::planner_bytes() const {
  std::uint64_t bytes = 0;
  for (const Part& part : parts_) bytes += part.source().planner_bytes();
  return bytes;
}

// What one keeps it keeps to the end, so each has its share.
void SeveralSources::keep_decoded(std::uint64_t bytes) {
  std::uint64_t decoding = 0;
  for (const Part& part : parts_) {
    const auto own = part.source().decoder_bytes();
    if (own && *own) ++decoding;
  }
  for (const Part& part : parts_)
    part.source().keep_decoded(bytes / std::max<std::uint64_t>(1, decoding));
}

void SeveralSources::use_checkpoints(std::vector<Checkpoint> checkpoints) {
  for (const Part& part : parts_) {
    std::vector<Checkpoint> own;
    for (const Checkpoint& checkpoint : checkpoints) {
      if (!part.holds(checkpoint.input)) continue;
      own.push_back(checkpoint);
      own.back().input -= part.first_input;
    }
    part.source().use_checkpoints(std::move(own));
  }
}

std::vector<Checkpoint> SeveralSources::take_checkpoints() {
  std::vector<Checkpoint> all;
  for (const Part& part : parts_) {
    for (Checkpoint& checkpoint : part.source().take_checkpoints()) {
      checkpoint.input += part.first_input;
      all.push_back(std::move(checkpoint));
    }
  }
  return all;
}

std::optional<std::string> SeveralSources::seek_notice(const Slice& slice) const {
  const auto part = part_of(slice.input);
  return part ? (*part)->source().seek_notice((*part)->own(slice)) : std::nullopt;
}

// What is done without asking is what all of them want.
SnapshotLoss SeveralSources::on_snapshot_loss() const {
  bool all_go_on = true;
  for (const Part& part : parts_) {
    if (!part.is_database) continue;
    const SnapshotLoss wanted = part.source().on_snapshot_loss();
    if (wanted == SnapshotLoss::refuse) return SnapshotLoss::refuse;
    all_go_on = all_go_on && wanted == SnapshotLoss::go_on;
  }
  return all_go_on ? SnapshotLoss::go_on : SnapshotLoss::start_afresh;
}

}  // namespace

const OptionTable& source_item_options() {
  static const OptionTable table = {
      Option{.name = "missing_columns",
             .kind = OptionKind::choice,
             .doc = "Columns of the first source that this one lacks.",
             .default_text = "error",
             .choices = {"error", "null"}},
      Option{.name = "extra_columns",
             .kind = OptionKind::choice,
             .doc = "Columns that the first source lacks.",
             .default_text = "error",
             .choices = {"error", "ignore"}},
  };
  return table;
}

SourceItem read_source_item(const Node& options) {
  const OptionReader reader(options, source_item_options());
  SourceItem item;
  item.missing_is_null = reader.text("missing_columns") == "null";
  item.extra_is_ignored = reader.text("extra_columns") == "ignore";
  return item;
}

std::unique_ptr<Source> make_several_sources(std::vector<SourceItem> items,
                                             std::string source_column) {
  return std::make_unique<SeveralSources>(std::move(items), std::move(source_column));
}

}  // namespace tranche
