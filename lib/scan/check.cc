#include "scan/check.h"

#include <sys/socket.h>

#include <cerrno>

#include "net/socket.h"

namespace pier {

struct Checks::One {
  DialPlan plan;
  CheckResult result;
  std::unique_ptr<Dialer> dialer;
  Fd socket;  // datagrams: waiting for a reply
  Watch watch;
  Timer timer;
  TimePoint started = now();
};

ConnectVerdict connect_verdict(int code) {
  switch (code) {
    case 0:
      return {CheckState::open, "syn-ack"};
    case ECONNREFUSED:
      return {CheckState::closed, "refused"};
    case ECONNRESET:
      return {CheckState::closed, "reset"};
    case ENOENT:
      return {CheckState::closed, "no such socket"};
    case ETIMEDOUT:
      return {CheckState::filtered, "no answer"};
    case EHOSTUNREACH:
      return {CheckState::filtered, "host unreachable"};
    case ENETUNREACH:
      return {CheckState::filtered, "network unreachable"};
    case EACCES:
    case EPERM:
      return {CheckState::filtered, "prohibited"};
    default:
      return {CheckState::filtered, errno_text(code)};
  }
}

Checks::Checks(Loop& loop, std::vector<DialPlan> plans, std::function<void(std::vector<CheckResult>)> done)
    : loop_(loop), open_questions_(plans.size()), done_(std::move(done)) {
  for (DialPlan& plan : plans) {
    auto one = std::make_unique<One>();
    one->result.endpoint = plan.connect.endpoint;
    one->plan = std::move(plan);
    One& reference = *one;
    all_.push_back(std::move(one));
    reference.dialer = std::make_unique<Dialer>(
        loop_, reference.plan,
        [this, &reference](Result<Connected> connected, const std::vector<Attempt>& attempts) {
          dialled(reference, std::move(connected), attempts);
        });
  }
}

Checks::~Checks() = default;

void Checks::dialled(One& one, Result<Connected> connected, const std::vector<Attempt>& attempts) {
  CheckResult& result = one.result;
  if (connected) {
    result.address = connected->peer;
    result.rtt = connected->took;
    if (is_datagram(one.plan.connect.endpoint.transport)) return probe_datagram(one, std::move(*connected));
    const bool tcp = one.plan.connect.endpoint.transport == Transport::tcp;
    return settle(one, CheckState::open, tcp ? "syn-ack" : "connected", ErrorKind::failed);
  }
  result.error = connected.error();
  // A refusal is an answer, so it says more than another address's silence.
  const Attempt* best = nullptr;
  for (const Attempt& attempt : attempts) {
    if (attempt.local) continue;
    const bool answered = !attempt.no_answer && connect_verdict(attempt.code).state == CheckState::closed;
    if (best == nullptr || answered) best = &attempt;
  }
  if (best == nullptr) {
    if (!attempts.empty()) result.address = attempts.front().address;
    return settle(one, CheckState::fault, errno_text(connected.error().code), connected.error().kind);
  }
  result.address = best->address;
  result.rtt = best->took;
  const ConnectVerdict verdict = connect_verdict(best->no_answer ? ETIMEDOUT : best->code);
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
    return settle(one, verdict.state, verdict.reason, ErrorKind::failed);
  }
  auto watch = loop_.watch(one.socket.get(), Interest::read, [this, &one](Ready) {
    one.result.rtt = now() - one.started;
    char byte = 0;
    if (::recv(one.socket.get(), &byte, 1, MSG_DONTWAIT) >= 0)
      return settle(one, CheckState::open, "reply", ErrorKind::failed);
    if (errno == EAGAIN) return;
    const ConnectVerdict verdict = connect_verdict(errno);
    settle(one, verdict.state, verdict.state == CheckState::closed ? "port unreachable" : verdict.reason,
           verdict.state == CheckState::closed ? ErrorKind::failed : ErrorKind::unknown);
  });
  if (!watch) return settle(one, CheckState::fault, "", ErrorKind::local);
  one.watch = std::move(*watch);
  one.timer = loop_.timer(Deadline::after(one.plan.connect.timeout.value_or(kDatagramTimeout)), [this, &one] {
    one.result.rtt = now() - one.started;
    settle(one, CheckState::open_filtered, "no answer", ErrorKind::unknown);
  });
}

void Checks::settle(One& one, CheckState state, std::string reason, ErrorKind kind) {
  one.result.state = state;
  one.result.reason = std::move(reason);
  one.watch.cancel();
  one.timer.cancel();
  if (state == CheckState::open)
    one.result.error.reset();
  else if (one.result.error)
    one.result.error->kind = kind;
  if (--open_questions_ > 0) return;
  std::vector<CheckResult> results;
  for (const auto& each : all_) results.push_back(each->result);
  const auto done = std::move(done_);
  done(std::move(results));
}

}  // namespace pier
