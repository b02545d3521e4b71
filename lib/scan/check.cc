#include "scan/check.h"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>

#include "base/number.h"
#include "net/socket.h"
#include "scan/verdict.h"

namespace pier {

struct Checks::One {
  DialPlan plan;
  CheckResult result;
  std::unique_ptr<Dialer> dialer;
  Fd socket;  // datagrams: waiting for a reply
  Watch watch;
  Timer timer;
  TimePoint started = now();
  Duration pause{};  // until a datagram is sent again
  bool settled = false;
};

namespace {

// A name that does not resolve has no errno.
std::string fault_reason(const Error& error) {
  return error.code != 0 ? errno_text(error.code) : error.why;
}

// Of what follows connecting: what to do about it, after the semicolon, is for the error line.
std::string later_reason(const Error& error) {
  const std::string why = error.why.empty() ? errno_text(error.code) : error.why;
  return error.op + ": " + why.substr(0, why.find("; "));
}

}  // namespace

ConnectVerdict connect_verdict(int code) {
  // A Unix socket's path; and what only ICMP says here, for a fault of this host is told before.
  if (code == ENOENT) return {CheckState::closed, "no such socket"};
  if (code == EHOSTUNREACH) return {CheckState::filtered, "host unreachable"};
  if (code == ENETUNREACH) return {CheckState::filtered, "network unreachable"};
  if (code == EACCES || code == EPERM) return {CheckState::filtered, "prohibited"};
  Judgement judgement = judge({.how = ConnectEnd::How::later, .code = code});
  switch (judgement.state) {
    case PortState::open:
      return {CheckState::open, std::move(judgement.reason)};
    case PortState::closed:
      return {CheckState::closed, std::move(judgement.reason)};
    default:
      return {CheckState::filtered, std::move(judgement.reason)};
  }
}

Checks::Checks(Loop& loop, std::vector<DialPlan> plans, std::size_t at_once,
               std::function<void(std::vector<CheckResult>)> done)
    : loop_(loop), at_once_(std::max<std::size_t>(at_once, 1)), done_(std::move(done)) {
  for (DialPlan& plan : plans) {
    auto one = std::make_unique<One>();
    one->result.endpoint = plan.connect.endpoint;
    one->pause = plan.first_pause;
    one->plan = std::move(plan);
    all_.push_back(std::move(one));
  }
  start_next();
}

Checks::~Checks() = default;

void Checks::start_next() {
  while (started_ < all_.size() && started_ - settled_ < at_once_) dial(*all_[started_++]);
}

void Checks::dial(One& one) {
  DialPlan plan = one.plan;
  if (plan.wait) plan.wait = std::max(*plan.wait - (now() - begun_), Duration::zero());
  one.dialer = std::make_unique<Dialer>(
      loop_, std::move(plan),
      [this, &one](Result<Connected> connected, const std::vector<Attempt>& attempts) {
        dialled(one, std::move(connected), attempts);
      });
}

void Checks::dialled(One& one, Result<Connected> connected, const std::vector<Attempt>& attempts) {
  CheckResult& result = one.result;
  if (connected) {
    result.address = connected->peer;
    result.rtt = connected->took;
    // Connecting to a Unix datagram socket finds out whether somebody has it open; to a UDP port, nothing.
    if (one.plan.connect.endpoint.transport == Transport::udp)
      return probe_datagram(one, std::move(*connected));
    const bool tcp = one.plan.connect.endpoint.transport == Transport::tcp;
    return settle(one, CheckState::open, tcp ? "syn-ack" : "connected", ErrorKind::failed);
  }
  result.error = connected.error();
  // A refusal is an answer, so it says more than another address's silence.
  const Attempt* best = nullptr;
  for (const Attempt& attempt : attempts) {
    if (attempt.local) continue;
    const bool answered =
        attempt.end == Attempt::End::failed && connect_verdict(attempt.code).state != CheckState::filtered;
    if (best == nullptr || answered) best = &attempt;
  }
  if (best == nullptr) {
    if (!attempts.empty()) result.address = attempts.front().address;
    return settle(one, CheckState::fault, fault_reason(connected.error()), connected.error().kind);
  }
  result.address = best->address;
  result.rtt = best->took;
  // Somebody accepted, and what had to follow failed: TLS, for one.
  if (best->end == Attempt::End::connected)
    return settle(one, CheckState::closed, later_reason(*result.error),
                  one.plan.wait ? ErrorKind::deadline : ErrorKind::failed);
  const ConnectVerdict verdict =
      connect_verdict(best->end == Attempt::End::no_answer ? ETIMEDOUT : best->code);
  const bool out_of_wait = one.plan.wait.has_value();
  settle(one, verdict.state, verdict.reason,
         out_of_wait                           ? ErrorKind::deadline
         : verdict.state == CheckState::closed ? ErrorKind::failed
                                               : ErrorKind::unknown);
}

// An empty datagram asks; a reply says open, an ICMP port unreachable closed, silence nothing.
void Checks::probe_datagram(One& one, Connected connected) {
  one.socket = std::move(connected.fd);
  one.started = now();
  one.result.error = Error{ErrorKind::unknown, "check", one.plan.connect.endpoint.to_string(), 0, {}};
  if (::send(one.socket.get(), "", 0, MSG_NOSIGNAL) < 0) {
    const ConnectVerdict verdict = connect_verdict(errno);
    return probe_ended(one, verdict.state, verdict.reason, ErrorKind::failed);
  }
  auto watch = loop_.watch(one.socket.get(), Interest::read, [this, &one](Ready) {
    one.result.rtt = now() - one.started;
    char byte = 0;
    if (::recv(one.socket.get(), &byte, 1, MSG_DONTWAIT) >= 0)
      return settle(one, CheckState::open, "reply", ErrorKind::failed);
    if (errno == EAGAIN) return;
    const ConnectVerdict verdict = connect_verdict(errno);
    probe_ended(one, verdict.state, verdict.state == CheckState::closed ? "port unreachable" : verdict.reason,
                verdict.state == CheckState::closed ? ErrorKind::failed : ErrorKind::unknown);
  });
  if (!watch) return settle(one, CheckState::fault, fault_reason(watch.error()), ErrorKind::local);
  one.watch = std::move(*watch);
  one.timer = loop_.timer(Deadline::after(one.plan.connect.timeout.value_or(kDatagramTimeout)), [this, &one] {
    one.result.rtt = now() - one.started;
    probe_ended(one, CheckState::open_filtered, "no answer", ErrorKind::unknown);
  });
}

// A refusal is asked about again while there is time left to wait. Silence is not: most services say nothing
// to an empty datagram.
void Checks::probe_ended(One& one, CheckState state, std::string reason, ErrorKind kind) {
  if (!one.plan.wait || state == CheckState::open_filtered)
    return settle(one, state, std::move(reason), kind);
  if (now() + one.pause >= begun_ + *one.plan.wait) {
    one.result.error->why = "not up within " + format_duration(*one.plan.wait) + ": " + reason;
    return settle(one, state, std::move(reason), ErrorKind::deadline);
  }
  one.watch.cancel();
  one.socket.reset();
  one.timer = loop_.timer(Deadline(now() + one.pause), [this, &one] { dial(one); });
  one.pause = std::min(one.pause * 2, one.plan.last_pause);
}

void Checks::settle(One& one, CheckState state, std::string reason, ErrorKind kind) {
  one.result.state = state;
  one.result.reason = std::move(reason);
  one.settled = true;
  one.watch.cancel();
  one.timer.cancel();
  one.socket.reset();
  if (state == CheckState::open)
    one.result.error.reset();
  else if (one.result.error)
    one.result.error->kind = kind;
  if (++settled_ < all_.size()) return start_next();
  const auto done = std::move(done_);
  done(results());
}

std::vector<CheckResult> Checks::results() const {
  std::vector<CheckResult> results;
  for (const auto& one : all_)
    if (one->settled) results.push_back(one->result);
  return results;
}

}  // namespace pier
