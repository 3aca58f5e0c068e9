#include "base/file.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include "base/process.h"
#include "base/temporary_folder.h"

namespace tranche {
namespace {

using FileTest = TemporaryFolder;

std::string read_all(const fs::path& path) {
  Result<std::string> bytes = read_file(path);
  return bytes ? *bytes : "error: " + bytes.error().message;
}

TEST_F(FileTest, ReadsBackWhatWasWrittenAtAnyOffset) {
  Result<File> file = File::create(at("a"));
  ASSERT_TRUE(file);
  ASSERT_TRUE(file->write("hello "));
  ASSERT_TRUE(file->write("world"));
  ASSERT_TRUE(file->write_at("J", 0));
  char buffer[32];
  Result<std::size_t> count = file->read_at(buffer, sizeof buffer, 6);
  ASSERT_TRUE(count);
  EXPECT_EQ(std::string(buffer, *count), "world");
  EXPECT_EQ(*file->read_at(buffer, sizeof buffer, 11), 0u);
  EXPECT_EQ(*file->size(), 11u);
  ASSERT_TRUE(file->sync());
  ASSERT_TRUE(file->close());
  EXPECT_FALSE(file->is_open());
  EXPECT_TRUE(file->close());
  EXPECT_EQ(read_all(at("a")), "Jello world");
}

TEST_F(FileTest, WritesGoOnAtTheNewEndAfterATruncation) {
  Result<File> file = File::create(at("a"));
  ASSERT_TRUE(file);
  ASSERT_TRUE(file->write("0123456789"));
  ASSERT_TRUE(file->truncate(4));
  ASSERT_TRUE(file->write("x"));
  EXPECT_EQ(read_all(at("a")), "0123x");
}

TEST_F(FileTest, AMissingInputIsAMistakeInTheJob) {
  Result<File> file = File::open_read(at("none.csv"));
  ASSERT_FALSE(file);
  EXPECT_EQ(file.error().kind, ErrorKind::config);
  EXPECT_EQ(file.error().message, "No such file: " + at("none.csv").native() + ".");
}

TEST_F(FileTest, AFolderIsNoInput) {
  Result<File> file = File::open_read(folder_);
  ASSERT_FALSE(file);
  EXPECT_EQ(file.error().kind, ErrorKind::config);
  EXPECT_EQ(file.error().message, "Can't read " + folder_.native() + ": Is a directory.");
}

TEST_F(FileTest, CreateTruncatesUnlessItIsExclusive) {
  put("a", "old");
  Result<File> second = File::create(at("a"), true);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().message, "Can't create " + at("a").native() + ": File exists.");
  EXPECT_EQ(read_all(at("a")), "old");
  ASSERT_TRUE(File::create(at("a")));
  EXPECT_EQ(read_all(at("a")), "");
}

TEST_F(FileTest, OpenWriteKeepsTheBytes) {
  put("a", "old");
  Result<File> file = File::open_write(at("a"));
  ASSERT_TRUE(file);
  ASSERT_TRUE(file->write("new!"));
  EXPECT_EQ(read_all(at("a")), "new!");
  EXPECT_FALSE(File::open_write(at("none")));
}

TEST_F(FileTest, AnAnonymousFileLeavesNoName) {
  Result<File> file = File::create_anonymous(folder_);
  ASSERT_TRUE(file) << file.error().message;
  EXPECT_TRUE(names().empty());
  ASSERT_TRUE(file->write("spill"));
  char buffer[5];
  ASSERT_EQ(*file->read_at(buffer, 5, 0), 5u);
  EXPECT_EQ(std::string(buffer, 5), "spill");
}

TEST_F(FileTest, AMovedFileHasOneOwner) {
  Result<File> file = File::create(at("a"));
  ASSERT_TRUE(file);
  File owner = std::move(*file);
  EXPECT_FALSE(file->is_open());
  EXPECT_TRUE(owner.is_open());
  owner = File();
  EXPECT_FALSE(owner.is_open());
}

TEST(FileErrorTest, AFullDiskIsReportedWithPathAndReason) {
  Result<File> file = File::open_write("/dev/full");
  ASSERT_TRUE(file);
  const Result<void> written = file->write("x");
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().kind, ErrorKind::failed);
  EXPECT_EQ(written.error().message, "Can't write /dev/full: No space left on device.");
}

TEST(FileErrorTest, AFailedSyncIsAnError) {
  Result<File> file = File::open_write("/dev/null");  // which has no fsync
  ASSERT_TRUE(file);
  const Result<void> synced = file->sync();
  ASSERT_FALSE(synced);
  EXPECT_EQ(synced.error().message, "Can't sync /dev/null: Invalid argument.");
}

TEST_F(FileTest, ReadFileReadsWhatHasNoSize) {
  EXPECT_NE(read_all("/proc/self/status").find("Threads:"), std::string::npos);
  EXPECT_EQ(read_all("/dev/null"), "");
}

