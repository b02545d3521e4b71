// Connecting with patience: tries again until the peer is up (--wait).
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "event/connector.h"
#include "event/loop.h"

namespace pier {

struct DialPlan {
  // What must succeed too before the peer counts as up, such as a TLS handshake. It takes over the connected
  // descriptor and calls back once, later; destroying what it returns cancels.
  using Then = std::function<std::shared_ptr<void>(Loop&, Connected, const Deadline&,
                                                   std::function<void(Result<void>)>)>;

  ConnectPlan connect;           // its timeout is that of each attempt
  Then then = {};                // of each attempt, and within its time
  std::optional<Duration> wait;  // try until then; without it there is one attempt
  // After a failed attempt, how long until the next: doubled each time from the first to the last value. A
  // port that opens is noticed soon, and a host that stays away for a minute is not hammered.
  Duration first_pause = std::chrono::milliseconds(25);
  Duration last_pause = std::chrono::seconds(1);
  // Of each attempt where connect.timeout is not set and `wait` is: a host that comes up answers the next
  // attempt sooner than the kernel's own second or third SYN.
  Duration attempt_limit = std::chrono::seconds(1);
};

// Calls back once, never from inside the constructor; destroying it cancels. After a `then` the result has
// no descriptor, for `then` has it. What can't change by waiting
// (wrong usage, a local fault) is not tried again. When time is up the error is ErrorKind::deadline and says
// what the last attempt came to.
class Dialer {
 public:
  using Callback = Connector::Callback;

  Dialer(Loop& loop, DialPlan plan, Callback callback);
  Dialer(const Dialer&) = delete;
  Dialer& operator=(const Dialer&) = delete;

  [[nodiscard]] int tries() const { return tries_; }

 private:
  void attempt();
  void connected(Connected connected, const std::vector<Attempt>& attempts, const Deadline& deadline);
  void ended(Result<Connected> result, const std::vector<Attempt>& attempts);

  Loop& loop_;
  DialPlan plan_;
  Callback callback_;
  Deadline deadline_;
  Duration pause_;
  Timer pause_timer_;
  std::unique_ptr<Connector> connector_;
  std::shared_ptr<void> then_;
  int tries_ = 0;
};

}  // namespace pier
