#include "cmd/connect/options.h"

#include <net/if.h>

#include <algorithm>

#include "cmd/connect/datagrams.h"
#include "cmd/connect/endpoints.h"
#include "cmd/connect/readiness.h"
#include "cmd/session.h"
#include "cmd/tls_options.h"

namespace pier::client {
namespace {

// --source and --source-port.
Result<std::optional<SocketAddress>> source_of(const Parsed& args, const Endpoint& endpoint) {
  const auto port = static_cast<std::uint16_t>(args.number("source-port").value_or(0));
  const auto text = args.text("source");
  if (!text) {
    if (args.has("source-port") &&
        !(endpoint.transport == Transport::tcp || endpoint.transport == Transport::udp))
      return usage_error("--source-port", std::to_string(port),
                         "only an Internet address has a port to come from");
    return std::nullopt;
  }
  if (text->starts_with("unix:")) {
    if (endpoint.transport != Transport::unix_dgram)
      return usage_error("--source", *text, "only a Unix datagram socket has a path to be answered at");
    auto path = SocketAddress::unix_path(std::string_view(*text).substr(5));
    if (!path) return std::unexpected(path.error());
    return *path;
  }
  if (const auto ip = IpAddress::parse(*text)) return SocketAddress(*ip, port);
  const auto parsed = parse_endpoint(std::vector<std::string>{*text}, {.port_zero = true});
  const auto ip = parsed ? IpAddress::parse(parsed->host) : std::unexpected(Error{});
  if (!ip || args.has("source-port"))
    return usage_error("--source", *text,
                       "not an address of this host such as 192.0.2.1, 192.0.2.1:5000 or [::1]:5000");
  return SocketAddress(*ip, static_cast<std::uint16_t>(parsed->port));
}

// --interface, --mptcp, --fastopen.
Result<void> set_way_out(const Parsed& args, ConnectPlan& plan) {
  const Endpoint& to = plan.endpoint;
  for (const std::string option : {"mptcp", "fastopen"})
    if (args.has(option) && to.transport != Transport::tcp)
      return usage_error("--" + option, to.to_string(), "it is for TCP");
  plan.mptcp = args.has("mptcp");
  plan.fast_open = args.has("fastopen");
  plan.interface = args.text("interface").value_or("");
  if (args.has("interface") && !(to.transport == Transport::tcp || to.transport == Transport::udp))
    return usage_error("--interface", to.to_string(),
                       "only what has an Internet address goes out by an interface");
  if (args.has("interface") && (plan.interface.empty() || plan.interface.size() >= IFNAMSIZ))
    return usage_error("--interface", plan.interface,
                       "the name of an interface has 1 to 15 bytes, as in eth0");
  return {};
}

// --handover and --streams.
Result<void> check_handover(const Parsed& args, const Endpoint& endpoint, bool tls) {
  for (const std::string option : {"handover", "streams"})
    if (args.has(option) && (endpoint.transport != Transport::tcp || tls))
      return usage_error("--" + option, endpoint.to_string(), "it is for plain TCP");
  return {};
}

// nullopt where the endpoint is spoken to without TLS.
Result<std::optional<std::string>> server_name_of(const Parsed& args, const Endpoint& endpoint) {
  const auto tls = wants_tls(args, endpoint);
  if (!tls) return std::unexpected(tls.error());
  if (!*tls) return std::nullopt;
  auto name = tls_server_name(args, endpoint);
  if (!name) return std::unexpected(name.error());
  return *name;
}

}  // namespace

Result<Plan> make_plan(const Parsed& args) {
  auto endpoints = endpoints_of(args);
  if (!endpoints) return std::unexpected(endpoints.error());
  if (const auto fits = check_exec(args); !fits) return std::unexpected(fits.error());
  if (args.command_given && args.command.empty())
    return fail(ErrorKind::usage, "no command after", "--", "give the command to run");
  const bool reaches = args.has("check") || args.has("wait") || args.has("until-closed");
  if (args.command_given && !reaches && !args.has("exec"))
    return usage_error("--", args.command.front(),
                       "a command is run only with --exec, or with --wait or --check, once all is up");
  if ((args.has("exec") || args.has("sh-exec")) && endpoints->size() > 1)
    return usage_error(args.has("exec") ? "--exec" : "--sh-exec", args.operands.back(),
                       "one endpoint is connected to, not several");
  if (args.has("show-cert") && (endpoints->size() > 1 || args.command_given))
    return fail(ErrorKind::usage, "--show-cert", "", "it is for one endpoint, and no command");
  if (args.has("json") && !args.has("check") && !args.has("show-cert"))
    return usage_error("--json", "--json",
                       "it is for --check and --show-cert; what happens to a connection is told by --events");
  Plan plan;
  plan.checks = args.has("check") || args.has("until-closed") || endpoints->size() > 1 ||
                (args.command_given && !args.has("exec"));
  plan.any = args.has("any");
  if (plan.checks)
    for (const std::string_view flag : {"send", "recv"})
      if (args.has(flag))
        return usage_error("--" + std::string(flag), *args.text(flag), "nothing is sent or received here");
  auto way = way_of(args);
  if (!way) return std::unexpected(way.error());
  plan.way = std::move(*way);
  auto wanted = readiness_of(args);
  if (!wanted) return std::unexpected(wanted.error());
  bool any_tls = false;
  for (Endpoint& endpoint : *endpoints) {
    auto server_name = server_name_of(args, endpoint);
    if (!server_name) return std::unexpected(server_name.error());
    if (const auto fits = check_handover(args, endpoint, server_name->has_value()); !fits)
      return std::unexpected(fits.error());
    any_tls = any_tls || server_name->has_value();
    plan.server_names.push_back(std::move(*server_name));
    const Endpoint& stop = plan.way.first_stop(endpoint);
    auto family = family_of(args, stop);
    if (!family) return std::unexpected(family.error());
    auto source = source_of(args, stop);
    if (!source) return std::unexpected(source.error());
    auto options = socket_options_of(args, stop);
    if (!options) return std::unexpected(options.error());
    if (const auto fits = check_datagram_options(args, endpoint, plan.checks); !fits)
      return std::unexpected(fits.error());
    if (const auto fits =
            check_way(plan.way, endpoint, plan.checks || args.has("exec") || args.has("sh-exec"));
        !fits)
      return std::unexpected(fits.error());
    if (const auto fits = check_limit_rate(args, endpoint); !fits) return std::unexpected(fits.error());
    ReachPlan dial;
    dial.connect.endpoint = stop;
    dial.endpoint = std::move(endpoint);
    dial.connect.family = *family;
    dial.connect.source = *source;
    dial.connect.options = std::move(*options);
    if (!*source && args.has("source-port"))
      dial.connect.source_port = static_cast<std::uint16_t>(*args.number("source-port"));
    if (const auto fits = set_way_out(args, dial.connect); !fits) return std::unexpected(fits.error());
    dial.connect.timeout = args.duration("connect-timeout");
    dial.wait = args.duration("wait");
    if (const auto set = set_readiness(args, *wanted, plan.checks, dial); !set)
      return std::unexpected(set.error());
    plan.dials.push_back(std::move(dial));
  }
  const bool proxy_tls = std::ranges::any_of(plan.way.proxies, &Proxy::tls);
  if (proxy_tls && !any_tls)
    for (const std::string name : {"pin", "server-name", "alpn", "cert", "key"})
      if (const auto given = args.text(name))
        return usage_error("--" + name, *given,
                           "it is about the server, which is spoken to without TLS; a proxy is verified "
                           "by its name and --ca");
  auto tls = tls_client_plan(args, any_tls || proxy_tls);
  if (!tls) return std::unexpected(tls.error());
  plan.tls = std::move(*tls);
  return plan;
}

}  // namespace pier::client
