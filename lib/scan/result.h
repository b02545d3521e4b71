// What a scan finds out about one port: plain values.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "net/address.h"
#include "ports/protocol.h"

namespace pier {

enum class PortState : std::uint8_t {
  open,           // something accepts there
  closed,         // the host answered that nothing does
  filtered,       // no answer, or one that says the question did not arrive
  open_filtered,  // datagrams: silence, which may be either
  error,          // a fault of this host: nothing is known of the port
  suspect,        // the host answers on ports where nobody listens too
};
inline constexpr std::array kPortStates{PortState::open,          PortState::closed, PortState::filtered,
                                        PortState::open_filtered, PortState::error,  PortState::suspect};

// "open", "closed", "filtered", "open|filtered", "error", "suspect".
[[nodiscard]] constexpr std::string_view to_string(PortState state) {
  constexpr std::array<std::string_view, kPortStates.size()> kNames{"open",          "closed", "filtered",
                                                                    "open|filtered", "error",  "suspect"};
  return kNames[static_cast<std::size_t>(state)];
}

struct PortResult {
  std::string host = {};  // as the user named it; for whoever shows the result to fill in
  IpAddress address;
  std::uint16_t port = 0;
  PortProtocol protocol = PortProtocol::tcp;
  PortState state = PortState::error;
  std::string reason;           // "syn-ack", "refused", "reset", "no answer", "icmp 3/13 (…)"
  std::optional<Duration> rtt;  // from the probe that was answered to its answer
  unsigned tries = 1;           // probes sent for it
  std::uint64_t index = 0;      // of the pair, in the plan
};

// A host of which more ports are open than anyone wants to read (--max-open).
struct CrowdedHost {
  IpAddress address;
  PortProtocol protocol = PortProtocol::tcp;
  std::uint64_t open = 0;
  bool suspect = false;  // canaries were answered too
};

// The most probes that one port ever gets.
inline constexpr unsigned kMostTries = 101;

// The numbers of a scan so far.
struct ScanStats {
  std::uint64_t pairs = 0;         // to be asked in all
  std::uint64_t probes = 0;        // sent, retries among them
  std::uint64_t retries = 0;       // probes that repeated one without an answer
  std::uint64_t answers = 0;       // ports that gave an answer of any kind
  std::uint64_t late_answers = 0;  // of these, those that came to a retry only
  std::uint64_t silent = 0;        // ports without an answer to any probe
  unsigned least_tries = 0;        // the fewest probes that one of those got; 0 while there is none
  std::uint64_t checks = 0;        // probes of ports that had answered before, to see what gets lost
  std::uint64_t checks_lost = 0;
  std::uint64_t canaries = 0;  // probes of ports where nobody should listen
  std::uint64_t hosts = 0;     // in the plan
  std::uint64_t hosts_up = 0;  // with at least one port open or closed
  std::uint64_t suspects = 0;  // hosts that answered canaries
  std::uint64_t window = 0;    // probes that may now be in flight; 0 without such a limit
  Duration rtt{};              // smoothed, of the host that answered last; 0 before
  std::array<std::uint64_t, kPortStates.size()> states{};
  std::array<std::uint64_t, kMostTries> answers_at{};  // by the number of probes it took, less one
  Duration elapsed{};

  [[nodiscard]] std::uint64_t count(PortState state) const { return states[static_cast<std::size_t>(state)]; }
  // Ports with a verdict.
  [[nodiscard]] std::uint64_t done() const;
  // The share of probes, or of their answers, that is lost on the way, 0 to 1: of the ports that answered,
  // those that did not answer the first, second… probe but the one after it, and the checks that were lost.
  // nullopt while nothing tells.
  [[nodiscard]] std::optional<double> estimated_loss() const;
  // The share of answering ports that were missed, 0 to 1: the silent ones among them, which lost each of
  // their least_tries probes, were each lost by itself with that probability. 0 where no port was silent.
  [[nodiscard]] std::optional<double> estimated_missed() const;
};

}  // namespace pier
