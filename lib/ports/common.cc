#include "ports/common.h"

#include <cstdint>

namespace pier {
namespace {

// How a port gets in: it is the default of software that is widely run as a server, or of equipment that
// answers on a network, so that finding it open says something. One port of each product is enough, unless
// the second one is a different exposure. Add yours where it belongs.
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

}  // namespace

PortSet common_ports() {
  PortSet set;
  for (const std::uint16_t port : kTcp) set.add(PortProtocol::tcp, {port, port});
  for (const std::uint16_t port : kUdp) set.add(PortProtocol::udp, {port, port});
  return set;
}

}  // namespace pier
