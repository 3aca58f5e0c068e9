// Numbers and texts one behind the other, for frames between processes of one program on one
// machine.
// Threads: value types.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace tranche {

class FrameWriter {
 public:
  void put(std::uint64_t number) {
    char bytes[sizeof number];
    std::memcpy(bytes, &number, sizeof number);
    bytes_.append(bytes, sizeof number);
  }
  void put_text(std::string_view text) {
    put(text.size());
    bytes_ += text;
  }
  const std::string& bytes() const { return bytes_; }

 private:
  std::string bytes_;
};

// Behind the end, and behind what is no frame, everything is 0 and empty; ok() tells.
class FrameReader {
 public:
  explicit FrameReader(std::string_view bytes) : left_(bytes) {}
  std::uint64_t take() {
    std::uint64_t number = 0;
    if (left_.size() < sizeof number) return fail();
    std::memcpy(&number, left_.data(), sizeof number);
    left_.remove_prefix(sizeof number);
    return number;
  }
  // How many items follow, each of at least `item_bytes`.
  std::uint64_t take_count(std::size_t item_bytes) {
    const std::uint64_t count = take();
    return count <= left_.size() / item_bytes ? count : fail();
  }
  std::string take_text() {
    const std::uint64_t length = take_count(1);
    std::string text(left_.substr(0, length));
    left_.remove_prefix(length);
    return text;
  }
  bool ok() const { return ok_; }
  bool at_end() const { return left_.empty(); }

 private:
  std::uint64_t fail() {
    ok_ = false;
    left_ = {};
    return 0;
  }
  std::string_view left_;
  bool ok_ = true;
};

}  // namespace tranche
