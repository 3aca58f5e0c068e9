#include "base/channel.h"

#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <cstring>

#include <fmt/format.h>

#include "base/system_error.h"

namespace tranche {
namespace {

// A message of the kernel carries at most 253.
constexpr std::size_t descriptors_a_piece = 200;

struct Header {
  std::uint32_t bytes = 0;
  std::uint32_t descriptors = 0;
};

// A frame goes as its header, a byte for each piece of its descriptors, and its bytes.
std::size_t carriers(std::size_t descriptors) {
  return (descriptors + descriptors_a_piece - 1) / descriptors_a_piece;
}

Error failure(std::string_view verb, int error_number) {
  return system_error(ErrorKind::failed, verb, "a channel", error_number);
}

union Control {
  char bytes[CMSG_SPACE(sizeof(int) * descriptors_a_piece)];
  cmsghdr align;
};

}  // namespace

Descriptor& Descriptor::operator=(Descriptor&& other) noexcept {
  if (this != &other) {
    if (number_ >= 0) ::close(number_);
    number_ = std::exchange(other.number_, -1);
  }
  return *this;
}

Descriptor::~Descriptor() {
  if (number_ >= 0) ::close(number_);
}

// A socket pair, since a pipe whose reader is gone raises SIGPIPE, which would kill the writer.
Result<std::pair<Channel, Channel>> Channel::create() {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
    return failure("create", errno);
  return std::pair(Channel(Descriptor(ends[0])), Channel(Descriptor(ends[1])));
}

std::vector<Channel::Piece> Channel::pieces_of(std::string_view bytes,
                                               const std::vector<int>& descriptors,
                                               const std::shared_ptr<const void>& keep) {
  const Header header{static_cast<std::uint32_t>(bytes.size()),
                      static_cast<std::uint32_t>(descriptors.size())};
  std::vector<Piece> pieces;
  std::string head(sizeof header, '\0');
  std::memcpy(head.data(), &header, sizeof header);
  if (descriptors.empty()) head += bytes;
  pieces.push_back(Piece{std::move(head), {}, nullptr});
  if (descriptors.empty()) return pieces;
  for (std::size_t at = 0; at < descriptors.size(); at += descriptors_a_piece) {
    const auto begin = descriptors.begin() + static_cast<std::ptrdiff_t>(at);
    const auto count = std::min(descriptors_a_piece, descriptors.size() - at);
    pieces.push_back(
        Piece{std::string(1, '\0'), {begin, begin + static_cast<std::ptrdiff_t>(count)}, keep});
  }
  if (!bytes.empty()) pieces.push_back(Piece{std::string(bytes), {}, nullptr});
  return pieces;
}

// True when all of it is on its way; what is not stays in the piece.
Result<bool> Channel::send_piece(Piece& piece, bool may_wait) {
  std::size_t done = 0;
  while (done < piece.bytes.size()) {
    iovec data{piece.bytes.data() + done, piece.bytes.size() - done};
    msghdr message{};
    message.msg_iov = &data;
    message.msg_iovlen = 1;
    Control control{};
    if (!piece.descriptors.empty()) {
      const std::size_t length = sizeof(int) * piece.descriptors.size();
      message.msg_control = control.bytes;
      message.msg_controllen = CMSG_SPACE(length);
      cmsghdr* const part = CMSG_FIRSTHDR(&message);
      part->cmsg_level = SOL_SOCKET;
      part->cmsg_type = SCM_RIGHTS;
      part->cmsg_len = CMSG_LEN(length);
      std::memcpy(CMSG_DATA(part), piece.descriptors.data(), length);
    }
    const ssize_t count =
        ::sendmsg(end_.number(), &message, MSG_NOSIGNAL | (may_wait ? 0 : MSG_DONTWAIT));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) break;
    if (count < 0) return failure("write to", errno);
    done += static_cast<std::size_t>(count);
    piece.descriptors.clear();
    piece.keep.reset();
  }
  piece.bytes.erase(0, done);
  return piece.bytes.empty();
}

Result<void> Channel::send(std::string_view bytes, const std::vector<int>& descriptors) {
  TRANCHE_TRY(post(bytes, descriptors));
  for (; !unsent_.empty(); unsent_.pop_front()) TRANCHE_TRY(send_piece(unsent_.front(), true));
  return {};
}

