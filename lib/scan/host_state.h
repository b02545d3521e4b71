// What a scan knows of one host while it asks it.
#pragma once

#include <cstdint>
#include <memory>
#include <unordered_map>
#include <vector>

#include "net/address.h"
#include "ports/protocol.h"
#include "scan/result.h"
#include "scan/rtt.h"
#include "scan/waiting.h"
#include "scan/window.h"

namespace pier {

// Counts probes of a port that is known to answer: the only ones whose silence is sure to be a loss.
class LossWatch {
 public:
  // True when so many were lost, of those sent since the last time, that fewer probes at a time should go.
  [[nodiscard]] bool count(bool lost, TimePoint sent) {
    if (sent < since_) return false;  // it tells of the time before
    ++asked_;
    in_a_row_ = lost ? static_cast<std::uint8_t>(in_a_row_ + 1) : std::uint8_t{0};
    lost_ = static_cast<std::uint8_t>(lost_ + (lost ? 1 : 0));
    const bool too_many = lost_ >= kTooMany || in_a_row_ >= kTooManyInARow;
    if (asked_ == kAsked || too_many) asked_ = lost_ = 0;
    return too_many;
  }
  void restart(TimePoint when) {
    since_ = when;
    asked_ = lost_ = in_a_row_ = 0;
  }

 private:
  // A network that loses one packet in ten at any rate is not helped by going slower; by chance, it loses 6
  // of 16 in 1 of 300 cases and 4 in a row in 1 of 10,000.
  static constexpr std::uint8_t kAsked = 16;
  static constexpr std::uint8_t kTooMany = 6;
  static constexpr std::uint8_t kTooManyInARow = 4;
  TimePoint since_ = TimePoint::min();
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

  LossWatch loss;
  std::uint16_t check_port = 0;  // one that answered; 0 for none
  bool check_port_open = false;
  std::uint32_t sent_since_check = 0;
  std::uint32_t silent_since_check = 0;
  TimePoint next_open_check = TimePoint::min();

  CanaryState canary = CanaryState::unasked;
  std::uint8_t canaries_out = 0;
  bool canary_unanswered = false;
  std::uint64_t open = 0;
  std::vector<PortResult> held;  // open ports, until it is known what they are worth
};

}  // namespace pier
