#include "out/transfer_line.h"

#include <fmt/core.h>

#include <algorithm>

#include "base/number.h"

namespace pier {
namespace {

// Whole units, rounded up: "3 s", "2 min 5 s", "1 h 12 min".
std::string time_left(double left) {
  const double bounded = std::min(left, 1e9);
  auto whole = static_cast<std::uint64_t>(bounded);
  if (static_cast<double>(whole) < bounded) ++whole;
  if (whole < 100) return fmt::format("{} s", whole);
  if (whole < 3600) return fmt::format("{} min {} s", whole / 60, whole % 60);
  return fmt::format("{} h {} min", whole / 3600, whole % 3600 / 60);
}

}  // namespace

std::string ended_line(const Flow& flow) {
  std::string line = flow.title;
  if (flow.total) {
    // A file that grows while it is sent is done when what it had is.
    const std::uint64_t part = std::min(flow.done, *flow.total);
    const double fraction =
        *flow.total == 0 ? 1 : static_cast<double>(part) / static_cast<double>(*flow.total);
    line += fmt::format("  {}%", static_cast<unsigned>(fraction * 100));
  }
  line += "  " + format_bytes(flow.done);
  line += "  " + format_bytes(static_cast<std::uint64_t>(flow.rate)) + "/s";
  return line;
}

std::string running_line(const Flow& flow) {
  std::string line = ended_line(flow);
  if (flow.total && *flow.total > flow.done && flow.rate >= 1)
    line += "  ETA " + time_left(static_cast<double>(*flow.total - flow.done) / flow.rate);
  return line;
}

void RateMeter::sample(std::uint64_t done, TimePoint when) {
  if (last_ && when <= *last_) return;
  if (last_) {
    const double step = seconds(when - *last_);
    const double now_rate = static_cast<double>(done - std::min(done, done_)) / step;
    // What is three seconds old counts for half of what it did. Not an exponential, which is nearly the same
    // for short steps: libm would be loaded for it alone, at every start.
    constexpr double kMemory = 3;
    const double weight = measured_ ? step / (step + kMemory) : 1;
    rate_ += weight * (now_rate - rate_);
    measured_ = true;
  }
  last_ = when;
  done_ = done;
}

}  // namespace pier
