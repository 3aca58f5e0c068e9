#include "base/channel.h"

#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "base/file.h"
#include "base/frame.h"
#include "base/process.h"

namespace tranche {
namespace {

std::vector<std::string> receive_to_end(Channel& channel) {
  std::vector<std::string> frames;
  while (true) {
    auto frame = channel.receive();
    if (!frame) return {"error: " + frame.error().message};
    if (!*frame) return frames;
    frames.push_back(std::move((*frame)->bytes));
  }
}

class ChannelTest : public testing::Test {
 protected:
  void SetUp() override {
    auto ends = Channel::create();
    ASSERT_TRUE(ends);
    here_ = std::move(ends->first);
    there_ = std::move(ends->second);
  }
  Channel here_;
  Channel there_;
};

TEST_F(ChannelTest, FramesArriveWholeAndInOrder) {
  const std::string large(3'000'000, 'x');  // more than the channel holds at once
  Result<Child> child = Child::fork([&] {
    here_.close();
    for (const std::string& frame : {std::string("one"), std::string(), large, std::string("end")})
      if (!there_.send(frame)) return 1;
    return 0;
  });
  ASSERT_TRUE(child);
  there_.close();
  EXPECT_EQ(receive_to_end(here_), (std::vector<std::string>{"one", "", large, "end"}));
  EXPECT_EQ(**child->wait(std::nullopt), (Exit{0, 0}));
}

TEST_F(ChannelTest, ReadingWhatIsNotThereDoesNotBlock) {
  bool closed = true;
  EXPECT_TRUE(here_.receive_available(closed)->empty());
  EXPECT_FALSE(closed);
}

TEST_F(ChannelTest, SendingWhatIsNotReadDoesNotBlockWherePostDoesIt) {
  const std::string large(3'000'000, 'x');
  ASSERT_TRUE(here_.post(large));
  ASSERT_TRUE(here_.post("behind it"));
  EXPECT_TRUE(here_.has_unsent());
  bool closed = false;
  std::vector<std::string> frames;
  while (frames.size() < 2) {
    ASSERT_TRUE(here_.flush());
    auto some = there_.receive_available(closed);
    ASSERT_TRUE(some);
    for (Frame& frame : *some) frames.push_back(std::move(frame.bytes));
  }
  EXPECT_FALSE(here_.has_unsent());
  EXPECT_EQ(frames, (std::vector<std::string>{large, "behind it"}));
}

TEST_F(ChannelTest, DescriptorsTravelWithTheirFrame) {
  std::vector<File> files;
  std::vector<int> numbers;
  for (int i = 0; i < 450; ++i) {  // more than one message of the kernel carries
    auto file = File::create_in_memory();
    ASSERT_TRUE(file);
    ASSERT_TRUE(file->write(std::to_string(i)));
    files.push_back(*std::move(file));
    numbers.push_back(files.back().descriptor());
  }
  Result<Child> child = Child::fork([&] {
    here_.close();
    return there_.send("before") && there_.send("with", numbers) && there_.send("after") ? 0 : 1;
  });
  ASSERT_TRUE(child);
  there_.close();
  files.clear();
  EXPECT_EQ((*here_.receive())->bytes, "before");
  auto frame = here_.receive();
  ASSERT_TRUE(frame && *frame);
  EXPECT_EQ((*frame)->bytes, "with");
  ASSERT_EQ((*frame)->descriptors.size(), 450U);
  for (int i = 0; i < 450; i += 149) {
    const File file = File::adopt((*frame)->descriptors[static_cast<std::size_t>(i)].release(), "");
    char text[8] = {};
    ASSERT_TRUE(file.read_at(text, sizeof text, 0));
    EXPECT_EQ(text, std::to_string(i));
  }
  EXPECT_EQ((*here_.receive())->bytes, "after");
  ASSERT_TRUE(child->wait(std::nullopt));
}

TEST_F(ChannelTest, AFrameCutOffByTheSendersDeathIsNotDelivered) {
  Result<Child> child = Child::fork([&] {
    here_.close();
    static_cast<void>(there_.send("whole"));
    static_cast<void>(there_.send(std::string(50'000'000, 'x')));
    return 0;
  });
  ASSERT_TRUE(child);
  there_.close();
  EXPECT_EQ((*here_.receive())->bytes, "whole");
  child->kill(SIGKILL);
  ASSERT_TRUE(child->wait(std::nullopt));
  EXPECT_TRUE(receive_to_end(here_).empty());
}

TEST_F(ChannelTest, ASenderWithoutReceiverGetsAnErrorAndLives) {
  here_.close();
  const Result<void> sent = there_.send("x");
  ASSERT_FALSE(sent);
  EXPECT_EQ(sent.error().message, "Can't write to a channel: Broken pipe.");
}

TEST_F(ChannelTest, WhatIsNoFrameIsTakenForACrash) {
  const std::string nonsense(64, '\xFF');
  ASSERT_EQ(::send(there_.descriptor(), nonsense.data(), nonsense.size(), 0), 64);
  const auto frame = here_.receive();
  ASSERT_FALSE(frame);
  EXPECT_EQ(frame.error().kind, ErrorKind::crash);
}

TEST(FrameTest, GivesBackWhatWasPut) {
  FrameWriter writer;
  writer.put(7);
  writer.put_text("seven");
  writer.put_text("");
  FrameReader reader(writer.bytes());
  EXPECT_EQ(reader.take(), 7U);
  EXPECT_EQ(reader.take_text(), "seven");
  EXPECT_EQ(reader.take_text(), "");
  EXPECT_TRUE(reader.ok() && reader.at_end());
}

TEST(FrameTest, NoticesWhatIsCutOff) {
  FrameWriter writer;
  writer.put_text("seven");
  for (std::size_t bytes = 0; bytes < writer.bytes().size(); ++bytes) {
    FrameReader reader(std::string_view(writer.bytes()).substr(0, bytes));
    EXPECT_EQ(reader.take_text(), "");
    EXPECT_FALSE(reader.ok()) << bytes;
  }
}

}  // namespace
}  // namespace tranche
