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
#include "scan/verdict.h"

namespace pier {

// Where probes come from. Empty fields are the kernel's choice.
struct ProbeSource {
  std::optional<IpAddress> address = {};
  std::uint16_t port = 0;      // 0: the kernel chooses
  std::string interface = {};  // SO_BINDTODEVICE
};

struct ProbeEnd {
  std::uint64_t tag = 0;  // as given to send()
  Judgement judgement;
  Duration took{};
};

class Prober {
 public:
  virtual ~Prober() = default;

  // Asks. The end, also one that is known at once, comes from a later collect(), once for each send().
  virtual void send(std::uint64_t tag, const IpAddress& address, std::uint16_t port) = 0;
  // How many ends are still to come.
  [[nodiscard]] virtual std::size_t in_flight() const = 0;

  // Waits until a probe ends, `until` passes, or the interrupting descriptor is readable, and appends the
  // probes that have ended. True when the descriptor is readable.
  [[nodiscard]] virtual bool collect(const Deadline& until, std::vector<ProbeEnd>& ended) = 0;
};

}  // namespace pier
