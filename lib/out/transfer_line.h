// The line of --progress for bytes on their way: "report.pdf  42%  20.1 MB  1.2 GB/s  ETA 3 s".
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/clock.h"

namespace pier {

// One direction of a transfer.
struct Flow {
  std::string title;                        // what is moved: "report.pdf", "received"
  std::uint64_t done = 0;                   // bytes
  std::optional<std::uint64_t> total = {};  // bytes, where known beforehand
  double rate = 0;                          // bytes a second
};

// While it runs, with the time that the rest will take where the total and a rate are known.
[[nodiscard]] std::string running_line(const Flow& flow);
// Once it has ended.
[[nodiscard]] std::string ended_line(const Flow& flow);

// The rate of late: samples of a growing count, smoothed so that a person can read it.
class RateMeter {
 public:
  // `done` bytes by `when`. The first sample begins the measurement.
  void sample(std::uint64_t done, TimePoint when);
  [[nodiscard]] double rate() const { return rate_; }  // bytes a second; 0 before the second sample

 private:
  std::optional<TimePoint> last_;
  std::uint64_t done_ = 0;
  double rate_ = 0;
  bool measured_ = false;
};

}  // namespace pier
