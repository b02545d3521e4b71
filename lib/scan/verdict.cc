#include "scan/verdict.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "base/error.h"

namespace pier {
namespace {

using Kind = Judgement::Kind;

constexpr std::uint8_t kUnreachable4 = 3;
constexpr std::uint8_t kUnreachable6 = 1;

// Destination unreachable by code: RFC 792 (0 to 5), RFC 1122 section 3.2.2.1 (6 to 12), RFC 1812 section
// 5.2.7.1.
constexpr std::array<std::string_view, 16> kCodes4{"network unreachable",
                                                   "host unreachable",
                                                   "protocol unreachable",
                                                   "port unreachable",
                                                   "fragmentation needed",
                                                   "source route failed",
                                                   "network unknown",
                                                   "host unknown",
                                                   "source host isolated",
                                                   "network prohibited",
                                                   "host prohibited",
                                                   "network unreachable for this service",
                                                   "host unreachable for this service",
                                                   "communication prohibited",
                                                   "host precedence violation",
                                                   "precedence cutoff"};
// RFC 4443, section 3.1.
constexpr std::array<std::string_view, 8> kCodes6{"no route",
                                                  "communication prohibited",
                                                  "beyond the scope of the source",
                                                  "address unreachable",
                                                  "port unreachable",
                                                  "source address failed policy",
                                                  "route rejected",
                                                  "error in source routing header"};

std::string_view name_of(const IcmpError& icmp) {
  if (icmp.family == Family::ipv4) {
    if (icmp.type == kUnreachable4 && icmp.code < kCodes4.size()) return kCodes4[icmp.code];
    if (icmp.type == 11) return "time exceeded";
    return icmp.type == 12 ? "parameter problem" : "";
  }
  if (icmp.type == kUnreachable6 && icmp.code < kCodes6.size()) return kCodes6[icmp.code];
  if (icmp.type == 3) return "time exceeded";
  return icmp.type == 4 ? "parameter problem" : "";
}

// What the kernel itself says when nobody answers ARP or neighbour discovery for the address.
bool is_no_neighbour(const IcmpError& icmp) {
  if (!icmp.from_this_host) return false;
  return icmp.family == Family::ipv4 ? icmp.type == kUnreachable4 && icmp.code == 1
                                     : icmp.type == kUnreachable6 && icmp.code == 3;
}

bool is_shortage(int code) {
  constexpr std::array kCodes{EMFILE, ENFILE, ENOBUFS, ENOMEM, EADDRNOTAVAIL, EADDRINUSE, EAGAIN};
  return std::ranges::find(kCodes, code) != kCodes.end();
}

// The errno that the kernel makes of ICMP errors (net/ipv4/icmp.c, net/ipv6/icmp.c), for where the error
// queue does not tell the code. EACCES is among ICMPv6's.
bool is_of_icmp(int code) {
  constexpr std::array kCodes{EHOSTUNREACH, ENETUNREACH, EHOSTDOWN, ENONET,
                              ENOPROTOOPT,  EOPNOTSUPP,  EPROTO,    EACCES};
  return std::ranges::find(kCodes, code) != kCodes.end();
}

Judgement of_icmp(const IcmpError& icmp) {
  if (is_no_neighbour(icmp))
    return {Kind::verdict, PortState::filtered, "host unreachable (no neighbour answers)"};
  if (icmp.from_this_host)
    return {Kind::verdict, PortState::error, "rejected by this host itself: " + describe(icmp)};
  return {Kind::verdict, PortState::filtered, describe(icmp)};
}

Judgement of_local_fault(int code) {
  if (is_shortage(code)) return {Kind::shortage, PortState::error, errno_text(code)};
  if (code == ENETUNREACH || code == EHOSTUNREACH)
    return {Kind::verdict, PortState::error, "no route from this host (" + errno_text(code) + ")"};
  return {Kind::verdict, PortState::error, errno_text(code)};
}

}  // namespace

std::string describe(const IcmpError& icmp) {
  const std::string_view name = name_of(icmp);
  std::string text =
      fmt::format("{} {}/{}", icmp.family == Family::ipv4 ? "icmp" : "icmpv6", icmp.type, icmp.code);
  if (!name.empty()) text += fmt::format(" ({})", name);
  return text;
}

Judgement judge(const ConnectEnd& end) {
  if (end.to_itself) return {Kind::to_itself, PortState::error, "would connect to itself"};
  if (end.how != ConnectEnd::How::silence && end.icmp && end.code != 0) return of_icmp(*end.icmp);
  if (end.how == ConnectEnd::How::silence || end.code == ETIMEDOUT)
    return {Kind::no_answer, PortState::filtered, "no answer"};
  switch (end.code) {
    case 0:
      return {Kind::verdict, PortState::open, "syn-ack"};
    case ECONNREFUSED:
      return {Kind::verdict, PortState::closed, "refused"};
    case ECONNRESET:
    case EPIPE:  // the same after the peer's FIN
      return {Kind::verdict, PortState::open, "reset after accept"};
    default:
      break;
  }
  if (end.how == ConnectEnd::How::later && is_of_icmp(end.code))
    return {Kind::verdict, PortState::filtered, errno_text(end.code)};
  return of_local_fault(end.code);
}

}  // namespace pier
