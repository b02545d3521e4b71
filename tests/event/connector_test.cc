#include "event/connector.h"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <optional>
#include <thread>

#include "event/listener.h"
#include "event/race.h"
#include "net/socket.h"
#include "tests/event/support.h"

namespace pier {
namespace {

using namespace std::chrono_literals;

struct Outcome {
  Result<Connected> result;
  std::vector<Attempt> attempts;
};

// Runs a connector to its end.
Outcome connect_by(ConnectPlan plan) {
  Loop loop;
  std::optional<Outcome> outcome;
  const Connector connector(loop, std::move(plan), [&](Result<Connected> result, const auto& attempts) {
    outcome.emplace(std::move(result), attempts);
    loop.stop();
  });
  EXPECT_FALSE(outcome) << "called back from the constructor";
  loop.run();
  return std::move(*outcome);
}

RaceResult race_by(RacePlan plan) {
  Loop loop;
  std::optional<RaceResult> result;
  const Race race(loop, std::move(plan), [&](RaceResult end) {
    result = std::move(end);
    loop.stop();
  });
  loop.run();
  return std::move(*result);
}

Endpoint tcp_to(std::string host, std::uint32_t port) {
  return {.host = std::move(host), .port = port};
}

SocketAddress v4(std::string_view text, std::uint16_t port) {
  return {IpAddress::parse(text).value(), port};
}

Fd listening(const SocketAddress& address, int backlog = 16) {
  Fd fd = open_socket(Transport::tcp, address.domain()).value();
  if (address.domain() == AF_INET6) {
    EXPECT_TRUE(set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1, "V6ONLY"));
  }
  const auto bound = bind_socket(fd, address);
  EXPECT_TRUE(bound) << bound.error().message();
  EXPECT_TRUE(listen_socket(fd, backlog));
  return fd;
}

// A listener that answers nobody: its queue of one is taken, and the kernel drops what comes after.
struct Silent {
  explicit Silent(const SocketAddress& at)
      : listener(listening(at, 0)), address(local_address(listener.get())) {
    filler = open_socket(Transport::tcp, at.domain()).value();
    EXPECT_TRUE(connect_socket(filler, address));
    wait_for(listener.get(), POLLIN);
  }
  Fd listener;
  SocketAddress address;
  Fd filler;
};

// A port of 127.0.0.1 on which nobody listens, kept from others by being bound.
struct Closed {
  Closed() : fd(open_socket(Transport::tcp, AF_INET).value()) {
    EXPECT_TRUE(bind_socket(fd, v4("127.0.0.1", 0)));
    address = local_address(fd.get());
  }
  Fd fd;
  SocketAddress address;
};

std::size_t open_descriptors() {
  std::size_t count = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) ++count;
  return count;
}

TEST(Connector, ConnectsToALiteral) {
  const Fd server = listening(v4("127.0.0.1", 0));
  const SocketAddress address = local_address(server.get());
  const Outcome outcome = connect_by({.endpoint = tcp_to("127.0.0.1", address.port())});
  ASSERT_TRUE(outcome.result) << outcome.result.error().message();
  EXPECT_EQ(outcome.result->peer, address);
  EXPECT_EQ(peer_address(outcome.result->fd.get()), address);
  ASSERT_EQ(outcome.attempts.size(), 1u);
  EXPECT_EQ(outcome.attempts[0].code, 0);
  EXPECT_EQ(outcome.attempts[0].took, outcome.result->took);
}

TEST(Connector, ConnectsToAName) {
  const Fd server = listening(v4("127.0.0.1", 0));
  Recorder told;
  const Outcome outcome = connect_by({.endpoint = tcp_to("localhost", local_address(server.get()).port()),
                                      .family = Family::ipv4,
                                      .steps = &told});
  ASSERT_TRUE(outcome.result) << outcome.result.error().message();
  EXPECT_EQ(told.calls(), "resolve socket connect");
  EXPECT_EQ(told.steps[0].text, "localhost: 127.0.0.1");
  const std::string port = std::to_string(local_address(outcome.result->fd.get()).port());
  EXPECT_TRUE(told.steps[2].text.ends_with("; the kernel gave us port " + port)) << told.steps[2].text;
  EXPECT_EQ(told.steps[2].fields.at(2), std::pair(std::string("local_port"), port));
}

