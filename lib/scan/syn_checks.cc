#include "scan/syn_checks.h"

#include <algorithm>

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
                                .serial = 0,
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
    port.serial = first_serial_ + waiting_.size();
    waiting_.push_back({when + port.rtt.timeout(kLeastTimeout, timeout_, 0), place, when, false});
    return Check{port.address, port.number};
  }
  return std::nullopt;
}

void SynChecks::answered(std::uint64_t index, TimePoint at) {
  const auto found = places_.find(index);
  if (found == places_.end()) return;
  Port& port = ports_[found->second];
  if (!port.waiting || at < port.sent) return;
  port.waiting = false;
  port.rtt.sample(at - port.sent);
  waiting_[port.serial - first_serial_].answered = true;
}

std::optional<SynChecks::Outcome> SynChecks::take_outcome(TimePoint when) {
  if (waiting_.empty()) return std::nullopt;
  const Waiting first = waiting_.front();
  if (!first.answered && when < first.until) return std::nullopt;
  waiting_.pop_front();
  ++first_serial_;
  if (!first.answered) ports_[first.place].waiting = false;
  return Outcome{!first.answered, first.sent};
}

std::optional<TimePoint> SynChecks::next_end() const {
  return waiting_.empty() ? std::nullopt : std::optional(waiting_.front().until);
}

std::vector<SynProgress::Known> SynChecks::known(std::size_t most) const {
  std::vector<SynProgress::Known> known;
  for (std::size_t i = 0; i < std::min(most, ports_.size()); ++i)
    known.push_back({.index = ports_[i].index, .open = ports_[i].open});
  return known;
}

}  // namespace pier
