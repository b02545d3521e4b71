#include "base/number.h"

#include <gtest/gtest.h>

namespace pier {
namespace {

using namespace std::chrono_literals;

TEST(Number, PortIsDecimalDigitsOnlyUpTo65535) {
  EXPECT_EQ(parse_port_number("0").value(), 0);
  EXPECT_EQ(parse_port_number("65535").value(), 65535);
  EXPECT_EQ(parse_port_number("0080").value(), 80);
  for (const char* bad :
       {"", "-1", "+80", " 80", "80 ", "0x50", "80abc", "65536", "99999999999999999999", "8.0"})
    EXPECT_FALSE(parse_port_number(bad)) << bad;
  EXPECT_EQ(parse_port_number("80abc").error().message(), "port '80abc': not a number from 0 to 65535");
}

TEST(Number, DurationsHaveUnitsAndFractions) {
  EXPECT_EQ(parse_duration("250ms").value(), 250ms);
  EXPECT_EQ(parse_duration("1.5s").value(), 1500ms);
  EXPECT_EQ(parse_duration("2m").value(), 2min);
  EXPECT_EQ(parse_duration("1h").value(), 1h);
  EXPECT_EQ(parse_duration("3").value(), 3s);
  EXPECT_EQ(parse_duration("0").value(), 0s);
  EXPECT_EQ(parse_duration("0.1s").value(), 100ms);
  EXPECT_EQ(parse_duration("1.000000001").value(), 1s + 1ns);
  EXPECT_EQ(parse_duration("0." + std::string(40, '3')).value(), 333333333ns);
  EXPECT_FALSE(parse_duration(std::string(400, '9')));
  EXPECT_FALSE(parse_duration("0." + std::string(400, '0') + "1"));
  for (const char* bad : {"", "s", "-1", "1 s", "1.s", ".5", "1..5", "1e3", "5x", "9999999999h"})
    EXPECT_FALSE(parse_duration(bad)) << bad;
}

TEST(Number, SizesArePowersOf1024AndRatesOf1000) {
  EXPECT_EQ(parse_size("64k").value(), 65536u);
  EXPECT_EQ(parse_size("1M").value(), 1048576u);
  EXPECT_EQ(parse_size("4G").value(), 4294967296u);
  EXPECT_EQ(parse_size("7").value(), 7u);
  EXPECT_FALSE(parse_size("-1"));
  EXPECT_FALSE(parse_size("1Q"));
  EXPECT_EQ(parse_rate("10k").value(), 10000u);
  EXPECT_EQ(parse_rate("1M").value(), 1000000u);
  EXPECT_FALSE(parse_rate("0"));
}

TEST(Number, ReadsLikeAPersonWouldWriteIt) {
  EXPECT_EQ(format_bytes(512), "512 B");
  EXPECT_EQ(format_bytes(48'200'000), "48.2 MB");
  EXPECT_EQ(format_bytes(999'999), "1.0 MB");
  EXPECT_EQ(format_duration(300us), "0.3 ms");
  EXPECT_EQ(format_duration(2s), "2.00 s");
  EXPECT_EQ(format_count(1234567), "1,234,567");
  EXPECT_EQ(format_count(12), "12");
}

}  // namespace
}  // namespace pier
