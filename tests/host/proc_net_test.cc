#include "host/proc_net.h"

#include <gtest/gtest.h>

#include <bit>
#include <string>

namespace pier {
namespace {

const std::string kHeading =
    "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n";
// The words after the addresses are as Linux 6 writes them.
const std::string kRest =
    " 00000000:00000000 00:00000000 00000000    33        0 12345 1 0000000000000000 100 0 0 10 0\n";

// What is written there is the memory of this machine's numbers.
constexpr bool kLittle = std::endian::native == std::endian::little;
const std::string kLoopback = kLittle ? "0100007F" : "7F000001";
const std::string kLoopback6 =
    kLittle ? "00000000000000000000000001000000" : "00000000000000000000000000000001";
const std::string kMapped = kLittle ? "0000000000000000FFFF00000100007F" : "00000000000000000000FFFF7F000001";

TEST(ProcNet, ReadsAListenerOfEachFamily) {
  const auto four = parse_proc_net(kHeading + "   0: " + kLoopback + ":1F90 00000000:0000 0A" + kRest,
                                   Transport::tcp, Family::ipv4);
  ASSERT_TRUE(four) << four.error().message();
  ASSERT_EQ(four->size(), 1u);
  EXPECT_EQ(four->front().local.to_string(), "127.0.0.1:8080");
  EXPECT_EQ(four->front().remote.to_string(), "0.0.0.0:0");
  EXPECT_EQ(state_name(four->front()), "listen");
  EXPECT_EQ(four->front().uid, 33u);
  EXPECT_EQ(four->front().inode, 12345u);

  const std::string zero(32, '0');
  const auto six = parse_proc_net(kHeading + " 123: " + kLoopback6 + ":0050 " + zero + ":0000 0A" + kRest,
                                  Transport::tcp, Family::ipv6);
  ASSERT_TRUE(six) << six.error().message();
  EXPECT_EQ(six->front().local.to_string(), "[::1]:80");

  const auto mapped = parse_proc_net(kHeading + " 1: " + kMapped + ":0050 " + kMapped + ":C000 01" + kRest,
                                     Transport::tcp, Family::ipv6);
  ASSERT_TRUE(mapped) << mapped.error().message();
  EXPECT_EQ(mapped->front().remote.ip().unmapped().to_string(), "127.0.0.1");
  EXPECT_EQ(mapped->front().remote.port(), 49152);
}

TEST(ProcNet, UdpHasStatesOfItsOwnAndOtherColumnsAtTheEnd) {
  const std::string rest = " 00000000:00000000 00:00000000 00000000     0        0 7 2 0000000000000000 0\n";
  const auto sockets = parse_proc_net(kHeading + "  1: 00000000:0035 00000000:0000 07" + rest +
                                          "  2: " + kLoopback + ":0035 " + kLoopback + ":0036 01" + rest,
                                      Transport::udp, Family::ipv4);
  ASSERT_TRUE(sockets) << sockets.error().message();
  ASSERT_EQ(sockets->size(), 2u);
  EXPECT_EQ(state_name(sockets->at(0)), "unconnected");
  EXPECT_EQ(state_name(sockets->at(1)), "connected");
}

TEST(ProcNet, NothingButTheHeadingIsNoSockets) {
  EXPECT_TRUE(parse_proc_net(kHeading, Transport::tcp, Family::ipv4)->empty());
  EXPECT_TRUE(parse_proc_net("", Transport::tcp, Family::ipv4)->empty());
}

TEST(ProcNet, RefusesWhatTheKernelDoesNotWrite) {
  const std::string good = "   0: " + kLoopback + ":1F90 00000000:0000 0A" + kRest;
  const auto with = [&](const std::string& from, const std::string& to) {
    std::string line = good;
    line.replace(line.find(from), from.size(), to);
    return parse_proc_net(kHeading + line, Transport::tcp, Family::ipv4);
  };
  EXPECT_TRUE(with("1F90", "1F91"));
  EXPECT_FALSE(with("1F90", "1F9"));                       // a digit short
  EXPECT_FALSE(with("1F90", "1F9G"));                      // no digit
  EXPECT_FALSE(with("1F90", "+F90"));                      // a sign
  EXPECT_FALSE(with("00000000:0000", "0000000000:0000"));  // an address too long
  EXPECT_FALSE(with("0000 0A", "0000 00"));                // no such state
  EXPECT_FALSE(with("0000 0A", "0000 FF"));
  EXPECT_FALSE(with("    33 ", "   -33 "));
  EXPECT_FALSE(with("12345", "12345x"));
  EXPECT_FALSE(with("0: ", "0 "));
  EXPECT_FALSE(parse_proc_net(kHeading + "   0: " + kLoopback + ":1F90\n", Transport::tcp, Family::ipv4));
  EXPECT_FALSE(parse_proc_net(kHeading + good, Transport::tcp, Family::ipv6));
  EXPECT_EQ(with("12345", "12345x").error().kind, ErrorKind::local);
}

}  // namespace
}  // namespace pier
