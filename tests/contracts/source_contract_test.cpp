// What core/source.h promises, of every registered connector that reads.
#include <gtest/gtest.h>

#include <thread>

#include <fmt/format.h>

#include <tranche/api/job.h>

#include "base/temporary_folder.h"
#include "contracts/reading.h"
#include "contracts/system.h"
#include "ledger/codec.h"

namespace tranche::contracts {
namespace {

constexpr std::size_t rows_of_input = 40;

class SourceContract : public TemporaryFolder, public ::testing::WithParamInterface<std::string> {
 protected:
  void SetUp() override {
    system_ = make_system(GetParam(), folder_);
    ASSERT_TRUE(system_) << "Connector " << GetParam()
                         << " is registered and has no fixture: write one in tests/contracts.";
  }
  const Connector& connector() const { return *find_connector(GetParam()); }
  Table every_type_of_it(std::size_t rows) const {
    return every_type(
        rows, [this](Type type) { return system_->reads(type); },
        [this](Type type, const std::string& text) { return system_->holds(type, text); });
  }
  Planned bound(const Schema& columns, std::vector<Input> inputs = {}) const {
    auto planned = bind_source(connector(), system_->input(columns), std::move(inputs),
                               (folder_ / "fetched").string());
    EXPECT_TRUE(planned) << planned.error().message;
    return planned ? *std::move(planned) : Planned{};
  }
  static CutLimits rows_at_most(std::uint64_t rows) {
    CutLimits limits;
    limits.records_max = rows;
    return limits;
  }
  // Through the ledger, as a resume has them.
  static std::vector<Slice> kept(const std::vector<Slice>& slices) {
    return ledger::decode_slices(ledger::encode_slices(slices)).value();
  }

  // Makes an input of every type, and reads it in one batch.
  void expect_read(std::size_t rows) {
    const Table table = every_type_of_it(rows);
    system_->make_input(table);
    const Planned planned = bound(table.schema);
    ASSERT_TRUE(planned.source);
    EXPECT_EQ(to_string(**planned.source->schema()), to_string(table.schema));
    const auto slices = divide(*planned.source, CutLimits{});
    ASSERT_TRUE(slices) << slices.error().message;
    std::uint64_t records = 0;
    for (const Slice& slice : *slices) records += slice.records;
    EXPECT_EQ(records, rows);
    const auto read = read_slices(*planned.source, *slices);
    ASSERT_TRUE(read) << read.error().message;
    EXPECT_EQ(read->rows, texts_of(table));
    for (const Reject& reject : read->rejects) ADD_FAILURE() << reject.error;
  }

