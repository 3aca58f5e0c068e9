// A two-way channel of frames (length + bytes) between processes; a frame can carry descriptors.
//
// It survives fork and closes on exec. A frame comes whole or not at all. Threads: one may send
// while another receives; the callers' locks keep several senders apart. Lifetime: owns its end.
#pragma once

#include <cstddef>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <tranche/base/result.h>

namespace tranche {

// An open descriptor and nothing else; closed with its owner.
class Descriptor {
 public:
  Descriptor() = default;
  explicit Descriptor(int number) : number_(number) {}
  Descriptor(Descriptor&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept;
  ~Descriptor();
  int number() const { return number_; }
  int release() { return std::exchange(number_, -1); }

 private:
  int number_ = -1;
};

struct Frame {
  std::string bytes;
  std::vector<Descriptor> descriptors;
};

class Channel {
 public:
  static constexpr std::size_t frame_bytes_max = std::size_t{1} << 30;
  static constexpr std::size_t descriptors_max = 65'536;  // of a frame

  static Result<std::pair<Channel, Channel>> create();
  Channel() = default;
  explicit Channel(Descriptor end) : end_(std::move(end)) {}
  Channel(Channel&&) = default;
  Channel& operator=(Channel&&) = default;

  int descriptor() const { return end_.number(); }
  Descriptor release() { return std::move(end_); }
  void close() { end_ = Descriptor(); }

  // Sends one frame; waits while the channel is full. Errors: failed, when the other end is gone.
  Result<void> send(std::string_view bytes, const std::vector<int>& descriptors = {});
  // Sends what can be sent without waiting and keeps the rest for flush(); `keep` owns the
  // descriptors until then.
  Result<void> post(std::string_view bytes, const std::vector<int>& descriptors = {},
                    std::shared_ptr<const void> keep = nullptr);
  Result<void> flush();
  bool has_unsent() const { return !unsent_.empty(); }

  // Waits for one frame; nullopt: the other end is gone.
  Result<std::optional<Frame>> receive();
  // Reads what is there without waiting and returns the whole frames; `closed` says that no more
  // will come. Errors: crash, when what was sent is no frame.
  Result<std::vector<Frame>> receive_available(bool& closed);

 private:
  // Bytes that go in one go, with the descriptors that go with the first of them.
  struct Piece {
    std::string bytes;
    std::vector<int> descriptors;
    std::shared_ptr<const void> keep;
  };
  static std::vector<Piece> pieces_of(std::string_view bytes, const std::vector<int>& descriptors,
                                      const std::shared_ptr<const void>& keep);
  Result<bool> send_piece(Piece& piece, bool may_wait);
  Result<bool> read_some(bool may_wait, bool& closed);
  Result<std::optional<Frame>> take_frame();

  Descriptor end_;
  std::deque<Piece> unsent_;
  std::string partial_;
  std::size_t partial_at_ = 0;  // what stands before it was taken
  std::deque<Descriptor> received_;
};

}  // namespace tranche
