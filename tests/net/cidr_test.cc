#include "net/cidr.h"

#include <gtest/gtest.h>

namespace pier {
namespace {

IpAddress ip(std::string_view text) {
  return IpAddress::parse(text).value();
}

TEST(Cidr, ParsesAndMasks) {
  const struct {
    const char* text;
    const char* canonical;
    const char* last;
    bool host_bits;
  } kRows[] = {
      {"10.0.0.0/8", "10.0.0.0/8", "10.255.255.255", false},
      {"10.1.2.3/8", "10.0.0.0/8", "10.255.255.255", true},
      {"192.168.1.129/25", "192.168.1.128/25", "192.168.1.255", true},
      {"0.0.0.0/0", "0.0.0.0/0", "255.255.255.255", false},
      {"1.2.3.4", "1.2.3.4/32", "1.2.3.4", false},
      {"1.2.3.4/32", "1.2.3.4/32", "1.2.3.4", false},
      {"1.2.3.4/31", "1.2.3.4/31", "1.2.3.5", false},
      {"::/0", "::/0", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", false},
      {"2001:db8::7/32", "2001:db8::/32", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", true},
      {"::1", "::1/128", "::1", false},
      {"2001:db8::/65", "2001:db8::/65", "2001:db8::7fff:ffff:ffff:ffff", false},
  };
  for (const auto& row : kRows) {
    bool host_bits = !row.host_bits;
    const auto block = Cidr::parse(row.text, &host_bits);
    ASSERT_TRUE(block) << row.text;
    EXPECT_EQ(block->to_string(), row.canonical);
    EXPECT_EQ(block->last().to_string(), row.last);
    EXPECT_EQ(host_bits, row.host_bits) << row.text;
    EXPECT_EQ(Cidr::parse(block->to_string()).value(), *block) << "does not round-trip";
  }
}

TEST(Cidr, RefusesWhatIsNoBlock) {
  for (const char* text : {"", "/", "/8", "10.0.0.0/", "10.0.0.0/33", "::/129", "10.0.0.0/-1", "10.0.0.0/+8",
                           "10.0.0.0/0x8", "10.0.0/8", "10.0.0.0/8/8", "host/8", "10.0.0.0/ 8", "010.0.0.0/8",
                           "10.0.0.0/255.0.0.0", "[::1]/64"}) {
    const auto block = Cidr::parse(text);
    ASSERT_FALSE(block) << text;
    EXPECT_EQ(block.error().kind, ErrorKind::usage) << text;
    EXPECT_NE(block.error().message().find(quoted(text)), std::string::npos) << block.error().message();
  }
}

TEST(Cidr, ContainsItsFirstAndLastAndNothingBeside) {
  for (const char* text :
       {"10.0.0.0/8", "10.1.2.128/25", "1.2.3.4/32", "2001:db8::/33", "2001:db8::42/128"}) {
    const Cidr block = Cidr::parse(text).value();
    const Family family = block.network().family();
    EXPECT_TRUE(block.contains(block.network()));
    EXPECT_TRUE(block.contains(block.last()));
    EXPECT_FALSE(block.contains(from_number(family, to_number(block.network()) - 1))) << text;
    EXPECT_FALSE(block.contains(from_number(family, to_number(block.last()) + 1))) << text;
  }
  EXPECT_TRUE(Cidr::parse("0.0.0.0/0")->contains(ip("255.255.255.255")));
  EXPECT_FALSE(Cidr::parse("0.0.0.0/0")->contains(ip("::"))) << "the families are apart";
  EXPECT_FALSE(Cidr::parse("::/0")->contains(ip("0.0.0.0")));
}

TEST(Cidr, AZoneCountsWhereTheBlockHasOne) {
  const IpAddress on_first(Family::ipv6, ip("fe80::1").bytes(), 1);
  const IpAddress on_second(Family::ipv6, ip("fe80::1").bytes(), 2);
  EXPECT_TRUE(Cidr(ip("fe80::"), 10).contains(on_first));
  EXPECT_TRUE(Cidr(on_first, 64).contains(on_first));
  EXPECT_FALSE(Cidr(on_first, 64).contains(on_second));
}

TEST(AddressNumber, RoundTrips) {
  for (const char* text : {"0.0.0.0", "1.2.3.4", "255.255.255.255", "::", "::1", "2001:db8::ff00:42:8329",
                           "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"})
    EXPECT_EQ(from_number(ip(text).family(), to_number(ip(text))), ip(text)) << text;
  EXPECT_EQ(to_number(ip("1.2.3.4")), Uint128{0x01020304});
  EXPECT_EQ(to_string(to_number(ip("::1:0:0:0:0"))), "18446744073709551616");
  EXPECT_EQ(to_string(last_number(Family::ipv6)), "340282366920938463463374607431768211455");
  EXPECT_EQ(to_string(Uint128{0}), "0");
}

}  // namespace
}  // namespace pier
