#include "net/socket.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cerrno>

namespace pier {
namespace {

struct Recorder : StepSink {
  std::vector<Step> steps;
  void step(const Step& step) override { steps.push_back(step); }
};

SocketAddress loopback(std::uint16_t port = 0) {
  return {IpAddress::loopback(Family::ipv4), port};
}

Fd listening(int backlog = 16) {
  Fd fd = open_socket(Transport::tcp, AF_INET).value();
  EXPECT_TRUE(bind_socket(fd, loopback()));
  EXPECT_TRUE(listen_socket(fd, backlog));
  return fd;
}

// Waits until poll(2) says one of `events`; the test's own limit is ctest's.
void wait_for(int fd, short events) {
  pollfd one{.fd = fd, .events = events, .revents = 0};
  ASSERT_EQ(retry_eintr([&] { return ::poll(&one, 1, -1); }), 1);
}

Fd connected_to(const SocketAddress& address) {
  Fd fd = open_socket(Transport::tcp, address.domain()).value();
  EXPECT_TRUE(connect_socket(fd, address));
  wait_for(fd.get(), POLLOUT);
  EXPECT_EQ(take_socket_error(fd.get()), 0);
  return fd;
}

TEST(Socket, DescriptorsAreCloseOnExecAndNonBlocking) {
  const Fd listener = listening();
  const Fd client = connected_to(local_address(listener.get()));
  wait_for(listener.get(), POLLIN);
  const auto accepted = accept_socket(listener);
  ASSERT_TRUE(accepted && *accepted);
  for (const int fd : {listener.get(), client.get(), (*accepted)->fd.get()}) {
    EXPECT_NE(::fcntl(fd, F_GETFD) & FD_CLOEXEC, 0);
    EXPECT_NE(::fcntl(fd, F_GETFL) & O_NONBLOCK, 0);
  }
  EXPECT_EQ((*accepted)->peer, local_address(client.get()));
  EXPECT_EQ(peer_address(client.get()), local_address(listener.get()));
}

TEST(Socket, NobodyWaitingIsNoError) {
  const auto accepted = accept_socket(listening());
  ASSERT_TRUE(accepted);
  EXPECT_FALSE(accepted->has_value());
}

TEST(Socket, AcceptWithoutAFreeDescriptorIsAFaultOfThisHost) {
  const Fd listener = listening();
  const Fd client = connected_to(local_address(listener.get()));
  wait_for(listener.get(), POLLIN);
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  rlimit none = before;
  none.rlim_cur = 0;
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &none), 0);
  const auto accepted = accept_socket(listener);
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
  ASSERT_FALSE(accepted);
  EXPECT_EQ(accepted.error().kind, ErrorKind::local);
  EXPECT_EQ(accepted.error().code, EMFILE);
  EXPECT_EQ(accepted.error().op, "accept");
}

TEST(Socket, StepsAreToldInOrderWithTheirFacts) {
  Recorder told;
  const Fd fd = open_socket(Transport::tcp, AF_INET, &told).value();
  ASSERT_TRUE(bind_socket(fd, loopback(), &told));
  ASSERT_TRUE(listen_socket(fd, 5, &told));
  ASSERT_EQ(told.steps.size(), 3u);
  const std::string number = std::to_string(fd.get());
  const std::uint16_t port = local_address(fd.get()).port();
  EXPECT_EQ(told.steps[0].call, "socket");
  EXPECT_EQ(told.steps[0].text, "a door for TCP over IPv4 (fd " + number + ")");
  EXPECT_EQ(told.steps[1].call, "bind");
  EXPECT_EQ(told.steps[1].text, "127.0.0.1:" + std::to_string(port) + ", the port chosen by the kernel");
  EXPECT_EQ(told.steps[1].fields.at(1).second, std::to_string(port));
  EXPECT_EQ(told.steps[2].call, "listen");
  for (const Step& step : told.steps) {
    EXPECT_EQ(step.fd, fd.get());
    EXPECT_EQ(step.result, "ok");
  }
}

TEST(Socket, ATakenPortNamesTheAddress) {
  const Fd first = listening();
  const SocketAddress address = local_address(first.get());
  Recorder told;
  const Fd second = open_socket(Transport::tcp, AF_INET).value();
  const auto bound = bind_socket(second, address, &told);
  ASSERT_FALSE(bound);
  EXPECT_EQ(bound.error().kind, ErrorKind::local);
  EXPECT_EQ(bound.error().code, EADDRINUSE);
  EXPECT_EQ(bound.error().message(), "bind " + address.to_string() + ": address already in use");
  EXPECT_EQ(told.steps.at(0).result, "address already in use");
}

