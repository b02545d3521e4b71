// How many bytes may move now when only so many may move in a second: a token bucket, without a clock of its
// own.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "base/clock.h"

namespace pier {

// One token a byte. The bucket holds what flows in 50 ms (at least one byte), so that a late timer costs no
// throughput and a burst is not noticed by a person; it is full at the start. Over any t seconds at most
// rate * t + burst bytes are allowed.
class RateLimit {
 public:
  // `rate` in bytes a second, at least 1.
  explicit RateLimit(std::uint64_t rate) : rate_(static_cast<double>(std::max<std::uint64_t>(rate, 1))) {}

  [[nodiscard]] std::size_t burst() const { return static_cast<std::size_t>(std::max(1.0, rate_ / 20)); }

  // How many bytes may move at `when`, which does not go back from call to call.
  [[nodiscard]] std::size_t allowance(TimePoint when) const {
    const double tokens = seconds(when - paid_until_) * rate_ + 1e-6;  // a whole byte despite rounding
    if (tokens >= static_cast<double>(burst())) return burst();
    return tokens <= 0 ? 0 : static_cast<std::size_t>(tokens);
  }

  // Counts bytes that have moved at `when`; more than allowed are paid for by waiting longer.
  void spend(std::size_t bytes, TimePoint when) {
    paid_until_ = std::max(paid_until_, when - time_for(burst())) + time_for(bytes);
  }

  // When half the bucket will be there: moving each byte alone would be all system calls.
  [[nodiscard]] TimePoint next() const {
    return paid_until_ + time_for(std::max<std::size_t>(1, burst() / 2));
  }

 private:
  [[nodiscard]] Duration time_for(std::size_t bytes) const {
    return std::chrono::ceil<Duration>(std::chrono::duration<double>(static_cast<double>(bytes) / rate_));
  }

  double rate_;
  TimePoint paid_until_{};  // when the bucket would be empty: the time all spent bytes are worth
};

}  // namespace pier
