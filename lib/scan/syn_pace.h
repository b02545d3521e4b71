// How many SYNs may go now.
#pragma once

#include <algorithm>
#include <cstddef>

#include "base/clock.h"

namespace pier {

// A token bucket that holds a millisecond's worth and at least one: who was kept from sending, by the
// scheduler or a full queue, does not make up for it by a burst, which others would have to drop.
class SynPace {
 public:
  // Probes a second, above 0.
  void set_rate(double rate) { rate_ = rate; }
  [[nodiscard]] double rate() const { return rate_; }

  [[nodiscard]] std::size_t allowance(TimePoint when) {
    tokens_ = std::min(depth(), tokens_ + rate_ * seconds(std::max(when - filled_, Duration::zero())));
    filled_ = when;
    return static_cast<std::size_t>(tokens_);
  }
  void take(std::size_t count) { tokens_ -= static_cast<double>(count); }

  // When it is worth asking again: one probe a time up to 20,000 a second, then more with each call.
  [[nodiscard]] TimePoint next() const {
    const double wanted = std::clamp(rate_ / 20'000, 1.0, std::max(1.0, depth() / 2));
    const double missing = std::max(0.0, wanted - tokens_) / rate_;
    return filled_ + std::chrono::duration_cast<Duration>(std::chrono::duration<double>(missing));
  }

 private:
  [[nodiscard]] double depth() const { return std::max(1.0, rate_ / 1000); }
  double rate_ = 1;
  double tokens_ = 1;
  TimePoint filled_ = now();
};

}  // namespace pier