TEST_F(FileTest, ReadFileReadsFilesOfAnySize) {
  for (const std::size_t bytes : {0u, 1u, 65535u, 65536u, 65537u, 1000000u}) {
    const std::string text(bytes, 'q');
    ASSERT_TRUE(write_file_durably(at("a"), text));
    EXPECT_EQ(read_all(at("a")), text);
  }
}

TEST_F(FileTest, ADurableWriteReplacesTheFileAndLeavesNothingElse) {
  put("a", "old");
  put(".a.tmp", "what a killed process left");
  ASSERT_TRUE(write_file_durably(at("a"), "new"));
  EXPECT_EQ(read_all(at("a")), "new");
  EXPECT_EQ(names(), std::vector<std::string>{"a"});
}

TEST_F(FileTest, AFileIsCreatedDurablyOnceAndThenStaysAsItIs) {
  ASSERT_TRUE(create_file_durably(at("a"), "first"));
  EXPECT_EQ(read_file(at("a")).value(), "first");
  ASSERT_TRUE(create_file_durably(at("a"), "second"));
  EXPECT_EQ(read_file(at("a")).value(), "first");
  EXPECT_EQ(std::distance(fs::directory_iterator(at("")), fs::directory_iterator()), 1);
}

TEST_F(FileTest, AFailedDurableWriteLeavesTheOldFileAndNoTemporaryOne) {
  put("a", "old");
  Result<Child> child = Child::fork([&] {
    ::signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{4, 4};  // a disk that is full after four bytes
    if (::setrlimit(RLIMIT_FSIZE, &limit) != 0) return 2;
    const Result<void> written = write_file_durably(at("a"), "longer");
    return !written && written.error().message.ends_with("File too large.") ? 0 : 1;
  });
  ASSERT_TRUE(child);
  EXPECT_EQ(**child->wait(std::nullopt), (Exit{0, 0}));
  EXPECT_EQ(read_all(at("a")), "old");
  EXPECT_EQ(names(), std::vector<std::string>{"a"});
}

TEST_F(FileTest, AFailedRenameLeavesNoTemporaryFile) {
  fs::create_directories(at("a"));
  ASSERT_FALSE(write_file_durably(at("a"), "x"));
  EXPECT_EQ(names(), std::vector<std::string>{"a"});
}

TEST_F(FileTest, RenamesAcrossFolders) {
  put("from/a", "bytes");
  ASSERT_TRUE(create_folders(at("to")));
  ASSERT_TRUE(rename_durably(at("from/a"), at("to/b")));
  EXPECT_EQ(read_all(at("to/b")), "bytes");
  EXPECT_FALSE(file_exists(at("from/a")));
  const Result<void> again = rename_durably(at("from/a"), at("to/b"));
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().message, "Can't rename " + at("from/a").native() + " to " +
                                       at("to/b").native() + ": No such file or directory.");
}

TEST_F(FileTest, RemovingWhatIsMissingIsNoError) {
  EXPECT_TRUE(remove_file(at("none")));
  EXPECT_TRUE(remove_tree(at("none")));
  EXPECT_TRUE(remove_tree(at("none/deeper")));
  put("tree/a/b");
  EXPECT_FALSE(remove_file(at("tree")));
  EXPECT_TRUE(remove_tree(at("tree")));
  EXPECT_TRUE(names().empty());
}

TEST_F(FileTest, CreatesFoldersWithTheirParents) {
  EXPECT_TRUE(create_folders(at("a/b/c")));
  EXPECT_TRUE(create_folders(at("a/b/c")));
  EXPECT_TRUE(create_folders(at("d/e/")));
  EXPECT_TRUE(create_folders(""));
  EXPECT_TRUE(fs::is_directory(at("a/b/c")));
  EXPECT_TRUE(fs::is_directory(at("d/e")));
  put("file");
  const Result<void> below_file = create_folders(at("file/x"));
  ASSERT_FALSE(below_file);
  EXPECT_EQ(below_file.error().message,
            "Can't create the folder " + at("file").native() + ": File exists.");
}

TEST_F(FileTest, StatusTellsFilesFromFolders) {
  put("a", "12345");
  Result<FileStatus> file = file_status(at("a"));
  ASSERT_TRUE(file);
  EXPECT_EQ(file->bytes, 5u);
  EXPECT_TRUE(file->is_regular);
  EXPECT_FALSE(file->is_folder);
  EXPECT_GT(file->modified_nanoseconds, 0);
  EXPECT_TRUE(file_status(folder_)->is_folder);
  EXPECT_EQ(file_status(at("none")).error().kind, ErrorKind::config);
}

TEST_F(FileTest, FreeBytesCountForAPathThatIsYetToBe) {
  Result<std::uint64_t> bytes = free_bytes(at("not/yet/there"));
  ASSERT_TRUE(bytes);
  EXPECT_GT(*bytes, 0u);
}

}  // namespace
}  // namespace tranche
