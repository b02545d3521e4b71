// How long one host takes to answer, and from that how long its answer is waited for (RFC 6298).
#pragma once

#include <algorithm>
#include <cmath>

#include "base/clock.h"

namespace pier {

// Never less than this is waited for an answer: a busy host, or a switch that looks up where to, takes as
// long without anything being lost. Three times it is the smallest delay that people notice in a scan.
inline constexpr Duration kLeastTimeout = std::chrono::milliseconds(100);

// A service that answers datagrams does so when it has found out what, which takes longer than a handshake.
inline constexpr Duration kLeastTimeoutUdp = std::chrono::milliseconds(500);

class RttEstimator {
 public:
  // One answer's time. Every probe has a socket of its own, so it is never in doubt which one was answered.
  void sample(Duration rtt) {
    const auto us = static_cast<float>(rtt.count()) / 1000;
    if (!known()) {
      smoothed_us_ = us;
      deviation_us_ = us / 2;
      return;
    }
    deviation_us_ += (std::abs(smoothed_us_ - us) - deviation_us_) / 4;
    smoothed_us_ += (us - smoothed_us_) / 8;
  }

  [[nodiscard]] bool known() const { return smoothed_us_ >= 0; }
  [[nodiscard]] Duration smoothed() const { return microseconds(smoothed_us_); }
  // SRTT + 4 × RTTVAR, at least `floor` and at most `ceiling`; before the first answer, `ceiling`. Each
  // silence before this probe doubles it (section 5.5), twice at most.
  [[nodiscard]] Duration timeout(Duration floor, Duration ceiling, unsigned silences) const {
    if (!known()) return ceiling;
    const Duration wait = std::max(microseconds(smoothed_us_ + 4 * deviation_us_), floor);
    return wait >= ceiling ? ceiling : std::min(wait * (1U << std::min(silences, 2U)), ceiling);
  }

 private:
  static Duration microseconds(float us) {
    return std::chrono::duration_cast<Duration>(std::chrono::duration<float, std::micro>(us));
  }
  float smoothed_us_ = -1;
  float deviation_us_ = 0;
};

}  // namespace pier
