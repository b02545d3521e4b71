#include "host/owner.h"

#include <grp.h>

#include <algorithm>
#include <cstring>

#include "host/sockets.h"
#include "tests/host/support.h"

namespace pier {
namespace {

using test::bound;
using test::Child;
using test::connected_to;
using test::listener;
using test::loopback;
using test::name_of;

// Those of this test: the same port may be in use at other addresses.
std::vector<OwnedSocket> owned_at(std::uint16_t port, Transport transport = Transport::tcp) {
  auto found = owned_sockets(
      {.tcp = transport == Transport::tcp, .udp = transport == Transport::udp, .local_port = port});
  EXPECT_TRUE(found) << found.error().message();
  std::erase_if(found->sockets, [](const OwnedSocket& s) { return s.socket.local.ip() != test::own_ip(); });
  return std::move(found->sockets);
}

std::vector<pid_t> pids_of(const OwnedSocket& socket) {
  std::vector<pid_t> pids;
  for (const Process& process : socket.owners) pids.push_back(process.pid);
  return pids;
}

TEST(Owner, OfAListenerIsThisProcess) {
  const Fd fd = listener(loopback(Family::ipv4));
  const auto sockets = owned_at(name_of(fd).port());
  ASSERT_EQ(sockets.size(), 1u);
  const OwnedSocket& socket = sockets.front();
  EXPECT_EQ(socket.role, Role::server);
  EXPECT_EQ(socket.hidden, std::nullopt);
  EXPECT_EQ(pids_of(socket), std::vector{::getpid()});
  EXPECT_EQ(socket.owners[0].uid, ::geteuid());
  EXPECT_EQ(socket.owners[0].program, "test_host");
  EXPECT_NE(socket.owners[0].cmdline.find("test_host"), std::string::npos);
}

TEST(Owner, NobodyAtAFreePort) {
  Fd fd = listener(loopback(Family::ipv4));
  const std::uint16_t port = name_of(fd).port();
  fd.reset();
  EXPECT_TRUE(owned_at(port).empty());
}

TEST(Owner, OfBothEndsOfAConnection) {
  const Fd server = listener(loopback(Family::ipv4));
  const Fd client = connected_to(name_of(server));
  const Fd accepted(::accept4(server.get(), nullptr, nullptr, SOCK_CLOEXEC));
  const auto here = owned_at(name_of(server).port());
  ASSERT_EQ(here.size(), 2u);
  EXPECT_EQ(here[0].role, Role::server);
  EXPECT_EQ(here[1].role, Role::accepted);
  EXPECT_EQ(here[1].socket.remote, name_of(client));
  EXPECT_EQ(pids_of(here[1]), std::vector{::getpid()});
  const auto there = owned_at(name_of(client).port());
  ASSERT_EQ(there.size(), 1u);
  EXPECT_EQ(there[0].role, Role::client);
}

TEST(Owner, ASharedSocketHasEveryProcessThatHoldsIt) {
  const Fd fd = listener(loopback(Family::ipv4));
  const Child child([] { return "up"; });
  const auto sockets = owned_at(name_of(fd).port());
  ASSERT_EQ(sockets.size(), 1u);
  std::vector expected{::getpid(), child.pid()};
  std::ranges::sort(expected);
  EXPECT_EQ(pids_of(sockets[0]), expected);
}

TEST(Owner, TwoSocketsOnOnePortHaveTheirOwn) {
  Fd fd = listener(loopback(Family::ipv4), false, true);
  const SocketAddress address = name_of(fd);
  const Child child([&] {
    fd.reset();
    fd = listener(address, false, true);
    return fd.valid() ? "up" : "no";
  });
  ASSERT_EQ(child.text(), "up");
  const auto sockets = owned_at(address.port());
  ASSERT_EQ(sockets.size(), 2u);
  std::vector<pid_t> pids;
  for (const OwnedSocket& socket : sockets) {
    ASSERT_EQ(socket.owners.size(), 1u);
    pids.push_back(socket.owners[0].pid);
  }
  std::ranges::sort(pids);
  std::vector expected{::getpid(), child.pid()};
  std::ranges::sort(expected);
  EXPECT_EQ(pids, expected);
}

TEST(Owner, AConnectionNobodyHasAcceptedIsTheKernels) {
  const Fd server = listener(loopback(Family::ipv4));
  const Fd client = connected_to(name_of(server));
  const auto sockets = owned_at(name_of(server).port());
  ASSERT_EQ(sockets.size(), 2u);
  EXPECT_EQ(sockets[1].hidden, Hidden::kernel);
  EXPECT_NE(hidden_reason(sockets[1]).find("nobody has accepted it yet"), std::string::npos);
}

TEST(Owner, AClosedConnectionIsInTimeWaitAndItsPeerAnOrphan) {
  const Fd server = listener(loopback(Family::ipv4));
  Fd client = connected_to(name_of(server));
  Fd accepted(::accept4(server.get(), nullptr, nullptr, SOCK_CLOEXEC));
  const std::uint16_t port = name_of(client).port();
  client.reset();  // its FIN is out, the other side has not closed: half an end, and no process
  auto sockets = owned_at(port);
  ASSERT_EQ(sockets.size(), 1u);
  EXPECT_EQ(sockets[0].hidden, Hidden::orphan);
  EXPECT_TRUE(state_name(sockets[0].socket).starts_with("fin-wait-")) << state_name(sockets[0].socket);
  accepted.reset();
  do {
    sockets = owned_at(port);
    ASSERT_EQ(sockets.size(), 1u);
  } while (sockets[0].socket.state != SocketState::time_wait);
  EXPECT_EQ(sockets[0].hidden, Hidden::time_wait);
  EXPECT_NE(hidden_reason(sockets[0]).find("time-wait"), std::string::npos);
}

TEST(Owner, ASocketOnItsWayBetweenProcessesIsWithNone) {
  Fd fd = bound(SOCK_DGRAM, loopback(Family::ipv4));
  const std::uint16_t port = name_of(fd).port();
  int pair[2];
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, pair), 0);
  const Fd sender(pair[0]);
  const Fd receiver(pair[1]);
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  char byte = 0;
  iovec data{&byte, 1};
  msghdr message{};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  cmsghdr* header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof(int));
  const int number = fd.get();
  std::memcpy(CMSG_DATA(header), &number, sizeof number);
  ASSERT_EQ(::sendmsg(sender.get(), &message, 0), 1);
  fd.reset();
  const auto sockets = owned_at(port, Transport::udp);
  ASSERT_EQ(sockets.size(), 1u);
  EXPECT_TRUE(sockets[0].owners.empty());
  ASSERT_TRUE(sockets[0].hidden);
  // What exactly depends on what we may see: with every process of the host in sight it is the kernel's.
  const OwnerSearch sight = find_owners(std::vector{WantedSocket{sockets[0].socket.inode, 0}});
  EXPECT_TRUE(sight.pids.empty());
  EXPECT_EQ(sockets[0].hidden, sight.denied       ? Hidden::permission
                               : sight.whole_host ? Hidden::kernel
                                                  : Hidden::pid_namespace);
}

