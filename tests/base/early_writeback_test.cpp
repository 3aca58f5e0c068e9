#include "base/early_writeback.h"

#include <utility>

#include "base/temporary_folder.h"
#include "base/writeback_requests.h"

namespace tranche {
namespace {

constexpr std::uint64_t MiB = 1 << 20;

class EarlyWritebackTest : public TemporaryFolder {
 protected:
  void SetUp() override { WritebackRequests::take(); }
  void grow(std::uint64_t bytes) {
    const std::uint64_t size = file_.size().value();
    ASSERT_TRUE(file_.write_at(std::string(bytes, 'x'), size));
  }
  // What was asked for since, as one range.
  std::pair<std::uint64_t, std::uint64_t> asked() const {
    const auto requests = WritebackRequests::take();
    if (requests.size() != 1) return {requests.size(), 0};
    EXPECT_EQ(requests.front().file, fs::canonical(at("a")));
    return {requests.front().offset, requests.front().offset + requests.front().bytes};
  }

  File file_ = File::create(at("a")).value();
};

TEST_F(EarlyWritebackTest, AsksForWhatTheFileHasGrownByOnce) {
  grow(3 * MiB);
  EarlyWriteback writeback(file_.descriptor());
  grow(5 * MiB);
  writeback.advance();
  EXPECT_EQ(asked(), std::pair(3 * MiB, 8 * MiB));
  grow(2 * MiB);
  writeback.advance();
  EXPECT_EQ(asked(), std::pair(8 * MiB, 10 * MiB));
}

TEST_F(EarlyWritebackTest, WaitsUntilThereIsALargePart) {
  EarlyWriteback writeback(file_.descriptor());
  grow(2 * MiB - 1);
  writeback.advance();
  EXPECT_TRUE(WritebackRequests::take().empty());
  grow(1);
  writeback.advance();
  EXPECT_EQ(asked(), std::pair(0 * MiB, 2 * MiB));
}

TEST_F(EarlyWritebackTest, LeavesTheEndThatMayBeWrittenAnew) {
  EarlyWriteback writeback(file_.descriptor());
  grow(9 * MiB);
  writeback.advance(4 * MiB);
  EXPECT_EQ(asked(), std::pair(0 * MiB, 5 * MiB));
  grow(3 * MiB);
  writeback.advance(4 * MiB);
  EXPECT_EQ(asked(), std::pair(5 * MiB, 8 * MiB));
}

TEST_F(EarlyWritebackTest, GoesOnFromWhereAFileWasCut) {
  EarlyWriteback writeback(file_.descriptor());
  grow(8 * MiB);
  writeback.advance();
  WritebackRequests::take();
  ASSERT_TRUE(file_.truncate(3 * MiB));
  writeback.advance();
  EXPECT_TRUE(WritebackRequests::take().empty());
  grow(4 * MiB);
  writeback.advance();
  EXPECT_EQ(asked(), std::pair(3 * MiB, 7 * MiB));
}

TEST_F(EarlyWritebackTest, AsksForNothingWhereThereIsNoFile) {
  EarlyWriteback().advance();
  EarlyWriteback(-1).advance();
  EXPECT_TRUE(WritebackRequests::take().empty());
}

TEST_F(EarlyWritebackTest, AsksForNothingWhereItsDescriptorIsAnotherFiles) {
  EarlyWriteback writeback(file_.descriptor());
  const File other = File::create(at("b")).value();
  ASSERT_EQ(::dup2(other.descriptor(), file_.descriptor()), file_.descriptor());
  grow(4 * MiB);
  writeback.advance();
  EXPECT_TRUE(WritebackRequests::take().empty());
}

}  // namespace
}  // namespace tranche