TEST(Connector, ARefusalNamesTheEndpoint) {
  const Closed closed;
  const std::uint16_t port = closed.address.port();
  const Outcome outcome = connect_by({.endpoint = tcp_to("127.0.0.1", port)});
  ASSERT_FALSE(outcome.result);
  EXPECT_EQ(outcome.result.error().kind, ErrorKind::failed);
  EXPECT_EQ(outcome.result.error().code, ECONNREFUSED);
  EXPECT_EQ(outcome.result.error().message(),
            "connect 127.0.0.1:" + std::to_string(port) + ": connection refused");
  EXPECT_EQ(outcome.attempts.at(0).code, ECONNREFUSED);
  EXPECT_FALSE(outcome.attempts[0].local);
}

TEST(Connector, APortAloneIsLocalhostOfBothFamilies) {
  if (!has_ipv6()) GTEST_SKIP() << "this host has no IPv6 loopback";
  const Fd six = listening({IpAddress::loopback(Family::ipv6), 0});
  const std::uint16_t port = local_address(six.get()).port();
  // An hour: it may only be the failure of the first that starts the second.
  const Outcome first = connect_by({.endpoint = tcp_to("", port), .stagger = 1h});
  ASSERT_TRUE(first.result) << first.result.error().message();
  EXPECT_EQ(first.result->peer.ip(), IpAddress::loopback(Family::ipv6));
  EXPECT_EQ(first.attempts.size(), 1u);
}

TEST(Connector, WhenOneAddressRefusesTheNextIsTriedAtOnce) {
  if (!has_ipv6()) GTEST_SKIP() << "this host has no IPv6 loopback";
  const Fd four = listening(v4("127.0.0.1", 0));
  const std::uint16_t port = local_address(four.get()).port();
  const Fd six = open_socket(Transport::tcp, AF_INET6).value();  // holds the port, listens to nobody
  ASSERT_TRUE(set_option(six, IPPROTO_IPV6, IPV6_V6ONLY, 1, "V6ONLY"));
  if (!bind_socket(six, {IpAddress::loopback(Family::ipv6), port})) GTEST_SKIP() << "port taken over IPv6";
  const Outcome outcome = connect_by({.endpoint = tcp_to("", port), .stagger = 1h});
  ASSERT_TRUE(outcome.result) << outcome.result.error().message();
  EXPECT_EQ(outcome.result->peer.ip(), IpAddress::loopback(Family::ipv4));
  ASSERT_EQ(outcome.attempts.size(), 2u);
  EXPECT_EQ(outcome.attempts[0].code, ECONNREFUSED);
  EXPECT_EQ(outcome.attempts[1].code, 0);
}

TEST(Connector, AllFatesAreInTheMessage) {
  if (!has_ipv6()) GTEST_SKIP() << "this host has no IPv6 loopback";
  const Closed closed;
  const std::string port = std::to_string(closed.address.port());
  const Fd six = open_socket(Transport::tcp, AF_INET6).value();
  if (!bind_socket(six, {IpAddress::loopback(Family::ipv6), closed.address.port()}))
    GTEST_SKIP() << "port taken over IPv6";
  const Outcome outcome = connect_by({.endpoint = tcp_to("", closed.address.port())});
  ASSERT_FALSE(outcome.result);
  EXPECT_EQ(outcome.result.error().message(),
            "connect localhost:" + port + ": ::1 refused; 127.0.0.1 refused");
}

