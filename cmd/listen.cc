// pier-listen: the server. Waits to be contacted, and joins who comes to stdin and stdout.
#include <fmt/core.h>

#include <cerrno>
#include <csignal>

#include "base/atomic_file.h"
#include "cmd/session.h"
#include "event/listener.h"
#include "host/owner.h"
#include "net/interfaces.h"
#include "relay/datagram.h"
#include "relay/serve.h"
#include "scan/descriptors.h"

namespace pier {
namespace {

constexpr Flag kFlags[] = {
    flag::kIpv4,
    flag::kIpv6,
    flag::kUdp,
    flag::kUnix,
    {.name = "public", .group = "Serving", .brief = "every interface, not this host's loopback alone"},
    {.name = "keep-open",
     .letter = 'k',
     .group = "Serving",
     .brief = "serve any number of clients, also at once"},
    {.name = "max-accepts",
     .value = "N",
     .kind = ValueKind::number,
     .group = "Serving",
     .brief = "take N clients, then end with the last (implies -k)",
     .min = 1},
    {.name = "backlog",
     .value = "N",
     .kind = ValueKind::number,
     .group = "Serving",
     .brief = "how many may wait to be accepted (default: 4096, cut by the kernel)",
     .min = 1,
     .max = 65535},
    {.name = "port-file",
     .value = "FILE",
     .kind = ValueKind::file,
     .group = "Serving",
     .brief = "write the port number there once connections are accepted"},
    {.name = "accept-timeout",
     .value = "D",
     .kind = ValueKind::duration,
     .group = "Time",
     .brief = "end (124) when nobody has come for D (default: never)"},
    flag::kIdleTimeout,
    flag::kReplyTimeout,
    flag::kSendOnly,
    flag::kRecvOnly,
    flag::kNoHalfClose,
    flag::kKeepStdin,
    flag::kCrlf,
    flag::kSummary,
    flag::kEvents,
    kExplainFlag,
};

constexpr std::string_view kForms[] = {"[OPTIONS] [ADDRESS] PORT", "[OPTIONS] ENDPOINT"};
constexpr Example kExamples[] = {
    {"pier-listen 0 > report.pdf", "receive one file on a port the kernel chooses"},
    {"pier-listen --public 9000 < report.pdf", "hand a file to the first client, from anywhere"},
    {"pier-listen -k --recv-only :5140 | grep -i error", "gather lines from many clients"},
    {"pier-listen -u 5353", "datagrams; answers go to the first who writes"},
    {"pier-listen unix:/run/user/1000/demo.sock", "a Unix socket"},
};
constexpr ExitNote kExits[] = {
    {"0", "the client was served; with --max-accepts, all of them"},
    {"1", "the client reset the connection, or bytes could not be sent or written"},
    {"2", "wrong usage; the port is taken or may not be bound; stdin can't be read"},
    {"124", "--accept-timeout or --idle-timeout passed"},
    {"130, 143", "SIGINT, SIGTERM"},
    {"141", "stdout was closed by its reader"},
};
constexpr std::string_view kConflicts[] = {"ipv4 ipv6",       "send-only recv-only", "unix public",
                                           "unix port-file",  "unix ipv4",           "unix ipv6",
                                           "udp max-accepts", "udp backlog"};

constexpr Command kCommand{
    .name = "pier-listen",
    .brief = "the server: wait to be contacted",
    .forms = kForms,
    .examples = kExamples,
    .flags = kFlags,
    .exits = kExits,
    .conflicts = kConflicts,
};

struct Plan {
  ListenPlan listen;
  bool keep_open = false;
  std::optional<std::string> port_file;
};

// What an endpoint that names its transport (udp://…, unix:…) can't do; the options -u and -U are checked
// while parsing.
Result<void> check_transport(const Parsed& args, const Endpoint& endpoint) {
  const bool ip = endpoint.transport == Transport::tcp || endpoint.transport == Transport::udp;
  if (args.has("public") && !ip)
    return usage_error("--public", endpoint.to_string(), "only an Internet address can be open to others");
  if (!is_datagram(endpoint.transport)) return {};
  for (const std::string_view flag : {"max-accepts", "backlog"})
    if (args.has(flag))
      return usage_error("--" + std::string(flag), endpoint.to_string(),
                         "datagrams have no connections to accept");
  return {};
}

Result<Plan> make_plan(const Parsed& args) {
  Plan plan;
  if (args.operands.empty())
    return fail(ErrorKind::usage, "no port", "",
                "give a PORT to listen on, or 0 to let the kernel choose one");
  auto endpoint = endpoint_of(args.operands, args, true);
  if (!endpoint) return std::unexpected(endpoint.error());
  auto family = family_of(args, *endpoint);
  if (!family) return std::unexpected(family.error());
  if (args.has("public")) {
    if (!endpoint->host.empty())
      return usage_error("--public", endpoint->host,
                         "an address already says who can reach it; leave out one of them");
    endpoint->every_interface = true;
  }
  plan.listen.endpoint = std::move(*endpoint);
  plan.listen.family = *family;
  if (const auto backlog = args.number("backlog")) plan.listen.backlog = static_cast<int>(*backlog);
  plan.keep_open = args.has("keep-open") || args.has("max-accepts");
  plan.port_file = args.text("port-file");
  if (plan.port_file && plan.listen.endpoint.transport != Transport::tcp &&
      plan.listen.endpoint.transport != Transport::udp)
    return usage_error("--port-file", *plan.port_file, "only TCP and UDP have a port number to write");
  if (const auto fits = check_transport(args, plan.listen.endpoint); !fits)
    return std::unexpected(fits.error());
  return plan;
}

// Opens the sockets; a taken address is told with its owner.
Result<Listener> open_listener(const ListenPlan& plan) {
  auto listener = Listener::open(plan);
  if (listener || listener.error().code != EADDRINUSE || !plan.endpoint.path.empty()) return listener;
  Error error = listener.error();
  const auto where = parse_endpoint(std::vector<std::string>{error.subject}, {});
  const auto ip = where ? IpAddress::parse(where->host) : std::unexpected(Error{});
  if (!ip) return std::unexpected(error);
  const std::string owner =
      owner_phrase(SocketAddress(*ip, static_cast<std::uint16_t>(where->port)), plan.endpoint.transport);
  error.why = owner.empty() ? "address in use" : "address in use by " + owner;
  return std::unexpected(error);
}

// "this host only", "every interface", or the interface that has the address.
std::string reach_of(const SocketAddress& address) {
  if (!address.is_ip() || address.ip().is_loopback()) return "this host only";
  if (address.ip().is_any()) return "every interface";
  const std::string name = interface_of(address.ip());
  return name.empty() ? "one address" : name;
}

void tell_ready(const App& app, News& news, const Listener& listener) {
  std::string addresses;
  std::vector<std::string> list;
  for (const Listener::Bound& bound : listener.sockets()) {
    list.push_back(bound.address.to_string());
    addresses += (addresses.empty() ? "" : " and ") + list.back();
  }
  const SocketAddress& first = listener.sockets().front().address;
  const std::string words = first.is_ip() ? port_words(listener.port(), news.host()) + ", " : std::string();
  app.note(fmt::format("listening on {} ({}{})", addresses, words, reach_of(first)));
  if (news.events() == nullptr) return;
  JsonObject record("listening");
  record.texts("addresses", list);
  if (first.is_ip())
    record.number("port", listener.port());
  else
    record.null("port");
  record.text("reach", reach_of(first));
  news.events()->write(record);
}

int serve_streams(const App& app, News& news, Loop& loop, Listener listener, const Plan& plan, int& signal) {
  StdioStream local(STDIN_FILENO, STDOUT_FILENO);
  ServePlan serve;
  serve.rules = relay_rules(app, local, true, news.steps());
  serve.keep_open = plan.keep_open;
  serve.max_accepts = app.args.number("max-accepts");
  serve.accept_timeout = app.args.duration("accept-timeout");
  RelayResult ended;
  Server server(loop, std::move(listener), local, serve, news.sessions(), [&](const RelayResult& result) {
    ended = result;
    loop.stop();
  });
  if (const auto started = server.start(); !started) return news.end(app, started.error());
  loop.run();
  if (signal == 0) return news.end(app, ended);
  server.end_now();
  return news.end_by_signal(signal);
}

int serve_datagrams(const App& app, News& news, Loop& loop, Listener& listener, const Plan& plan,
                    int& signal) {
  StdioStream local(STDIN_FILENO, STDOUT_FILENO);
  DatagramPlan serve;
  serve.rules = relay_rules(app, local, true, news.steps());
  serve.keep_open = plan.keep_open;
  serve.reply_timeout = app.args.duration("reply-timeout").value_or(serve.reply_timeout);
  serve.accept_timeout = app.args.duration("accept-timeout");
  std::vector<Fd> sockets;
  for (Listener::Bound& bound : listener.sockets()) sockets.push_back(std::move(bound.fd));
  RelayResult ended;
  DatagramRelay relay(loop, std::move(sockets), {}, local, serve, news.sessions(),
                      [&](const RelayResult& result) {
                        ended = result;
                        loop.stop();
                      });
  if (const auto started = relay.start(); !started) return news.end(app, started.error());
  loop.run();
  if (signal == 0) return news.end(app, ended);
  relay.end_now();
  return news.end_by_signal(signal);
}

int run(App& app) {
  const auto plan = make_plan(app.args);
  if (!plan) return app.fail(plan.error());
  auto news = News::open(app, "client", true);
  if (!news) return app.fail(news.error());
  Loop loop;
  int signal = 0;
  const auto signals = loop.signals({SIGINT, SIGTERM}, [&](int number) {
    signal = number;
    loop.stop();
  });
  if (!signals) return (*news)->end(app, signals.error());
  if (plan->keep_open) raise_descriptor_limit();
  ListenPlan listen = plan->listen;
  listen.steps = (*news)->steps();
  auto listener = open_listener(listen);
  if (!listener) return (*news)->end(app, listener.error());
  if (plan->port_file)
    if (const auto written = write_file_atomically(*plan->port_file, fmt::format("{}\n", listener->port()));
        !written)
      return (*news)->end(app, written.error());
  tell_ready(app, **news, *listener);
  if (is_datagram(listen.endpoint.transport))
    return serve_datagrams(app, **news, loop, *listener, *plan, signal);
  return serve_streams(app, **news, loop, std::move(*listener), *plan, signal);
}

}  // namespace
}  // namespace pier

int main(int argc, char** argv) {
  return pier::run_app(argc, argv, pier::kCommand, pier::run);
}
