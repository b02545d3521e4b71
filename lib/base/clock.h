// Time as the commands use it: monotonic, in nanoseconds, and deadlines that may never come.
#pragma once

#include <chrono>
#include <optional>

namespace pier {

using Clock = std::chrono::steady_clock;  // CLOCK_MONOTONIC
using Duration = std::chrono::nanoseconds;
using TimePoint = std::chrono::time_point<Clock, Duration>;

[[nodiscard]] inline TimePoint now() {
  return Clock::now();
}

// A point in time, or never. Nothing in pier has a hidden timer: a default Deadline never passes.
class Deadline {
 public:
  Deadline() = default;
  explicit Deadline(TimePoint at) : at_(at) {}
  [[nodiscard]] static Deadline after(std::optional<Duration> wait) {
    return wait ? Deadline(now() + *wait) : Deadline();
  }

  [[nodiscard]] bool never() const { return !at_; }
  [[nodiscard]] bool passed(TimePoint when = now()) const { return at_ && when >= *at_; }
  [[nodiscard]] std::optional<TimePoint> at() const { return at_; }

 private:
  std::optional<TimePoint> at_;
};

// Seconds as a fraction, for records and messages.
[[nodiscard]] inline double seconds(Duration d) {
  return std::chrono::duration<double>(d).count();
}

}  // namespace pier
