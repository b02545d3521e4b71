#include "event/listener.h"

#include <gtest/gtest.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <thread>

#include "net/socket.h"
#include "tests/event/support.h"

namespace pier {
namespace {

ListenPlan tcp_plan(std::string host = {}, std::uint32_t port = 0) {
  return {.endpoint = {.host = std::move(host), .port = port}};
}
ListenPlan unix_plan(const std::string& path, Transport transport = Transport::unix_stream) {
  return {.endpoint = {.transport = transport, .path = path}};
}

TEST(Listener, LoopbackOfBothFamiliesHasOnePort) {
  if (!has_ipv6()) GTEST_SKIP() << "this host has no IPv6 loopback";
  for (const Transport transport : {Transport::tcp, Transport::udp}) {
    ListenPlan plan = tcp_plan();
    plan.endpoint.transport = transport;
    const auto listener = Listener::open(plan);
    ASSERT_TRUE(listener) << listener.error().message();
    ASSERT_EQ(listener->sockets().size(), 2u);
    const std::uint16_t port = listener->port();
    EXPECT_NE(port, 0);
    EXPECT_EQ(listener->sockets()[0].address.to_string(), "127.0.0.1:" + std::to_string(port));
    EXPECT_EQ(listener->sockets()[1].address.to_string(), "[::1]:" + std::to_string(port));
  }
}

TEST(Listener, EveryInterfaceIsTheUnspecifiedAddressOfEachFamily) {
  ListenPlan plan = tcp_plan();
  plan.endpoint.every_interface = true;
  const auto listener = Listener::open(plan);
  ASSERT_TRUE(listener) << listener.error().message();
  EXPECT_EQ(listener->sockets()[0].address.ip(), IpAddress::any(Family::ipv4));
  if (has_ipv6()) {
    ASSERT_EQ(listener->sockets().size(), 2u);
    EXPECT_EQ(listener->sockets()[1].address.ip(), IpAddress::any(Family::ipv6));
  }
}

TEST(Listener, OneFamilyWhenAskedFor) {
  ListenPlan plan = tcp_plan();
  plan.family = Family::ipv4;
  const auto four = Listener::open(plan);
  ASSERT_TRUE(four);
  ASSERT_EQ(four->sockets().size(), 1u);
  EXPECT_EQ(four->sockets()[0].address.ip(), IpAddress::loopback(Family::ipv4));
  plan.endpoint.host = "::1";
  const auto wrong = Listener::open(plan);
  ASSERT_FALSE(wrong);
  EXPECT_EQ(wrong.error().message(), "host '::1': an IPv6 address, where one of IPv4 is needed");
  EXPECT_EQ(wrong.error().kind, ErrorKind::usage);
}

TEST(Listener, ATakenPortIsNamedWithTheAddressItIsTakenOn) {
  const auto first = Listener::open(tcp_plan("127.0.0.1"));
  ASSERT_TRUE(first);
  const auto second = Listener::open(tcp_plan({}, first->port()));
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, EADDRINUSE);
  EXPECT_EQ(second.error().kind, ErrorKind::local);
  EXPECT_EQ(second.error().subject, "127.0.0.1:" + std::to_string(first->port()));
}

TEST(Listener, APortTakenInTheOtherFamilyOnlyIsNamedToo) {
  if (!has_ipv6()) GTEST_SKIP() << "this host has no IPv6 loopback";
  const auto first = Listener::open(tcp_plan("::1"));
  ASSERT_TRUE(first);
  const auto second = Listener::open(tcp_plan({}, first->port()));
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, EADDRINUSE);
  EXPECT_EQ(second.error().subject, "[::1]:" + std::to_string(first->port()));
}

