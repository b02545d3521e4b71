#include "host/free_ports.h"

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
    const Error error = free->run({"/nonexistent/program"});
    return error.op + " " + std::to_string(error.code == ENOENT);
  });
  EXPECT_EQ(child.text(), "run 1");
}

}  // namespace
}  // namespace pier
