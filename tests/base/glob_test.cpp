#include <unistd.h>

#include <gtest/gtest.h>

#include "base/file.h"
#include "base/process.h"
#include "base/temporary_folder.h"

namespace tranche {
namespace {

// Works in its folder, so that patterns and results are relative, as users write them.
class GlobTest : public TemporaryFolder {
 protected:
  GlobTest() {
    previous_ = fs::current_path();
    fs::current_path(folder_);
  }
  ~GlobTest() override { fs::current_path(previous_); }

  static std::vector<std::string> expand(const std::string& pattern) {
    Result<std::vector<fs::path>> paths = expand_glob(pattern);
    if (!paths) return {"error: " + paths.error().message};
    std::vector<std::string> names;
    for (const fs::path& path : *paths) names.push_back(path.native());
    return names;
  }

 private:
  fs::path previous_;
};

using Names = std::vector<std::string>;

TEST_F(GlobTest, APlainPathNamesItself) {
  put("data/x.csv");
  EXPECT_EQ(expand("data/x.csv"), Names{"data/x.csv"});
  EXPECT_EQ(expand("./data//x.csv"), Names{"./data//x.csv"});
}

TEST_F(GlobTest, AMissingPlainPathIsNamed) {
  Result<std::vector<fs::path>> paths = expand_glob("data/x.csv");
  ASSERT_FALSE(paths);
  EXPECT_EQ(paths.error().kind, ErrorKind::config);
  EXPECT_EQ(paths.error().message, "No such file: data/x.csv.");
}

TEST_F(GlobTest, APatternWithoutMatchIsNamed) {
  put("data/x.txt");
  Result<std::vector<fs::path>> paths = expand_glob("data/*.csv");
  ASSERT_FALSE(paths);
  EXPECT_EQ(paths.error().kind, ErrorKind::config);
  EXPECT_EQ(paths.error().message, "No file matches data/*.csv.");
  EXPECT_EQ(expand("nowhere/*.csv"), Names{"error: No file matches nowhere/*.csv."});
}

TEST_F(GlobTest, AFolderIsNoFile) {
  put("data/x.csv");
  EXPECT_EQ(expand("data"),
            Names{"error: data is a folder: name the files in it, as in data/*."});
  put("data/deeper/y.csv");
  EXPECT_EQ(expand("data/*"), Names{"data/x.csv"});
  EXPECT_EQ(expand("*"), Names{"error: No file matches *."});
}

TEST_F(GlobTest, TheFolderBehindWhichItIsLookedForIsNoPattern) {
  put("x*/a.csv");
  put("xy/a.csv");
  put("[b]/a.csv");
  const auto paths = expand_glob("*.csv", "x*");
  ASSERT_TRUE(paths);
  EXPECT_EQ(*paths, std::vector<fs::path>{"x*/a.csv"});
  EXPECT_EQ(*expand_glob("a.csv", "[b]"), std::vector<fs::path>{"[b]/a.csv"});
  EXPECT_EQ(*expand_glob("**", "[b]"), std::vector<fs::path>{"[b]/a.csv"});
  EXPECT_EQ(*expand_glob(folder_ / "x?/a.csv", "[b]"),
            (std::vector<fs::path>{folder_ / "x*/a.csv", folder_ / "xy/a.csv"}));
  EXPECT_EQ(expand_glob("*.txt", "x*").error().message, "No file matches x*/*.txt.");
}

TEST_F(GlobTest, SortsByBytes) {
  for (const char* name : {"b.csv", "B.csv", "a-1.csv", "a.csv", "a/x.csv", "\xC3\xA9.csv",
                           "10.csv", "9.csv"})
    put(name);
  EXPECT_EQ(expand("*.csv"),
            (Names{"10.csv", "9.csv", "B.csv", "a-1.csv", "a.csv", "b.csv", "\xC3\xA9.csv"}));
  EXPECT_EQ(expand("**/*.csv"), (Names{"10.csv", "9.csv", "B.csv", "a-1.csv", "a.csv", "a/x.csv",
                                       "b.csv", "\xC3\xA9.csv"}));
}

TEST_F(GlobTest, AStarMatchesAnyCharactersOfOneName) {
  for (const char* name : {"sales-1.csv", "sales-.csv", "sales-1.csv.gz", "xsales-1.csv",
                           "s/c.csv"})
    put(name);
  EXPECT_EQ(expand("sales-*.csv"), (Names{"sales-.csv", "sales-1.csv"}));
  EXPECT_EQ(expand("*s*.c*v"), (Names{"sales-.csv", "sales-1.csv", "xsales-1.csv"}));
  EXPECT_EQ(expand("s*c.csv"), Names{"error: No file matches s*c.csv."});
}

TEST_F(GlobTest, AQuestionMarkMatchesOneCharacter) {
  for (const char* name : {"a1", "a22", "a", "a\xC3\xA9", "a\xFF"}) put(name);
  EXPECT_EQ(expand("a?"), (Names{"a1", "a\xC3\xA9", "a\xFF"}));
  EXPECT_EQ(expand("a??"), Names{"a22"});
}

TEST_F(GlobTest, BracketsMatchSetsRangesAndTheirOpposites) {
  for (const char* name : {"a1", "a2", "a5", "ax", "a]", "a-", "a\xC3\xA9", "a["}) put(name);
  EXPECT_EQ(expand("a[15]"), (Names{"a1", "a5"}));
  EXPECT_EQ(expand("a[1-3x]"), (Names{"a1", "a2", "ax"}));
  EXPECT_EQ(expand("a[!1-5x]"), (Names{"a-", "a[", "a]", "a\xC3\xA9"}));
  EXPECT_EQ(expand("a[^0-9[-]"), (Names{"a]", "ax", "a\xC3\xA9"}));
  EXPECT_EQ(expand("a[]]"), Names{"a]"});
  EXPECT_EQ(expand("a[1-]"), (Names{"a-", "a1"}));
  EXPECT_EQ(expand("a[\xC3\xA0-\xC3\xBF]"), Names{"a\xC3\xA9"});
  EXPECT_EQ(expand("?["), Names{"a["});
}

TEST_F(GlobTest, AFileWithSpecialCharactersCanBeNamed) {
  put("sales [1].csv");
  EXPECT_EQ(expand("sales [1].csv"), Names{"sales [1].csv"});
}

TEST_F(GlobTest, TwoStarsMatchAnyFolders) {
  for (const char* name : {"d/x.csv", "d/a/x.csv", "d/a/b/x.csv", "d/a/b/y.csv", "e/x.csv"})
    put(name);
  EXPECT_EQ(expand("d/**/x.csv"), (Names{"d/a/b/x.csv", "d/a/x.csv", "d/x.csv"}));
  EXPECT_EQ(expand("**/b/*.csv"), (Names{"d/a/b/x.csv", "d/a/b/y.csv"}));
  EXPECT_EQ(expand("d/**"), (Names{"d/a/b/x.csv", "d/a/b/y.csv", "d/a/x.csv", "d/x.csv"}));
  EXPECT_EQ(expand("d/**/**/y.csv"), Names{"d/a/b/y.csv"});
  EXPECT_EQ(expand("*/x.csv"), (Names{"d/x.csv", "e/x.csv"}));
}

TEST_F(GlobTest, HiddenNamesMatchOnlyASpelledOutDot) {
  for (const char* name : {".h.csv", "v.csv", ".f/x.csv", "g/.h.csv"}) put(name);
  EXPECT_EQ(expand("*.csv"), Names{"v.csv"});
  EXPECT_EQ(expand("?h.csv"), Names{"error: No file matches ?h.csv."});
  EXPECT_EQ(expand("[.]h.csv"), Names{"error: No file matches [.]h.csv."});
  EXPECT_EQ(expand(".*.csv"), Names{".h.csv"});
  EXPECT_EQ(expand("**/*.csv"), Names{"v.csv"});
  EXPECT_EQ(expand(".f/*"), Names{".f/x.csv"});
}

TEST_F(GlobTest, PathsStayAsTheUserWroteThem) {
  put("d/e/x.csv");
  EXPECT_EQ(expand("./d/../d//e/*.csv"), Names{"./d/../d//e/x.csv"});
  EXPECT_EQ(expand(folder_.native() + "/*/e/x.csv"), Names{folder_.native() + "/d/e/x.csv"});
}

TEST_F(GlobTest, LinksToFilesCountAndLinksInARingDoNotHang) {
  put("d/x.csv");
  fs::create_symlink("x.csv", "d/link.csv");
  fs::create_symlink("..", "d/up");
  EXPECT_EQ(expand("d/**/*.csv"), (Names{"d/link.csv", "d/x.csv"}));
  EXPECT_EQ(expand("d/*/d/x.csv"), Names{"d/up/d/x.csv"});
  fs::create_symlink("gone.csv", "d/broken.csv");
  EXPECT_EQ(expand("d/*.csv"), Names{"error: Can't read d/broken.csv: No such file or directory."});
}

// Runs as a user whom permissions bind.
TEST_F(GlobTest, WhatCantBeReadIsNamed) {
  put("open/x.csv");
  put("closed/x.csv");
  put("mixed/secret.csv");
  fs::permissions("closed", fs::perms::none);
  fs::permissions("mixed/secret.csv", fs::perms::none);
  Result<Child> child = Child::fork([] {
    if (::geteuid() == 0 && ::setuid(65534) != 0) return 3;
    if (expand("*/x.csv") != Names{"error: Can't read closed/x.csv: Permission denied."}) return 4;
    if (expand("closed/*.csv") != Names{"error: Can't read the folder closed/: Permission denied."})
      return 5;
    if (expand("**/*.csv") != Names{"error: Can't read the folder closed/: Permission denied."} &&
        expand("**/*.csv") != Names{"error: Can't read mixed/secret.csv: Permission denied."})
      return 6;
    if (expand("mixed/secret.csv") !=
        Names{"error: Can't read mixed/secret.csv: Permission denied."})
      return 7;
    return expand("open/*.csv") == Names{"open/x.csv"} ? 0 : 8;
  });
  ASSERT_TRUE(child);
  EXPECT_EQ(**child->wait(std::nullopt), (Exit{0, 0}));
  fs::permissions("closed", fs::perms::owner_all);
}

}  // namespace
}  // namespace tranche
