// The server role: one client, or with -k one after another, each joined to stdin and stdout.
#include <unistd.h>

#include <cstring>
#include <memory>
#include <utility>

#include "cmd/nc/names.h"
#include "cmd/nc/run.h"
#include "event/listener.h"
#include "event/loop.h"
#include "relay/line_pacer.h"
#include "relay/serve.h"
#include "stream/handshake.h"
#include "stream/stdio.h"
#include "stream/telnet_stream.h"

namespace pier::nc {
namespace {

// Telnet's refusals need no dialogue first.
class TelnetHandshaker final : public Handshaker {
 public:
  [[nodiscard]] std::unique_ptr<Handshake> start(Loop& loop, std::unique_ptr<Stream> below, std::string,
                                                 const Deadline&, Done done) override {
    struct Begun final : Handshake {
      Timer timer;
    };
    auto begun = std::make_unique<Begun>();
    const auto kept = std::make_shared<std::unique_ptr<Stream>>(std::move(below));
    begun->timer = loop.timer(Deadline(now()), [kept, done = std::move(done)] {
      const auto call = done;  // outlives the timer, which the callback destroys
      call(std::make_unique<TelnetStream>(std::move(*kept)));
    });
    return begun;
  }
};

class Clients final : public SessionObserver {
 public:
  Clients(const Options& options, const Voice& voice) : options_(options), voice_(voice) {}

  void connected(const Session& session) override {
    // Of many who write datagrams, none is told, for there is no connection.
    if (options_.datagrams && options_.keep_open) return;
    voice_.tell("Connection received on " +
                (options_.unix_domain ? options_.host : shown(session.peer, options_.numeric)));
  }
  void closed(const Session&, const RelayResult& result) override {
    if (options_.keep_open && voice_.verbose()) (void)end_of(result, voice_);
  }
  void refused(const SocketAddress&, std::string_view) override {}
  void note(std::string_view text) override { voice_.warn(text); }

 private:
  const Options& options_;
  const Voice& voice_;
};

Transport transport_of(const Options& options) {
  if (options.unix_domain) return options.datagrams ? Transport::unix_dgram : Transport::unix_stream;
  return options.datagrams ? Transport::udp : Transport::tcp;
}

class Server {
 public:
  Server(const Options& options, const Voice& voice)
      : options_(options), voice_(voice), stdio_(STDIN_FILENO, STDOUT_FILENO), clients_(options, voice) {}

  int run();

 private:
  [[nodiscard]] std::optional<Listener> open();
  [[nodiscard]] std::optional<std::vector<IpAddress>> addresses() const;
  void tell_ready(const Listener& listener) const;
  int serve_streams(Listener listener, Stream& local);
  int serve_datagrams(Listener listener, Stream& local);

  const Options& options_;
  const Voice& voice_;
  Loop loop_;
  StdioStream stdio_;
  Clients clients_;
};

std::optional<std::vector<IpAddress>> Server::addresses() const {
  if (options_.host.empty()) return std::vector{IpAddress::any(options_.family.value_or(Family::ipv4))};
  auto found = addresses_of(options_.host, options_.family, options_.numeric);
  if (found) return std::move(*found);
  voice_.warn("getaddrinfo: " + found.error());
  return std::nullopt;
}

// One socket, as nc has: on the first address that is this host's.
std::optional<Listener> Server::open() {
  ListenPlan plan;
  plan.endpoint.transport = transport_of(options_);
  plan.options = options_.socket;
  if (options_.unix_domain) {
    plan.endpoint.path = options_.host;
    auto listener = Listener::open(plan);
    if (listener) return std::move(*listener);
    voice_.warn(listener.error().code != 0 ? std::strerror(listener.error().code)
                                           : listener.error().message());
    return std::nullopt;
  }
  const auto found = addresses();
  if (!found) return std::nullopt;
  std::string why;
  for (const IpAddress& one : *found) {
    plan.endpoint.host = one.to_string();
    plan.endpoint.port = options_.ports.front();
    auto listener = Listener::open(plan);
    if (listener) return std::move(*listener);
    why = listener.error().code != 0 ? std::strerror(listener.error().code) : listener.error().message();
  }
  voice_.warn(why);
  return std::nullopt;
}

void Server::tell_ready(const Listener& listener) const {
  const SocketAddress& address = listener.sockets().front().address;
  if (!voice_.verbose()) return;
  const bool wildcard = address.is_ip() && address.ip().is_any();
  const std::string where = shown(address, options_.numeric || wildcard);
  if (options_.datagrams || options_.unix_domain) voice_.tell("Bound on " + where);
  if (!options_.datagrams) voice_.tell("Listening on " + where);
}

int Server::run() {
  auto listener = open();
  if (!listener) return kFailed;
  tell_ready(*listener);
  Stream* local = &stdio_;
  std::unique_ptr<LinePacer> pacer;
  std::unique_ptr<StdioStream> paced;
  if (options_.interval && !options_.no_input) {
    pacer = std::make_unique<LinePacer>(loop_, stdio_, *options_.interval);
    if (const auto started = pacer->start(); !started) return fail(started.error(), voice_);
    paced = std::make_unique<StdioStream>(pacer->fd(), STDOUT_FILENO);
    local = paced.get();
  }
  return options_.datagrams ? serve_datagrams(std::move(*listener), *local)
                            : serve_streams(std::move(*listener), *local);
}

int Server::serve_streams(Listener listener, Stream& local) {
  TelnetHandshaker telnet;
  ServePlan plan;
  plan.rules = rules_of(options_);
  plan.unix_options = options_.socket;
  plan.keep_open = options_.keep_open;
  plan.in_turn = true;
  if (options_.telnet) plan.handshaker = &telnet;
  RelayResult ended;
  pier::Server server(loop_, std::move(listener), local, plan, clients_, [&](const RelayResult& result) {
    ended = result;
    loop_.stop();
  });
  if (const auto started = server.start(); !started) return fail(started.error(), voice_);
  loop_.run();
  return end_of(ended, voice_);
}

int Server::serve_datagrams(Listener listener, Stream& local) {
  DatagramPlan plan = datagram_plan_of(options_);
  plan.keep_open = options_.keep_open;
  if (options_.keep_open) {  // nobody is connected whom the input could go to
    plan.rules.send = false;
    plan.rules.idle_timeout.reset();
  }
  std::vector<Fd> sockets;
  for (Listener::Bound& bound : listener.sockets()) sockets.push_back(std::move(bound.fd));
  RelayResult ended;
  DatagramRelay relay(loop_, std::move(sockets), {}, local, plan, clients_, [&](const RelayResult& result) {
    ended = result;
    loop_.stop();
  });
  if (const auto started = relay.start(); !started) return fail(started.error(), voice_);
  loop_.run();
  return end_of(ended, voice_);
}

}  // namespace

int run_server(const Options& options, const Voice& voice) {
  return Server(options, voice).run();
}

}  // namespace pier::nc
