#include "scan/verdict.h"

#include <gtest/gtest.h>

#include <cerrno>

namespace pier {
namespace {

using How = ConnectEnd::How;
using Kind = Judgement::Kind;

TEST(Verdict, EveryErrno) {
  const struct {
    How how;
    int code;
    Kind kind;
    PortState state;
    const char* reason;
  } kRows[] = {
      {How::later, 0, Kind::verdict, PortState::open, "syn-ack"},
      {How::at_once, 0, Kind::verdict, PortState::open, "syn-ack"},
      {How::later, ECONNREFUSED, Kind::verdict, PortState::closed, "refused"},
      {How::at_once, ECONNREFUSED, Kind::verdict, PortState::closed, "refused"},
      {How::later, ECONNRESET, Kind::verdict, PortState::open, "reset after accept"},
      {How::later, EPIPE, Kind::verdict, PortState::open, "reset after accept"},
      {How::silence, 0, Kind::no_answer, PortState::filtered, "no answer"},
      {How::later, ETIMEDOUT, Kind::no_answer, PortState::filtered, "no answer"},
      // ICMP whose code the kernel does not tell.
      {How::later, EHOSTUNREACH, Kind::verdict, PortState::filtered, "no route to host"},
      {How::later, ENETUNREACH, Kind::verdict, PortState::filtered, "network is unreachable"},
      {How::later, ENOPROTOOPT, Kind::verdict, PortState::filtered, "protocol not available"},
      {How::later, EACCES, Kind::verdict, PortState::filtered, "permission denied"},
      // This host.
      {How::at_once, ENETUNREACH, Kind::verdict, PortState::error,
       "no route from this host (network is unreachable)"},
      {How::at_once, EHOSTUNREACH, Kind::verdict, PortState::error,
       "no route from this host (no route to host)"},
      {How::at_once, EACCES, Kind::verdict, PortState::error, "permission denied"},
      {How::at_once, EPERM, Kind::verdict, PortState::error, "operation not permitted"},
      {How::later, EPERM, Kind::verdict, PortState::error, "operation not permitted"},
      {How::later, ENETDOWN, Kind::verdict, PortState::error, "network is down"},
      {How::at_once, EINVAL, Kind::verdict, PortState::error, "invalid argument"},
      {How::at_once, EAFNOSUPPORT, Kind::verdict, PortState::error,
       "address family not supported by protocol"},
      {How::at_once, EMFILE, Kind::shortage, PortState::error, "too many open files"},
      {How::at_once, ENFILE, Kind::shortage, PortState::error, "too many open files in system"},
      {How::at_once, ENOBUFS, Kind::shortage, PortState::error, "no buffer space available"},
      {How::at_once, ENOMEM, Kind::shortage, PortState::error, "cannot allocate memory"},
      {How::at_once, EADDRNOTAVAIL, Kind::shortage, PortState::error, "cannot assign requested address"},
      {How::at_once, EADDRINUSE, Kind::shortage, PortState::error, "address already in use"},
      {How::at_once, EAGAIN, Kind::shortage, PortState::error, "resource temporarily unavailable"},
  };
  for (const auto& row : kRows) {
    const Judgement judgement = judge({.how = row.how, .code = row.code});
    EXPECT_EQ(judgement.kind, row.kind) << row.code << " " << row.reason;
    EXPECT_EQ(judgement.state, row.state) << row.code << " " << row.reason;
    EXPECT_EQ(judgement.reason, row.reason) << row.code;
  }
}

// Of all errno values, one alone says that nothing listens.
TEST(Verdict, OnlyARefusalIsClosed) {
  for (const How how : {How::at_once, How::later, How::silence}) {
    for (int code = 0; code < 134; ++code) {
      const bool refused = how != How::silence && code == ECONNREFUSED;
      EXPECT_EQ(judge({.how = how, .code = code}).state == PortState::closed, refused) << code;
      const bool open = how != How::silence && (code == 0 || code == ECONNRESET || code == EPIPE);
      EXPECT_EQ(judge({.how = how, .code = code}).state == PortState::open, open) << code;
    }
  }
}

// The kernel makes ECONNREFUSED of ICMP port unreachable and EACCES of ICMPv6 prohibitions: the message wins.
TEST(Verdict, AnIcmpErrorOfAnyCodeIsFiltered) {
  for (const Family family : {Family::ipv4, Family::ipv6}) {
    const std::uint8_t type = family == Family::ipv4 ? 3 : 1;
    for (unsigned code = 0; code < 20; ++code) {
      for (const int error : {ECONNREFUSED, EHOSTUNREACH, ENETUNREACH, EACCES, ENOPROTOOPT}) {
        const IcmpError icmp{family, type, static_cast<std::uint8_t>(code), false};
        const Judgement judgement = judge({.how = How::later, .code = error, .icmp = icmp});
        EXPECT_EQ(judgement.kind, Kind::verdict);
        EXPECT_EQ(judgement.state, PortState::filtered);
        const std::string number = std::to_string(type) + "/" + std::to_string(code);
        EXPECT_NE(judgement.reason.find(number), std::string::npos) << judgement.reason;
      }
    }
  }
}

TEST(Verdict, NamesIcmpCodes) {
  EXPECT_EQ(describe({Family::ipv4, 3, 3, false}), "icmp 3/3 (port unreachable)");
  EXPECT_EQ(describe({Family::ipv4, 3, 13, false}), "icmp 3/13 (administratively prohibited)");
  EXPECT_EQ(describe({Family::ipv4, 11, 0, false}), "icmp 11/0 (time exceeded)");
  EXPECT_EQ(describe({Family::ipv4, 3, 99, false}), "icmp 3/99");
  EXPECT_EQ(describe({Family::ipv6, 1, 1, false}), "icmpv6 1/1 (administratively prohibited)");
  EXPECT_EQ(describe({Family::ipv6, 1, 4, false}), "icmpv6 1/4 (port unreachable)");
  EXPECT_EQ(describe({Family::ipv6, 200, 0, false}), "icmpv6 200/0");
}

TEST(Verdict, IcmpOfThisHostItself) {
  const Judgement arp =
      judge({.how = How::later, .code = EHOSTUNREACH, .icmp = IcmpError{Family::ipv4, 3, 1, true}});
  EXPECT_EQ(arp.state, PortState::filtered) << "nobody answered ARP: that is the target's silence";
  const Judgement neighbour =
      judge({.how = How::later, .code = EHOSTUNREACH, .icmp = IcmpError{Family::ipv6, 1, 3, true}});
  EXPECT_EQ(neighbour.state, PortState::filtered);
  const Judgement firewall =
      judge({.how = How::later, .code = ECONNREFUSED, .icmp = IcmpError{Family::ipv4, 3, 3, true}});
  EXPECT_EQ(firewall.state, PortState::error) << "our own firewall says nothing about the port";
}

TEST(Verdict, ASelfConnectIsNeverOpen) {
  const Judgement judgement = judge({.how = How::later, .code = 0, .to_itself = true});
  EXPECT_EQ(judgement.kind, Kind::to_itself);
  EXPECT_EQ(judgement.state, PortState::error);
}

}  // namespace
}  // namespace pier
