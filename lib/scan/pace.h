// How fast: not more than a rate, evenly.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>

#include "base/clock.h"

namespace pier {

// In any stretch of time t at most rate × t probes, and those of 10 ms more: the timers under it tick in
// milliseconds, and a tick that came late must not slow the whole down.
class Pace {
 public:
  // Probes a second, at least 1; without it there is no limit.
  explicit Pace(std::optional<std::uint64_t> rate = {})
      : interval_(rate ? Duration(std::chrono::seconds(1)) / static_cast<std::int64_t>(*rate)
                       : Duration::zero()) {}

  // When the next probe may go; never in the past of `when`.
  [[nodiscard]] TimePoint next(TimePoint when) const { return std::max(next_, when); }
  [[nodiscard]] bool allows(TimePoint when) const { return next_ <= when; }
  void sent(TimePoint when) {
    if (interval_ > Duration::zero()) next_ = std::max(next_, when - kCatchUp) + interval_;
  }

  // The time between two probes; zero without a limit.
  [[nodiscard]] Duration interval() const { return interval_; }
  void set_interval(Duration interval) { interval_ = interval; }

 private:
  static constexpr Duration kCatchUp = std::chrono::milliseconds(10);
  Duration interval_;
  TimePoint next_ = TimePoint::min();
};

}  // namespace pier
