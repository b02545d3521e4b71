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
  std::string host;  // as the user named it; the address where it was given by that
  IpAddress address;
  std::uint16_t port = 0;
  PortProtocol protocol = PortProtocol::tcp;
  PortState state = PortState::error;
  std::string reason;           // "syn-ack", "refused", "no answer", "icmp 3/13 (…)"
  std::optional<Duration> rtt;  // from the probe that was answered to its answer
  unsigned tries = 1;           // probes sent for it
};

// The numbers of a scan so far.
struct ScanStats {
  std::uint64_t pairs = 0;    // to be asked in all
  std::uint64_t probes = 0;   // sent, retries among them
  std::uint64_t retries = 0;  // probes that repeated one without an answer
  std::uint64_t answers = 0;  // ports that gave an answer of any kind
  // Probes sent to those ports; more than `answers` by those that were lost.
  std::uint64_t probes_of_answered = 0;
  std::uint64_t hosts = 0;     // in the plan
  std::uint64_t hosts_up = 0;  // with at least one port open or closed
  std::array<std::uint64_t, kPortStates.size()> states{};
  Duration elapsed{};

  [[nodiscard]] std::uint64_t count(PortState state) const { return states[static_cast<std::size_t>(state)]; }
  // Ports with a verdict.
  [[nodiscard]] std::uint64_t done() const;
  // The share of probes, or of their answers, that is lost on the way: of the probes sent to ports that did
  // answer in the end, those that stayed without an answer. 0 to 1.
  [[nodiscard]] double estimated_loss() const;
  // The share of answering ports that were missed: all of their 1 + retries probes lost, were each lost by
  // itself with that probability.
  [[nodiscard]] double estimated_missed(unsigned retries_allowed) const;
};

}  // namespace pier
