#include "cmd/connect/datagrams.h"

#include <sys/socket.h>

#include "cmd/transfer_progress.h"
#include "net/socket.h"
#include "proxy/socks5.h"
#include "relay/datagram.h"
#include "relay/datagram_exec.h"
#include "stream/stream.h"

namespace pier::client {
namespace {

int run_for_datagrams(Run& run, Reached reached) {
  DatagramServerPlan plan;
  plan.idle_timeout = run.app.args.duration("idle-timeout");
  plan.taps = run.news.taps();
  DatagramExec programs(run.loop, *run.program, {}, run.news.sessions(), run.news.steps());
  std::vector<Fd> sockets;
  sockets.push_back(std::move(reached.fd));
  RelayResult ended;
  DatagramServer session(run.loop, std::move(sockets), reached.peer, plan, programs, run.news.sessions(),
                         [&](const RelayResult& result) {
                           ended = result;
                           run.loop.stop();
                         });
  if (const auto started = session.start(); !started) return run.news.end(run.app, started.error());
  run.loop.run();
  if (!run.outside.ended()) return run.news.end(run.app, ended);
  session.end_now();
  return run.end_from_outside();
}

DatagramPlan plan_of(Run& run) {
  DatagramPlan plan;
  plan.rules = relay_rules(run.app, run.ends, false, run.news);
  const Parsed& args = run.app.args;
  plan.reply_timeout = args.duration("reply-timeout").value_or(*plan.reply_timeout);
  plan.replies = args.number("replies");
  plan.largest = args.number("max-datagram").value_or(plan.largest);
  return plan;
}

int relay_datagrams(Run& run, Fd socket, const SocketAddress& peer, const DatagramPlan& plan) {
  std::vector<Fd> sockets;
  sockets.push_back(std::move(socket));
  RelayResult ended;
  DatagramRelay relay(run.loop, std::move(sockets), peer, run.ends.stream(), plan, run.news.sessions(),
                      [&](const RelayResult& result) {
                        ended = result;
                        run.loop.stop();
                      });
  if (const auto started = relay.start(); !started) return run.news.end(run.app, started.error());
  TransferProgress progress(run.app, run.news, run.loop, run.ends, [&] {
    const RelayResult total = relay.total();
    return TransferProgress::Totals{total.received, total.sent};
  });
  run.loop.run();
  if (run.outside.ended()) ended = relay.end_now();
  progress.end(ended);
  return run.outside.ended() ? run.end_from_outside() : run.news.end(run.app, ended);
}

// RFC 1928, section 7: each datagram says whom it is for, or from.
DatagramWrap wrap_for(const ProxyTarget& target) {
  const auto text = [](std::span<const std::byte> bytes) {
    return std::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  };
  DatagramWrap wrap;
  wrap.wrap = [target, text](std::span<const std::byte> payload) {
    return wrap_datagram(target, text(payload));
  };
  wrap.unwrap = [text](std::span<const std::byte> datagram) -> std::optional<DatagramWrap::Unwrapped> {
    const auto inner = unwrap_datagram(text(datagram));
    if (!inner) return std::nullopt;
    const auto ip = IpAddress::parse(inner->from.host);
    return DatagramWrap::Unwrapped{ip ? SocketAddress(*ip, inner->from.port) : SocketAddress(),
                                   std::as_bytes(std::span(inner->payload))};
  };
  return wrap;
}

// Where the proxy takes datagrams: at an address of its own, or the one that it was reached by.
SocketAddress association_of(const ProxyTarget& told, const SocketAddress& proxy) {
  const auto ip = IpAddress::parse(told.host);
  return {ip && !ip->is_any() ? *ip : proxy.ip(), told.port};
}

}  // namespace

Result<void> check_datagram_options(const Parsed& args, const Endpoint& endpoint, bool checks) {
  for (const std::string name : {"replies", "max-datagram"}) {
    const auto given = args.text(name);
    if (!given) continue;
    if (!is_datagram(endpoint.transport))
      return usage_error("--" + name, *given, "it is for datagrams: give -u");
    if (checks || args.has("exec") || args.has("sh-exec"))
      return usage_error("--" + name, *given, "it is about datagrams between a server and stdin and stdout");
  }
  const auto size = args.number("max-datagram");
  if (size && (*size == 0 || *size > DatagramRelay::kMostPayload))
    return usage_error("--max-datagram", *args.text("max-datagram"), "not a size from 1 to 65507");
  return {};
}

int talk_by_datagrams(Run& run, Reached reached, std::optional<TimePoint> wait) {
  if (run.program) return run_for_datagrams(run, std::move(reached));
  DatagramPlan plan = plan_of(run);
  plan.to_many = reached.many;
  if (wait) plan.insist = Deadline(*wait);
  return relay_datagrams(run, std::move(reached.fd), reached.peer, plan);
}

int talk_by_proxy(Run& run, Reached reached, const ProxyTarget& association, const Endpoint& endpoint) {
  const SocketAddress peer = association_of(association, reached.peer);
  auto socket = open_socket(Transport::udp, peer.domain(), run.news.steps());
  if (!socket) return run.news.end(run.app, socket.error());
  if (const auto state = connect_socket(*socket, peer); !state) return run.news.end(run.app, state.error());
  const auto control = run.loop.watch(reached.fd.get(), Interest::read, [&](Ready) {
    std::byte scratch[256];
    const Io io = Io::of(::recv(reached.fd.get(), scratch, sizeof scratch, MSG_DONTWAIT), true);
    if (io.kind == Io::Kind::bytes || io.kind == Io::Kind::again) return;
    run.outside.fault = Error{ErrorKind::failed, "proxy", reached.peer.to_string(), io.code,
                              "it has ended the association, so datagrams pass no more"};
    run.loop.stop();
  });
  if (!control) return run.news.end(run.app, control.error());
  DatagramPlan plan = plan_of(run);
  plan.wrap = wrap_for(
      {endpoint.host.empty() ? "localhost" : endpoint.host, static_cast<std::uint16_t>(endpoint.port)});
  return relay_datagrams(run, std::move(*socket), peer, plan);
}

}  // namespace pier::client
