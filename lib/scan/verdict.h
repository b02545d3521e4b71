// What the end of a TCP connection attempt says about the port. Pure functions: errno and ICMP in, a state
// and a reason out.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "net/icmp_error.h"
#include "scan/result.h"

namespace pier {

struct ConnectEnd {
  enum class How : std::uint8_t {
    at_once,  // by connect(2) or a call before it
    later,    // told by SO_ERROR
    silence,  // the probe's time is over
  };
  How how = How::silence;
  int code = 0;               // errno; 0 when connected
  bool to_itself = false;     // connected, and both ends are one (a TCP simultaneous open with itself)
  bool to_this_host = false;  // connected to an address of this host's own
  std::optional<IcmpError> icmp = {};
};

// The end of a UDP probe.
struct DatagramEnd {
  ConnectEnd::How how = ConnectEnd::How::silence;
  int code = 0;                   // errno
  bool answered = false;          // a datagram came back
  std::string_view service = {};  // that it is an answer of, where that can be told; a constant
  std::optional<IcmpError> icmp = {};
};

struct Judgement {
  enum class Kind : std::uint8_t {
    verdict,    // `state` and `reason` are final
    no_answer,  // worth another probe; filtered when there is none left
    shortage,   // this host has no room for the attempt now: try again later, with fewer at a time
    to_itself,  // try again, from another source port; where `state` is open, it may be another of our probes
  };
  Kind kind = Kind::verdict;
  PortState state = PortState::error;  // what it comes to when it is not tried again
  std::string reason;
};

// A fault of this host is `error`, never `closed`: what connect(2) itself says of routes, rights and limits
// did not come from the target. A reset after the handshake is `open`: somebody accepted. An ICMP error of
// any code is `filtered`, port unreachable too.
[[nodiscard]] Judgement judge(const ConnectEnd& end);
// Of a probe that nobody on the link told where to send.
[[nodiscard]] Judgement judge_no_neighbour();

// The same of a UDP port: open only when it answered, closed when the target itself said port unreachable.
// From somebody else that is `filtered`, as any other ICMP error. Silence is either, `open|filtered`.
[[nodiscard]] Judgement judge_datagram(const DatagramEnd& end);

}  // namespace pier
