#include "scan/check.h"

#include <algorithm>

namespace pier {

struct Checks::One {
  ReachPlan plan;
  bool waits = false;
  std::unique_ptr<Reach> reach;
  std::optional<CheckResult> result;
};

namespace {

// The exit code of a check is about what is known, not about which call has told it. `waited`: time was up.
CheckResult by_state(CheckResult result, bool waited) {
  if (!result.error || result.error->kind == ErrorKind::usage || result.error->kind == ErrorKind::local)
    return result;
  if (waited && result.error->kind == ErrorKind::deadline) return result;
  switch (result.state) {
    case CheckState::open:  // though not as it was wanted
    case CheckState::closed:
      result.error->kind = ErrorKind::failed;
      break;
    case CheckState::filtered:
    case CheckState::open_filtered:
      result.error->kind = ErrorKind::unknown;
      break;
    case CheckState::fault:
      break;
  }
  return result;
}

}  // namespace

Checks::Checks(Loop& loop, std::vector<ReachPlan> plans, const CheckRules& rules, std::function<void()> done)
    : loop_(loop), rules_(rules), done_(std::move(done)) {
  for (ReachPlan& plan : plans) {
    all_.push_back(std::make_unique<One>());
    all_.back()->waits = plan.wait.has_value();
    all_.back()->plan = std::move(plan);
  }
  rules_.at_once = std::max<std::size_t>(rules_.at_once, 1);
  start_next();
}

Checks::~Checks() = default;

void Checks::start_next() {
  while (started_ < all_.size() && started_ - settled_ < rules_.at_once) {
    One& one = *all_[started_++];
    one.reach = std::make_unique<Reach>(
        loop_, std::move(one.plan), begun_,
        [this, &one](CheckResult result, std::optional<Reached>) { ended(one, std::move(result)); });
  }
}

void Checks::ended(One& one, CheckResult result) {
  one.result = by_state(std::move(result), one.waits);
  one.reach.reset();
  ++settled_;
  if (!one.result->error) ++ready_;
  const bool enough = rules_.first_is_enough && ready_ > 0;
  if (settled_ < all_.size() && !enough) return start_next();
  if (std::exchange(over_, true)) return;
  const auto done = std::move(done_);
  done();
}

std::vector<CheckResult> Checks::results() const {
  std::vector<CheckResult> results;
  for (const auto& one : all_) {
    if (one->result)
      results.push_back(*one->result);
    else if (one->reach && one->reach->latest())
      results.push_back(by_state(*one->reach->latest(), false));
  }
  return results;
}

const CheckResult* Checks::pending(int& tries) const {
  for (const auto& one : all_) {
    if (one->result || !one->reach || !one->reach->latest()) continue;
    tries = one->reach->tries();
    return &*one->reach->latest();
  }
  return nullptr;
}

}  // namespace pier
