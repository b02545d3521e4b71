#include "net/options.h"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>

#include "net/socket.h"

namespace pier {
namespace {

struct Recorder : StepSink {
  std::vector<Step> steps;
  void step(const Step& step) override { steps.push_back(step); }
  [[nodiscard]] std::string text_of(std::string_view option) const {
    const auto found =
        std::ranges::find_if(steps, [&](const Step& step) { return step.text.starts_with(option); });
    return found == steps.end() ? std::string() : found->text;
  }
};

int option_of(const Fd& fd, int level, int option) {
  int value = -1;
  socklen_t length = sizeof value;
  EXPECT_EQ(::getsockopt(fd.get(), level, option, &value, &length), 0);
  return value;
}

TEST(Options, NothingAskedForIsNoCall) {
  Recorder recorder;
  const Fd fd = open_socket(Transport::tcp, AF_INET).value();
  EXPECT_FALSE(SocketOptions{}.any());
  EXPECT_TRUE(set_options(fd, Transport::tcp, AF_INET, {}, &recorder));
  EXPECT_TRUE(recorder.steps.empty());
}

TEST(Options, OfWhatMayBeReceivedAndSent) {
  for (const int domain : {AF_INET, AF_INET6}) {
    const Fd fd = open_socket(Transport::udp, domain).value();
    ASSERT_TRUE(set_options(fd, Transport::udp, domain, {.least_ttl = 9, .broadcast = true}));
    EXPECT_EQ(option_of(fd, SOL_SOCKET, SO_BROADCAST), 1);
    EXPECT_EQ(domain == AF_INET ? option_of(fd, IPPROTO_IP, IP_MINTTL)
                                : option_of(fd, IPPROTO_IPV6, IPV6_MINHOPCOUNT),
              9);
  }
}

TEST(Options, AKeyThatIsTooLongIsRefused) {
  const Fd fd = open_socket(Transport::tcp, AF_INET).value();
  const auto set = set_options(fd, Transport::tcp, AF_INET, {.md5_key = std::string(81, 'k')});
  ASSERT_FALSE(set);
  EXPECT_EQ(set.error().kind, ErrorKind::local);
  EXPECT_NE(set.error().message().find("80 bytes"), std::string::npos);
}

TEST(Options, EachIsSetAndTold) {
  const SocketOptions options{.send_buffer = 65536,
                              .receive_buffer = 32768,
                              .segment = 1000,
                              .no_delay = true,
                              .keep_alive = true,
                              .congestion = "reno",
                              .tos = 16};
  Recorder recorder;
  const Fd fd = open_socket(Transport::tcp, AF_INET).value();
  ASSERT_TRUE(set_options(fd, Transport::tcp, AF_INET, options, &recorder));
  EXPECT_EQ(option_of(fd, SOL_SOCKET, SO_SNDBUF), 131072);
  EXPECT_EQ(option_of(fd, SOL_SOCKET, SO_RCVBUF), 65536);
  EXPECT_EQ(option_of(fd, IPPROTO_TCP, TCP_MAXSEG), 1000);
  EXPECT_EQ(option_of(fd, IPPROTO_TCP, TCP_NODELAY), 1);
  EXPECT_EQ(option_of(fd, SOL_SOCKET, SO_KEEPALIVE), 1);
  EXPECT_EQ(option_of(fd, IPPROTO_IP, IP_TOS), 16);
  EXPECT_EQ(recorder.steps.size(), 7U);
  EXPECT_EQ(recorder.text_of("SO_SNDBUF"),
            "SO_SNDBUF 65536 B: the kernel took 131072 B, half of it for data");
  EXPECT_EQ(recorder.text_of("TCP_CONGESTION"), "TCP_CONGESTION reno");
}

TEST(Options, WhatTheKernelMakesOfAValueIsTold) {
  Recorder recorder;
  const Fd fd = open_socket(Transport::tcp, AF_INET).value();
  ASSERT_TRUE(set_options(fd, Transport::tcp, AF_INET, {.tos = 255}, &recorder));
  // The two bits of ECN are TCP's own.
  EXPECT_EQ(recorder.text_of("IP_TOS"), "IP_TOS 255: the kernel took 252");
}

TEST(Options, AMarkGoesWhereTheFamilyHasIt) {
  const auto fd = open_socket(Transport::udp, AF_INET6);
  if (!fd) GTEST_SKIP() << "no IPv6 here";
  ASSERT_TRUE(set_options(*fd, Transport::udp, AF_INET6, {.tos = 184}));
  EXPECT_EQ(option_of(*fd, IPPROTO_IPV6, IPV6_TCLASS), 184);
}

TEST(Options, WhatATransportLacksIsLeftOut) {
  const Fd fd = open_socket(Transport::unix_stream, AF_UNIX).value();
  const SocketOptions options{.send_buffer = 65536,
                              .segment = 1000,
                              .no_delay = true,
                              .keep_alive = true,
                              .congestion = "reno",
                              .tos = 16};
  Recorder recorder;
  ASSERT_TRUE(set_options(fd, Transport::unix_stream, AF_UNIX, options, &recorder));
  EXPECT_EQ(recorder.steps.size(), 1U);
  EXPECT_EQ(option_of(fd, SOL_SOCKET, SO_SNDBUF), 131072);
}

TEST(Options, AnUnknownCongestionControlNamesThoseThereAre) {
  const Fd fd = open_socket(Transport::tcp, AF_INET).value();
  for (const std::string name : {"no-such-thing", "a-name-longer-than-the-kernel-takes"}) {
    Recorder recorder;
    const auto set = set_options(fd, Transport::tcp, AF_INET, {.congestion = name}, &recorder);
    ASSERT_FALSE(set);
    EXPECT_EQ(set.error().kind, ErrorKind::local);
    EXPECT_EQ(set.error().code, ENOENT);
    EXPECT_NE(set.error().message().find(name), std::string::npos);
    EXPECT_NE(set.error().message().find("reno"), std::string::npos) << set.error().message();
    EXPECT_EQ(recorder.steps.size(), 1U);
    EXPECT_NE(recorder.steps.front().result, "ok");
  }
}

TEST(Options, ABufferThatTheHostCutsIsSaid) {
  EXPECT_TRUE(cut_buffers({}).empty());
  EXPECT_TRUE(cut_buffers({.send_buffer = 4096, .receive_buffer = 4096}).empty());
  const auto notes = cut_buffers({.send_buffer = 1 << 30, .receive_buffer = 1 << 30});
  if (notes.empty()) GTEST_SKIP() << "this host allows buffers of 1 GiB";
  EXPECT_NE(notes.front().find("not 1073741824 B"), std::string::npos) << notes.front();
}

}  // namespace
}  // namespace pier
