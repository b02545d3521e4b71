#include "scan/udp_service.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>
#include <set>

#include "scan/verdict.h"

namespace pier {
namespace {

using namespace std::string_literals;
using namespace std::string_view_literals;

TEST(UdpServices, AreAtLeastTwentyFiveAndEachSaysWhereItIsFrom) {
  std::set<std::string_view> names;
  std::set<std::uint16_t> ports;
  for (const UdpService& service : udp_services()) {
    names.insert(service.name);
    EXPECT_FALSE(service.source.empty()) << service.name;
    EXPECT_FALSE(service.messages.empty()) << service.name;
    EXPECT_FALSE(service.ports.empty()) << service.name;
    for (const std::uint16_t port : service.ports)
      EXPECT_TRUE(ports.insert(port).second) << "port " << port << " has two services";
    for (const std::string& message : service.messages) {
      EXPECT_FALSE(message.empty()) << service.name;
      EXPECT_LE(message.size(), 1232U) << service.name << ": a datagram of any path (RFC 8085)";
    }
  }
  EXPECT_GE(names.size(), 25U);
}

// A question that comes back is an echo, not an answer; those of the echo service itself apart, and of those
// that answer anything.
TEST(UdpServices, TheirOwnQuestionsAreNoAnswers) {
  const std::set<std::string_view> either{"echo",   "daytime", "qotd", "chargen", "snmp", "ike", "memcached",
                                          "bacnet", "dtls",    "coap", "openvpn", "l2tp", "gtp"};
  for (const UdpService& service : udp_services()) {
    if (either.contains(service.name)) continue;
    for (const std::string& message : service.messages)
      EXPECT_FALSE(service.is_reply(message)) << service.name;
  }
}

TEST(UdpServices, NothingAndShortThingsAreNoAnswersButOfThoseThatTakeAny) {
  const std::set<std::string_view> any{"daytime", "qotd", "chargen"};
  for (const UdpService& service : udp_services()) {
    if (any.contains(service.name)) continue;
    for (std::size_t size = 0; size < 4; ++size)
      EXPECT_FALSE(service.is_reply(std::string(size, '\0'))) << service.name;
  }
}

TEST(UdpServices, RecogniseAnswers) {
  const struct {
    std::uint16_t port;
    std::string datagram;
    std::string_view name;
  } kRows[] = {
      {53, "pi\x81\x80"s + std::string(8, '\0'), "dns"},
      {53, "pj\x81\x80"s + std::string(8, '\0'), ""},
      {123, "\x24"s + std::string(23, '\0') + "pierscan" + std::string(16, '\0'), "ntp"},
      {161, "\x30\x03\x02\x01\x00"s, "snmp"},
      {161, "\x30\x81\x80\x02\x01\x03"s, "snmp"},
      {389, "\x30\x84\x00\x00\x00\x09\x02\x01\x07\x64\x00"s, "ldap"},
      {443, "\xc0\0\0\0\0\x08scanpier\x08pierscan\0\0\0\1"s, "quic"},
      {500, "pierscan"s + std::string(20, 'x'), "ike"},
      {4500, std::string(4, '\0') + "pierscan" + std::string(20, 'x'), "ike"},
      {69, "\0\5\0\1no\0"s, "tftp"},
      {111, "pier\0\0\0\1\0\0\0\0"s, "rpcbind"},
      {5060, "SIP/2.0 404 Not Found\r\n"s, "sip"},
      {3478, "\x01\x01\x00\x00\x21\x12\xa4\x42pier-scan-id"s, "stun"},
      {88, "\x7e\x81\x80\x30\x7d\xa0\x03\x02\x01\x05\xa1"s, "kerberos"},
      {9999, "anything", ""},
  };
  for (const auto& row : kRows) EXPECT_EQ(recognise_udp(row.port, row.datagram), row.name) << row.port;
}

TEST(UdpVerdict, OnlyAReplyIsOpenAndOnlyTheTargetsRefusalClosed) {
  using How = ConnectEnd::How;
  EXPECT_EQ(judge_datagram({.how = How::later, .answered = true}).reason, "reply");
  EXPECT_EQ(judge_datagram({.how = How::later, .answered = true, .service = "dns"}).reason, "reply (dns)");
  const Judgement silence = judge_datagram({});
  EXPECT_EQ(silence.kind, Judgement::Kind::no_answer);
  EXPECT_EQ(silence.state, PortState::open_filtered);
  const IcmpError refusal{Family::ipv4, 3, 3, false, true};
  EXPECT_EQ(judge_datagram({.how = How::later, .code = ECONNREFUSED, .icmp = refusal}).state,
            PortState::closed);
  const IcmpError by_router{Family::ipv4, 3, 3, false, false};
  EXPECT_EQ(judge_datagram({.how = How::later, .code = ECONNREFUSED, .icmp = by_router}).state,
            PortState::filtered);
  const IcmpError prohibited{Family::ipv6, 1, 1, false, true};
  EXPECT_EQ(judge_datagram({.how = How::later, .code = EACCES, .icmp = prohibited}).state,
            PortState::filtered);
  EXPECT_EQ(judge_datagram({.how = How::at_once, .code = EPERM}).state, PortState::error);
  EXPECT_EQ(judge_datagram({.how = How::at_once, .code = ENETUNREACH}).state, PortState::error);
  EXPECT_EQ(judge_datagram({.how = How::at_once, .code = EMFILE}).kind, Judgement::Kind::shortage);
  for (int code = 0; code < 134; ++code)
    EXPECT_NE(judge_datagram({.how = How::later, .code = code}).state, PortState::open) << code;
}

}  // namespace
}  // namespace pier
