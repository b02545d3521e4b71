// So many clients at once that then do nothing: bench_idle_client PORT COUNT [sink].
//
// Each connects, sends a line and reads it back (`sink`: until it is acknowledged), and stays. When all are
// there, or nothing has moved for ten seconds, one line tells how many are: {"held": N}. At stdin's end every
// client sends another line and must get it back; a second line tells how many did, {"alive": N}, and all
// close.
#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cstring>
#include <string_view>

#include "client_socket.h"

namespace {

constexpr std::string_view kLine = "are you there?\n";
constexpr double kPatience = 5;     // seconds without any progress
constexpr std::size_t kAtOnce = 8;  // on their way: the least backlog of the servers compared is 10

struct Client {
  pier::Fd fd;
  std::size_t received = 0;
  bool sent = false;
  bool acknowledged = false;  // of a sink
};

class Crowd {
 public:
  Crowd(std::uint16_t port, std::size_t count, bool sink) : port_(port), sink_(sink), clients_(count) {}

  // How many are connected and answered.
  std::size_t gather() {
    std::size_t next = 0;
    return until_answered([&](std::size_t answered, std::size_t gone) {
      for (; next < clients_.size() && next < answered + gone + kAtOnce; ++next) {
        clients_[next].fd = bench::connect_from_turn(static_cast<unsigned>(next), port_);
        epoll_.add(clients_[next].fd.get(), next, EPOLLOUT);
      }
    });
  }

  // How many of them still answer.
  std::size_t ask_again() {
    std::size_t asked = 0;
    return until_answered([&](std::size_t answered, std::size_t gone) {
      for (; asked < clients_.size() && asked < answered + gone + kAtOnce; ++asked) {
        Client& client = clients_[asked];
        client.received = 0;
        client.sent = client.acknowledged = false;
        if (client.fd.valid()) epoll_.change(client.fd.get(), asked, EPOLLOUT);
      }
    });
  }

 private:
  template <class More>
  std::size_t until_answered(More more) {
    std::size_t answered = 0;
    std::size_t gone = 0;
    double last = bench::seconds_now();
    while (answered + gone < clients_.size() && bench::seconds_now() < last + kPatience) {
      more(answered, gone);
      for (const epoll_event& event : epoll_.wait(100)) {
        Client& client = clients_[event.data.u64];
        if (!client.fd.valid()) continue;
        const bool before = is_answered(client);
        if (!step(client, event.data.u64)) {
          client.fd.reset();
          if (before) --answered;
          ++gone;
        } else if (!before && is_answered(client)) {
          ++answered;
        }
        last = bench::seconds_now();
      }
    }
    return answered;
  }

  [[nodiscard]] bool is_answered(const Client& client) const {
    return sink_ ? client.acknowledged : client.sent && client.received == kLine.size();
  }

  // false: the connection is of no more use.
  bool step(Client& client, std::size_t index) {
    if (!client.sent) {
      int error = 0;
      socklen_t length = sizeof error;
      getsockopt(client.fd.get(), SOL_SOCKET, SO_ERROR, &error, &length);
      if (error != 0) return false;
      if (send(client.fd.get(), kLine.data(), kLine.size(), MSG_NOSIGNAL) !=
          static_cast<ssize_t>(kLine.size()))
        return false;
      client.sent = true;
      if (!sink_) epoll_.change(client.fd.get(), index, EPOLLIN);
      return true;
    }
    if (sink_ && !client.acknowledged) {
      int unsent = 0;
      ioctl(client.fd.get(), SIOCOUTQ, &unsent);
      client.acknowledged = unsent == 0;
      if (client.acknowledged) epoll_.change(client.fd.get(), index, EPOLLIN);
      return true;
    }
    char bytes[64];
    const ssize_t got = recv(client.fd.get(), bytes, sizeof bytes, 0);
    if (got <= 0) return got < 0 && errno == EAGAIN;
    const auto size = static_cast<std::size_t>(got);
    if (client.received + size > kLine.size() ||
        std::memcmp(bytes, kLine.data() + client.received, size) != 0)
      return false;
    client.received += size;
    return true;
  }

  std::uint16_t port_;
  bool sink_;
  bench::Epoll epoll_;
  std::vector<Client> clients_;
};

}  // namespace

int main(int argc, char** argv) {
  const bool sink = argc == 4 && std::string_view(argv[3]) == "sink";
  if (argc != 3 && !sink) {
    std::fputs("usage: bench_idle_client PORT COUNT [sink]\n", stderr);
    return 2;
  }
  bench::raise_descriptor_limit();
  Crowd crowd(static_cast<std::uint16_t>(std::atoi(argv[1])), std::strtoul(argv[2], nullptr, 10), sink);
  std::printf("{\"held\": %zu}\n", crowd.gather());
  std::fflush(stdout);
  char byte = 0;
  while (read(STDIN_FILENO, &byte, 1) > 0) {
  }
  std::printf("{\"alive\": %zu}\n", crowd.ask_again());
  return 0;
}
