#include <fmt/core.h>

#include <unordered_set>

#include "cmd/whoami_port/modes.h"
#include "host/sockets.h"
#include "net/socket.h"
#include "ports/ephemeral.h"
#include "ports/port_class.h"

namespace pier::whoami {
namespace {

// The address, with the port the kernel chose, of a socket made and bound for the question.
Result<SocketAddress> new_socket_address(StepSink* steps) {
  for (const Family family : {Family::ipv4, Family::ipv6}) {
    const auto fd = open_socket(Transport::tcp, domain_of(family), steps);
    if (!fd && fd.error().code == EAFNOSUPPORT && family == Family::ipv4) continue;
    if (!fd) return std::unexpected(fd.error());
    if (const auto bound = bind_socket(*fd, {IpAddress::any(family), 0}, steps); !bound) {
      return std::unexpected(bound.error());
    }
    return local_address(fd->get());
  }
  return fail(ErrorKind::local, "socket", "tcp", "this host has neither IPv4 nor IPv6");
}

// How many different ports the kernel could hand out, and how many of those are in use for each transport.
struct Usage {
  std::size_t size = 0;
  std::unordered_set<std::uint16_t> tcp;
  std::unordered_set<std::uint16_t> udp;
};

Usage usage_of(const HostPorts& host, const std::vector<SocketInfo>& sockets) {
  Usage usage;
  const auto handed_out = [&](std::uint16_t port) {
    return host.is_ephemeral(port) && !host.is_reserved(port);
  };
  for (std::uint32_t port = host.ephemeral.first; port <= host.ephemeral.last; ++port) {
    if (handed_out(static_cast<std::uint16_t>(port))) ++usage.size;
  }
  for (const SocketInfo& socket : sockets) {
    const std::uint16_t port = socket.local.port();
    if (handed_out(port)) (socket.transport == Transport::tcp ? usage.tcp : usage.udp).insert(port);
  }
  return usage;
}

double percent(std::size_t part, std::size_t whole) {
  return whole == 0 ? 0.0 : 100.0 * static_cast<double>(part) / static_cast<double>(whole);
}

std::string range_text(PortRange range) {
  return range.first == range.last ? std::to_string(range.first)
                                   : fmt::format("{}-{}", range.first, range.last);
}

std::string use_text(std::size_t used, std::size_t size) {
  return fmt::format("{} of {} ({:.1f}%)", used, size, percent(used, size));
}

JsonObject here_record(const SocketAddress& address, const HostPorts& host,
                       const std::optional<Usage>& usage) {
  JsonObject record = port_record({.transport = Transport::tcp,
                                   .local = address.ip(),
                                   .local_port = address.port(),
                                   .remote = {},
                                   .remote_port = {},
                                   .role = {},
                                   .remote_role = {},
                                   .interface = {}});
  std::vector<std::string> reserved;
  for (const PortRange range : host.reserved) reserved.push_back(range_text(range));
  record.number("ephemeral_first", host.ephemeral.first).number("ephemeral_last", host.ephemeral.last);
  record.texts("reserved", reserved).number("first_unprivileged", host.unprivileged_start);
  if (usage) {
    record.number("ephemeral_size", usage->size);
    record.number("tcp_in_use", usage->tcp.size())
        .real("tcp_percent", percent(usage->tcp.size(), usage->size), 1);
    record.number("udp_in_use", usage->udp.size())
        .real("udp_percent", percent(usage->udp.size(), usage->size), 1);
  } else {
    for (const auto* name : {"ephemeral_size", "tcp_in_use", "tcp_percent", "udp_in_use", "udp_percent"}) {
      record.null(name);
    }
  }
  return record;
}

void put_rows(Report& report, const SocketAddress& address, const HostPorts& host,
              const std::optional<Usage>& usage) {
  std::string reserved;
  for (const PortRange range : host.reserved) reserved += (reserved.empty() ? "" : ",") + range_text(range);
  report.table({
      {"port", std::to_string(address.port())},
      {"class", std::string(to_string(port_class(address.port())))},
      {"ephemeral", range_text(host.ephemeral)},
      {"reserved", reserved},
      {"first-unprivileged", std::to_string(host.unprivileged_start)},
      {"tcp-in-use", usage ? use_text(usage->tcp.size(), usage->size) : ""},
      {"udp-in-use", usage ? use_text(usage->udp.size(), usage->size) : ""},
  });
}

}  // namespace

int tell_here(const App& app, Report& report) {
  const auto address = new_socket_address(report.steps());
  if (!address) return report.fail(address.error());
  const HostPorts& host = report.host();
  if (!host.ephemeral_known)
    app.note("the ephemeral range cannot be read here: this is the kernel's default");
  std::optional<Usage> usage;
  if (const auto list = list_sockets({})) {
    usage = usage_of(host, list->sockets);
    if (!list->fallback.empty()) app.detail("counted from /proc/net: " + list->fallback);
  } else {
    app.note("cannot count the ports in use: " + list.error().message());
  }
  if (report.json()) {
    report.record(here_record(*address, host, usage));
  } else {
    put_rows(report, *address, host, usage);
  }
  return report.end(kExitYes, true);
}

}  // namespace pier::whoami
