#include "packet/sip_hash.h"

#include <gtest/gtest.h>

#include <numeric>
#include <vector>

#include "packet/flow.h"

namespace pier {
namespace {

constexpr SipKey kKey{0x0706050403020100U, 0x0f0e0d0c0b0a0908U};

// The paper, appendix A.
TEST(SipHash, IsThatOfThePaper) {
  std::vector<std::uint8_t> bytes(15);
  std::iota(bytes.begin(), bytes.end(), std::uint8_t{0});
  EXPECT_EQ(sip_hash(kKey, bytes), 0xa129ca6149be45e5U);
}

// The first of the vectors that the authors publish with it.
TEST(SipHash, OfNothing) {
  EXPECT_EQ(sip_hash(kKey, {}), 0x726fdb47dd0e0e31U);
}

TEST(FlowCookie, DependsOnEachPartOfTheFlowAndOnTheKey) {
  for (const auto& [a, b] : {std::pair("192.0.2.1", "192.0.2.2"), std::pair("2001:db8::1", "2001:db8::2")}) {
    const Flow flow{*IpAddress::parse(a), 40000, *IpAddress::parse(b), 80};
    const std::uint32_t cookie = FlowCookie(kKey).of(flow);
    EXPECT_EQ(FlowCookie(kKey).of(flow), cookie);
    EXPECT_NE(FlowCookie({1, 2}).of(flow), cookie);
    EXPECT_NE(FlowCookie(kKey).of({flow.remote, 40000, flow.local, 80}), cookie);
    EXPECT_NE(FlowCookie(kKey).of({flow.local, 40001, flow.remote, 80}), cookie);
    EXPECT_NE(FlowCookie(kKey).of({flow.local, 40000, flow.remote, 81}), cookie);
    EXPECT_NE(FlowCookie(kKey).of({flow.local, 80, flow.remote, 40000}), cookie);
  }
}

TEST(FlowCookie, IsAnotherInEachRun) {
  const Flow flow{*IpAddress::parse("192.0.2.1"), 40000, *IpAddress::parse("192.0.2.2"), 80};
  EXPECT_NE(FlowCookie::make()->of(flow), FlowCookie::make()->of(flow));
}

}  // namespace
}  // namespace pier
