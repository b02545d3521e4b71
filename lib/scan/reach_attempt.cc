#include "scan/reach_attempt.h"

#include <cerrno>

#include "base/number.h"
#include "net/socket.h"
#include "stream/socket_stream.h"

namespace pier {
namespace {

// A proxy that asks for a password closes the connection first, and perhaps once more for a new nonce.
constexpr int kMostBeginnings = 3;

// A name that does not resolve has no errno.
std::string fault_reason(const Error& error) {
  return error.code != 0 && error.why.empty() ? errno_text(error.code) : error.why;
}

// Of what follows connecting: what to do about it, after the semicolon, is for the error line.
std::string later_reason(const Error& error) {
  const std::string why = fault_reason(error);
  return error.op + ": " + why.substr(0, why.find("; "));
}

// A proxy that is not to be reached says nothing of the endpoint.
Error of_proxy(Error error) {
  if (error.op == "connect") error.op = "connect to proxy";
  return error;
}

Deadline earlier(const Deadline& a, const Deadline& b) {
  if (a.never() || b.never()) return a.never() ? b : a;
  return *a.at() < *b.at() ? a : b;
}

}  // namespace

ReachAttempt::ReachAttempt(Loop& loop, const ReachPlan& plan, const Deadline& deadline, Done done)
    : loop_(loop), plan_(plan), deadline_(deadline), done_(std::move(done)) {
  end_.check.endpoint = plan.endpoint;
  connect();
}

void ReachAttempt::connect() {
  ConnectPlan plan = plan_.connect;
  if (plan_.wait && !plan.timeout) plan.race_timeout = plan_.attempt_limit;
  if (!deadline_.never()) {
    const Duration left = std::max(*deadline_.at() - now(), Duration::zero());
    plan.timeout = std::min(plan.timeout.value_or(left), left);
  }
  connector_ = std::make_unique<Connector>(
      loop_, std::move(plan), [this](Result<Connected> result, const std::vector<Attempt>& attempts) {
        if (result) return connected(std::move(*result));
        not_connected(result.error(), attempts);
      });
}

void ReachAttempt::not_connected(const Error& error, const std::vector<Attempt>& attempts) {
  CheckResult& check = end_.check;
  if (plan_.proxies > 0) return not_passed(of_proxy(error), true);
  check.error = error;
  end_.may_change = error.kind == ErrorKind::failed || error.kind == ErrorKind::deadline;
  const Transport transport = plan_.endpoint.transport;
  const Attempt* const best = most_telling(attempts, transport);
  if (best == nullptr) {
    if (!attempts.empty()) check.address = attempts.front().address;
    check.reason = fault_reason(error);
    return finish();
  }
  CheckVerdict verdict = verdict_of(*best, transport);
  check.address = best->address;
  check.rtt = best->took;
  check.state = verdict.state;
  check.reason = std::move(verdict.reason);
  if (check.state == CheckState::open && plan_.ready.any()) {
    check.state = CheckState::closed;
    check.reason = "accepted, then reset";
  }
  const bool accepted = check.state == CheckState::open && !plan_.session && !plan_.handshaker;
  if (plan_.until_closed ? check.state == CheckState::closed : accepted) check.error.reset();
  finish();
}

void ReachAttempt::connected(Connected connected) {
  CheckResult& check = end_.check;
  connected_at_ = now();
  if (plan_.proxies == 0) check.address = connected.peer;
  check.rtt = connected.took;
  check.state = CheckState::open;
  reached_.peer = connected.peer;
  reached_.local = local_address(connected.fd.get());
  reached_.file = std::move(connected.file);
  reached_.deferred = connected.deferred;
  reached_.many = connected.many;
  reached_.fd = std::move(connected.fd);
  if (plan_.question) return ask();
  go_on();
}

// What comes next on the way.
void ReachAttempt::go_on() {
  if (passed_ < plan_.passages.size()) return pass(*plan_.passages[passed_]);
  if (plan_.until_closed) return not_ready({CheckState::open, "syn-ack"});
  if (plan_.handshaker) return handshake();
  if (plan_.ready.any() && !is_datagram(plan_.endpoint.transport)) {
    if (!reached_.stream) reached_.stream = std::make_unique<SocketStream>(std::move(reached_.fd));
    return begin_trial();
  }
  give_back();
  if (plan_.proxies > 0) {
    end_.check.rtt = now() - begun_;
    return up("connected by proxy");
  }
  up(plan_.endpoint.transport == Transport::tcp ? "syn-ack" : "connected");
}

// When the passages and the handshake have to be over.
Deadline ReachAttempt::limit() const {
  if (plan_.connect.timeout) return earlier(deadline_, Deadline(begun_ + *plan_.connect.timeout));
  if (plan_.wait) return earlier(deadline_, Deadline(connected_at_ + plan_.handshake_limit));
  return deadline_;
}

void ReachAttempt::pass(Passage& passage) {
  if (!reached_.stream) reached_.stream = std::make_unique<SocketStream>(std::move(reached_.fd));
  handshake_ = passage.start(loop_, std::move(reached_.stream), limit(),
                             [this](Result<PassageEnd> end) { passed(std::move(end)); });
}

void ReachAttempt::passed(Result<PassageEnd> end) {
  if (!end) {
    // One proxy that does not reach the next says nothing of the endpoint either.
    const bool next_is_proxy = passed_ + 1 < plan_.proxies;
    return not_passed(next_is_proxy ? of_proxy(end.error()) : end.error(), passed_ < plan_.proxies);
  }
  if (!end->stream) {
    if (++beginnings_ > kMostBeginnings)
      return not_passed(Error{ErrorKind::failed, "proxy", "", 0, "it asks for one connection after another"},
                        true);
    passed_ = 0;
    return connect();
  }
  reached_.stream = std::move(end->stream);
  ++passed_;
  go_on();
}

// The way has ended before the endpoint, unless a proxy says that it was the endpoint; or at its door.
void ReachAttempt::not_passed(const Error& error, bool by_proxy) {
  CheckResult& check = end_.check;
  check.error = error;
  check.rtt = now() - begun_;
  const bool refused = by_proxy && error.op == "connect" && error.code == ECONNREFUSED;
  check.state = refused || !by_proxy ? CheckState::closed : CheckState::filtered;
  check.reason = error.op == "connect" ? fault_reason(error) : later_reason(error);
  end_.may_change = error.kind == ErrorKind::failed || error.kind == ErrorKind::deadline;
  if (plan_.until_closed && refused) check.error.reset();
  finish();
}

void ReachAttempt::handshake() {
  if (!reached_.stream) reached_.stream = std::make_unique<SocketStream>(std::move(reached_.fd));
  handshake_ = plan_.handshaker->start(loop_, std::move(reached_.stream), name_of(plan_.endpoint), limit(),
                                       [this](Result<std::unique_ptr<Stream>> stream) {
                                         if (!stream) {
                                           end_.check.error = stream.error();
                                           end_.check.state = stream.error().kind == ErrorKind::deadline
                                                                  ? CheckState::filtered
                                                                  : CheckState::closed;
                                           end_.check.reason = later_reason(stream.error());
                                           end_.may_change = stream.error().kind != ErrorKind::local;
                                           return finish();
                                         }
                                         reached_.stream = std::move(*stream);
                                         if (plan_.ready.any()) return begin_trial();
                                         up("tls");
                                       });
}

void ReachAttempt::begin_trial() {
  trial_ = std::make_unique<ReadinessTrial>(loop_, *reached_.stream, plan_.ready, connected_at_, deadline_,
                                            [this](ReadinessTrial::End end) {
                                              reached_.received = std::move(end.received);
                                              if (end.against) return not_ready(*end.against);
                                              give_back();
                                              up(plan_.ready.expect ? "match" : "stable");
                                            });
}

// A plain socket of which nothing has been read is worth more than a stream over it.
void ReachAttempt::give_back() {
  trial_.reset();
  auto* const plain = dynamic_cast<SocketStream*>(reached_.stream.get());
  if (plain == nullptr || !reached_.received.empty()) return;
  reached_.fd = plain->release();
  reached_.stream.reset();
}

void ReachAttempt::ask() {
  datagram_trial_ = std::make_unique<DatagramTrial>(
      loop_, reached_.fd, reached_.peer, *plan_.question, deadline_, [this](DatagramTrial::End end) {
        end_.check.rtt = end.took;
        // Most services say nothing to an empty datagram: asking again would be no wiser.
        end_.may_change = end.verdict.state != CheckState::open_filtered || plan_.question->telling;
        const bool wanted = plan_.until_closed ? end.verdict.state == CheckState::closed : end.ready;
        if (!wanted) return not_ready(end.verdict);
        end_.check.state = end.verdict.state;
        up(end.verdict.reason);
      });
}

void ReachAttempt::not_ready(const CheckVerdict& verdict) {
  CheckResult& check = end_.check;
  check.state = verdict.state;
  check.reason = verdict.reason;
  const ErrorKind kind = verdict.state == CheckState::fault ? ErrorKind::local
                         : verdict.state == CheckState::open || verdict.state == CheckState::closed
                             ? ErrorKind::failed
                             : ErrorKind::unknown;
  const bool open = plan_.until_closed && verdict.state == CheckState::open;
  check.error = Error{kind, "connect", name_of(plan_.endpoint), 0, open ? "still open" : verdict.reason};
  finish();
}

void ReachAttempt::up(std::string reason) {
  end_.check.reason = std::move(reason);
  end_.reached = std::move(reached_);
  finish();
}

// The last thing done: the callback may destroy this.
void ReachAttempt::finish() {
  trial_.reset();
  datagram_trial_.reset();
  const Done done = std::move(done_);
  done(std::move(end_));
}

}  // namespace pier
