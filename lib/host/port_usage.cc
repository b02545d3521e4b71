#include "host/port_usage.h"

#include <algorithm>
#include <charconv>
#include <map>
#include <optional>
#include <string_view>
#include <tuple>
#include <unordered_set>

#include "base/proc_file.h"

namespace pier {
namespace {

constexpr std::size_t kBusiest = 3;

// The numbers in a file of /proc, separated by blanks.
std::vector<std::size_t> numbers_in(const std::string& path) {
  std::vector<std::size_t> numbers;
  const auto text = read_file(path);
  if (!text) return numbers;
  const char* at = text->data();
  const char* const end = at + text->size();
  while (at != end) {
    std::size_t number = 0;
    const auto [next, error] = std::from_chars(at, end, number);
    if (error == std::errc()) numbers.push_back(number);
    at = error == std::errc() ? next : at + 1;
  }
  return numbers;
}

std::optional<std::size_t> number_in(const std::string& path) {
  const auto numbers = numbers_in(path);
  return numbers.size() == 1 ? std::optional(numbers[0]) : std::nullopt;
}

void add(std::vector<Resource>& resources, std::string name, std::optional<std::size_t> used,
         std::optional<std::size_t> limit) {
  if (used && limit && *limit > 0) resources.push_back({std::move(name), *used, *limit});
}

// Toward each peer, the local ports of the range.
using PortsOfPeers = std::map<std::tuple<IpAddress, std::uint16_t>, std::unordered_set<std::uint16_t>>;

std::vector<BusyPeer> busiest_of(const PortsOfPeers& peers) {
  std::vector<BusyPeer> all;
  for (const auto& [peer, ports] : peers)
    all.push_back({.address = SocketAddress(std::get<0>(peer), std::get<1>(peer)), .ports = ports.size()});
  std::ranges::stable_sort(all, std::ranges::greater(), &BusyPeer::ports);
  if (all.size() > kBusiest) all.resize(kBusiest);
  return all;
}

}  // namespace

PortUsage port_usage(const HostPorts& host, std::span<const SocketInfo> sockets, const std::string& proc) {
  PortUsage usage;
  const auto handed_out = [&](std::uint16_t port) {
    return host.is_ephemeral(port) && !host.is_reserved(port);
  };
  for (std::uint32_t port = host.ephemeral.first; port <= host.ephemeral.last; ++port) {
    if (handed_out(static_cast<std::uint16_t>(port))) ++usage.size;
  }
  std::unordered_set<std::uint16_t> tcp;
  std::unordered_set<std::uint16_t> udp;
  PortsOfPeers peers;
  for (const SocketInfo& socket : sockets) {
    if (socket.transport == Transport::tcp && socket.state == SocketState::time_wait) ++usage.time_wait;
    const std::uint16_t port = socket.local.port();
    if (!handed_out(port)) continue;
    (socket.transport == Transport::tcp ? tcp : udp).insert(port);
    if (socket.transport == Transport::tcp && socket.remote.port() != 0)
      peers[{socket.remote.ip().unmapped(), socket.remote.port()}].insert(port);
  }
  usage.tcp = tcp.size();
  usage.udp = udp.size();
  usage.busiest = busiest_of(peers);
  if (!usage.busiest.empty())
    add(usage.resources, "tcp ports toward " + usage.busiest.front().address.to_string(),
        usage.busiest.front().ports, usage.size);
  add(usage.resources, "udp ports", usage.udp, usage.size);
  const std::string sys = proc + "/sys/";
  add(usage.resources, "time-wait connections", usage.time_wait,
      number_in(sys + "net/ipv4/tcp_max_tw_buckets"));
  add(usage.resources, "entries of connection tracking", number_in(sys + "net/netfilter/nf_conntrack_count"),
      number_in(sys + "net/netfilter/nf_conntrack_max"));
  const auto files = numbers_in(sys + "fs/file-nr");
  if (files.size() == 3) add(usage.resources, "open files of this host", files[0], files[2]);
  if (usage.resources.empty())
    usage.resources.push_back({"tcp ports", usage.tcp, std::max<std::size_t>(usage.size, 1)});
  return usage;
}

Resource scarcest(std::span<const Resource> resources) {
  return *std::ranges::max_element(resources, {}, [](const Resource& one) {
    return static_cast<double>(one.used) / static_cast<double>(one.limit);
  });
}

}  // namespace pier
