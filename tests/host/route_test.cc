#include "host/route.h"

#include <cerrno>

#include "tests/host/support.h"

namespace pier {
namespace {

TEST(Route, ToTheLoopbackIsTheLoopback) {
  const auto route = route_to(test::loopback(Family::ipv4, 80));
  ASSERT_TRUE(route) << route.error().message();
  EXPECT_TRUE(route->source.is_loopback()) << route->source.to_string();
  EXPECT_EQ(route->interface, "lo");
  const auto portless = route_to(test::loopback(Family::ipv4, 0));
  ASSERT_TRUE(portless) << portless.error().message();
  EXPECT_EQ(portless->interface, "lo");
}

TEST(Route, ToTheIpv6Loopback) {
  if (!test::bound(SOCK_DGRAM, test::loopback(Family::ipv6)).valid()) GTEST_SKIP() << "this host has no IPv6";
  const auto route = route_to(test::loopback(Family::ipv6, 80));
  ASSERT_TRUE(route) << route.error().message();
  EXPECT_EQ(route->source, IpAddress::loopback(Family::ipv6));
  EXPECT_EQ(route->interface, "lo");
}

TEST(Route, OfAMappedAddressIsThatOfItsIpv4) {
  if (!test::bound(SOCK_DGRAM, test::loopback(Family::ipv6)).valid()) GTEST_SKIP() << "this host has no IPv6";
  const auto route = route_to({IpAddress::parse("::ffff:127.0.0.1").value(), 80});
  ASSERT_TRUE(route) << route.error().message();
  EXPECT_EQ(route->interface, "lo");
}

TEST(Route, ThatIsNotThereIsAnError) {
  // Broadcasting is not asked for, so no socket may be connected there, whatever the routes are.
  const auto route = route_to({IpAddress::parse("255.255.255.255").value(), 80});
  ASSERT_FALSE(route);
  EXPECT_EQ(route.error().message().substr(0, 25), "route to 255.255.255.255:");
}

}  // namespace
}  // namespace pier
