#include "host/role.h"

#include <gtest/gtest.h>

#include <vector>

namespace pier {
namespace {

SocketAddress at(const char* ip, std::uint16_t port) {
  return {IpAddress::parse(ip).value(), port};
}

SocketInfo socket(const char* local, std::uint16_t port, SocketState state,
                  Transport transport = Transport::tcp) {
  SocketInfo info;
  info.transport = transport;
  info.local = at(local, port);
  info.family = info.local.ip().family();
  info.state = state;
  return info;
}

TEST(Role, OfEveryTcpState) {
  const std::vector<SocketInfo> sockets = {socket("0.0.0.0", 80, SocketState::listen)};
  const Roles roles(sockets);
  EXPECT_EQ(roles.of(sockets[0]), Role::server);
  EXPECT_EQ(roles.of(socket("10.0.0.1", 80, SocketState::established)), Role::accepted);
  EXPECT_EQ(roles.of(socket("10.0.0.1", 80, SocketState::time_wait)), Role::accepted);
  EXPECT_EQ(roles.of(socket("10.0.0.1", 81, SocketState::established)), Role::client);
  EXPECT_EQ(roles.of(socket("10.0.0.1", 80, SocketState::syn_sent)), Role::client);
  EXPECT_EQ(roles.of(socket("10.0.0.1", 99, SocketState::syn_recv)), Role::accepted);
  EXPECT_EQ(roles.of(socket("10.0.0.1", 81, SocketState::bound)), std::nullopt);
  EXPECT_EQ(roles.of(socket("10.0.0.1", 80, SocketState::bound)), std::nullopt);
}

TEST(Role, ALikePortOnAnotherAddressOrTransportIsNoListener) {
  const std::vector<SocketInfo> sockets = {socket("127.0.0.1", 80, SocketState::listen),
                                           socket("0.0.0.0", 53, SocketState::close, Transport::udp)};
  const Roles roles(sockets);
  EXPECT_EQ(roles.of(socket("127.0.0.1", 80, SocketState::established)), Role::accepted);
  EXPECT_EQ(roles.of(socket("10.0.0.1", 80, SocketState::established)), Role::client);
  EXPECT_EQ(roles.of(socket("10.0.0.1", 53, SocketState::established)), Role::client);
}

TEST(Role, AnIpv6WildcardTakesIpv4UnlessItIsForIpv6Only) {
  std::vector<SocketInfo> sockets = {socket("::", 80, SocketState::listen)};
  const SocketInfo mapped = socket("::ffff:10.0.0.1", 80, SocketState::established);
  EXPECT_EQ(Roles(sockets).of(mapped), Role::accepted);
  sockets[0].v6only = false;
  EXPECT_EQ(Roles(sockets).of(mapped), Role::accepted);
  sockets[0].v6only = true;
  EXPECT_EQ(Roles(sockets).of(mapped), Role::client);
  EXPECT_EQ(Roles(sockets).of(socket("2001:db8::1", 80, SocketState::established)), Role::accepted);
}

TEST(Role, UdpWithoutAPeerIsAServerAndWithOneDependsOnItsPort) {
  const std::vector<SocketInfo> sockets = {socket("127.0.0.1", 53, SocketState::close, Transport::udp)};
  const Roles roles(sockets);
  EXPECT_EQ(roles.of(sockets[0]), Role::server);
  EXPECT_EQ(roles.of(socket("127.0.0.1", 53, SocketState::established, Transport::udp)), Role::accepted);
  EXPECT_EQ(roles.of(socket("127.0.0.1", 54, SocketState::established, Transport::udp)), Role::client);
}

}  // namespace
}  // namespace pier
