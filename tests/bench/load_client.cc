// Sessions with a server, one after another in each of so many places, for so long:
//
//   bench_load_client PORT AT_ONCE SECONDS [sink]
//
// A session connects, sends a line of its own, reads the same bytes back, ends its side, waits for the
// server's end, and closes: everything arrived and nobody was reset. `sink`: nothing is sent back. One line
// tells the result, as JSON: sessions that went through, those that failed and how the first did, and the
// seconds they took.
#include <algorithm>
#include <cstring>
#include <string>
#include <string_view>

#include "client_socket.h"

namespace {

constexpr std::size_t kLine = 32;
constexpr double kWarmUp = 0.1;  // seconds before sessions count: pages are touched, caches filled

constexpr double kPatience = 20;  // seconds more, when until then no session went through at all

struct Session {
  pier::Fd fd;
  char line[kLine + 1];
  std::size_t received = 0;
  bool sent = false;
  bool ended = false;  // our side
};

class Load {
 public:
  Load(std::uint16_t port, std::size_t at_once, bool sink) : port_(port), sink_(sink), sessions_(at_once) {}

  void run(double seconds) {
    const double counted_from = bench::seconds_now() + kWarmUp;
    const double until = counted_from + seconds;
    for (std::size_t i = 0; i < sessions_.size(); ++i) start(i);
    bool warm = false;
    double now = 0;
    while ((now = bench::seconds_now()) < until || (done_ == 0 && now < until + kPatience)) {
      if (!warm && now >= counted_from) {
        warm = true;
        done_ = failed_ = 0;
      }
      for (const epoll_event& event : epoll_.wait(10)) step(event.data.u64);
    }
    std::printf(R"({"sessions": %llu, "failed": %llu, "why": "%s", "seconds": %.6f})"
                "\n",
                done_, failed_, why_.c_str(), now - counted_from);
  }

 private:
  void start(std::size_t index) {
    Session& session = sessions_[index];
    session = {};
    std::snprintf(session.line, sizeof session.line, "session %-23llu\n", turn_);
    session.fd = bench::connect_from_turn(static_cast<unsigned>(turn_++), port_);
    // On the loopback it is mostly connected by now.
    send_line(session);
    epoll_.add(session.fd.get(), index, session.sent ? EPOLLIN : EPOLLOUT);
  }

  void send_line(Session& session) {
    if (send(session.fd.get(), session.line, kLine, MSG_NOSIGNAL) == static_cast<ssize_t>(kLine))
      session.sent = true;
    if (session.sent && sink_) end_side(session);
  }

  static void end_side(Session& session) {
    shutdown(session.fd.get(), SHUT_WR);
    session.ended = true;
  }

  void step(std::size_t index) {
    Session& session = sessions_[index];
    if (!session.sent) {
      send_line(session);
      if (session.sent) return epoll_.change(session.fd.get(), index, EPOLLIN);
      return end(index, "connect", errno);
    }
    char bytes[kLine];
    const ssize_t got = recv(session.fd.get(), bytes, sizeof bytes, 0);
    if (got < 0) return errno == EAGAIN ? void() : end(index, "recv", errno);
    const std::size_t expected = sink_ ? 0 : kLine;
    if (got == 0) return end(index, session.received == expected ? nullptr : "the server ended early", 0);
    const auto size = static_cast<std::size_t>(got);
    if (session.received + size > expected || std::memcmp(bytes, session.line + session.received, size) != 0)
      return end(index, "other bytes came back", 0);
    session.received += size;
    if (session.received == expected) end_side(session);
  }

  void end(std::size_t index, const char* why, int code) {
    if (why == nullptr)
      ++done_;
    else
      fail(why, code);
    sessions_[index].fd.reset();
    start(index);
  }

  void fail(const char* why, int code) {
    ++failed_;
    if (why_.empty()) why_ = code == 0 ? std::string(why) : std::string(why) + ": " + std::strerror(code);
  }

  std::uint16_t port_;
  bool sink_;
  bench::Epoll epoll_;
  std::vector<Session> sessions_;
  unsigned long long turn_ = 0, done_ = 0, failed_ = 0;
  std::string why_;
};

}  // namespace

int main(int argc, char** argv) {
  const bool sink = argc == 5 && std::string_view(argv[4]) == "sink";
  if (argc != 4 && !sink) {
    std::fputs("usage: bench_load_client PORT AT_ONCE SECONDS [sink]\n", stderr);
    return 2;
  }
  bench::raise_descriptor_limit();
  Load(static_cast<std::uint16_t>(std::atoi(argv[1])), std::max(1ul, std::strtoul(argv[2], nullptr, 10)),
       sink)
      .run(std::atof(argv[3]));
  return 0;
}
