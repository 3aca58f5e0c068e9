#include "connectors/remote_places.h"

#include <cstdlib>

#include <gtest/gtest.h>

namespace tranche {
namespace {

constexpr const char* variables[] = {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY",
                                     "AWS_SESSION_TOKEN", "AWS_REGION",
                                     "AWS_DEFAULT_REGION", "AWS_ENDPOINT_URL"};

class RemotePlaces : public testing::Test {
 protected:
  void SetUp() override {
    for (const char* name : variables) unsetenv(name);
  }
  void TearDown() override { SetUp(); }
};

TEST_F(RemotePlaces, NamesHoldNoSecretAndAreDistinct) {
  EXPECT_EQ(remote_names({"https://ann:hush@h/a.csv?sig=1", "a.csv", "https://h/a.csv?sig=2",
                          "s3://b/k?x.csv", "b.csv"}),
            (std::vector<std::string>{"https://h/a.csv", "", "https://h/a.csv (2)",
                                      "s3://b/k?x.csv", ""}));
}

TEST_F(RemotePlaces, APatternIsRefusedAndASignatureIsNone) {
  EXPECT_EQ(find_remote_place("https://h/*.csv", "n").error().kind, ErrorKind::config);
  const HttpPlace place = find_remote_place("https://u:p@h/a.csv?sig=*&x=[1]", "n").value();
  EXPECT_EQ(place.url, "https://u:p@h/a.csv?sig=*&x=[1]");
  EXPECT_EQ(place.name, "n");
  EXPECT_FALSE(place.s3);
}

TEST_F(RemotePlaces, BucketsAreHostsAtAmazonAndFoldersElsewhere) {
  const auto url = [](const char* path) { return find_remote_place(path, path).value().url; };
  EXPECT_EQ(url("s3://sales/a b/c+d.csv"),
            "https://sales.s3.us-east-1.amazonaws.com/a%20b/c%2Bd.csv");
  setenv("AWS_DEFAULT_REGION", "eu-west-3", 1);
  EXPECT_EQ(url("s3://sales.of.mine/c.csv"),
            "https://s3.eu-west-3.amazonaws.com/sales.of.mine/c.csv");
  setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9000/", 1);
  EXPECT_EQ(url("s3://sales/c.csv"), "http://127.0.0.1:9000/sales/c.csv");
}

TEST_F(RemotePlaces, KeysOfS3ComeFromTheEnvironmentBothOrNeither) {
  EXPECT_FALSE(find_remote_place("s3://b/k", "n").value().s3);
  setenv("AWS_ACCESS_KEY_ID", "id", 1);
  EXPECT_EQ(find_remote_place("s3://b/k", "n").error().kind, ErrorKind::config);
  setenv("AWS_SECRET_ACCESS_KEY", "hush", 1);
  EXPECT_EQ(find_remote_place("s3://b/k", "n").value().s3->key_id, "id");
  EXPECT_EQ(find_remote_place("s3://b", "n").error().kind, ErrorKind::config);
  EXPECT_EQ(find_remote_place("s3://id:hush@b/k", "n").error().kind, ErrorKind::config);
}

}  // namespace
}  // namespace tranche
