#include "host/free_ports.h"

#include <fcntl.h>

#include <csignal>
#include <cstdlib>
#include <set>

#include "tests/host/support.h"

namespace pier {
namespace {

using test::bound;
using test::Child;

bool can_bind(int type, const IpAddress& ip, std::uint16_t port) {
  return bound(type, {ip, port}).valid();
}

TEST(FreePorts, AreDifferentAndTakenOnEveryAddressForBothTransports) {
  auto free = FreePorts::take(5);
  ASSERT_TRUE(free) << free.error().message();
  const std::vector<std::uint16_t> ports = free->ports();
  EXPECT_EQ(std::set(ports.begin(), ports.end()).size(), 5u);
  const bool ipv6 = can_bind(SOCK_DGRAM, IpAddress::loopback(Family::ipv6), 0);
  for (const std::uint16_t port : ports) {
    EXPECT_GT(port, 0);
    for (const int type : {SOCK_STREAM, SOCK_DGRAM}) {
      EXPECT_FALSE(can_bind(type, IpAddress::loopback(Family::ipv4), port));
      EXPECT_FALSE(can_bind(type, IpAddress::any(Family::ipv4), port));
      EXPECT_FALSE(ipv6 && can_bind(type, IpAddress::loopback(Family::ipv6), port));
    }
  }
}

TEST(FreePorts, AreFreeAgainAfterwards) {
  std::uint16_t port = 0;
  {
    const auto free = FreePorts::take(1);
    ASSERT_TRUE(free) << free.error().message();
    port = free->ports().front();
  }
  EXPECT_TRUE(can_bind(SOCK_STREAM, IpAddress::loopback(Family::ipv4), port));
}

TEST(FreePorts, WithoutDescriptorsIsAnErrorOfThisHost) {
  const Child child([]() -> std::string {
    const rlimit limit{16, 16};
    ::setrlimit(RLIMIT_NOFILE, &limit);
    const auto free = FreePorts::take(100);
    return free ? "taken"
                : std::to_string(free.error().code == EMFILE && free.error().kind == ErrorKind::local);
  });
  EXPECT_EQ(child.text(), "1");
}

TEST(FreePorts, AProgramThatIsNotThereIsAnError) {
  const Child child([]() -> std::string {
    auto free = FreePorts::take(1);
    const Error error = free->run({"/nonexistent/program"}, true).error();
    return error.op + " " + std::to_string(error.kind == ErrorKind::not_found);
  });
  EXPECT_EQ(child.text(), "run 1");
}

// Many callers at once, each in a process of its own, never get the same port. PIER_ROUNDS sets how often.
TEST(FreePorts, OfManyCallersAtOnceAreDisjoint) {
  constexpr std::size_t kCallers = 64;
  const char* asked = std::getenv("PIER_ROUNDS");
  const int rounds = asked != nullptr ? std::atoi(asked) : 20;
  int go[2];
  int told[2];
  ASSERT_EQ(::pipe(told), 0);
  std::vector<std::pair<pid_t, Fd>> callers;
  for (std::size_t i = 0; i < kCallers; ++i) {
    ASSERT_EQ(::pipe(go), 0);
    const pid_t pid = ::fork();
    if (pid == 0) {
      ::close(go[1]);
      for (char byte = 0; ::read(go[0], &byte, 1) == 1;) {
        const auto free = FreePorts::take(1);
        const std::uint16_t port = free ? free->ports().front() : 0;
        if (::write(told[1], &port, sizeof port) != sizeof port || ::read(go[0], &byte, 1) != 1) break;
      }
      ::_exit(0);
    }
    ::close(go[0]);
    callers.emplace_back(pid, Fd(go[1]));
  }
  const auto tell_all = [&] {
    for (auto& [pid, fd] : callers) EXPECT_EQ(::write(fd.get(), "x", 1), 1) << pid;
  };
  for (int round = 0; round < rounds && !::testing::Test::HasFailure(); ++round) {
    tell_all();  // take
    std::set<std::uint16_t> ports;
    for (std::size_t i = 0; i < kCallers; ++i) {
      std::uint16_t port = 0;
      ASSERT_EQ(::read(told[0], &port, sizeof port), static_cast<ssize_t>(sizeof port));
      EXPECT_NE(port, 0);
      ports.insert(port);
    }
    EXPECT_EQ(ports.size(), kCallers) << "round " << round;
    tell_all();  // let go
  }
  std::vector<pid_t> pids;
  for (auto& [pid, fd] : callers) pids.push_back(pid);
  for (const pid_t pid : pids) ::kill(pid, SIGKILL), ::waitpid(pid, nullptr, 0);
  ::close(told[0]);
  ::close(told[1]);
}

}  // namespace
}  // namespace pier
