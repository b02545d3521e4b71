#include "host/port_usage.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

namespace pier {
namespace {

SocketInfo socket(std::uint16_t port, const char* peer, std::uint16_t peer_port,
                  SocketState state = SocketState::established, Transport transport = Transport::tcp) {
  SocketInfo info;
  info.transport = transport;
  info.state = state;
  info.local = {IpAddress::parse("10.0.0.1").value(), port};
  info.remote = {IpAddress::parse(peer).value(), peer_port};
  return info;
}

TEST(PortUsage, CountsPortsTowardTheBusiestPeers) {
  HostPorts host;
  host.ephemeral = {40000, 40009};
  host.reserved = {{40009, 40009}};
  std::vector<SocketInfo> sockets;
  for (std::uint16_t port = 40000; port < 40004; ++port) sockets.push_back(socket(port, "10.0.0.5", 5432));
  sockets.push_back(socket(40000, "10.0.0.6", 80, SocketState::time_wait));  // a port that is used twice
  sockets.push_back(socket(40001, "::ffff:10.0.0.6", 80));                   // the same peer
  sockets.push_back(socket(40009, "10.0.0.6", 80));                          // reserved: not handed out
  sockets.push_back(socket(22, "10.0.0.7", 50000));                          // somebody came in
  sockets.push_back(socket(40008, "0.0.0.0", 0, SocketState::close, Transport::udp));
  const PortUsage usage = port_usage(host, sockets, "/nonexistent");
  EXPECT_EQ(usage.size, 9u);
  EXPECT_EQ(usage.tcp, 4u);
  EXPECT_EQ(usage.udp, 1u);
  EXPECT_EQ(usage.time_wait, 1u);
  ASSERT_EQ(usage.busiest.size(), 2u);
  EXPECT_EQ(usage.busiest[0].address.to_string(), "10.0.0.5:5432");
  EXPECT_EQ(usage.busiest[0].ports, 4u);
  EXPECT_EQ(usage.busiest[1].ports, 2u);
  EXPECT_EQ(scarcest(usage.resources).name, "tcp ports toward 10.0.0.5:5432");
}

TEST(PortUsage, TakesTheHostsLimitsIntoAccount) {
  const auto proc = std::filesystem::temp_directory_path() / ("pier-usage-" + std::to_string(::getpid()));
  std::filesystem::create_directories(proc / "sys/net/ipv4");
  std::filesystem::create_directories(proc / "sys/fs");
  std::ofstream(proc / "sys/net/ipv4/tcp_max_tw_buckets") << "4\n";
  std::ofstream(proc / "sys/fs/file-nr") << "100\t0\t1000\n";
  const std::vector sockets{socket(80, "10.0.0.6", 81, SocketState::time_wait)};
  const PortUsage usage = port_usage(HostPorts(), sockets, proc.string());
  std::filesystem::remove_all(proc);
  ASSERT_EQ(usage.resources.size(), 3u);
  EXPECT_EQ(scarcest(usage.resources).name, "time-wait connections");
  EXPECT_EQ(scarcest(usage.resources).limit, 4u);
}

}  // namespace
}  // namespace pier
