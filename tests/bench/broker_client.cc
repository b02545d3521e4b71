// Many clients of one broker: bench_broker_client PORT CLIENTS LINES.
//
// The first connects, then all the others at once, and each of them sends a line: who joined is whose line
// the first has got. (A client that only waited might never: a full backlog drops it without a word, until it
// sends.) Then every client sends LINES lines at once, and each of the others must get every one of them,
// once and in order. One line of JSON tells how many joined and when the last did, how many lines should have
// come, how many did, how many were wrong or were followed by a close, and how long that took.
#include <cstring>
#include <string>
#include <string_view>

#include "client_socket.h"

namespace {

constexpr double kPatience = 10;  // seconds without any progress

struct Client {
  pier::Fd fd;
  std::string unread;  // the beginning of a line
  std::string unsent;
  std::vector<unsigned> next;  // by sender: the number of its next line
};

class Broker {
 public:
  Broker(std::uint16_t port, std::size_t count, unsigned lines)
      : port_(port), lines_(lines), clients_(count) {
    enter(0);
    while (joined_ == 0 && waiting()) turn(10);
  }

  void join() {
    const double start = progress_ = bench::seconds_now();
    for (std::size_t i = 1; i < clients_.size(); ++i) enter(i);
    while (joined_ < clients_.size() && waiting()) turn(100);
    join_seconds_ = progress_ - start;
  }

  void talk() {
    const double start = progress_ = bench::seconds_now();
    for (std::size_t i = 0; i < clients_.size(); ++i) {
      for (unsigned n = 0; n < lines_; ++n)
        clients_[i].unsent += "line " + std::to_string(i) + " " + std::to_string(n) + "\n";
      push(i);
    }
    while (received_ < expected() && waiting()) turn(100);
    talk_seconds_ = progress_ - start;
  }

  [[nodiscard]] bool all_joined() const { return joined_ == clients_.size(); }

  void report() const {
    std::printf(R"({"joined": %zu, "join_seconds": %.6f, "expected": %llu, "received": %llu, "wrong": %llu, )"
                R"("seconds": %.6f})"
                "\n",
                joined_, join_seconds_, expected(), received_, wrong_, talk_seconds_);
  }

 private:
  [[nodiscard]] unsigned long long expected() const {
    return clients_.size() * (clients_.size() - 1) * lines_;
  }

  [[nodiscard]] bool waiting() const { return bench::seconds_now() < progress_ + kPatience; }

  // Connects; what it has to send goes as soon as it is connected.
  void enter(std::size_t index) {
    Client& client = clients_[index];
    client.next.resize(clients_.size());
    client.fd = bench::connect_from_turn(static_cast<unsigned>(index), port_);
    if (index > 0) client.unsent = "join " + std::to_string(index) + "\n";
    epoll_.add(client.fd.get(), index, EPOLLIN | EPOLLOUT);
  }

  void turn(int milliseconds) {
    for (const epoll_event& event : epoll_.wait(milliseconds)) {
      if (event.events & EPOLLOUT) push(event.data.u64);
      if (event.events & ~static_cast<std::uint32_t>(EPOLLOUT)) pull(event.data.u64);
    }
  }

  void push(std::size_t index) {
    Client& client = clients_[index];
    if (!client.fd.valid()) return;
    if (index == 0 && joined_ == 0)
      joined_ = 1;  // it is connected, which is all that can be known of the first
    const ssize_t done = send(client.fd.get(), client.unsent.data(), client.unsent.size(), MSG_NOSIGNAL);
    if (done > 0) client.unsent.erase(0, static_cast<std::size_t>(done));
    epoll_.change(client.fd.get(), index, client.unsent.empty() ? EPOLLIN : EPOLLIN | EPOLLOUT);
  }

  void pull(std::size_t index) {
    Client& client = clients_[index];
    if (!client.fd.valid()) return;
    char bytes[65536];
    const ssize_t got = recv(client.fd.get(), bytes, sizeof bytes, 0);
    if (got < 0 && errno == EAGAIN) return;
    if (got <= 0) {
      ++wrong_;  // nobody is to be sent away
      client.fd.reset();
      return;
    }
    client.unread.append(bytes, static_cast<std::size_t>(got));
    std::size_t begin = 0;
    for (std::size_t end; (end = client.unread.find('\n', begin)) != std::string::npos; begin = end + 1)
      take(client, client.unread.substr(begin, end - begin));
    client.unread.erase(0, begin);
  }

  void take(Client& client, const std::string& line) {
    if (line.starts_with("join ")) {
      if (&client != clients_.data()) return;
      ++joined_;
      progress_ = bench::seconds_now();
      return;
    }
    progress_ = bench::seconds_now();
    std::size_t sender = 0;
    unsigned number = 0;
    if (std::sscanf(line.c_str(), "line %zu %u", &sender, &number) != 2 || sender >= clients_.size() ||
        &clients_[sender] == &client || client.next[sender] != number) {
      ++wrong_;
      return;
    }
    ++client.next[sender];
    ++received_;
  }

  std::uint16_t port_;
  unsigned lines_;
  bench::Epoll epoll_;
  double progress_ = bench::seconds_now();  // when something last went on
  std::vector<Client> clients_;
  std::size_t joined_ = 0;
  unsigned long long received_ = 0, wrong_ = 0;
  double join_seconds_ = 0, talk_seconds_ = 0;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4 || std::atoi(argv[2]) < 2) {
    std::fputs("usage: bench_broker_client PORT CLIENTS LINES\n", stderr);
    return 2;
  }
  bench::raise_descriptor_limit();
  Broker broker(static_cast<std::uint16_t>(std::atoi(argv[1])), std::strtoul(argv[2], nullptr, 10),
                static_cast<unsigned>(std::atoi(argv[3])));
  broker.join();
  if (broker.all_joined()) broker.talk();
  broker.report();
  return 0;
}
