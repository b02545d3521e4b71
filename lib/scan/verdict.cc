#include "scan/verdict.h"

#include <algorithm>
#include <array>
#include <cerrno>

#include "base/error.h"

namespace pier {
namespace {

using Kind = Judgement::Kind;

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
  if (is_no_neighbour(icmp)) return judge_no_neighbour();
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

Judgement judge_no_neighbour() {
  return {Kind::verdict, PortState::filtered, "host unreachable (no neighbour answers)"};
}

Judgement judge(const ConnectEnd& end) {
  if (end.to_itself) return {Kind::to_itself, PortState::error, "would connect to itself"};
  if (end.how != ConnectEnd::How::silence && end.icmp) return of_icmp(*end.icmp);
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

Judgement judge_datagram(const DatagramEnd& end) {
  if (end.answered)
    return {Kind::verdict, PortState::open,
            end.service.empty() ? "reply" : "reply (" + std::string(end.service) + ")"};
  if (end.how == ConnectEnd::How::silence) return {Kind::no_answer, PortState::open_filtered, "no answer"};
  if (end.icmp && is_port_unreachable(*end.icmp) && !end.icmp->from_this_host)
    return {Kind::verdict, end.icmp->from_target ? PortState::closed : PortState::filtered,
            describe(*end.icmp)};
  if (end.icmp) return of_icmp(*end.icmp);
  if (end.code == ECONNREFUSED) return {Kind::verdict, PortState::closed, "port unreachable"};
  if (end.how == ConnectEnd::How::later && is_of_icmp(end.code))
    return {Kind::verdict, PortState::filtered, errno_text(end.code)};
  return of_local_fault(end.code);
}

}  // namespace pier
