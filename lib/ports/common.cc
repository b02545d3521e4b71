#include "ports/common.h"

#include <algorithm>
#include <cstdint>
#include <span>

namespace pier {
namespace {

// How a port gets in: it is the default of software that is widely run as a server, or of equipment that
// answers on a network, so that finding it open says something. One port of each product is enough, unless
// the second one is a different exposure. Add yours where it belongs. Where ports/common_use.h has the port
// too, the transport is one that it has there: a test compares them.
constexpr std::uint16_t kTcp[] = {
    // Logging in and remote administration.
    22, 23, 512, 513, 830, 2222, 3389, 4899, 5900, 5901, 5985, 5986, 6000, 8291, 10000,
    // Files and storage.
    21, 111, 139, 445, 548, 873, 990, 2049, 3260,
    // Mail and news.
    25, 110, 119, 143, 465, 587, 993, 995, 2525, 4190,
    // Names, directories, tickets, routing.
    53, 88, 179, 389, 464, 636, 853, 3268,
    // The web: servers, their usual alternates, proxies, application servers and development servers.
    80, 81, 443, 1080, 3000, 3128, 4443, 5000, 5173, 7001, 8000, 8001, 8008, 8009, 8080, 8081, 8088, 8090,
    8443, 8888, 9000, 9090, 9443,
    // Databases, caches, search.
    1433, 1521, 3306, 5432, 5984, 6379, 7687, 8086, 8123, 9042, 9200, 11211, 26257, 27017, 50000,
    // Messages, chat, coordination.
    1883, 2181, 4222, 4369, 5222, 5672, 6667, 6697, 8883, 9092, 15672, 61616,
    // Containers, clusters, service discovery, remote procedure calls.
    135, 2375, 2376, 2379, 6443, 8200, 8500, 10250, 50051,
    // Metrics, logs, traces, watchers.
    514, 4317, 5044, 5601, 5666, 6514, 10050,
    // Printers, cameras, telephones, home and plant equipment; 9100 is also Prometheus's node exporter.
    102, 502, 515, 554, 631, 1723, 5060, 7547, 9100,
    // Source code and debugging.
    3690, 9229, 9418};

// A datagram gets an answer only from a service that understands it: fewer ports are worth a probe.
constexpr std::uint16_t kUdp[] = {
    // Names, addresses, time.
    53, 67, 69, 123, 137, 1900, 3702, 5351, 5353, 5355,
    // Directories, tickets, calls, files.
    88, 111, 389, 2049,
    // Watching and administration.
    161, 162, 514, 520, 623, 6343,
    // Tunnels and access control; 443 is HTTP/3.
    443, 500, 1194, 1701, 1812, 1813, 4500, 51820,
    // Voice, media, games.
    3478, 5060, 27015, 64738,
    // Databases, caches, things.
    1434, 5683, 11211, 47808};

// The tiers of those lists: what belongs into the first, and what the second adds.
constexpr std::uint16_t kTcp1[] = {21,  22,  23,  25,  53,   80,   110,  135,  139,  143,
                                   443, 445, 993, 995, 3306, 3389, 5432, 6379, 8080, 8443};
constexpr std::uint16_t kTcp2[] = {81,   88,   111,  389,  465,  514,  548,  554,  587,  631,
                                   636,  873,  1080, 1433, 1521, 1723, 1883, 2049, 2222, 2375,
                                   3000, 3128, 5000, 5060, 5222, 5672, 5900, 5985, 6000, 6443,
                                   8000, 8008, 8081, 8888, 9000, 9090, 9092, 9100, 9200, 27017};
constexpr std::uint16_t kUdp1[] = {53, 67, 69, 123, 137, 161, 500, 1900};
constexpr std::uint16_t kUdp2[] = {111, 389, 443, 514, 1194, 1434, 1812, 3478, 4500, 5060, 5353, 51820};

// A tier picks from the whole.
constexpr bool is_part_of(std::span<const std::uint16_t> tier, std::span<const std::uint16_t> whole) {
  return std::ranges::all_of(
      tier, [whole](std::uint16_t port) { return std::ranges::find(whole, port) != whole.end(); });
}
static_assert(is_part_of(kTcp1, kTcp) && is_part_of(kTcp2, kTcp));
static_assert(is_part_of(kUdp1, kUdp) && is_part_of(kUdp2, kUdp));

// No list names a port twice, and no port is in two tiers.
constexpr bool are_distinct(std::span<const std::uint16_t> ports,
                            std::span<const std::uint16_t> others = {}) {
  return std::ranges::all_of(ports, [=](std::uint16_t port) {
    return std::ranges::count(ports, port) == 1 && std::ranges::find(others, port) == others.end();
  });
}
static_assert(are_distinct(kTcp) && are_distinct(kTcp1, kTcp2) && are_distinct(kTcp2));
static_assert(are_distinct(kUdp) && are_distinct(kUdp1, kUdp2) && are_distinct(kUdp2));

void add_all(PortSet& set, PortProtocol protocol, std::span<const std::uint16_t> ports) {
  for (const std::uint16_t port : ports) set.add(protocol, {port, port});
}

}  // namespace

PortSet common_ports(int tier) {
  PortSet set;
  add_all(set, PortProtocol::tcp, tier < kCommonTiers ? std::span<const std::uint16_t>(kTcp1) : kTcp);
  add_all(set, PortProtocol::udp, tier < kCommonTiers ? std::span<const std::uint16_t>(kUdp1) : kUdp);
  if (tier != 2) return set;
  add_all(set, PortProtocol::tcp, kTcp2);
  add_all(set, PortProtocol::udp, kUdp2);
  return set;
}

}  // namespace pier
