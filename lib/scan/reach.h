// Reaching one endpoint with patience: attempts, until it is ready or time is up (--wait).
#pragma once

#include <functional>
#include <memory>
#include <optional>

#include "event/loop.h"
#include "scan/check_result.h"
#include "scan/reach_attempt.h"

namespace pier {

// What can't change by waiting (wrong usage, a local fault) is not tried again. When time is up the error is
// ErrorKind::deadline and says what the last attempt came to.
class Reach {
 public:
  // Once, never from inside the constructor. `reached` is there where the result has no error.
  using Done = std::function<void(CheckResult, std::optional<Reached>)>;

  // `begun`: from when on `plan.wait` counts. Destroying it cancels.
  Reach(Loop& loop, ReachPlan plan, TimePoint begun, Done done);
  Reach(const Reach&) = delete;
  Reach& operator=(const Reach&) = delete;

  [[nodiscard]] int tries() const { return tries_; }  // attempts begun
  // What the last finished attempt came to, or nothing before the first.
  [[nodiscard]] const std::optional<CheckResult>& latest() const { return latest_; }

 private:
  void attempt();
  void ended(ReachAttempt::End end);
  [[nodiscard]] Duration pause_after(const CheckResult& check);
  void out_of_time();
  void finish(CheckResult check, std::optional<Reached> reached);

  Loop& loop_;
  ReachPlan plan_;
  Deadline deadline_;
  Done done_;
  Duration pause_;
  TimePoint attempt_begun_{};
  Timer timer_;
  std::unique_ptr<ReachAttempt> attempt_;
  std::optional<CheckResult> latest_;
  int tries_ = 0;
};

}  // namespace pier