Result<void> Channel::post(std::string_view bytes, const std::vector<int>& descriptors,
                           std::shared_ptr<const void> keep) {
  if (bytes.size() > frame_bytes_max || descriptors.size() > descriptors_max)
    return make_error(ErrorKind::bug, fmt::format("A frame of {} bytes and {} descriptors is too "
                                                  "long.",
                                                  bytes.size(), descriptors.size()));
  for (Piece& piece : pieces_of(bytes, descriptors, keep)) unsent_.push_back(std::move(piece));
  return flush();
}

Result<void> Channel::flush() {
  while (!unsent_.empty()) {
    TRANCHE_ASSIGN(const bool gone, send_piece(unsent_.front(), false));
    if (!gone) return {};
    unsent_.pop_front();
  }
  return {};
}

// False when nothing was there, or the other end is gone.
Result<bool> Channel::read_some(bool may_wait, bool& closed) {
  std::array<char, std::size_t{64} << 10> buffer;
  for (;;) {
    iovec data{buffer.data(), buffer.size()};
    msghdr message{};
    Control control{};
    message.msg_iov = &data;
    message.msg_iovlen = 1;
    message.msg_control = control.bytes;
    message.msg_controllen = sizeof control.bytes;
    const ssize_t count =
        ::recvmsg(end_.number(), &message, MSG_CMSG_CLOEXEC | (may_wait ? 0 : MSG_DONTWAIT));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return false;
    closed = count == 0 || (count < 0 && errno == ECONNRESET);
    if (closed) return false;
    if (count < 0) return failure("read from", errno);
    for (cmsghdr* part = CMSG_FIRSTHDR(&message); part != nullptr;
         part = CMSG_NXTHDR(&message, part)) {
      if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS) continue;
      const std::size_t descriptors = (part->cmsg_len - CMSG_LEN(0)) / sizeof(int);
      for (std::size_t i = 0; i < descriptors; ++i) {
        int number = -1;
        std::memcpy(&number, CMSG_DATA(part) + i * sizeof(int), sizeof number);
        received_.emplace_back(number);
      }
    }
    if ((message.msg_flags & MSG_CTRUNC) != 0)
      return make_error(ErrorKind::failed, "Descriptors of a frame were lost: too many are open.");
    partial_.append(buffer.data(), static_cast<std::size_t>(count));
    return true;
  }
}

Result<std::optional<Frame>> Channel::take_frame() {
  Header header;
  const std::size_t have = partial_.size() - partial_at_;
  if (have < sizeof header) return std::optional<Frame>();
  std::memcpy(&header, partial_.data() + partial_at_, sizeof header);
  // The writer went wild before it died.
  if (header.bytes > frame_bytes_max || header.descriptors > descriptors_max)
    return make_error(ErrorKind::crash,
                      fmt::format("A process sent a frame of {} bytes and {} descriptors.",
                                  header.bytes, header.descriptors));
  const std::size_t head = sizeof header + carriers(header.descriptors);
  if (have < head + header.bytes || received_.size() < header.descriptors)
    return std::optional<Frame>();
  Frame frame;
  frame.bytes = partial_.substr(partial_at_ + head, header.bytes);
  for (std::uint32_t i = 0; i < header.descriptors; ++i) {
    frame.descriptors.push_back(std::move(received_.front()));
    received_.pop_front();
  }
  partial_at_ += head + header.bytes;
  if (partial_at_ == partial_.size()) {
    partial_.clear();
    partial_at_ = 0;
  }
  return std::optional<Frame>(std::move(frame));
}

Result<std::optional<Frame>> Channel::receive() {
  for (;;) {
    TRANCHE_ASSIGN(auto frame, take_frame());
    if (frame) return frame;
    partial_.erase(0, std::exchange(partial_at_, 0));
    bool closed = false;
    TRANCHE_TRY(read_some(true, closed));
    if (closed) return std::optional<Frame>();
  }
}

Result<std::vector<Frame>> Channel::receive_available(bool& closed) {
  constexpr std::size_t read_bytes_max = std::size_t{16} << 20;  // then others get their turn
  closed = false;
  const std::size_t before = partial_.size();
  while (partial_.size() - before < read_bytes_max) {
    TRANCHE_ASSIGN(const bool more, read_some(false, closed));
    if (!more) break;
  }
  std::vector<Frame> frames;
  for (;;) {
    TRANCHE_ASSIGN(auto frame, take_frame());
    if (!frame) break;
    frames.push_back(*std::move(frame));
  }
  partial_.erase(0, std::exchange(partial_at_, 0));
  return frames;
}

}  // namespace tranche
