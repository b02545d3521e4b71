#include <fmt/core.h>

#include "cmd/whoami_port/modes.h"
#include "host/port_usage.h"
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

std::string range_text(PortRange range) {
  return range.first == range.last ? std::to_string(range.first)
                                   : fmt::format("{}-{}", range.first, range.last);
}

double percent(std::size_t part, std::size_t whole) {
  return whole == 0 ? 0.0 : 100.0 * static_cast<double>(part) / static_cast<double>(whole);
}

std::string use_text(std::size_t used, std::size_t size) {
  return fmt::format("{} of {} ({:.1f}%)", used, size, percent(used, size));
}

JsonObject here_record(const SocketAddress& address, const HostPorts& host,
                       const std::optional<PortUsage>& usage) {
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
    record.number("tcp_in_use", usage->tcp).real("tcp_percent", percent(usage->tcp, usage->size), 1);
    record.number("udp_in_use", usage->udp).real("udp_percent", percent(usage->udp, usage->size), 1);
  } else {
    for (const auto* name : {"ephemeral_size", "tcp_in_use", "tcp_percent", "udp_in_use", "udp_percent"}) {
      record.null(name);
    }
  }
  std::string busiest;
  if (usage) {
    for (const BusyPeer& peer : usage->busiest) {
      busiest += (busiest.empty() ? "" : ",") + JsonObject()
                                                    .text("addr", peer.address.ip().to_string())
                                                    .number("port", peer.address.port())
                                                    .number("ports", peer.ports)
                                                    .real("percent", percent(peer.ports, usage->size), 1)
                                                    .str();
    }
  }
  record.raw("busiest", "[" + busiest + "]");
  if (usage) {
    record.number("time_wait", usage->time_wait);
    const Resource first = scarcest(usage->resources);
    record.text("runs_out_first", first.name).real("runs_out_percent", percent(first.used, first.limit), 1);
  }
  std::string resources;
  if (usage)
    for (const Resource& one : usage->resources)
      resources +=
          (resources.empty() ? "" : ",") +
          JsonObject().text("name", one.name).number("used", one.used).number("limit", one.limit).str();
  record.raw("resources", "[" + resources + "]");
  return record;
}

void put_rows(Report& report, const SocketAddress& address, const HostPorts& host,
              const std::optional<PortUsage>& usage) {
  std::string reserved;
  for (const PortRange range : host.reserved) reserved += (reserved.empty() ? "" : ",") + range_text(range);
  std::vector<std::vector<std::string>> rows{
      {"port", std::to_string(address.port())},
      {"class", std::string(to_string(port_class(address.port())))},
      {"ephemeral", range_text(host.ephemeral)},
      {"reserved", reserved},
      {"first-unprivileged", std::to_string(host.unprivileged_start)},
      {"tcp-in-use", usage ? use_text(usage->tcp, usage->size) : ""},
      {"udp-in-use", usage ? use_text(usage->udp, usage->size) : ""},
  };
  if (usage) {
    for (const BusyPeer& peer : usage->busiest)
      rows.push_back({"busiest", peer.address.to_string() + " " + use_text(peer.ports, usage->size)});
    rows.push_back({"time-wait", std::to_string(usage->time_wait)});
    const Resource first = scarcest(usage->resources);
    rows.push_back({"runs-out-first", first.name + ": " + use_text(first.used, first.limit)});
  }
  report.table(rows);
}

}  // namespace

int tell_here(const App& app, Report& report) {
  const auto address = new_socket_address(report.steps());
  if (!address) return report.fail(address.error());
  const HostPorts& host = report.host();
  if (!host.ephemeral_known)
    app.note("the ephemeral range cannot be read here: this is the kernel's default");
  std::optional<PortUsage> usage;
  if (const auto list = list_sockets({})) {
    usage = port_usage(host, list->sockets);
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
