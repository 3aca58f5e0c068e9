#include "base/digest.h"

#include <set>

#include <gtest/gtest.h>

namespace tranche {
namespace {

// The digests are kept in ledgers: these figures are xxHash's own and never change.
TEST(DigestTest, AgreesWithXxhash) {
  EXPECT_EQ(digest64(""), 0x2D06800538D394C2u);
  EXPECT_EQ(digest_hex(""), "99aa06d3014798d86001c324468d497f");
}

TEST(DigestTest, DependsOnEveryByte) {
  EXPECT_NE(digest64("abc"), digest64("abd"));
  EXPECT_NE(digest64("abc"), digest64(std::string_view("abc\0", 4)));
  EXPECT_NE(digest_hex("abc"), digest_hex("abd"));
  EXPECT_EQ(digest_hex("abc").size(), 32u);
}

TEST(DigestTest, PiecesGiveTheDigestOfTheWhole) {
  std::string bytes;
  for (int i = 0; i < 5000; ++i) bytes += static_cast<char>(i * 7);
  for (const std::size_t piece : {1u, 7u, 256u, 1000u, 5000u}) {
    Digest digest;
    for (std::size_t at = 0; at < bytes.size(); at += piece)
      digest.update(std::string_view(bytes).substr(at, piece));
    EXPECT_EQ(digest.value(), digest64(bytes));
  }
}

TEST(DigestTest, StartsAnewAfterAReset) {
  Digest digest;
  EXPECT_EQ(digest.value(), digest64(""));
  digest.update("something");
  digest.reset();
  digest.update("");
  digest.update("abc");
  Digest moved = std::move(digest);
  EXPECT_EQ(moved.value(), digest64("abc"));
}

TEST(DigestTest, HexadecimalHasAllSixteenDigits) {
  EXPECT_EQ(to_hex64(0), "0000000000000000");
  EXPECT_EQ(to_hex64(0xABCDEFu), "0000000000abcdef");
  EXPECT_EQ(to_hex64(~0ull), "ffffffffffffffff");
}

TEST(DigestTest, RandomIdsDiffer) {
  std::set<std::string> ids;
  for (int i = 0; i < 1000; ++i) ids.insert(random_id());
  EXPECT_EQ(ids.size(), 1000u);
  for (const std::string& id : ids) {
    EXPECT_EQ(id.size(), 32u);
    EXPECT_EQ(id.find_first_not_of("0123456789abcdef"), std::string::npos);
  }
}

}  // namespace
}  // namespace tranche