// In a network namespace of its own that has four ephemeral ports, three of which are taken over IPv6: the
// kernel, which sees IPv4 alone, may offer any of them.
TEST(Listener, DrawsUntilOneNumberIsFreeInBothFamilies) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root, for a network namespace";
  bool alone = false;
  std::thread([&] {
    if (::unshare(CLONE_NEWNET) != 0) return;
    const Fd any = open_socket(Transport::udp, AF_INET).value();
    ifreq lo{.ifr_ifrn = {"lo"}, .ifr_ifru = {.ifru_flags = IFF_UP}};
    ASSERT_EQ(::ioctl(any.get(), SIOCSIFFLAGS, &lo), 0);
    std::ofstream range("/proc/sys/net/ipv4/ip_local_port_range");
    range << "40000 40003" << std::flush;
    if (!range || !has_ipv6()) return;
    alone = true;
    for (const Transport transport : {Transport::tcp, Transport::udp}) {
      std::vector<Fd> taken;
      for (const std::uint16_t port : std::initializer_list<std::uint16_t>{40000, 40001, 40003}) {
        taken.push_back(open_socket(transport, AF_INET6).value());
        ASSERT_TRUE(set_option(taken.back(), IPPROTO_IPV6, IPV6_V6ONLY, 1, "IPV6_V6ONLY"));
        ASSERT_TRUE(bind_socket(taken.back(), SocketAddress(IpAddress::loopback(Family::ipv6), port)));
      }
      ListenPlan plan = tcp_plan();
      plan.endpoint.transport = transport;
      const auto listener = Listener::open(plan);
      ASSERT_TRUE(listener) << listener.error().message();
      EXPECT_EQ(listener->port(), 40002);
      EXPECT_EQ(listener->sockets().size(), 2u);
    }
  }).join();
  if (!alone) GTEST_SKIP() << "no network namespace with IPv6 can be made here";
}

TEST(Listener, UdpDoesNotShareAPort) {
  ListenPlan plan = tcp_plan("127.0.0.1");
  plan.endpoint.transport = Transport::udp;
  const auto first = Listener::open(plan);
  ASSERT_TRUE(first);
  plan.endpoint.port = first->port();
  const auto second = Listener::open(plan);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, EADDRINUSE);
}

TEST(Listener, APortIsFreeAgainAtOnceThoughItsConnectionsAreStillClosing) {
  auto listener = Listener::open(tcp_plan("127.0.0.1"));
  ASSERT_TRUE(listener);
  const std::uint16_t port = listener->port();
  {
    const Fd client = open_socket(Transport::tcp, AF_INET).value();
    ASSERT_TRUE(connect_socket(client, listener->sockets()[0].address));
    wait_for(listener->sockets()[0].fd.get(), POLLIN);
    auto accepted = accept_socket(listener->sockets()[0].fd);
    ASSERT_TRUE(accepted && *accepted);
    (*accepted)->fd.reset();  // the server closes first, and so its port is left in TIME_WAIT
    wait_for(client.get(), POLLIN);
  }
  listener->close();
  EXPECT_TRUE(listener->sockets().empty());
  EXPECT_TRUE(Listener::open(tcp_plan("127.0.0.1", port)));
}

TEST(Listener, TextThatOnlyLooksLikeAnAddressIsRefused) {
  const auto listener = Listener::open(tcp_plan("1.2.3"));
  ASSERT_FALSE(listener);
  EXPECT_EQ(listener.error().kind, ErrorKind::usage);
}

TEST(Listener, TheStepsTellOptionsBindAndListen) {
  Recorder told;
  ListenPlan plan = tcp_plan("127.0.0.1");
  plan.backlog = 7;
  plan.steps = &told;
  ASSERT_TRUE(Listener::open(plan));
  EXPECT_EQ(told.calls(), "socket setsockopt bind listen");
  EXPECT_TRUE(told.steps[1].text.starts_with("SO_REUSEADDR: "));
}