TEST(Connector, NoAnswerInTimeIsADeadline) {
  const Silent silent(v4("127.0.0.1", 0));
  const std::uint16_t port = silent.address.port();
  const Outcome outcome = connect_by({.endpoint = tcp_to("127.0.0.1", port), .timeout = 20ms});
  ASSERT_FALSE(outcome.result);
  EXPECT_EQ(outcome.result.error().kind, ErrorKind::deadline);
  EXPECT_EQ(outcome.result.error().message(),
            "connect 127.0.0.1:" + std::to_string(port) + ": no answer in 20.0 ms");
  ASSERT_EQ(outcome.attempts.size(), 1u);
  EXPECT_EQ(outcome.attempts[0].end, Attempt::End::no_answer);
  EXPECT_EQ(outcome.attempts[0].code, 0);
}

TEST(Connector, ANameThatOnlyLooksLikeAnAddressIsAUsageError) {
  const Outcome outcome = connect_by({.endpoint = tcp_to("1.2.3", 80)});
  ASSERT_FALSE(outcome.result);
  EXPECT_EQ(outcome.result.error().kind, ErrorKind::usage);
  EXPECT_TRUE(outcome.attempts.empty());
}

TEST(Connector, TheSourceIsBoundAndKeepsItsFamily) {
  const Fd server = listening(v4("127.0.0.1", 0));
  const std::uint16_t port = local_address(server.get()).port();
  const Outcome outcome = connect_by({.endpoint = tcp_to("", port), .source = v4("127.0.0.2", 0)});
  ASSERT_TRUE(outcome.result) << outcome.result.error().message();
  const SocketAddress local = local_address(outcome.result->fd.get());
  EXPECT_EQ(local.ip().to_string(), "127.0.0.2");
  EXPECT_NE(local.port(), 0);
  EXPECT_EQ(outcome.attempts.size(), 1u) << "IPv6 does not go with an IPv4 source";
}

TEST(Connector, ASourceOfAnotherFamilyIsAUsageError) {
  const Outcome against_flag =
      connect_by({.endpoint = tcp_to("", 9), .family = Family::ipv6, .source = v4("127.0.0.1", 0)});
  ASSERT_FALSE(against_flag.result);
  EXPECT_EQ(against_flag.result.error().message(), "source '127.0.0.1:0': not of the family asked for, IPv6");
  const Outcome against_host = connect_by({.endpoint = tcp_to("::1", 9), .source = v4("127.0.0.1", 0)});
  ASSERT_FALSE(against_host.result);
  EXPECT_EQ(against_host.result.error().kind, ErrorKind::usage);
}

TEST(Connector, ASourceThatIsNotOursIsALocalFaultOfBind) {
  const Outcome outcome = connect_by({.endpoint = tcp_to("127.0.0.1", 9), .source = v4("192.0.2.1", 0)});
  ASSERT_FALSE(outcome.result);
  EXPECT_EQ(outcome.result.error().kind, ErrorKind::local);
  EXPECT_EQ(outcome.result.error().op, "bind");
  EXPECT_TRUE(outcome.attempts.at(0).local);
}

TEST(Connector, WithoutAFreeDescriptorItIsALocalFault) {
  // The sanitizer looks at an object of a type new to it through a pipe, which there cannot be below: let it
  // see them all on the same way first.
  EXPECT_FALSE(connect_by({.endpoint = tcp_to("127.0.0.1", 9), .source = v4("192.0.2.1", 0)}).result);
  Loop loop;
  std::optional<Error> error;
  const Connector connector(loop, {.endpoint = tcp_to("127.0.0.1", 9)},
                            [&](Result<Connected> result, const std::vector<Attempt>&) {
                              error = result.error();
                              loop.stop();
                            });
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  rlimit none = before;
  none.rlim_cur = 0;
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &none), 0);
  loop.run();
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
  EXPECT_EQ(error->kind, ErrorKind::local);
  EXPECT_EQ(error->code, EMFILE);
}