  std::unique_ptr<System> system_;
};

TEST_P(SourceContract, ReadsEveryTypeWithItsExtremesAndNulls) { expect_read(rows_of_input); }

TEST_P(SourceContract, ReadsAnEmptyInputAsNoRecords) { expect_read(0); }

TEST_P(SourceContract, CoversEachRecordOnceWhateverTheSizeOfABatch) {
  const Table table = every_type_of_it(rows_of_input);
  system_->make_input(table);
  for (const std::uint64_t rows : {1, 2, 3, 7, 39, 40, 1000}) {
    SCOPED_TRACE(fmt::format("batches of {}", rows));
    const Planned planned = bound(table.schema);
    ASSERT_TRUE(planned.source);
    const auto slices = divide(*planned.source, rows_at_most(rows));
    ASSERT_TRUE(slices) << slices.error().message;
    std::uint64_t records = 0;
    for (const Slice& slice : *slices) {
      EXPECT_EQ(slice.first_record, records);
      EXPECT_GE(slice.records, 1U);
      EXPECT_LE(slice.records, rows);
      records += slice.records;
    }
    EXPECT_EQ(records, rows_of_input);
    const auto read = read_slices(*planned.source, *slices);
    ASSERT_TRUE(read) << read.error().message;
    EXPECT_EQ(read->rows, texts_of(table));
  }
}

TEST_P(SourceContract, KeepsToTheBytesOfABatchButForOneRecord) {
  const Table table = every_type_of_it(rows_of_input);
  system_->make_input(table);
  const Planned planned = bound(table.schema);
  ASSERT_TRUE(planned.source);
  CutLimits limits;
  limits.bytes_max = 1;
  const auto slices = divide(*planned.source, limits);
  ASSERT_TRUE(slices) << slices.error().message;
  EXPECT_EQ(slices->size(), rows_of_input);
}

// A worker process has the plan's inputs and one slice, and nothing else.
TEST_P(SourceContract, ReadsASliceAgainFromWhatTheLedgerKeepsOfIt) {
  const Table table = every_type_of_it(rows_of_input);
  system_->make_input(table);
  const Planned planned = bound(table.schema);
  ASSERT_TRUE(planned.source);
  const auto slices = divide(*planned.source, rows_at_most(7)).value();
  const Planned again = bound(table.schema, planned.inputs);
  ASSERT_TRUE(again.source);
  const std::vector<std::string> expected = texts_of(table);
  for (const Slice& slice : kept(slices)) {
    const auto read = read_slices(*again.source, {slice, slice});
    ASSERT_TRUE(read) << read.error().message;
    ASSERT_EQ(read->rows.size(), 2 * slice.records);
    for (std::uint64_t row = 0; row < slice.records; ++row) {
      EXPECT_EQ(read->rows[row], expected[slice.first_record + row]);
      EXPECT_EQ(read->rows[slice.records + row], read->rows[row]);
    }
    const auto digest = again.source->digest(slice);
    ASSERT_TRUE(digest) << digest.error().message;
    EXPECT_EQ(*digest, slice.digest);
  }
}

TEST_P(SourceContract, GoesOnBehindAnySlice) {
  const Table table = every_type_of_it(rows_of_input);
  system_->make_input(table);
  const Planned planned = bound(table.schema);
  ASSERT_TRUE(planned.source);
  const auto slices = kept(divide(*planned.source, rows_at_most(7)).value());
  for (std::size_t at = 0; at < slices.size(); ++at) {
    const Planned again = bound(table.schema, planned.inputs);
    ASSERT_TRUE(again.source);
    const auto rest = divide(*again.source, rows_at_most(7), &slices[at]);
    ASSERT_TRUE(rest) << rest.error().message;
    EXPECT_EQ(kept(*rest), std::vector<Slice>(slices.begin() + static_cast<std::ptrdiff_t>(at) + 1,
                                              slices.end()));
  }
}

TEST_P(SourceContract, IsReadByManyWorkersAtOnce) {
  const Table table = every_type_of_it(rows_of_input);
  system_->make_input(table);
  const Planned planned = bound(table.schema);
  ASSERT_TRUE(planned.source);
  const auto slices = divide(*planned.source, rows_at_most(3)).value();
  std::vector<Read> reads(3);
  std::vector<Result<void>> ends(3);
  std::vector<std::thread> workers;
  for (unsigned number = 0; number < 3; ++number) {
    workers.emplace_back([&, number] {
      WorkerScope worker(number, 64ULL << 20, folder_.string());
      for (const Slice& slice : slices) {
        ends[number] = read_slice(*planned.source, slice, worker, reads[number]);
        if (!ends[number]) return;
      }
    });
  }
  for (std::thread& worker : workers) worker.join();
  for (unsigned number = 0; number < 3; ++number) {
    ASSERT_TRUE(ends[number]) << ends[number].error().message;
    EXPECT_EQ(reads[number].rows, texts_of(table));
  }
}

TEST_P(SourceContract, RefusesAColumnThatIsNotThereBeforeTheStart) {
  const Table table = every_type_of_it(3);
  system_->make_input(table);
  Schema columns = table.schema;
  columns.fields.push_back(Field{"nowhere", Type{TypeId::bigint}});
  const auto planned = bind_source(connector(), system_->input(columns));
  if (!system_->knows_its_columns()) {
    EXPECT_TRUE(planned) << planned.error().message;
    return;
  }
  ASSERT_FALSE(planned);
  EXPECT_EQ(planned.error().kind, ErrorKind::config) << planned.error().message;
  EXPECT_NE(planned.error().message.find("nowhere"), std::string::npos) << planned.error().message;
}

TEST_P(SourceContract, RefusesAnInputThatIsNotThereBeforeTheStart) {
  const auto planned = bind_source(connector(), system_->input(every_type_of_it(0).schema));
  ASSERT_FALSE(planned);
  EXPECT_EQ(planned.error().kind, ErrorKind::config) << planned.error().message;
}

std::vector<std::string> sources() {
  std::vector<std::string> names;
  for (const Connector& connector : connectors())
    if (!connector.read_options.empty()) names.push_back(connector.name);
  return names;
}

INSTANTIATE_TEST_SUITE_P(Registered, SourceContract, ::testing::ValuesIn(sources()),
                         [](const auto& one) { return one.param; });

}  // namespace
}  // namespace tranche::contracts
