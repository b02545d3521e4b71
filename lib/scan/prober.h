// How questions are put: the seam between the engine, which decides what to ask and when, and a way of
// asking.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "net/address.h"
#include "ports/protocol.h"
#include "scan/verdict.h"

namespace pier {

// Where probes come from. Empty fields are the kernel's choice.
struct ProbeSource {
  std::optional<IpAddress> address = {};
  std::uint16_t port = 0;      // 0: the kernel chooses
  std::string interface = {};  // SO_BINDTODEVICE
};

struct ProbeRequest {
  std::uint64_t tag = 0;  // comes back in ProbeEnd
  IpAddress address;
  std::uint16_t port = 0;
  PortProtocol protocol = PortProtocol::tcp;  // or udp
  Duration timeout = std::chrono::seconds(1);
  // The host answers within the time that asking takes: look for the answer before waiting for it. Only a
  // hint, and only for TCP.
  bool near = false;
};

struct ProbeEnd {
  std::uint64_t tag = 0;
  Judgement judgement;
  Duration took{};
};

class Prober {
 public:
  virtual ~Prober() = default;

  // Asks. The end, also one that is known at once, comes from a later collect(), once for each send().
  virtual void send(const ProbeRequest& request) = 0;
  // How many ends are still to come.
  [[nodiscard]] virtual std::size_t in_flight() const = 0;

  // Waits until a probe ends, `until` passes, or the interrupting descriptor is readable, and appends the
  // probes that have ended. True when the descriptor is readable.
  [[nodiscard]] virtual bool collect(const Deadline& until, std::vector<ProbeEnd>& ended) = 0;
};

}  // namespace pier
