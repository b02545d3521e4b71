// When a STUN client sends its request, and when it gives up (RFC 8489, section 6.2).
#pragma once

#include <chrono>
#include <optional>

#include "base/clock.h"

namespace pier {

// Counted from the first sending. Over UDP a request is sent seven times, the first after nothing and each
// later one after twice as long as the one before, beginning with half a second; the answer to the last is
// waited for sixteen of the first pauses: 39.5 s in all. Over TCP it is sent once and waited for as long.
class StunSchedule {
 public:
  explicit StunSchedule(bool reliable, std::optional<Duration> longest = std::nullopt)
      : reliable_(reliable), longest_(longest) {}

  // When to send after `sent` times; nullopt when that is enough.
  [[nodiscard]] std::optional<Duration> next(int sent) const {
    if (sent == 0) return Duration(0);
    if (reliable_ || sent >= kMostSent) return std::nullopt;
    return kFirstPause * ((1 << sent) - 1);
  }
  [[nodiscard]] Duration give_up() const { return longest_.value_or(kWhole); }

  static constexpr Duration kWhole = std::chrono::milliseconds(39500);  // also Ti of section 6.2.2

 private:
  static constexpr int kMostSent = 7;                                      // Rc
  static constexpr Duration kFirstPause = std::chrono::milliseconds(500);  // RTO
  bool reliable_;
  std::optional<Duration> longest_;
};

}  // namespace pier
