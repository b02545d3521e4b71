#include "scan/socket_prober.h"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <map>

#include "net/socket.h"
#include "scan/probe_connect.h"

namespace pier {
namespace {

const IpAddress kLoopback = IpAddress::loopback(Family::ipv4);

struct Bound {
  Fd fd;
  std::uint16_t port = 0;
};

// A port of the loopback that is ours: listening, or bound only, which refuses.
Bound bound(bool listening, const IpAddress& address = kLoopback) {
  Bound made;
  made.fd = open_socket(Transport::tcp, domain_of(address.family())).value();
  EXPECT_TRUE(bind_socket(made.fd, SocketAddress(address, 0)));
  if (listening) {
    EXPECT_TRUE(listen_socket(made.fd, 256));
  }
  made.port = local_address(made.fd.get()).port();
  return made;
}

std::unique_ptr<SocketProber> made(SocketProberOptions options) {
  return std::move(SocketProber::make(std::move(options)).value());
}

ProbeRequest ask(std::uint64_t tag, std::uint16_t port, Duration timeout = std::chrono::seconds(1)) {
  return {.tag = tag, .address = kLoopback, .port = port, .timeout = timeout};
}

std::map<std::uint64_t, Judgement> collect_all(Prober& prober) {
  std::map<std::uint64_t, Judgement> found;
  while (prober.in_flight() > 0) {
    std::vector<ProbeEnd> ended;
    EXPECT_FALSE(prober.collect(Deadline(), ended));
    for (const ProbeEnd& end : ended) EXPECT_TRUE(found.emplace(end.tag, end.judgement).second);
  }
  return found;
}

TEST(SocketProber, TellsOpenFromClosed) {
  const Bound open = bound(true);
  const Bound closed = bound(false);
  const auto prober = made({});
  prober->send(ask(1, open.port));
  prober->send(ask(2, closed.port));
  EXPECT_EQ(prober->in_flight(), 2U);
  const auto found = collect_all(*prober);
  EXPECT_EQ(found.at(1).state, PortState::open);
  EXPECT_EQ(found.at(1).reason, "syn-ack");
  EXPECT_EQ(found.at(2).state, PortState::closed);
  EXPECT_EQ(found.at(2).reason, "refused");
}

// A full backlog drops SYNs: silence without a firewall.
TEST(SocketProber, SilenceEndsWithTheTimeout) {
  const Bound full = bound(false);
  ASSERT_TRUE(listen_socket(full.fd, 0));
  std::vector<Fd> fillers;
  for (int i = 0; i < 4; ++i) {
    fillers.push_back(open_socket(Transport::tcp, AF_INET).value());
    (void)connect_socket(fillers.back(), SocketAddress(kLoopback, full.port));
  }
  const auto prober = made({});
  prober->send(ask(7, full.port, std::chrono::milliseconds(50)));
  const auto found = collect_all(*prober);
  EXPECT_EQ(found.at(7).kind, Judgement::Kind::no_answer);
}

// Bound to the target's own port it must meet itself, whatever the kernel's choice would have been.
TEST(SocketProber, RecognisesItself) {
  const std::uint16_t port = bound(false).port;
  const auto prober = made({.source = {.address = kLoopback, .port = port}});
  prober->send(ask(1, port));
  EXPECT_EQ(collect_all(*prober).at(1).kind, Judgement::Kind::to_itself);
}

TEST(SocketProber, AnAddressOfNobodysFamilyIsAnError) {
  const auto prober = made({.source = {.address = IpAddress::parse("203.0.113.1").value(), .port = 0}});
  prober->send(ask(1, 9));
  const Judgement judgement = collect_all(*prober).at(1);
  EXPECT_EQ(judgement.state, PortState::error);
}

TEST(SocketProber, EndsWaitingWhenInterrupted) {
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  const Fd reader(ends[0]);
  Fd writer(ends[1]);
  const auto prober = made({.interrupt_fd = reader.get()});
  writer.reset();
  std::vector<ProbeEnd> ended;
  EXPECT_TRUE(prober->collect(Deadline(), ended)) << "a hang-up is readable";
}

// The same answers without waiting, over sockets that are used again, on one thread and on several.
TEST(SocketProber, AsksANearHostBySweeping) {
  const Bound open = bound(true);
  const Bound closed = bound(false);
  for (const unsigned threads : {1U, 3U}) {
    const auto prober = made({.threads = threads});
    for (int round = 0; round < 3; ++round) {
      for (std::uint64_t i = 0; i < 300; ++i) {
        ProbeRequest request = ask(i, i % 20 == 0 ? open.port : closed.port);
        request.near = true;
        prober->send(request);
      }
      const auto found = collect_all(*prober);
      ASSERT_EQ(found.size(), 300U);
      for (const auto& [tag, judgement] : found)
        EXPECT_EQ(judgement.state, tag % 20 == 0 ? PortState::open : PortState::closed) << judgement.reason;
    }
  }
}

TEST(SocketProber, WhatANearHostLeavesUnansweredIsWaitedFor) {
  const Bound closed = bound(false);
  const Bound full = bound(false);
  ASSERT_TRUE(listen_socket(full.fd, 0));
  std::vector<Fd> fillers;
  for (int i = 0; i < 4; ++i) {
    fillers.push_back(open_socket(Transport::tcp, AF_INET).value());
    (void)connect_socket(fillers.back(), SocketAddress(kLoopback, full.port));
  }
  const auto prober = made({});
  for (std::uint64_t i = 0; i < 20; ++i) {
    ProbeRequest request = ask(i, i % 2 == 0 ? full.port : closed.port, std::chrono::milliseconds(50));
    request.near = true;
    prober->send(request);
  }
  const auto found = collect_all(*prober);
  ASSERT_EQ(found.size(), 20U);
  for (const auto& [tag, judgement] : found)
    EXPECT_EQ(judgement.state, tag % 2 == 0 ? PortState::filtered : PortState::closed) << tag;
}

TEST(SocketProber, LeavesNoDescriptorBehind) {
  const Bound open = bound(true);
  const Bound closed = bound(false);
  const auto prober = made({});
  const int before = Fd(::dup(0)).get();
  for (std::uint64_t i = 0; i < 200; ++i) prober->send(ask(i, i % 2 == 0 ? open.port : closed.port));
  EXPECT_EQ(collect_all(*prober).size(), 200U);
  EXPECT_EQ(Fd(::dup(0)).get(), before);
}

TEST(CheckSource, RefusesWhatThisHostHasNot) {
  const std::vector<Family> v4{Family::ipv4};
  EXPECT_TRUE(check_source({}, PortProtocol::tcp, v4));
  EXPECT_TRUE(check_source({.address = kLoopback, .port = 0}, PortProtocol::tcp, v4));
  const auto address =
      check_source({.address = IpAddress::parse("203.0.113.1").value(), .port = 0}, PortProtocol::tcp, v4);
  ASSERT_FALSE(address);
  EXPECT_EQ(address.error().kind, ErrorKind::local);
  const auto interface = check_source({.port = 0, .interface = "nosuchif0"}, PortProtocol::tcp, v4);
  ASSERT_FALSE(interface);
  EXPECT_NE(interface.error().message().find("nosuchif0"), std::string::npos);
}

}  // namespace
}  // namespace pier
