// A web API for the contract suites: records are lines of JSON in a file, and come in pages of a
// few.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <fstream>
#include <thread>

#include <fmt/format.h>

#include "contracts/system.h"

namespace tranche::contracts {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t page_records = 7;

// Answers GET /?offset=N on a free port of its own; 404 where there is no file.
class Server {
 public:
  explicit Server(fs::path lines) : lines_(std::move(lines)) {
    socket_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    auto* const any = reinterpret_cast<sockaddr*>(&address);
    if (::bind(socket_, any, size) == 0 && ::listen(socket_, 16) == 0 &&
        ::getsockname(socket_, any, &size) == 0) {
      port_ = ntohs(address.sin_port);
      thread_ = std::thread([this] { serve(); });
    }
  }
  ~Server() {
    ::shutdown(socket_, SHUT_RDWR);
    if (thread_.joinable()) thread_.join();
    ::close(socket_);
  }
  std::string url() const { return fmt::format("http://127.0.0.1:{}/", port_); }

 private:
  void serve() const {
    while (true) {
      const int client = ::accept4(socket_, nullptr, nullptr, SOCK_CLOEXEC);
      if (client < 0) return;
      answer(client);
      ::close(client);
    }
  }
  void answer(int client) const {
    std::string request;
    char buffer[4096];
    while (request.find("\r\n\r\n") == std::string::npos) {
      const ssize_t count = ::recv(client, buffer, sizeof(buffer), 0);
      if (count <= 0) return;
      request.append(buffer, static_cast<std::size_t>(count));
    }
    const std::size_t at = request.find("offset=");
    const std::size_t offset = at == std::string::npos ? 0 : std::stoul(request.substr(at + 7));
    const std::string body = page(offset);
    const std::string whole =
        fmt::format("HTTP/1.1 {}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{}",
                    fs::exists(lines_) ? "200 OK" : "404 Not Found", body.size(), body);
    static_cast<void>(::send(client, whole.data(), whole.size(), MSG_NOSIGNAL));
  }
  std::string page(std::size_t offset) const {
    std::ifstream file(lines_, std::ios::binary);
    std::string line;
    std::string body = "[";
    for (std::size_t number = 0; std::getline(file, line); ++number) {
      if (number < offset || number >= offset + page_records) continue;
      if (body.size() > 1) body += ",\n";
      body += line;
    }
    return body + "]";
  }

  const fs::path lines_;
  int socket_ = -1;
  int port_ = 0;
  std::thread thread_;
};

class HttpSystem final : public System {
 public:
  explicit HttpSystem(const fs::path& folder)
      : jsonl_(make_jsonl_system(folder)), server_(folder / "in" / "data.jsonl") {}

  void make_input(const Table& table) override { jsonl_->make_input(table); }
  bool knows_its_columns() const override { return false; }
  Node input(const Schema& columns) const override {
    Node node = Node::map();
    node.set("http", Node::scalar(server_.url()));
    node.set("pages", Node::map({Node::Entry{"offset", Node::scalar("offset"), {}}}));
    node.set("columns", columns_node(columns));
    return node;
  }

  // It is no sink.
  Node output(const std::string&) const override { return Node::map(); }
  std::optional<Node> output_as_input(const Schema&) const override { return std::nullopt; }
  void make_misfit() override {}
  std::vector<Moment> troubles() const override { return {}; }
  void hurt(Moment) override {}
  void mend() override {}

 private:
  const std::unique_ptr<System> jsonl_;
  const Server server_;
};

}  // namespace

std::unique_ptr<System> make_http_system(const std::filesystem::path& folder) {
  return std::make_unique<HttpSystem>(folder);
}

}  // namespace tranche::contracts
