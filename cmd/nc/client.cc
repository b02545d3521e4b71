// The client role: one port after another, each joined to stdin and stdout, or only looked at.
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>

#include "cmd/nc/probe.h"
#include "cmd/nc/proxy.h"
#include "cmd/nc/reach.h"
#include "cmd/nc/run.h"
#include "net/socket.h"
#include "relay/datagram.h"
#include "relay/line_pacer.h"
#include "stream/socket_stream.h"
#include "stream/stdio.h"
#include "stream/telnet_stream.h"

namespace pier::nc {
namespace {

// Nobody is told of a client's one session but by its end.
class NoNews final : public SessionObserver {
 public:
  void connected(const Session&) override {}
  void closed(const Session&, const RelayResult&) override {}
  void refused(const SocketAddress&, std::string_view) override {}
  void note(std::string_view) override {}
};

class Client {
 public:
  Client(const Options& options, const Voice& voice)
      : options_(options),
        voice_(voice),
        destination_(loop_, options, voice),
        proxy_(loop_, options),
        stdio_(STDIN_FILENO, STDOUT_FILENO) {}

  int run();

 private:
  enum class Fate : unsigned char { failed, done, over };
  Fate visit(std::uint16_t port);
  Fate visit_by_proxy(std::uint16_t port);
  Fate use(Connected reached, std::uint16_t port, bool silent);
  int go_on_with(Connected reached, std::uint16_t port, bool silent);
  int talk(Fd fd, const SocketAddress& peer);
  int talk_by_stream(Fd fd);
  int talk_by_datagrams(Fd fd, const SocketAddress& peer);
  int pass(const Fd& fd);
  void pause(Duration time);
  [[nodiscard]] Result<Stream*> input();

  const Options& options_;
  const Voice& voice_;
  Loop loop_;
  Destination destination_;
  ProxyWay proxy_;
  StdioStream stdio_;
  std::unique_ptr<LinePacer> pacer_;
  std::unique_ptr<StdioStream> paced_;
  int session_code_ = 0;  // of the first session that did not end well
};

int Client::run() {
  if (!destination_.look_up()) return kFailed;
  if (options_.unix_domain) return visit(0) == Fate::done ? session_code_ : kFailed;
  bool any = false;
  for (std::size_t i = 0; i < options_.ports.size(); ++i) {
    if (i > 0 && options_.interval) pause(*options_.interval);
    const Fate fate = visit(options_.ports[i]);
    if (fate == Fate::over) return kFailed;
    if (fate == Fate::done) any = true;
    if (fate == Fate::done && options_.pass_socket) break;
  }
  return any ? session_code_ : kFailed;
}

void Client::pause(Duration time) {
  const Timer timer = loop_.timer(Deadline::after(time), [this] { loop_.stop(); });
  loop_.run();
}

Client::Fate Client::visit(std::uint16_t port) {
  if (options_.through_proxy()) return visit_by_proxy(port);
  auto [connected, over] = destination_.reach(port);
  if (!connected) return over ? Fate::over : Fate::failed;
  const bool udp = options_.datagrams && !options_.unix_domain;
  bool silent = false;
  if (udp && (options_.scan || options_.verbose)) {
    const Probed probed = probe(loop_, options_, connected->fd, connected->peer);
    silent = options_.scan && probed == Probed::silent;
    if (probed == Probed::closed) {
      destination_.tell_refused(connected->peer);
      return Fate::failed;
    }
  }
  return use(std::move(*connected), port, silent);
}

// A proxy that fails fails for every port.
Client::Fate Client::visit_by_proxy(std::uint16_t port) {
  for (;;) {
    auto connected = destination_.reach(options_.proxy_port).connected;
    if (!connected) return Fate::over;
    auto passed = proxy_.pass(std::move(connected->fd), port);
    if (!passed) {
      voice_.warn(passed.error());
      return Fate::over;
    }
    if (passed->again) continue;
    connected->fd = std::move(passed->socket);
    return use(std::move(*connected), port, false);
  }
}

Client::Fate Client::use(Connected reached, std::uint16_t port, bool silent) {
  const int code = go_on_with(std::move(reached), port, silent);
  if (session_code_ == 0) session_code_ = code;
  return Fate::done;
}

int Client::go_on_with(Connected reached, std::uint16_t port, bool silent) {
  if (options_.unix_domain) {
    if (options_.datagrams) voice_.tell("Bound on " + local_address(reached.fd.get()).path());
  } else {
    voice_.tell("Connection to " + destination_.title(reached.peer, port) + " succeeded!");
    if (silent)
      voice_.tell("No answer came, and no refusal: the port is open, or something drops what is sent there.");
  }
  if (options_.pass_socket) return pass(reached.fd);
  if (options_.scan) return 0;
  return talk(std::move(reached.fd), reached.peer);
}

// With -i the input comes line by line, from the pacer, which outlives one port.
Result<Stream*> Client::input() {
  if (!options_.interval || options_.no_input) return &stdio_;
  if (!pacer_) {
    pacer_ = std::make_unique<LinePacer>(loop_, stdio_, *options_.interval);
    if (auto started = pacer_->start(); !started) return std::unexpected(started.error());
    paced_ = std::make_unique<StdioStream>(pacer_->fd(), STDOUT_FILENO);
  }
  return paced_.get();
}

int Client::talk(Fd fd, const SocketAddress& peer) {
  return options_.datagrams ? talk_by_datagrams(std::move(fd), peer) : talk_by_stream(std::move(fd));
}

int Client::talk_by_stream(Fd fd) {
  const auto local = input();
  if (!local) return fail(local.error(), voice_);
  std::unique_ptr<Stream> net = std::make_unique<SocketStream>(std::move(fd));
  if (options_.telnet) net = std::make_unique<TelnetStream>(std::move(net));
  RelayResult ended;
  const Relay relay(loop_, *net, **local, rules_of(options_), [&](RelayResult result) {
    ended = std::move(result);
    loop_.stop();
  });
  loop_.run();
  return end_of(ended, voice_);
}

int Client::talk_by_datagrams(Fd fd, const SocketAddress& peer) {
  const auto local = input();
  if (!local) return fail(local.error(), voice_);
  std::vector<Fd> sockets;
  sockets.push_back(std::move(fd));
  NoNews nobody;
  RelayResult ended;
  DatagramRelay relay(loop_, std::move(sockets), peer, **local, datagram_plan_of(options_), nobody,
                      [&](const RelayResult& result) {
                        ended = result;
                        loop_.stop();
                      });
  if (const auto started = relay.start(); !started) return fail(started.error(), voice_);
  loop_.run();
  return end_of(ended, voice_);
}

// One byte goes with the descriptor, as sendmsg(2) wants on a stream socket.
int Client::pass(const Fd& fd) {
  char nothing = 0;
  iovec bytes{&nothing, sizeof nothing};
  union {
    cmsghdr align;
    char room[CMSG_SPACE(sizeof(int))];
  } control{};
  msghdr message{};
  message.msg_iov = &bytes;
  message.msg_iovlen = 1;
  message.msg_control = &control;
  message.msg_controllen = sizeof control.room;
  cmsghdr* const header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof(int));
  const int number = fd.get();
  std::memcpy(CMSG_DATA(header), &number, sizeof number);
  if (retry_eintr([&] { return ::sendmsg(STDOUT_FILENO, &message, 0); }) >= 0) return 0;
  voice_.warn(std::string("sendmsg: ") + std::strerror(errno));
  return kFailed;
}

}  // namespace

int run_client(const Options& options, const Voice& voice) {
  return Client(options, voice).run();
}

}  // namespace pier::nc
