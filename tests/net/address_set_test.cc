#include "net/address_set.h"

#include <gtest/gtest.h>

#include <random>
#include <set>

namespace pier {
namespace {

IpAddress ip(std::string_view text) {
  return IpAddress::parse(text).value();
}

AddressRange span_of(std::string_view first, std::string_view last) {
  return {ip(first).family(), 0, to_number(ip(first)), to_number(ip(last))};
}

AddressRange block(std::string_view text) {
  return AddressRange::of(Cidr::parse(text).value());
}

TEST(AddressSet, MergesWhatOverlapsOrContinues) {
  const AddressSet set({span_of("10.0.0.5", "10.0.0.9"), span_of("10.0.0.1", "10.0.0.4"),
                        span_of("10.0.0.2", "10.0.0.3"), span_of("10.0.0.11", "10.0.0.11")});
  ASSERT_EQ(set.ranges().size(), 2U);
  EXPECT_EQ(set.ranges()[0], span_of("10.0.0.1", "10.0.0.9"));
  EXPECT_EQ(set.size(), Uint128{10});
  EXPECT_EQ(set.at(0), ip("10.0.0.1"));
  EXPECT_EQ(set.at(8), ip("10.0.0.9"));
  EXPECT_EQ(set.at(9), ip("10.0.0.11"));
}

TEST(AddressSet, HasTheEndsOfEachFamilyApart) {
  const AddressSet set({block("255.255.255.255"), block("::"), block("0.0.0.0"),
                        block("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff")});
  EXPECT_EQ(set.size(), Uint128{4});
  EXPECT_TRUE(set.contains(ip("0.0.0.0")));
  EXPECT_TRUE(set.contains(ip("::")));
  EXPECT_FALSE(set.contains(ip("0.0.0.1")));
  EXPECT_FALSE(set.contains(ip("::1")));
}

TEST(AddressSet, AHugeSetCostsOneRange) {
  const AddressSet v4({block("10.0.0.0/8")});
  EXPECT_EQ(v4.ranges().size(), 1U);
  EXPECT_EQ(v4.at((1U << 24) - 1), ip("10.255.255.255"));
  const AddressSet v6({block("2001:db8::/64"), block("2001:db8:0:1::/64")});
  EXPECT_EQ(v6.ranges().size(), 1U);
  EXPECT_EQ(v6.size(), Uint128{1} << 65);
  EXPECT_EQ(v6.at((Uint128{1} << 64) + 5), ip("2001:db8:0:1::5"));
  EXPECT_EQ(AddressSet({block("::/0"), block("0.0.0.0/0")}).size(), ~Uint128{0}) << "must not wrap";
}

TEST(AddressSet, ExclusionCutsHolesAndEnds) {
  const AddressSet all({block("10.0.0.0/24")});
  const AddressSet left = all.without(
      AddressSet({block("10.0.0.0/30"), block("10.0.0.7"), block("10.0.0.255"), block("9.0.0.0/8")}));
  EXPECT_EQ(left.size(), Uint128{256 - 4 - 1 - 1});
  EXPECT_FALSE(left.contains(ip("10.0.0.3")));
  EXPECT_TRUE(left.contains(ip("10.0.0.4")));
  EXPECT_FALSE(left.contains(ip("10.0.0.7")));
  EXPECT_FALSE(left.contains(ip("10.0.0.255")));
  EXPECT_TRUE(all.without(all).empty());
  EXPECT_TRUE(all.without(AddressSet({block("0.0.0.0/0")})).empty());
  EXPECT_EQ(all.without(AddressSet()).size(), Uint128{256});
  EXPECT_TRUE(AddressSet({block("::/0")}).without(AddressSet({block("::/0")})).empty());
}

TEST(AddressSet, ExclusionWithoutAZoneCoversEveryZone) {
  AddressRange first = block("fe80::1");
  first.zone = 1;
  AddressRange second = block("fe80::1");
  second.zone = 2;
  const AddressSet both({first, second});
  EXPECT_EQ(both.size(), Uint128{2});
  EXPECT_TRUE(both.without(AddressSet({block("fe80::/10")})).empty());
  const AddressSet left = both.without(AddressSet({second}));
  ASSERT_EQ(left.size(), Uint128{1});
  EXPECT_EQ(left.at(0).zone(), 1U);
}

TEST(AddressSet, AMappedAddressIsTheIpv4AddressItStandsFor) {
  const AddressSet set({block("::ffff:10.0.0.1"), block("10.0.0.1")});
  EXPECT_EQ(set.size(), Uint128{1});
  EXPECT_EQ(set.at(0), ip("10.0.0.1"));
  EXPECT_TRUE(set.without(AddressSet({block("::ffff:0:0/96")})).empty());
  const AddressSet around({span_of("::fffe:ffff:ffff", "::1:0:0:0")});
  EXPECT_EQ(around.size(), (Uint128{1} << 32) + 2);
  EXPECT_TRUE(around.contains(ip("255.1.2.3")));
  EXPECT_TRUE(around.contains(ip("::ffff:255.1.2.3"))) << "asked for in either form";
}

// Against a plain std::set over a small universe, where every error shows.
TEST(AddressSet, AgreesWithAPlainSet) {
  std::mt19937 random(7);
  const auto pick = [&](std::uint32_t n) { return static_cast<std::uint32_t>(random() % n); };
  for (int round = 0; round < 300; ++round) {
    std::set<std::uint32_t> plain;
    const auto ranges = [&](bool add) {
      std::vector<AddressRange> made;
      for (std::uint32_t n = pick(6); n > 0; --n) {
        const std::uint32_t first = pick(64);
        const std::uint32_t last = first + pick(16);
        made.push_back({Family::ipv4, 0, first, last});
        for (std::uint32_t a = first; a <= last; ++a) add ? (void)plain.insert(a) : (void)plain.erase(a);
      }
      return AddressSet(std::move(made));
    };
    const AddressSet added = ranges(true);
    const AddressSet set = added.without(ranges(false));
    ASSERT_EQ(set.size(), Uint128{plain.size()});
    std::uint32_t i = 0;
    for (const std::uint32_t number : plain) ASSERT_EQ(set.at(i++), IpAddress::v4(number));
    for (std::uint32_t a = 0; a < 90; ++a) ASSERT_EQ(set.contains(IpAddress::v4(a)), plain.contains(a));
  }
}

}  // namespace
}  // namespace pier
