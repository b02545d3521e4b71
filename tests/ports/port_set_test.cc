#include "ports/port_set.h"

#include <gtest/gtest.h>

#include <random>

#include "ports/common.h"

namespace pier {
namespace {

constexpr auto kTcp = PortProtocol::tcp;
constexpr auto kUdp = PortProtocol::udp;
constexpr PortSetRules kScan{};
constexpr PortSetRules kClassify{.unqualified = kTcpAndUdp, .allowed = kEveryPortProtocol, .port_zero = true};

using Ports = std::vector<std::uint16_t>;

Ports tcp(std::string_view text) {
  const auto set = parse_port_set(text, kScan);
  EXPECT_TRUE(set) << text << ": " << (set ? "" : set.error().message());
  return set ? set->ports(kTcp) : Ports();
}

std::string refusal(std::string_view text, const PortSetRules& rules = kScan) {
  const auto set = parse_port_set(text, rules);
  if (set) return "taken as " + set->to_string(rules.unqualified);
  EXPECT_EQ(set.error().kind, ErrorKind::usage);
  return set.error().message();
}

TEST(PortSet, NumbersAndRanges) {
  EXPECT_EQ(tcp("22"), (Ports{22}));
  EXPECT_EQ(tcp("80,22,80"), (Ports{22, 80}));
  EXPECT_EQ(tcp("8000-8003"), (Ports{8000, 8001, 8002, 8003}));
  EXPECT_EQ(tcp("5-5"), (Ports{5}));
  EXPECT_EQ(tcp("-3"), (Ports{1, 2, 3}));
  EXPECT_EQ(tcp("65533-"), (Ports{65533, 65534, 65535}));
  EXPECT_EQ(tcp("-").size(), 65535U);
  EXPECT_EQ(tcp("-").front(), 1);
}

TEST(PortSet, ClassesServicesAndCommon) {
  EXPECT_EQ(tcp("well-known").size(), 1023U) << "port 0 cannot be scanned";
  EXPECT_EQ(tcp("registered").size(), 48128U);
  EXPECT_EQ(tcp("dynamic").size(), 16384U);
  EXPECT_EQ(tcp("https"), (Ports{443}));
  EXPECT_EQ(tcp("http-alt"), (Ports{591, 8008, 8080}));
  EXPECT_EQ(tcp("X11").size(), 64U);
  EXPECT_EQ(tcp("3com-tsmux"), (Ports{106})) << "a name may begin with a digit";
  EXPECT_EQ(tcp("914c/g"), (Ports{211})) << "a name may have a slash";
  EXPECT_EQ(tcp("common"), common_ports().ports(kTcp));
  EXPECT_EQ(parse_port_set("well-known", kClassify)->size(kTcp), 1024U);
}

TEST(PortSet, CommonIsOneHundredAndTwentyPorts) {
  EXPECT_EQ(common_ports().size(kTcp), 120U);
  EXPECT_EQ(common_ports().size(kUdp), 36U);
  for (const std::uint16_t port : Ports{22, 25, 53, 80, 443, 3306, 5432, 6379, 8080})
    EXPECT_TRUE(common_ports().contains(kTcp, port)) << port;
}

TEST(PortSet, CommonHasTiersEachWithTheOneBeforeIt) {
  EXPECT_EQ(tcp("common-1").size(), 20U);
  EXPECT_EQ(tcp("common-2").size(), 60U);
  EXPECT_EQ(tcp("common-2,common-1"), tcp("common-2"));
  EXPECT_EQ(tcp("common,common-2"), tcp("common"));
  EXPECT_EQ(common_ports(1).size(kUdp), 8U);
  EXPECT_EQ(common_ports(2).size(kUdp), 20U);
  EXPECT_EQ(refusal("common-4").find("common-4") == std::string::npos, false);
}

TEST(PortSet, WhatIsLeftOutIsLeftOutWhereverItStands) {
  EXPECT_EQ(tcp("20-25,!22"), (Ports{20, 21, 23, 24, 25}));
  EXPECT_EQ(tcp("!22,20-25"), (Ports{20, 21, 23, 24, 25}));
  EXPECT_EQ(tcp("1-5,!2-4"), (Ports{1, 5}));
  EXPECT_EQ(tcp("-,!2-").size(), 1U);
  EXPECT_EQ(tcp("common,!ssh").size(), 119U);
  EXPECT_EQ(tcp("22,!80"), (Ports{22}));
}

TEST(PortSet, TransportsHoldUntilTheNext) {
  const auto set = parse_port_set("7,T:80,443,U:53,161", kScan).value();
  EXPECT_EQ(set.ports(kTcp), (Ports{7, 80, 443}));
  EXPECT_EQ(set.ports(kUdp), (Ports{53, 161}));
  EXPECT_EQ(set.protocols(), kTcpAndUdp);
  EXPECT_EQ(set.size(), 5U);
}

TEST(PortSet, ASuffixIsForOneItem) {
  const auto set = parse_port_set("53/udp,80", kScan).value();
  EXPECT_EQ(set.ports(kUdp), (Ports{53}));
  EXPECT_EQ(set.ports(kTcp), (Ports{80}));
  EXPECT_EQ(parse_port_set("1-3/sctp", kClassify)->size(PortProtocol::sctp), 3U);
  EXPECT_EQ(refusal("80/sctp"), "port '80/sctp': sctp is not possible here");
}

TEST(PortSet, LeftOutOnEveryTransportUnlessOneIsNamed) {
  const auto both = parse_port_set("T:1-3,U:1-3,!2", kScan).value();
  EXPECT_EQ(both.ports(kTcp), (Ports{1, 3}));
  EXPECT_EQ(both.ports(kUdp), (Ports{1, 3}));
  for (const char* text : {"T:1-3,U:1-3,!T:2", "T:1-3,U:1-3,!2/tcp", "T:1-3,T:!2,U:1-3"}) {
    const auto one = parse_port_set(text, kScan).value();
    EXPECT_EQ(one.ports(kTcp), (Ports{1, 3})) << text;
    EXPECT_EQ(one.ports(kUdp), (Ports{1, 2, 3})) << text;
  }
  EXPECT_EQ(parse_port_set("!T:2,1-3", kScan)->ports(kTcp), (Ports{1, 3}));
}

TEST(PortSet, AServiceIsOnItsOwnTransports) {
  const auto set = parse_port_set("redis,22", kClassify).value();
  EXPECT_TRUE(set.contains(kTcp, 6379));
  EXPECT_FALSE(set.contains(kUdp, 6379));
  EXPECT_EQ(parse_port_set("U:redis", kScan).error().message(),
            "port 'U:redis': this service has no port on that transport, but 6379/tcp");
}

TEST(PortSet, ABadItemRefusesTheListAndIsQuoted) {
  constexpr std::string_view kFits =
      ": not a port, a range (1-5), a class (well-known, registered, dynamic), common, or a service name";
  for (const char* bad : {"0x50", "+80", " 80abc",  "80abc", " 80", "80 ",  "1-2-3",
                          "--",   "-5-", "1.5",     "T:",    "!",   "!!5",  "T:U:5",
                          "/tcp", "80/", "80/icmp", "80:81", "1-x", "\xff", "t:80"}) {
    const std::string listed = std::string("22,") + bad;
    const std::string quoted_bad = "port " + quoted(bad) + std::string(kFits);
    EXPECT_EQ(refusal(bad), quoted_bad);
    EXPECT_EQ(refusal(listed), quoted_bad);
  }
}

TEST(PortSet, RefusalsSayWhatFits) {
  EXPECT_EQ(refusal("5-1"), "port '5-1': a backwards range: did you mean 1-5");
  EXPECT_EQ(refusal("22,5-1"), "port '5-1': a backwards range: did you mean 1-5");
  EXPECT_EQ(refusal("65536"), "port '65536': not a number from 1 to 65535");
  EXPECT_EQ(refusal("1-99999999999999999999"), "port '1-99999999999999999999': not a number from 1 to 65535");
  EXPECT_EQ(refusal("0"), "port '0': port 0 does not exist here: from 1 to 65535");
  EXPECT_EQ(refusal("0-10"), "port '0-10': port 0 does not exist here: from 1 to 65535");
  EXPECT_EQ(refusal("htps"), "port 'htps': no such service: did you mean https");
  EXPECT_EQ(refusal("comon"), "port 'comon': no such service: did you mean common");
  EXPECT_EQ(refusal("arp"), "port 'arp': this service is registered without a port");
  EXPECT_EQ(refusal("T:80/udp"), "port 'T:80/udp': names two transports");
  for (const char* bad : {"1,,2", ",1", "1,", ","})
    EXPECT_EQ(refusal(bad), "ports '" + std::string(bad) +
                                "': an empty item: one comma between two items, none at the ends");
  EXPECT_EQ(refusal(""), "port '': empty: give a port, as in 80 or 22,80,8000-8100");
  EXPECT_EQ(refusal("80,!80"), "ports '80,!80': leaves no port at all");
  EXPECT_EQ(refusal("!80"), "ports '!80': only says what to leave out; for all the others write -,!80");
}

TEST(PortSet, PortZeroOnlyWhereItIsAllowed) {
  EXPECT_EQ(parse_port_set("0-2", kClassify)->ports(kUdp), (Ports{0, 1, 2}));
  EXPECT_FALSE(parse_port_set("-", kClassify)->contains(kTcp, 0));
  EXPECT_EQ(refusal("0-70000", kClassify), "port '0-70000': not a number from 0 to 65535");
}

TEST(PortSet, ForEachGoesByPortAndTcpFirst) {
  std::string seen;
  parse_port_set("2,1,U:3", kClassify)->for_each([&](std::uint16_t port, PortProtocol protocol) {
    seen += std::to_string(port) + "/" + std::string(to_string(protocol)) + " ";
  });
  EXPECT_EQ(seen, "1/tcp 1/udp 2/tcp 2/udp 3/udp ");
}

TEST(PortSet, AddAndRemoveSets) {
  PortSet set = parse_port_set("1-10", kScan).value();
  set.remove(parse_port_set("5-20", kScan).value());
  set.add(parse_port_set("U:7", kScan).value());
  EXPECT_EQ(set.to_string(kTcp), "T:1-4,U:7");
  EXPECT_EQ(PortSet().to_string(kTcp), "");
  EXPECT_TRUE(PortSet().empty());
}

TEST(PortSet, ToStringIsShort) {
  EXPECT_EQ(parse_port_set("80,22,23,24", kScan)->to_string(kTcp), "22-24,80");
  EXPECT_EQ(parse_port_set("-", kScan)->to_string(kTcp), "-");
  EXPECT_EQ(parse_port_set("22", kClassify)->to_string(kTcpAndUdp), "22");
  EXPECT_EQ(parse_port_set("22", kClassify)->to_string(kTcp), "T:22,U:22");
  EXPECT_EQ(parse_port_set("U:53", kScan)->to_string(kTcp), "U:53");
  EXPECT_EQ(parse_port_set("7/sctp,9-10/dccp", kClassify)->to_string(kTcpAndUdp), "7/sctp,9-10/dccp");
}

TEST(PortSet, ParseOfToStringIsTheSameSet) {
  std::mt19937 random(6335);  // fixed: a failure can be repeated
  for (int round = 0; round < 60; ++round) {
    PortSet set;
    const unsigned ranges = 1 + random() % 8;
    for (unsigned i = 0; i < ranges; ++i) {
      const auto first = static_cast<std::uint16_t>(random());
      const auto length = static_cast<std::uint16_t>(random() % 300);
      const auto last = static_cast<std::uint16_t>(std::min(65535, first + length));
      const PortProtocol protocol = kPortProtocols[random() % kPortProtocols.size()];
      set.add(round % 3 == 0 ? kTcpAndUdp : PortProtocols(protocol), {first, last});
    }
    const std::string text = set.to_string(kClassify.unqualified);
    const auto again = parse_port_set(text, kClassify);
    ASSERT_TRUE(again) << text;
    EXPECT_EQ(*again, set) << text;
  }
}

}  // namespace
}  // namespace pier
