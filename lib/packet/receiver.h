// Receives what may be answers to SYNs, from whatever interface they come by.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "net/address.h"
#include "packet/packet_ring.h"
#include "packet/syn_reply.h"

namespace pier {

// A packet socket of one family. Of what the host receives, a filter in the kernel passes only TCP to `ports`
// and ICMP errors.
class SynReceiver {
 public:
  // `ports`: at least one, at most 16. ErrorKind::local.
  [[nodiscard]] static Result<SynReceiver> open(Family family, std::span<const std::uint16_t> ports);

  // Readable when there is something to take().
  [[nodiscard]] int fd() const { return ring_.fd(); }
  // Calls `visit` for each reply that is there, with the time at which the kernel had it. Never waits. What
  // is no reply at all is not told.
  void take(const std::function<void(const SynReply& reply, TimePoint at)>& visit);
  // How many packets found no room in the ring since the last call.
  [[nodiscard]] std::uint64_t take_drops() { return ring_.take_drops(); }

 private:
  explicit SynReceiver(PacketRing ring) : ring_(std::move(ring)) {}
  PacketRing ring_;
};

}  // namespace pier
