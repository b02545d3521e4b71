#include "host/sock_diag.h"

#include <linux/netlink.h>

#include <algorithm>
#include <cstring>

#include "host/proc_net.h"
#include "tests/host/support.h"

namespace pier {
namespace {

using test::bound;
using test::connected_to;
using test::listener;
using test::loopback;
using test::name_of;

const SocketInfo* find(const std::vector<SocketInfo>& sockets, const SocketAddress& local) {
  const auto it = std::ranges::find_if(sockets, [&](const SocketInfo& s) { return s.local == local; });
  return it == sockets.end() ? nullptr : &*it;
}

std::uint64_t inode_of(const Fd& fd) {
  struct stat status;
  EXPECT_EQ(::fstat(fd.get(), &status), 0);
  return status.st_ino;
}

TEST(SockDiag, FindsATcpListenerOfThisProcess) {
  const Fd fd = listener(loopback(Family::ipv4));
  const auto sockets = dump_sockets(Transport::tcp, Family::ipv4, {});
  ASSERT_TRUE(sockets) << sockets.error().message();
  const SocketInfo* found = find(*sockets, name_of(fd));
  ASSERT_NE(found, nullptr);
  EXPECT_EQ(found->state, SocketState::listen);
  EXPECT_EQ(found->uid, ::geteuid());
  EXPECT_EQ(found->inode, inode_of(fd));
}

TEST(SockDiag, TheKernelKeepsOtherPortsOut) {
  const Fd wanted = listener(loopback(Family::ipv4));
  const Fd other = listener(loopback(Family::ipv4));
  ASSERT_NE(find(*dump_sockets(Transport::tcp, Family::ipv4, {}), name_of(other)), nullptr);
  const auto sockets = dump_sockets(Transport::tcp, Family::ipv4, {.local_port = name_of(wanted).port()});
  ASSERT_TRUE(sockets) << sockets.error().message();
  ASSERT_NE(find(*sockets, name_of(wanted)), nullptr);
  EXPECT_EQ(find(*sockets, name_of(wanted))->inode, inode_of(wanted));
  for (const SocketInfo& s : *sockets) EXPECT_EQ(s.local.port(), name_of(wanted).port());
}

TEST(SockDiag, ThePortFilterKnowsTheEndsOfTheRange) {
  // 65535 is where "one more" would not fit, 0 where "one less" would not.
  for (const std::uint16_t port : {std::uint16_t{0}, std::uint16_t{1}, std::uint16_t{65535}}) {
    const auto sockets = dump_sockets(Transport::udp, Family::ipv4, {.local_port = port});
    ASSERT_TRUE(sockets) << port << sockets.error().message();
    for (const SocketInfo& s : *sockets) EXPECT_EQ(s.local.port(), port);
  }
  const Fd last = bound(SOCK_DGRAM, loopback(Family::ipv4, 65535));
  if (last.valid()) {
    EXPECT_NE(find(*dump_sockets(Transport::udp, Family::ipv4, {.local_port = 65535}), name_of(last)),
              nullptr);
  }
}

TEST(SockDiag, TellsWhetherIpv6KeepsIpv4Out) {
  const Fd only = listener({IpAddress::any(Family::ipv6), 0}, true);
  if (!only.valid()) GTEST_SKIP() << "this host has no IPv6";
  const Fd dual = listener({IpAddress::any(Family::ipv6), 0}, false);
  const auto sockets = dump_sockets(Transport::tcp, Family::ipv6, {});
  ASSERT_TRUE(sockets) << sockets.error().message();
  EXPECT_EQ(find(*sockets, name_of(only))->v6only, true);
  EXPECT_EQ(find(*sockets, name_of(dual))->v6only, false);
}

TEST(SockDiag, FindsUdpWithAndWithoutAPeer) {
  const Fd server = bound(SOCK_DGRAM, loopback(Family::ipv4));
  const Fd client = connected_to(name_of(server), SOCK_DGRAM);
  const auto sockets = dump_sockets(Transport::udp, Family::ipv4, {});
  ASSERT_TRUE(sockets) << sockets.error().message();
  EXPECT_EQ(state_name(*find(*sockets, name_of(server))), "unconnected");
  const SocketInfo* out = find(*sockets, name_of(client));
  EXPECT_EQ(state_name(*out), "connected");
  EXPECT_EQ(out->remote, name_of(server));
}

// What the two ways say of the same sockets, one line each.
std::vector<std::string> told(const std::vector<SocketInfo>& sockets, std::span<const std::uint64_t> inodes) {
  std::vector<std::string> lines;
  for (const SocketInfo& s : sockets) {
    if (std::ranges::find(inodes, s.inode) == inodes.end()) continue;
    lines.push_back(std::string(to_string(s.transport)) + ' ' + std::string(to_string(s.family)) + ' ' +
                    s.local.to_string() + ' ' + s.remote.to_string() + ' ' + std::string(state_name(s)) +
                    ' ' + std::to_string(s.uid) + ' ' + std::to_string(s.inode));
  }
  std::ranges::sort(lines);
  return lines;
}

// The lines that both ways agree on. Neither is a snapshot: the kernel hands either table out in pieces, and
// sockets that come and go between two pieces (other tests' too) can shift one of ours out of sight. What is
// the same in truth is therefore the same at one of a few looks.
std::vector<std::string> told_by_both(Transport transport, Family family, const SocketQuery& query,
                                      std::span<const std::uint64_t> inodes) {
  std::vector<std::string> by_diag;
  std::vector<std::string> by_proc;
  for (int look = 0; look < 20; ++look) {
    const auto diag = dump_sockets(transport, family, query);
    const auto proc = read_proc_net("/proc/thread-self/net", transport, family, query);
    if (!diag || !proc) {
      ADD_FAILURE() << (diag ? proc.error().message() : diag.error().message());
      return {};
    }
    by_diag = told(*diag, inodes);
    by_proc = told(*proc, inodes);
    if (!by_diag.empty() && by_diag == by_proc) return by_diag;
  }
  EXPECT_EQ(by_diag, by_proc) << "at the last of 20 looks";
  return {};
}

TEST(SockDiag, ProcNetSaysTheSame) {
  for (const Family family : {Family::ipv4, Family::ipv6}) {
    const Fd server = listener(loopback(family));
    if (!server.valid()) continue;  // no IPv6 here
    const Fd client = connected_to(name_of(server));
    const Fd accepted(::accept4(server.get(), nullptr, nullptr, SOCK_CLOEXEC));
    const Fd datagrams = bound(SOCK_DGRAM, loopback(family));
    const std::array ours{inode_of(server), inode_of(client), inode_of(accepted), inode_of(datagrams)};
    for (const Transport transport : {Transport::tcp, Transport::udp}) {
      EXPECT_EQ(told_by_both(transport, family, {}, ours).size(), transport == Transport::tcp ? 3u : 1u);
    }
    const SocketQuery one{.local_port = name_of(server).port()};
    EXPECT_EQ(told_by_both(Transport::tcp, family, one, ours).size(),
              2u);  // the listener and what it accepted
  }
}

TEST(SockDiag, AMappedConnectionIsOneOfIpv6) {
  const Fd server = listener({IpAddress::any(Family::ipv6), 0}, false);
  if (!server.valid()) GTEST_SKIP() << "this host has no IPv6";
  const Fd client = connected_to(loopback(Family::ipv4, name_of(server).port()));
  const Fd accepted(::accept4(server.get(), nullptr, nullptr, SOCK_CLOEXEC));
  const auto sockets = dump_sockets(Transport::tcp, Family::ipv6, {.local_port = name_of(server).port()});
  ASSERT_TRUE(sockets) << sockets.error().message();
  const SocketInfo* found = find(*sockets, name_of(accepted));
  ASSERT_NE(found, nullptr);
  EXPECT_TRUE(found->local.ip().is_v4_mapped());
  EXPECT_EQ(found->local.ip().unmapped(), test::own_ip());
}

struct alignas(nlmsghdr) Message {
  nlmsghdr header{};
  std::array<std::byte, 128> payload{};
};

std::span<const std::byte> bytes_of(const Message& message, std::size_t length) {
  return std::as_bytes(std::span(&message, 1)).first(length);
}

TEST(SockDiag, RepliesThatAreCutShortOrDisturbedAreErrors) {
  std::vector<SocketInfo> sockets;
  Message message;
  message.header.nlmsg_type = 20;  // SOCK_DIAG_BY_FAMILY
  message.header.nlmsg_len = sizeof(nlmsghdr) + 8;
  auto reply = parse_diag_replies(bytes_of(message, sizeof(nlmsghdr) + 8), 0, 0, Transport::tcp, sockets);
  ASSERT_FALSE(reply);
  EXPECT_EQ(reply.error().code, EBADMSG);

  message.header.nlmsg_len = 0xfffffff0;  // negative, for whoever takes it for signed
  reply = parse_diag_replies(bytes_of(message, sizeof(nlmsghdr) + 8), 0, 0, Transport::tcp, sockets);
  ASSERT_FALSE(reply);
  EXPECT_EQ(reply.error().code, EBADMSG);

  message.header.nlmsg_len = sizeof(nlmsghdr) + 8;
  message.header.nlmsg_flags = NLM_F_DUMP_INTR;
  reply = parse_diag_replies(bytes_of(message, sizeof(nlmsghdr) + 8), 0, 0, Transport::tcp, sockets);
  ASSERT_FALSE(reply);
  EXPECT_EQ(reply.error().code, EINTR);

  message.header.nlmsg_flags = 0;
  message.header.nlmsg_type = NLMSG_ERROR;
  message.header.nlmsg_len = sizeof(nlmsghdr) + sizeof(nlmsgerr);
  const int code = -EPERM;
  std::memcpy(message.payload.data(), &code, sizeof code);
  reply = parse_diag_replies(bytes_of(message, message.header.nlmsg_len), 0, 0, Transport::tcp, sockets);
  ASSERT_FALSE(reply);
  EXPECT_EQ(reply.error().code, EPERM);

  message.header.nlmsg_type = NLMSG_DONE;
  reply = parse_diag_replies(bytes_of(message, message.header.nlmsg_len), 0, 0, Transport::tcp, sockets);
  ASSERT_TRUE(reply);
  EXPECT_EQ(*reply, DiagReply::done);
  EXPECT_TRUE(sockets.empty());
}

}  // namespace
}  // namespace pier
