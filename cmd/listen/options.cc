#include "cmd/listen/options.h"

#include "cmd/session.h"
#include "cmd/tls_options.h"

namespace pier::server {
namespace {

// What an endpoint that names its transport (udp://…, unix:…) can't do; the options -u and -U are checked
// while parsing.
Result<void> check_transport(const Parsed& args, const Endpoint& endpoint) {
  const bool ip = endpoint.transport == Transport::tcp || endpoint.transport == Transport::udp;
  if (args.has("public") && !ip)
    return usage_error("--public", endpoint.to_string(), "only an Internet address can be open to others");
  for (const std::string_view flag : {"allow", "deny", "per-host"})
    if (args.has(flag) && !ip && !args.has("proxy-protocol"))
      return usage_error("--" + std::string(flag), endpoint.to_string(),
                         "only Internet clients have an address to judge");
  if (!is_datagram(endpoint.transport)) return {};
  for (const std::string_view flag : {"serve-http-proxy", "serve-socks", "proxy-protocol"})
    if (args.has(flag))
      return usage_error("--" + std::string(flag), endpoint.to_string(), "only connections have this");
  for (const std::string_view flag :
       {"max-accepts", "backlog", "max-clients", "per-host", "drain", "workers"})
    if (args.has(flag))
      return usage_error("--" + std::string(flag), endpoint.to_string(),
                         "datagrams have no connections to accept");
  for (const std::string_view flag : {"broker", "chat"})
    if (args.has(flag))
      return usage_error("--" + std::string(flag), endpoint.to_string(),
                         "it is for connections, not datagrams");
  return {};
}

// Before a name is looked up, what the words themselves say.
Result<void> check_proxy_endpoint(const Parsed& args, const Endpoint& endpoint) {
  if (args.has("public")) return {};
  if (endpoint.every_interface)
    return check_proxy_reach(args, SocketAddress(IpAddress(), static_cast<std::uint16_t>(endpoint.port)));
  const auto literal = IpAddress::parse(endpoint.host);
  if (!literal) return {};
  return check_proxy_reach(args, SocketAddress(*literal, static_cast<std::uint16_t>(endpoint.port)));
}

// stdin and stdout are one; only what each client gets for itself can be given by several threads.
Result<void> check_workers(const Parsed& args) {
  if (!args.has("workers")) return {};
  for (const std::string_view flag :
       {"echo", "discard", "exec", "sh-exec", "to", "serve-http-proxy", "serve-socks"})
    if (args.has(flag)) return {};
  return usage_error(
      "--workers", *args.text("workers"),
      "it is for what clients get each for itself: --echo, --discard, --exec, --sh-exec, --to, "
      "--serve-http-proxy or --serve-socks");
}

Result<Endpoint> named_endpoint(const Parsed& args) {
  if (args.operands.empty())
    return fail(ErrorKind::usage, "no port", "",
                "give a PORT to listen on, or 0 to let the kernel choose one");
  return endpoint_of(args.operands, args, true);
}

Result<Endpoint> passed_endpoint(const Parsed& args, const Endpoint& passed) {
  if (!args.operands.empty())
    return usage_error("endpoint", args.operands.front(),
                       "sockets have been passed to this program (LISTEN_FDS): leave the endpoint out");
  for (const std::string_view flag : {"udp", "unix", "backlog"})
    if (args.has(flag))
      return usage_error("--" + std::string(flag), passed.to_string(),
                         "sockets have been passed to this program (LISTEN_FDS), and are what they are");
  return passed;
}

Result<std::vector<MulticastGroup>> groups_of(const Parsed& args, const Endpoint& endpoint,
                                              std::optional<Family> family) {
  std::vector<MulticastGroup> groups;
  for (const std::string& text : args.texts("join")) {
    auto group = MulticastGroup::parse(text);
    if (!group) return std::unexpected(group.error());
    if (endpoint.transport != Transport::udp)
      return usage_error("--join", text, "only UDP is sent to groups: give -u");
    if (family && group->group.family() != *family)
      return usage_error(
          "--join", text,
          *family == Family::ipv4 ? "with -4, not a group of IPv4" : "with -6, not a group of IPv6");
    if (!endpoint.host.empty())
      return usage_error("--join", text,
                         "a socket at " + endpoint.host + " hears no group; give the PORT alone, or :PORT");
    groups.push_back(std::move(*group));
  }
  return groups;
}

}  // namespace

Result<Plan> make_plan(const Parsed& args, const std::optional<Endpoint>& passed) {
  Plan plan;
  if (const auto fits = check_exec(args); !fits) return std::unexpected(fits.error());
  if (args.command_given && !args.has("exec"))
    return usage_error("--", args.command.empty() ? "--" : args.command.front(),
                       "a program is run only with --exec");
  if (args.has("proxy-from") && !args.has("proxy-protocol"))
    return usage_error("--proxy-from", *args.text("proxy-from"), "it is for --proxy-protocol");
  auto endpoint = passed ? passed_endpoint(args, *passed) : named_endpoint(args);
  if (!endpoint) return std::unexpected(endpoint.error());
  auto family = family_of(args, *endpoint);
  if (!family) return std::unexpected(family.error());
  const auto wanted = wants_tls(args, *endpoint);
  if (!wanted) return std::unexpected(wanted.error());
  auto tls = tls_server_plan(args, *wanted);
  if (!tls) return std::unexpected(tls.error());
  plan.tls = std::move(*tls);
  auto forward = forward_options(args, endpoint->transport);
  if (!forward) return std::unexpected(forward.error());
  plan.forward = std::move(*forward);
  const bool proxy = plan.forward && plan.forward->is_proxy();
  if (proxy)
    if (const auto fits = check_proxy_endpoint(args, *endpoint); !fits) return std::unexpected(fits.error());
  // For a proxy it is the word that others may use it, also at one address.
  if (args.has("public") && !(proxy && !endpoint->host.empty())) {
    if (!endpoint->host.empty())
      return usage_error("--public", endpoint->host,
                         "an address already says who can reach it; leave out one of them");
    endpoint->every_interface = true;
  }
  auto options = socket_options_of(args, *endpoint);
  if (!options) return std::unexpected(options.error());
  if (const auto fits = check_limit_rate(args, *endpoint); !fits) return std::unexpected(fits.error());
  if (auto groups = groups_of(args, *endpoint, *family))
    plan.listen.groups = std::move(*groups);
  else
    return std::unexpected(groups.error());
  auto rights = file_rights(args, *endpoint);
  if (!rights) return std::unexpected(rights.error());
  plan.listen.file = *rights;
  auto user = wanted_user(args);
  if (!user) return std::unexpected(user.error());
  plan.user = std::move(*user);
  plan.listen.endpoint = std::move(*endpoint);
  plan.listen.options = std::move(*options);
  plan.listen.family = *family;
  if (const auto backlog = args.number("backlog")) plan.listen.backlog = static_cast<int>(*backlog);
  plan.limits.clients = args.number("max-clients");
  plan.limits.per_host = args.number("per-host");
  plan.keep_open = args.has("keep-open") || args.has("max-accepts") || plan.limits.clients ||
                   plan.limits.per_host || proxy || args.has("workers") || args.has("broker") ||
                   args.has("chat");
  if (plan.keep_open && args.has("recv"))
    return usage_error("--recv", *args.text("recv"),
                       "one file is for one client; leave out --keep-open and --max-accepts");
  if (plan.keep_open && args.has("send") && is_datagram(plan.listen.endpoint.transport))
    return usage_error("--send", *args.text("send"),
                       "each client gets a file only over connections; leave out --keep-open");
  if (plan.keep_open && args.has("limit-rate") && !args.has("exec") && !args.has("sh-exec"))
    return usage_error("--limit-rate", *args.text("limit-rate"),
                       "it is for one connection; leave out --keep-open and --max-accepts");
  if (const auto fits = check_workers(args); !fits) return std::unexpected(fits.error());
  plan.workers = args.number("workers").value_or(1);
  plan.listen.shared = plan.workers > 1;
  plan.port_file = args.text("port-file");
  if (plan.port_file && plan.listen.endpoint.transport != Transport::tcp &&
      plan.listen.endpoint.transport != Transport::udp)
    return usage_error("--port-file", *plan.port_file, "only TCP and UDP have a port number to write");
  plan.handover = args.has("handover");
  if (plan.handover && (plan.listen.endpoint.transport != Transport::tcp || plan.tls))
    return usage_error("--handover", plan.listen.endpoint.to_string(),
                       "it is for plain TCP: one port hands over to another");
  if (const auto fits = check_transport(args, plan.listen.endpoint); !fits)
    return std::unexpected(fits.error());
  return plan;
}

}  // namespace pier::server
