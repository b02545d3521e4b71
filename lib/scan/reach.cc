#include "scan/reach.h"

#include <algorithm>

#include "base/number.h"
#include "net/interfaces.h"

namespace pier {
namespace {

bool is_of_this_host(const SocketAddress& address) {
  if (!address.is_ip()) return address.is_unix();
  return address.ip().is_loopback() || !interface_of(address.ip()).empty();
}

}  // namespace

Reach::Reach(Loop& loop, ReachPlan plan, TimePoint begun, Done done)
    : loop_(loop),
      plan_(std::move(plan)),
      deadline_(plan_.wait ? Deadline(begun + *plan_.wait) : Deadline()),
      done_(std::move(done)),
      pause_(plan_.first_pause) {
  attempt();
}

void Reach::attempt() {
  ++tries_;
  attempt_begun_ = now();
  attempt_ = std::make_unique<ReachAttempt>(loop_, plan_, deadline_,
                                            [this](ReachAttempt::End end) { ended(std::move(end)); });
}

void Reach::ended(ReachAttempt::End end) {
  const bool patient = plan_.wait || plan_.until_closed;
  if (!end.check.error || !patient || !end.may_change)
    return finish(std::move(end.check), std::move(end.reached));
  // An attempt that the deadline has cut short has less to say than the one before.
  const bool cut_short = deadline_.passed() && latest_;
  if (!cut_short) latest_ = std::move(end.check);
  if (deadline_.passed()) return out_of_time();
  const Duration pause = pause_after(*latest_);
  const TimePoint next = std::max(attempt_begun_ + pause, now());
  if (!deadline_.never() && next >= *deadline_.at())
    timer_ = loop_.timer(deadline_, [this] { out_of_time(); });
  else
    timer_ = loop_.timer(Deadline(next), [this] { attempt(); });
}

// The last pause is cut short, so that an attempt is made near the end of the wait too.
Duration Reach::pause_after(const CheckResult& check) {
  const bool answered = check.state == CheckState::closed || check.state == CheckState::open;
  const bool near = answered && check.address && is_of_this_host(*check.address);
  const Duration pause = std::min(pause_, near ? plan_.near_pause : plan_.last_pause);
  pause_ = std::min(pause_ * 2, plan_.last_pause);
  if (deadline_.never()) return pause;
  const Duration left = *deadline_.at() - attempt_begun_;
  return left > 2 * plan_.first_pause ? std::min(pause, left - plan_.first_pause) : pause;
}

void Reach::out_of_time() {
  CheckResult check = std::move(*latest_);
  const std::string last = check.error->why.empty() ? errno_text(check.error->code) : check.error->why;
  check.error->kind = ErrorKind::deadline;
  check.error->why = (plan_.until_closed ? "not closed within " : "not up within ") +
                     format_duration(*plan_.wait) + ": " + last;
  finish(std::move(check), std::nullopt);
}

// The last thing done: the callback may destroy this.
void Reach::finish(CheckResult check, std::optional<Reached> reached) {
  const Done done = std::move(done_);
  done(std::move(check), std::move(reached));
}

}  // namespace pier
