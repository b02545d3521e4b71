// What a scan knows of one host while it asks it.
#pragma once

#include <cstdint>
#include <memory>
#include <unordered_map>
#include <vector>

#include "net/address.h"
#include "ports/protocol.h"
#include "scan/pace.h"
#include "scan/result.h"
#include "scan/rtt.h"
#include "scan/waiting.h"
#include "scan/window.h"

namespace pier {

// Counts probes of a port that is known to answer: the only ones whose silence is sure to be a loss.
class LossWatch {
 public:
  enum class Finding : std::uint8_t {
    nothing,  // too few yet
    little,   // hardly any were lost
    some,     // no reason to go slower, nor faster
    much,     // fewer at a time should go
  };
  // `sent`: when the probe was. One from before the last finding of `much` does not count.
  [[nodiscard]] Finding count(bool lost, TimePoint sent) {
    if (sent < since_) return Finding::nothing;
    ++asked_;
    in_a_row_ = lost ? static_cast<std::uint8_t>(in_a_row_ + 1) : std::uint8_t{0};
    lost_ = static_cast<std::uint8_t>(lost_ + (lost ? 1 : 0));
    if (lost_ >= kMuch || in_a_row_ >= kMuchInARow) return Finding::much;
    if (asked_ < kAsked) return Finding::nothing;
    const Finding finding = lost_ <= kLittle ? Finding::little : Finding::some;
    asked_ = lost_ = 0;
    return finding;
  }
  // Of those counted since the last finding, the share that was answered.
  [[nodiscard]] double answered() const {
    return asked_ == 0 ? 1 : 1 - static_cast<double>(lost_) / static_cast<double>(asked_);
  }
  [[nodiscard]] TimePoint since() const { return since_; }
  void restart(TimePoint when) {
    since_ = when;
    asked_ = lost_ = in_a_row_ = 0;
  }

 private:
  // A network that loses one packet in ten at any rate is not helped by going slower; by chance, it loses 13
  // of 32, or 8 in a row, less than once in a million times.
  static constexpr std::uint8_t kAsked = 32;
  static constexpr std::uint8_t kLittle = 3;
  static constexpr std::uint8_t kMuch = 13;
  static constexpr std::uint8_t kMuchInARow = 8;
  TimePoint since_ = now();
  std::uint8_t asked_ = 0;
  std::uint8_t lost_ = 0;
  std::uint8_t in_a_row_ = 0;
};

enum class CanaryState : std::uint8_t { unasked, asked, clear, suspect };

// One transport of one host.
struct HostState {
  IpAddress address;
  PortProtocol protocol = PortProtocol::tcp;
  std::uint64_t index = 0;  // in the plan's targets
  RttEstimator rtt;
  Window window;
  std::uint32_t in_flight = 0;
  WaitingList deferred;   // until there is room in the window
  bool in_ready = false;  // among the hosts that have both
  bool up = false;        // a port answered
  bool near = false;      // answers at once
  bool near_told = false;
  bool given_up = false;  // this host cannot ask it any more
  std::uint16_t errors_in_a_row = 0;
  std::uint32_t answers = 0;
  std::uint32_t silences = 0;

  Pace pace;  // without a limit until much was lost
  bool in_paced = false;
  bool guessed_pace = false;  // from a few lost checks
  LossWatch loss;
  std::uint8_t cuts = 0;         // of its pace, without a better finding between
  std::uint32_t sent = 0;        // since loss.since()
  std::uint16_t check_port = 0;  // one that answered; 0 for none
  bool check_port_open = false;
  std::uint32_t until_check = 0;  // probes
  std::uint32_t checks = 0;
  TimePoint next_open_check = TimePoint::min();

  // UDP: what is known of its limit of ICMP errors.
  std::uint32_t refusals = 0;
  TimePoint first_refusal = TimePoint::min();
  TimePoint last_refusal = TimePoint::min();
  bool icmp_limited = false;
  bool left_at_icmp_limit = false;  // too many are silent to ask them all as slowly as it answers

  CanaryState canary = CanaryState::unasked;
  std::uint8_t canaries_out = 0;
  bool canary_unanswered = false;
  std::uint64_t open = 0;
  std::vector<PortResult> held;  // open ports, until it is known what they are worth
};

}  // namespace pier
