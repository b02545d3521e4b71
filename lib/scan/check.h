// Are they up? Reaches endpoints, all at once (--check, --wait).
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "event/loop.h"
#include "scan/check_result.h"
#include "scan/reach.h"

namespace pier {

struct CheckRules {
  std::size_t at_once = 1;       // so many are under way at most
  bool first_is_enough = false;  // with `wait`: it ends when one is up
};

class Checks {
 public:
  // How many descriptors one check may need: a socket for each family, and what resolving a name takes.
  static constexpr std::size_t kDescriptorsEach = 6;

  // `done` runs once, from the loop. Destroying it cancels. The time that a plan waits for its turn counts
  // for its `wait`.
  Checks(Loop& loop, std::vector<ReachPlan> plans, const CheckRules& rules, std::function<void()> done);
  ~Checks();
  Checks(const Checks&) = delete;
  Checks& operator=(const Checks&) = delete;

  // What is known by now, in the plans' order: of each that has ended, and of the others what the last
  // attempt came to, where there was one. The kind of its error is by its state: `closed` is failed,
  // `filtered` unknown; deadline where `wait` has passed.
  [[nodiscard]] std::vector<CheckResult> results() const;

  // For a line of progress.
  [[nodiscard]] std::size_t size() const { return all_.size(); }
  [[nodiscard]] std::size_t ready() const { return ready_; }
  // The result of one that is still tried, or nullptr, and how often it has been.
  [[nodiscard]] const CheckResult* pending(int& tries) const;

 private:
  struct One;
  void start_next();
  void ended(One& one, CheckResult result);

  Loop& loop_;
  std::vector<std::unique_ptr<One>> all_;
  CheckRules rules_;
  std::size_t started_ = 0;
  std::size_t settled_ = 0;
  std::size_t ready_ = 0;
  TimePoint begun_ = now();
  std::function<void()> done_;
  bool over_ = false;
};

}  // namespace pier