TEST(Connector, ASocketConnectedToItselfIsARefusal) {
  // An address of this process alone, so that no other test can hold the port.
  const auto pid = static_cast<std::uint32_t>(::getpid());
  const SocketAddress self(IpAddress::v4(0x7f800000U | (pid & 0x7fffffU)), 4567);
  Recorder told;
  const Outcome outcome =
      connect_by({.endpoint = tcp_to(self.ip().to_string(), self.port()), .source = self, .steps = &told});
  ASSERT_FALSE(outcome.result);
  EXPECT_EQ(outcome.result.error().code, ECONNREFUSED);
  EXPECT_EQ(outcome.result.error().kind, ErrorKind::failed);
  EXPECT_NE(told.calls().find("close"), std::string::npos) << told.calls();
}

TEST(Connector, UdpOnlyFixesThePeer) {
  const Fd server = open_socket(Transport::udp, AF_INET).value();
  ASSERT_TRUE(bind_socket(server, v4("127.0.0.1", 0)));
  const SocketAddress address = local_address(server.get());
  Endpoint endpoint = tcp_to("127.0.0.1", address.port());
  endpoint.transport = Transport::udp;
  const Outcome outcome = connect_by({.endpoint = endpoint});
  ASSERT_TRUE(outcome.result) << outcome.result.error().message();
  EXPECT_EQ(peer_address(outcome.result->fd.get()), address);
}

TEST(Connector, UnixStreamsConnectAndSayWhatIsMissing) {
  const TempDir dir;
  const Endpoint endpoint{.transport = Transport::unix_stream, .path = dir.path("s")};
  const Outcome missing = connect_by({.endpoint = endpoint});
  ASSERT_FALSE(missing.result);
  EXPECT_EQ(missing.result.error().kind, ErrorKind::failed);
  EXPECT_EQ(missing.result.error().message(),
            "connect unix:" + dir.path("s") + ": no such file or directory");
  const auto listener = Listener::open({.endpoint = endpoint});
  ASSERT_TRUE(listener);
  const Outcome there = connect_by({.endpoint = endpoint});
  ASSERT_TRUE(there.result) << there.result.error().message();
  EXPECT_EQ(there.result->peer.to_string(), "unix:" + dir.path("s"));
}

TEST(Connector, AUnixDatagramClientCanBeAnswered) {
  const TempDir dir;
  const Endpoint endpoint{.transport = Transport::unix_dgram, .path = dir.path("s")};
  const auto listener = Listener::open({.endpoint = endpoint});
  ASSERT_TRUE(listener);
  const Outcome outcome = connect_by({.endpoint = endpoint});
  ASSERT_TRUE(outcome.result) << outcome.result.error().message();
  EXPECT_TRUE(local_address(outcome.result->fd.get()).path().starts_with('@'));
}

// A Unix listener whose backlog is full.
struct FullUnix {
  explicit FullUnix(const std::string& path) : address(SocketAddress::unix_path(path).value()) {
    listener = open_socket(Transport::unix_stream, AF_UNIX).value();
    EXPECT_TRUE(bind_socket(listener, address));
    EXPECT_TRUE(listen_socket(listener, 0));
    for (bool full = false; !full;) {
      waiting.push_back(open_socket(Transport::unix_stream, AF_UNIX).value());
      full = !connect_socket(waiting.back(), address);
    }
  }
  SocketAddress address;
  Fd listener;
  std::vector<Fd> waiting;
};

TEST(Connector, AFullUnixBacklogIsWaitedFor) {
  const TempDir dir;
  const FullUnix full(dir.path("s"));
  Loop loop;
  bool connected = false;
  const Connector connector(loop, {.endpoint = {.transport = Transport::unix_stream, .path = dir.path("s")}},
                            [&](Result<Connected> result, const std::vector<Attempt>&) {
                              connected = result.has_value();
                              loop.stop();
                            });
  // Runs after the connector's first attempt, which was posted before it, and makes room.
  loop.post([&] { EXPECT_TRUE(accept_socket(full.listener).value()); });
  loop.run();
  EXPECT_TRUE(connected);
}

