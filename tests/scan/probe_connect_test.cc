#include "scan/probe_connect.h"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <map>

#include "net/socket.h"

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

std::map<std::uint64_t, Judgement> collect_all(ConnectProber& prober) {
  std::map<std::uint64_t, Judgement> found;
  while (prober.in_flight() > 0) {
    std::vector<ProbeEnd> ended;
    EXPECT_FALSE(prober.collect(Deadline(), ended));
    for (const ProbeEnd& end : ended) EXPECT_TRUE(found.emplace(end.tag, end.judgement).second);
  }
  return found;
}

TEST(ConnectProber, TellsOpenFromClosed) {
  const Bound open = bound(true);
  const Bound closed = bound(false);
  ConnectProber prober({});
  prober.send(1, kLoopback, open.port);
  prober.send(2, kLoopback, closed.port);
  EXPECT_EQ(prober.in_flight(), 2U);
  const auto found = collect_all(prober);
  EXPECT_EQ(found.at(1).state, PortState::open);
  EXPECT_EQ(found.at(1).reason, "syn-ack");
  EXPECT_EQ(found.at(2).state, PortState::closed);
  EXPECT_EQ(found.at(2).reason, "refused");
}

// A full backlog drops SYNs: silence without a firewall.
TEST(ConnectProber, SilenceEndsWithTheTimeout) {
  const Bound full = bound(false);
  ASSERT_TRUE(listen_socket(full.fd, 0));
  std::vector<Fd> fillers;
  for (int i = 0; i < 4; ++i) {
    fillers.push_back(open_socket(Transport::tcp, AF_INET).value());
    (void)connect_socket(fillers.back(), SocketAddress(kLoopback, full.port));
  }
  ConnectProber prober({.timeout = std::chrono::milliseconds(50)});
  prober.send(7, kLoopback, full.port);
  const auto found = collect_all(prober);
  EXPECT_EQ(found.at(7).kind, Judgement::Kind::no_answer);
}

// Bound to the target's own port it must meet itself, whatever the kernel's choice would have been.
TEST(ConnectProber, RecognisesItself) {
  const std::uint16_t port = bound(false).port;
  ConnectProber prober({.source = {.address = kLoopback, .port = port}});
  prober.send(1, kLoopback, port);
  EXPECT_EQ(collect_all(prober).at(1).kind, Judgement::Kind::to_itself);
}

TEST(ConnectProber, AnAddressOfNobodysFamilyIsAnError) {
  ConnectProber prober({.source = {.address = IpAddress::parse("203.0.113.1").value(), .port = 0}});
  prober.send(1, kLoopback, 9);
  const Judgement judgement = collect_all(prober).at(1);
  EXPECT_EQ(judgement.state, PortState::error);
}

TEST(ConnectProber, EndsWaitingWhenInterrupted) {
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  const Fd reader(ends[0]);
  Fd writer(ends[1]);
  ConnectProber prober({.interrupt_fd = reader.get()});
  writer.reset();
  std::vector<ProbeEnd> ended;
  EXPECT_TRUE(prober.collect(Deadline(), ended)) << "a hang-up is readable";
}

TEST(ConnectProber, LeavesNoDescriptorBehind) {
  const Bound open = bound(true);
  const Bound closed = bound(false);
  ConnectProber prober({});
  const int before = Fd(::dup(0)).get();
  for (std::uint64_t i = 0; i < 200; ++i) prober.send(i, kLoopback, i % 2 == 0 ? open.port : closed.port);
  EXPECT_EQ(collect_all(prober).size(), 200U);
  EXPECT_EQ(Fd(::dup(0)).get(), before);
}

TEST(CheckSource, RefusesWhatThisHostHasNot) {
  const std::vector<Family> v4{Family::ipv4};
  EXPECT_TRUE(check_source({}, v4));
  EXPECT_TRUE(check_source({.address = kLoopback, .port = 0}, v4));
  const auto address = check_source({.address = IpAddress::parse("203.0.113.1").value(), .port = 0}, v4);
  ASSERT_FALSE(address);
  EXPECT_EQ(address.error().kind, ErrorKind::local);
  const auto interface = check_source({.port = 0, .interface = "nosuchif0"}, v4);
  ASSERT_FALSE(interface);
  EXPECT_NE(interface.error().message().find("nosuchif0"), std::string::npos);
}

}  // namespace
}  // namespace pier
