#include "event/dialer.h"

#include <algorithm>

#include "base/number.h"

namespace pier {

Dialer::Dialer(Loop& loop, DialPlan plan, Callback callback)
    : loop_(loop),
      plan_(std::move(plan)),
      callback_(std::move(callback)),
      deadline_(Deadline::after(plan_.wait)),
      pause_(plan_.first_pause) {
  attempt();
}

void Dialer::attempt() {
  ++tries_;
  ConnectPlan plan = plan_.connect;
  if (plan_.wait) {
    const Duration left = std::max(*deadline_.at() - now(), Duration::zero());
    plan.timeout = std::min(plan.timeout.value_or(plan_.attempt_limit), left);
  }
  const Deadline deadline = Deadline::after(plan.timeout);
  connector_ = std::make_unique<Connector>(
      loop_, std::move(plan),
      [this, deadline](Result<Connected> result, const std::vector<Attempt>& attempts) {
        if (result && plan_.then) return connected(std::move(*result), attempts, deadline);
        ended(std::move(result), attempts);
      });
}

void Dialer::connected(Connected reached, const std::vector<Attempt>& attempts, const Deadline& deadline) {
  Connected without{.fd = {}, .peer = reached.peer, .took = reached.took};
  then_ = plan_.then(
      loop_, std::move(reached), deadline,
      [this, without = std::make_shared<Connected>(std::move(without)), attempts](Result<void> result) {
        if (result) return ended(std::move(*without), attempts);
        ended(std::unexpected(result.error()), attempts);
      });
}

void Dialer::ended(Result<Connected> result, const std::vector<Attempt>& attempts) {
  const bool again = !result && plan_.wait &&
                     (result.error().kind == ErrorKind::failed || result.error().kind == ErrorKind::deadline);
  if (!again) {
    const Callback callback = std::move(callback_);  // it may destroy this dialer
    return callback(std::move(result), attempts);
  }
  // The last pause is cut short, so that an attempt is made near the end of the wait too.
  const Duration left = *deadline_.at() - now();
  const Duration pause = left > 2 * plan_.first_pause ? std::min(pause_, left - plan_.first_pause) : pause_;
  if (pause >= left) {
    // There is no time for another attempt: what is left is waited out, for the user asked for that long.
    pause_timer_ = loop_.timer(deadline_, [this, error = result.error(), attempts] {
      Error late = error;
      late.kind = ErrorKind::deadline;
      const std::string last = error.why.empty() ? errno_text(error.code) : error.why;
      late.why = "not up within " + format_duration(*plan_.wait) + ": " + last;
      const Callback callback = std::move(callback_);
      callback(std::unexpected(late), attempts);
    });
    return;
  }
  pause_timer_ = loop_.timer(Deadline(now() + pause), [this] { attempt(); });
  pause_ = std::min(pause_ * 2, plan_.last_pause);
}

}  // namespace pier
