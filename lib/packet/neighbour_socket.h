// Asks neighbours for their MAC addresses, past the kernel's own table of them.
#pragma once

#include <cstdint>
#include <functional>

#include "base/error.h"
#include "packet/neighbour_packet.h"
#include "packet/packet_ring.h"

namespace pier {

// A packet socket of one family. Of what the host receives, a filter in the kernel passes only ARP replies,
// or Neighbor Advertisements, that were sent to this host alone.
class NeighbourSocket {
 public:
  // ErrorKind::local.
  [[nodiscard]] static Result<NeighbourSocket> open(Family family);

  [[nodiscard]] Family family() const { return family_; }
  // Readable when there is something to take().
  [[nodiscard]] int fd() const { return ring_.fd(); }
  // By the interface of that index. 0, or errno; EAGAIN or ENOBUFS when its transmit queue is full.
  [[nodiscard]] int send(unsigned interface, const NeighbourRequest& request) const;
  // Calls `visit` for each reply that is there. Never waits.
  void take(const std::function<void(unsigned interface, const NeighbourReply& reply)>& visit);
  // How many packets found no room since the last call.
  [[nodiscard]] std::uint64_t take_drops() { return ring_.take_drops(); }

 private:
  NeighbourSocket(Family family, PacketRing ring) : family_(family), ring_(std::move(ring)) {}
  Family family_;
  PacketRing ring_;
};

}  // namespace pier
