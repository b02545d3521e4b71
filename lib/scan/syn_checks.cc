#include "scan/syn_checks.h"

namespace pier {
namespace {

constexpr Duration kBetweenOpen = std::chrono::milliseconds(250);
constexpr Duration kBetweenClosed = std::chrono::milliseconds(20);
constexpr int kLooks = 8;  // for one that may be asked now

}  // namespace

void SynChecks::add(std::uint64_t index, const IpAddress& address, std::uint16_t port, bool open,
                    std::optional<Duration> rtt, TimePoint when) {
  ++seen_;
  std::size_t place = ports_.size();
  if (place >= kMost) {
    // Any of all that answered is among the kept with the same chance (reservoir sampling, Vitter 1985).
    place = static_cast<std::size_t>(std::uniform_int_distribution<std::uint64_t>(0, seen_ - 1)(chance_));
    if (place >= kMost || ports_[place].waiting) return;
    places_.erase(ports_[place].index);
  } else {
    ports_.emplace_back();
  }
  Port& kept = ports_[place] = {.index = index,
                                .address = address,
                                .number = port,
                                .open = open,
                                .rtt = {},
                                .not_before = when + kBetweenClosed,
                                .waiting = false,
                                .sent = {}};
  if (rtt) kept.rtt.sample(*rtt);
  places_[index] = place;
}

std::optional<SynChecks::Check> SynChecks::next(TimePoint when) {
  if (ports_.empty()) return std::nullopt;
  std::uniform_int_distribution<std::size_t> any(0, ports_.size() - 1);
  for (int i = 0; i < kLooks; ++i) {
    const std::size_t place = any(chance_);
    Port& port = ports_[place];
    if (port.waiting || when < port.not_before) continue;
    port.waiting = true;
    port.sent = when;
    port.not_before = when + (port.open ? kBetweenOpen : kBetweenClosed);
    waiting_.push_back({when + port.rtt.timeout(kLeastTimeout, timeout_, 0), place, when});
    return Check{port.address, port.number};
  }
  return std::nullopt;
}

std::optional<TimePoint> SynChecks::answered(std::uint64_t index, TimePoint at) {
  const auto found = places_.find(index);
  if (found == places_.end()) return std::nullopt;
  Port& port = ports_[found->second];
  if (!port.waiting || at < port.sent) return std::nullopt;
  port.waiting = false;
  port.rtt.sample(at - port.sent);
  return port.sent;
}

std::optional<TimePoint> SynChecks::take_lost(TimePoint when) {
  while (!waiting_.empty()) {
    const Waiting waiting = waiting_.front();
    Port& port = ports_[waiting.place];
    const bool over = !port.waiting || port.sent != waiting.sent;
    if (!over && when < waiting.until) return std::nullopt;
    waiting_.pop_front();
    if (over) continue;
    port.waiting = false;
    return waiting.sent;
  }
  return std::nullopt;
}

std::optional<TimePoint> SynChecks::next_end() const {
  return waiting_.empty() ? std::nullopt : std::optional(waiting_.front().until);
}

}  // namespace pier