TEST(Socket, AnAddressOfAnotherHostCannotBeBound) {
  const Fd fd = open_socket(Transport::tcp, AF_INET).value();
  const auto bound = bind_socket(fd, SocketAddress(IpAddress::parse("192.0.2.1").value(), 0));
  ASSERT_FALSE(bound);
  EXPECT_EQ(bound.error().message(),
            "bind 192.0.2.1:0: cannot assign requested address: no interface of this host has it");
}

TEST(Socket, ALowPortWithoutTheCapabilitySaysWhatIsNeeded) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root, to know that dropping it makes the difference";
  const Fd fd = open_socket(Transport::tcp, AF_INET).value();
  // Only this thread's effective user: its capabilities go with it, and come back.
  ASSERT_EQ(::seteuid(65534), 0);
  const auto bound = bind_socket(fd, loopback(81));
  ASSERT_EQ(::seteuid(0), 0);
  if (bound) GTEST_SKIP() << "port 81 needs no privilege on this host";
  EXPECT_EQ(bound.error().code, EACCES);
  EXPECT_EQ(bound.error().message(),
            "bind 127.0.0.1:81: permission denied: ports below 1024 need CAP_NET_BIND_SERVICE; any port "
            "from 1024 up needs nothing");
}

TEST(Socket, ConnectingToAClosedPortIsRefused) {
  const SocketAddress gone = local_address(listening().get());
  const Fd fd = open_socket(Transport::tcp, AF_INET).value();
  const auto state = connect_socket(fd, gone);
  if (state) {
    wait_for(fd.get(), POLLOUT);
    EXPECT_EQ(take_socket_error(fd.get()), ECONNREFUSED);
    EXPECT_EQ(take_socket_error(fd.get()), 0) << "asking clears it";
  } else {
    EXPECT_EQ(state.error().code, ECONNREFUSED);
    EXPECT_EQ(state.error().kind, ErrorKind::failed);
  }
}

TEST(Socket, WhatNeverLeavesThisHostIsALocalFault) {
  const Fd fd = open_socket(Transport::udp, AF_INET).value();
  const auto state = connect_socket(fd, SocketAddress(IpAddress::loopback(Family::ipv6), 9));
  ASSERT_FALSE(state);
  EXPECT_EQ(state.error().kind, ErrorKind::local);
  EXPECT_TRUE(is_local_connect_fault(EADDRNOTAVAIL));
  EXPECT_TRUE(is_local_connect_fault(EACCES));
  EXPECT_FALSE(is_local_connect_fault(ECONNREFUSED));
  EXPECT_FALSE(is_local_connect_fault(ENETUNREACH));
  EXPECT_FALSE(is_local_connect_fault(ETIMEDOUT));
  EXPECT_FALSE(is_local_connect_fault(ENOENT));
}

TEST(Socket, ResetOnCloseIsSeenAsAReset) {
  const Fd listener = listening();
  Fd client = connected_to(local_address(listener.get()));
  wait_for(listener.get(), POLLIN);
  const auto accepted = accept_socket(listener);
  ASSERT_TRUE(accepted && *accepted);
  reset_on_close(client.get());
  client.reset();
  wait_for((*accepted)->fd.get(), POLLIN);
  char byte = 0;
  EXPECT_EQ(::read((*accepted)->fd.get(), &byte, 1), -1);
  EXPECT_EQ(errno, ECONNRESET);
}

TEST(Socket, UnsentBytesAreThoseThePeerHasNotTaken) {
  const Fd listener = listening();
  const Fd client = connected_to(local_address(listener.get()));
  EXPECT_EQ(unsent_bytes(client.get()), 0u);
  // Far more than both buffers hold: what the peer's cannot take stays with us.
  const std::string block(1 << 16, 'x');
  while (::write(client.get(), block.data(), block.size()) > 0) {
  }
  EXPECT_EQ(errno, EAGAIN);
  EXPECT_GT(unsent_bytes(client.get()), 0u);
  EXPECT_EQ(unsent_bytes(-1), 0u);
}

TEST(Socket, OptionsThatDoNotFitNameThemselves) {
  const Fd fd = open_socket(Transport::unix_stream, AF_UNIX).value();
  const auto set = set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1, "IPV6_V6ONLY");
  ASSERT_FALSE(set);
  EXPECT_EQ(set.error().kind, ErrorKind::local);
  EXPECT_TRUE(set.error().message().starts_with("setsockopt IPV6_V6ONLY: "));
}

}  // namespace
}  // namespace pier
