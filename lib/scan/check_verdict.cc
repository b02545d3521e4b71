#include "scan/check_verdict.h"

#include <cerrno>

#include "scan/verdict.h"

namespace pier {
namespace {

CheckVerdict of(Judgement judgement) {
  switch (judgement.state) {
    case PortState::open:
      return {CheckState::open, std::move(judgement.reason)};
    case PortState::closed:
      return {CheckState::closed, std::move(judgement.reason)};
    case PortState::error:
      return {CheckState::fault, std::move(judgement.reason)};
    default:
      return {CheckState::filtered, std::move(judgement.reason)};
  }
}

CheckVerdict of_errno(int code) {
  // A Unix socket's path; and what connect(2) says of itself where there is no route.
  if (code == ENOENT) return {CheckState::closed, "no such socket"};
  if (code == EHOSTUNREACH) return {CheckState::filtered, "host unreachable (no route from this host)"};
  if (code == ENETUNREACH) return {CheckState::filtered, "network unreachable (no route from this host)"};
  if (code == EACCES || code == EPERM) return {CheckState::filtered, "prohibited"};
  return of(judge({.how = ConnectEnd::How::later, .code = code}));
}

}  // namespace

CheckVerdict verdict_of(const Attempt& attempt, Transport transport) {
  switch (attempt.end) {
    case Attempt::End::connected:
      return {CheckState::open, transport == Transport::tcp ? "syn-ack" : "connected"};
    case Attempt::End::no_answer:
    case Attempt::End::overtaken:
      return of_errno(ETIMEDOUT);
    case Attempt::End::failed:
      break;
  }
  if (attempt.local) return {CheckState::fault, errno_text(attempt.code)};
  // Virtual machine sockets know no other refusal (vsock(7)).
  if (transport == Transport::vsock && attempt.code == ECONNRESET) return {CheckState::closed, "refused"};
  if (attempt.icmp)
    return of(judge({.how = ConnectEnd::How::later, .code = attempt.code, .icmp = attempt.icmp}));
  return of_errno(attempt.code);
}

CheckVerdict datagram_verdict(int code, const std::optional<IcmpError>& icmp) {
  if (icmp ? is_port_unreachable(*icmp) : code == ECONNREFUSED)
    return {CheckState::closed, "port unreachable"};
  if (icmp) return of(judge({.how = ConnectEnd::How::later, .code = code, .icmp = icmp}));
  return of_errno(code);
}

const Attempt* most_telling(const std::vector<Attempt>& attempts, Transport transport) {
  const Attempt* best = nullptr;
  CheckState state = CheckState::fault;
  for (const Attempt& attempt : attempts) {
    const CheckState its = verdict_of(attempt, transport).state;
    // The states stand in this order: open, closed, filtered, then what says less.
    if (its >= state) continue;
    best = &attempt;
    state = its;
  }
  return best;
}

}  // namespace pier
