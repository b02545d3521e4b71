// Receives what may be answers to SYNs, from whatever interface they come by.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/mapping.h"
#include "net/address.h"
#include "packet/syn_reply.h"

namespace pier {

// A packet socket of one family with a ring of memory that the kernel writes packets into (packet(7),
// PACKET_RX_RING), so that none is lost while we send. Of what the host receives, a filter in the kernel
// passes only TCP to `ports` and ICMP errors.
class SynReceiver {
 public:
  // `ports`: at least one, at most 16. ErrorKind::local.
  [[nodiscard]] static Result<SynReceiver> open(Family family, std::span<const std::uint16_t> ports);

  // Readable when there is something to take().
  [[nodiscard]] int fd() const { return fd_.get(); }
  // Calls `visit` for each reply that is there, with the time at which the kernel had it. Never waits. What
  // is no reply at all is not told.
  void take(const std::function<void(const SynReply& reply, TimePoint at)>& visit);
  // How many packets found no room in the ring since the last call.
  [[nodiscard]] std::uint64_t take_drops();

 private:
  SynReceiver(Fd fd, Mapping ring) : fd_(std::move(fd)), ring_(std::move(ring)) {}
  Fd fd_;
  Mapping ring_;
  std::size_t next_ = 0;  // frame
};

}  // namespace pier
