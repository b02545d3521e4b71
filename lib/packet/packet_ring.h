// Packets as this host receives them, from whatever interface, by a ring of memory.
#pragma once

#include <linux/filter.h>

#include <cstdint>
#include <functional>
#include <span>

#include "base/clock.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/mapping.h"
#include "packet/syn_reply.h"

namespace pier {

struct ReceivedPacket {
  std::span<const std::uint8_t> bytes;  // without the link's header
  unsigned interface = 0;               // index
  bool to_us = false;                   // by the address of the link; not to a group, nor another host
  Checksums checksums = Checksums::check;
  TimePoint at;  // when the kernel had it
};

// A packet socket with a ring of memory that the kernel writes packets into (packet(7), PACKET_RX_RING), so
// that none is lost while we do something else.
class PacketRing {
 public:
  // Packets of the protocol `ethertype` (ETH_P_…) that `filter`, a classic BPF program which sees them
  // without the link's header, passes, up to some 400 bytes of each. The ring has `blocks` times 64 KB, 128
  // packets each. ErrorKind::local.
  [[nodiscard]] static Result<PacketRing> open(std::uint16_t ethertype, std::span<const sock_filter> filter,
                                               unsigned blocks);

  // Readable when there is something to take().
  [[nodiscard]] int fd() const { return fd_.get(); }
  // Calls `visit` for each packet that is there, which is valid so long. Never waits.
  void take(const std::function<void(const ReceivedPacket& packet)>& visit);
  // How many packets found no room in the ring since the last call.
  [[nodiscard]] std::uint64_t take_drops();

 private:
  PacketRing(Fd fd, Mapping ring) : fd_(std::move(fd)), ring_(std::move(ring)) {}
  Fd fd_;
  Mapping ring_;
  std::size_t next_ = 0;  // frame
};

}  // namespace pier
