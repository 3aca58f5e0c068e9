// A web service for measurements: it answers each GET of /score/N with {"score": N % 1000}, so many
// milliseconds after it was asked, whatever the number of calls in flight. One thread, so that it
// takes little of what is measured beside it.
//
//     slow_service MILLISECONDS          prints its port, and serves until it is killed
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <string>
#include <unordered_map>
#include <utility>

#include <fmt/format.h>

namespace {

using Clock = std::chrono::steady_clock;

struct Answer {
  Clock::time_point due;
  int client;
  std::uint64_t generation;  // descriptors are used again
  std::string text;
};

class Service {
 public:
  explicit Service(std::chrono::milliseconds takes) : takes_(takes) {}

  int listen() {
    listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    auto* const name = reinterpret_cast<sockaddr*>(&address);
    socklen_t bytes = sizeof address;
    if (::bind(listener_, name, bytes) != 0 || ::listen(listener_, 4096) != 0) std::exit(1);
    ::getsockname(listener_, name, &bytes);
    watch(listener_);
    return ntohs(address.sin_port);
  }

  [[noreturn]] void serve() {
    std::array<epoll_event, 512> events;
    for (;;) {
      const int count = ::epoll_wait(poll_, events.data(), events.size(), milliseconds_left());
      for (int i = 0; i < count; ++i) {
        const int descriptor = events[static_cast<std::size_t>(i)].data.fd;
        if (descriptor == listener_)
          accept_all();
        else
          hear(descriptor);
      }
      send_due();
    }
  }

 private:
  struct Client {
    std::uint64_t generation = 0;
    std::string heard;
  };

  void watch(int descriptor) const {
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.fd = descriptor;
    ::epoll_ctl(poll_, EPOLL_CTL_ADD, descriptor, &event);
  }

  int milliseconds_left() const {
    if (answers_.empty()) return -1;
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(answers_.front().due -
                                                                   Clock::now());
    return static_cast<int>(std::max<std::int64_t>(0, left.count()));
  }

  void accept_all() {
    for (int client; (client = ::accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK)) >= 0;) {
      const int yes = 1;
      ::setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
      clients_[client] = Client{++generations_, {}};
      watch(client);
    }
  }

  void hear(int descriptor) {
    Client& client = clients_[descriptor];
    std::array<char, 16384> room;
    const ssize_t count = ::read(descriptor, room.data(), room.size());
    if (count <= 0) {
      ::close(descriptor);
      clients_.erase(descriptor);
      return;
    }
    client.heard.append(room.data(), static_cast<std::size_t>(count));
    for (std::size_t end; (end = client.heard.find("\r\n\r\n")) != std::string::npos;) {
      const std::size_t at = client.heard.find("/score/");
      const long number = at < end ? std::atol(client.heard.c_str() + at + 7) : 0;
      const std::string body = fmt::format("{{\"score\": {}}}", number % 1000);
      answers_.push_back({Clock::now() + takes_, descriptor, client.generation,
                          fmt::format("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                                      "Content-Length: {}\r\n\r\n{}",
                                      body.size(), body)});
      client.heard.erase(0, end + 4);
    }
  }

  void send_due() {
    const auto now = Clock::now();
    for (; !answers_.empty() && answers_.front().due <= now; answers_.pop_front()) {
      const Answer& answer = answers_.front();
      const auto found = clients_.find(answer.client);
      if (found == clients_.end() || found->second.generation != answer.generation) continue;
      static_cast<void>(
          ::send(answer.client, answer.text.data(), answer.text.size(), MSG_NOSIGNAL));
    }
  }

  std::chrono::milliseconds takes_;
  int poll_ = ::epoll_create1(0);
  int listener_ = -1;
  std::uint64_t generations_ = 0;
  std::unordered_map<int, Client> clients_;
  std::deque<Answer> answers_;  // each takes equally long, so they are due in this order
};

}  // namespace

int main(int argc, char** argv) {
  Service service(std::chrono::milliseconds(argc > 1 ? std::atoi(argv[1]) : 20));
  std::printf("%d\n", service.listen());
  std::fflush(stdout);
  service.serve();
}