TEST(Listener, AUnixSocketFileGoesWithItsListener) {
  const TempDir dir;
  const std::string path = dir.path("s");
  for (const Transport transport : {Transport::unix_stream, Transport::unix_dgram}) {
    {
      const auto listener = Listener::open(unix_plan(path, transport));
      ASSERT_TRUE(listener) << listener.error().message();
      EXPECT_EQ(listener->sockets()[0].address.to_string(), "unix:" + path);
      EXPECT_EQ(listener->port(), 0);
      EXPECT_TRUE(std::filesystem::is_socket(path));
    }
    EXPECT_FALSE(std::filesystem::exists(path));
  }
}

TEST(Listener, MovingKeepsTheFile) {
  const TempDir dir;
  auto listener = Listener::open(unix_plan(dir.path("s")));
  ASSERT_TRUE(listener);
  {
    const Listener moved = std::move(*listener);
    EXPECT_TRUE(std::filesystem::exists(dir.path("s")));
  }
  EXPECT_FALSE(std::filesystem::exists(dir.path("s")));
}

TEST(Listener, AFileThatReplacedOursIsLeft) {
  const TempDir dir;
  const std::string path = dir.path("s");
  {
    const auto listener = Listener::open(unix_plan(path));
    ASSERT_TRUE(listener);
    // Ours stays linked elsewhere, so that its inode number is not given to the new file.
    std::filesystem::rename(path, dir.path("ours"));
    std::ofstream(path) << "kept";
  }
  EXPECT_TRUE(std::filesystem::is_regular_file(path));
}

TEST(Listener, AStaleUnixSocketIsReplaced) {
  const TempDir dir;
  const std::string path = dir.path("s");
  for (const Transport transport : {Transport::unix_stream, Transport::unix_dgram}) {
    {
      const Fd dead = open_socket(transport, AF_UNIX).value();
      ASSERT_TRUE(bind_socket(dead, SocketAddress::unix_path(path).value()));
    }
    Recorder told;
    ListenPlan plan = unix_plan(path, transport);
    plan.steps = &told;
    const auto listener = Listener::open(plan);
    ASSERT_TRUE(listener) << listener.error().message();
    EXPECT_TRUE(told.calls().starts_with("socket bind unlink socket bind")) << told.calls();
  }
}

TEST(Listener, ALiveUnixSocketIsInUse) {
  const TempDir dir;
  const std::string path = dir.path("s");
  for (const Transport first : {Transport::unix_stream, Transport::unix_dgram}) {
    const auto alive = Listener::open(unix_plan(path, first));
    ASSERT_TRUE(alive);
    for (const Transport second : {Transport::unix_stream, Transport::unix_dgram}) {
      const auto listener = Listener::open(unix_plan(path, second));
      ASSERT_FALSE(listener);
      EXPECT_EQ(listener.error().code, EADDRINUSE);
      EXPECT_EQ(listener.error().message(), "bind unix:" + path + ": address already in use");
    }
  }
}

TEST(Listener, AFileThatIsNoSocketIsNeverRemoved) {
  const TempDir dir;
  const std::string path = dir.path("s");
  std::ofstream(path) << "precious";
  const auto listener = Listener::open(unix_plan(path));
  ASSERT_FALSE(listener);
  EXPECT_EQ(listener.error().code, EADDRINUSE);
  EXPECT_EQ(listener.error().message(),
            "bind unix:" + path + ": address already in use: the file there is no socket, and is left alone");
  EXPECT_TRUE(std::filesystem::is_regular_file(path));
}

TEST(Listener, AnAbstractNameNeedsNoFile) {
  const TempDir dir;  // its name makes ours unique
  const auto listener = Listener::open(unix_plan("@" + dir.path("s")));
  ASSERT_TRUE(listener) << listener.error().message();
  EXPECT_EQ(listener->sockets()[0].address.path(), "@" + dir.path("s"));
  const auto second = Listener::open(unix_plan("@" + dir.path("s")));
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, EADDRINUSE);
}

}  // namespace
}  // namespace pier
