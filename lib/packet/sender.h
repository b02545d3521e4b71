// Sends packets that have their IP header already, many with one call.
#pragma once

#include <netinet/in.h>
#include <netpacket/packet.h>
#include <sys/socket.h>

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/fd.h"
#include "packet/frame_ring.h"
#include "packet/syn_packet.h"
#include "packet/way.h"

namespace pier {

// What raw sockets need: CAP_NET_RAW.
[[nodiscard]] bool is_missing_right(const Error& error);

// Over Ethernet as frames, past the host's queues: by a FrameRing where there is one for the interface, or
// else by a packet socket (packet(7), PACKET_QDISC_BYPASS). Everywhere else by raw IP sockets (raw(7)), where
// the kernel finds the way. What leaves as a frame passes no output rule of this host's firewall.
class PacketSender {
 public:
  // How many packets one call takes along; a veth pair gains nothing by more.
  static constexpr std::size_t kBatch = 64;

  // For the families that are asked for; `interface` is the only one to use, or empty. ErrorKind::local.
  [[nodiscard]] static Result<PacketSender> open(bool ipv4, bool ipv6, const std::string& interface);

  // Frames by that interface go by a ring from now on. ErrorKind::local where that cannot be.
  [[nodiscard]] Result<void> use_ring(unsigned interface);

  // How many more packets can be queued.
  [[nodiscard]] std::size_t room() const;
  // Queues a packet of `size` bytes to `remote`. With `next`, way.ethernet must be there. Only when there is
  // room().
  void add(std::uint64_t tag, const SynPacket& packet, std::size_t size, const Way& way,
           const std::optional<MacAddress>& next, const IpAddress& remote);

  // Sends what is queued, and appends those that the kernel did not take to `failures`. False when the
  // transmit queue is full: the rest stays queued, for another time.
  [[nodiscard]] bool flush(std::vector<SendFailure>& failures);
  // How many the kernel has not taken yet.
  [[nodiscard]] std::size_t left() const;
  // The interface of what is queued; 0 where nothing is.
  [[nodiscard]] unsigned stuck_interface() const;

 private:
  static constexpr std::size_t kFrameHeader = 14;
  struct Slot {
    std::array<std::uint8_t, kFrameHeader + kMostSynPacket> bytes;
    union {
      sockaddr_in v4;
      sockaddr_in6 v6;
      sockaddr_ll link;
    } to;
    std::uint64_t tag;
    unsigned interface;
  };
  // One socket, and what is to go out by it. Does not move: the messages point into it.
  struct Lane {
    explicit Lane(Fd socket);
    Fd fd;
    std::array<Slot, kBatch> slots;
    std::array<iovec, kBatch> parts{};
    std::array<mmsghdr, kBatch> messages{};
    std::size_t first = 0;  // not sent yet
    std::size_t end = 0;
  };

  PacketSender() = default;
  // nullptr for a family that was not asked for.
  [[nodiscard]] std::array<Lane*, 3> lanes() const { return {frames_.get(), raw_[0].get(), raw_[1].get()}; }
  [[nodiscard]] static bool flush_lane(Lane& lane, std::vector<SendFailure>& failures);

  std::optional<FrameRing> ring_;
  std::unique_ptr<Lane> frames_;
  std::array<std::unique_ptr<Lane>, 2> raw_;  // by family
  std::size_t queued_ = 0;
};

}  // namespace pier