TEST(Owner, AnotherUsersProcessIsHiddenByPermission) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root, to become another user";
  Fd fd = listener(loopback(Family::ipv4));
  const SocketAddress address = name_of(fd);
  const Child child([&]() -> std::string {
    fd.reset();
    if (::setgroups(0, nullptr) != 0 || ::setgid(65534) != 0 || ::setuid(65534) != 0)
      return "cannot become nobody";
    const auto sockets = owned_at(address.port());
    if (sockets.size() != 1 || !sockets[0].hidden) return "not hidden";
    return std::string(to_string(*sockets[0].hidden)) + "; " + owner_phrase(address, Transport::tcp);
  });
  EXPECT_EQ(child.text(), "permission; a process of user root (run as root to see which)");
}

TEST(OwnerPhrase, NamesWhoIsInTheWay) {
  const Fd fd = listener(loopback(Family::ipv4));
  const std::string user = user_name(::geteuid());
  EXPECT_EQ(owner_phrase(name_of(fd), Transport::tcp),
            "test_host (pid " + std::to_string(::getpid()) + ", " +
                (user.empty() ? "uid " + std::to_string(::geteuid()) : "user " + user) + ")");
  EXPECT_EQ(owner_phrase(SocketAddress::unix_path("/tmp/x").value(), Transport::unix_stream), "");
}

TEST(OwnerPhrase, KnowsWhichAddressesCollide) {
  const Fd four = listener(loopback(Family::ipv4));
  const std::uint16_t port = name_of(four).port();
  const auto in_the_way = [&](const std::string& ip) {
    return !owner_phrase({IpAddress::parse(ip).value(), port}, Transport::tcp).empty();
  };
  EXPECT_TRUE(in_the_way("0.0.0.0"));
  EXPECT_TRUE(in_the_way("::"));  // dual stack
  EXPECT_TRUE(in_the_way("::ffff:" + test::own_ip().to_string()));
  EXPECT_FALSE(in_the_way("192.0.2.1"));
  EXPECT_FALSE(in_the_way("2001:db8::1"));
}

TEST(OwnerPhrase, ASocketThatIsOnlyBoundIsInTheWayToo) {
  const Fd fd = bound(SOCK_STREAM, loopback(Family::ipv4));
  const auto sockets = owned_at(name_of(fd).port());
  if (sockets.empty())
    GTEST_SKIP() << "this kernel does not tell of sockets that are only bound (Linux 6.8 does)";
  EXPECT_EQ(state_name(sockets[0].socket), "bound");
  EXPECT_EQ(sockets[0].role, std::nullopt);
  EXPECT_FALSE(owner_phrase(name_of(fd), Transport::tcp).empty());
}

TEST(OwnerPhrase, SharedSocketsAreCounted) {
  const Fd fd = bound(SOCK_DGRAM, loopback(Family::ipv4));
  const Child child([] { return "up"; });
  const std::string phrase = owner_phrase(name_of(fd), Transport::udp);
  EXPECT_TRUE(phrase.ends_with(" and 1 more process")) << phrase;
}

TEST(Process, NamesThatTheKernelCutAreCompletedFromTheCommandLine) {
  using namespace std::string_literals;
  EXPECT_EQ(program_name("nginx\n", "/usr/sbin/nginx\0-g\0"s), "nginx");
  EXPECT_EQ(program_name("a-very-long-nam\n", "/opt/a-very-long-name\0"s), "a-very-long-name");
  EXPECT_EQ(program_name("a-very-long-nam\n", "something else"s), "a-very-long-nam");
  EXPECT_EQ(join_cmdline("/usr/sbin/nginx\0-g\0daemon off;\0"s), "/usr/sbin/nginx -g daemon off;");
  EXPECT_EQ(join_cmdline("nginx: master process\0\0\0\0"s), "nginx: master process");
  EXPECT_EQ(join_cmdline(""), "");
}

TEST(Process, ThatHasGoneIsNone) {
  EXPECT_FALSE(read_process(INT32_MAX));
}

}  // namespace
}  // namespace pier