TEST(Connector, AFullUnixBacklogIsNotWaitedForBeyondTheTimeout) {
  const TempDir dir;
  const FullUnix full(dir.path("s"));
  const Outcome outcome =
      connect_by({.endpoint = {.transport = Transport::unix_stream, .path = dir.path("s")}, .timeout = 20ms});
  ASSERT_FALSE(outcome.result);
  EXPECT_EQ(outcome.result.error().kind, ErrorKind::deadline);
}

TEST(Connector, DestroyingItCancelsAndClosesEverything) {
  const Silent silent(v4("127.0.0.1", 0));
  Loop loop;
  const std::size_t before = open_descriptors();
  const auto never = [](Result<Connected>, const std::vector<Attempt>&) { ADD_FAILURE() << "called back"; };
  const auto plan = [&] { return ConnectPlan{.endpoint = tcp_to("127.0.0.1", silent.address.port())}; };
  auto at_once = std::make_unique<Connector>(loop, plan(), never);
  at_once.reset();
  auto bad = std::make_unique<Connector>(loop, ConnectPlan{.endpoint = tcp_to("1.2.3", 1)}, never);
  bad.reset();
  // This one is destroyed while its attempt is waiting: its "socket" step is the sign.
  struct Stopper : StepSink {
    Loop* loop = nullptr;
    void step(const Step&) override {
      loop->post([this] { loop->stop(); });
    }
  } stopper;
  stopper.loop = &loop;
  ConnectPlan watched = plan();
  watched.steps = &stopper;
  auto waiting = std::make_unique<Connector>(loop, std::move(watched), never);
  loop.run();
  EXPECT_EQ(open_descriptors(), before + 1);
  waiting.reset();
  EXPECT_EQ(open_descriptors(), before);
}

TEST(Connector, TheCallbackMayDestroyIt) {
  const Closed closed;
  const Fd server = listening(v4("127.0.0.1", 0));
  for (const Endpoint& endpoint :
       {tcp_to("127.0.0.1", closed.address.port()), tcp_to("127.0.0.1", local_address(server.get()).port()),
        tcp_to("localhost", local_address(server.get()).port()), tcp_to("1.2.3", 1)}) {
    Loop loop;
    std::unique_ptr<Connector> connector;
    connector = std::make_unique<Connector>(loop, ConnectPlan{.endpoint = endpoint},
                                            [&](Result<Connected>, const std::vector<Attempt>& attempts) {
                                              connector.reset();
                                              EXPECT_LE(attempts.size(), 2u);
                                              loop.stop();
                                            });
    loop.run();
    EXPECT_EQ(connector, nullptr);
  }
}

TEST(Connector, TheWinnersDescriptorCanBeWatchedInTheCallback) {
  const Fd server = listening(v4("127.0.0.1", 0));
  Loop loop;
  Fd fd;
  Watch watch;
  const Connector connector(loop, {.endpoint = tcp_to("127.0.0.1", local_address(server.get()).port())},
                            [&](Result<Connected> result, const std::vector<Attempt>&) {
                              ASSERT_TRUE(result);
                              fd = std::move(result->fd);
                              auto watched =
                                  loop.watch(fd.get(), Interest::write, [&](Ready) { loop.stop(); });
                              ASSERT_TRUE(watched) << watched.error().message();
                              watch = std::move(*watched);
                            });
  loop.run();
  EXPECT_TRUE(fd.valid());
}

TEST(Race, ASilentAddressDoesNotHoldUpTheOthers) {
  const Silent silent(v4("127.0.0.1", 0));
  const Fd server = listening(v4("127.0.0.2", 0));
  const SocketAddress good = local_address(server.get());
  Recorder told;
  const RaceResult result = race_by({.addresses = {silent.address, good}, .stagger = 1ms, .steps = &told});
  ASSERT_TRUE(result.winner);
  EXPECT_EQ(result.winner->peer, good);
  ASSERT_EQ(result.attempts.size(), 2u);
  EXPECT_EQ(result.attempts[0].code, 0) << "it was still waiting when the other won";
  EXPECT_NE(result.attempts[0].end, Attempt::End::no_answer);
  EXPECT_EQ(told.calls(), "socket connect socket connect close");
  EXPECT_EQ(told.steps[1].text + ": " + told.steps[1].result,
            silent.address.to_string() + ": no answer yet; racing IPv4 after 1.0 ms");
  EXPECT_EQ(told.steps[4].text, silent.address.to_string() + ": another address was faster");
}

TEST(Race, TheFirstAddressWinsWhenItAnswers) {
  const Fd first = listening(v4("127.0.0.1", 0));
  const Fd second = listening(v4("127.0.0.2", 0));
  const RaceResult result =
      race_by({.addresses = {local_address(first.get()), local_address(second.get())}, .stagger = 1h});
  ASSERT_TRUE(result.winner);
  EXPECT_EQ(result.winner->peer, local_address(first.get()));
  EXPECT_EQ(result.attempts.size(), 1u);
}

TEST(Race, RefusalsGoOnToTheNextWithoutWaiting) {
  const Closed first, second;
  const Fd server = listening(v4("127.0.0.2", 0));
  const RaceResult result =
      race_by({.addresses = {first.address, second.address, local_address(server.get())}, .stagger = 1h});
  ASSERT_TRUE(result.winner);
  ASSERT_EQ(result.attempts.size(), 3u);
  EXPECT_EQ(result.attempts[0].code, ECONNREFUSED);
  EXPECT_EQ(result.attempts[1].code, ECONNREFUSED);
}

TEST(Race, ARefusalAfterASilenceLeavesTheSilentOneRunning) {
  const Silent silent(v4("127.0.0.1", 0));
  const Closed closed;
  const RaceResult result = race_by(
      {.addresses = {silent.address, closed.address}, .deadline = Deadline::after(50ms), .stagger = 1ms});
  EXPECT_FALSE(result.winner);
  EXPECT_TRUE(result.timed_out);
  ASSERT_EQ(result.attempts.size(), 2u);
  EXPECT_EQ(result.attempts[0].end, Attempt::End::no_answer);
  EXPECT_EQ(result.attempts[1].code, ECONNREFUSED);
  EXPECT_NE(result.attempts[1].end, Attempt::End::no_answer);
}

TEST(Race, WhereThereIsNoRouteTheAnswerIsNo) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root, for a network namespace without a route";
  bool alone = false;
  std::optional<RaceResult> result;
  std::thread([&] {
    alone = ::unshare(CLONE_NEWNET) == 0;
    if (alone) result = race_by({.addresses = {v4("192.0.2.1", 80), v4("192.0.2.2", 80)}, .stagger = 1h});
  }).join();
  if (!alone) GTEST_SKIP() << "no right to make a network namespace here";
  EXPECT_FALSE(result->winner);
  ASSERT_EQ(result->attempts.size(), 2u);
  for (const Attempt& attempt : result->attempts) {
    EXPECT_EQ(attempt.code, ENETUNREACH);
    EXPECT_FALSE(attempt.local);
  }
}

TEST(Interleaved, FamiliesTakeTurnsBeginningWithTheFirst) {
  const auto address = [](const char* text) { return IpAddress::parse(text).value(); };
  const IpAddress a = address("::a"), b = address("::b"), c = address("::c");
  const IpAddress x = address("10.0.0.1"), y = address("10.0.0.2");
  EXPECT_EQ(interleaved({a, b, c, x, y}), (std::vector{a, x, b, y, c}));
  EXPECT_EQ(interleaved({x, y, a}), (std::vector{x, a, y}));
  EXPECT_EQ(interleaved({a, b}), (std::vector{a, b}));
  EXPECT_TRUE(interleaved({}).empty());
}

}  // namespace
}  // namespace pier
