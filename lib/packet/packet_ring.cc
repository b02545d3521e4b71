#include "packet/packet_ring.h"

#include <linux/if_packet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <atomic>
#include <cerrno>
#include <ctime>
#include <utility>
#include <vector>

#include "net/socket.h"

namespace pier {
namespace {

// An answer to a probe and what the kernel writes before it are some 200 bytes.
constexpr unsigned kFrame = 512;
constexpr unsigned kBlock = 1U << 16;

TimePoint steady_now_minus_real() {
  timespec real{};
  ::clock_gettime(CLOCK_REALTIME, &real);
  return now() - std::chrono::seconds(real.tv_sec) - std::chrono::nanoseconds(real.tv_nsec);
}

}  // namespace

Result<PacketRing> PacketRing::open(std::uint16_t ethertype, std::span<const sock_filter> filter,
                                    unsigned blocks) {
  // With protocol 0 nothing comes in before the filter is there.
  Fd fd(::socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd.valid()) return system_error("socket", "packet", errno, ErrorKind::local);
  std::vector<sock_filter> steps(filter.begin(), filter.end());
  const sock_fprog program{static_cast<unsigned short>(steps.size()), steps.data()};
  if (::setsockopt(fd.get(), SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program) != 0)
    return system_error("SO_ATTACH_FILTER", "packet", errno, ErrorKind::local);
  if (auto set = set_option(fd, SOL_PACKET, PACKET_VERSION, TPACKET_V2, "PACKET_VERSION"); !set)
    return std::unexpected(set.error());
  const std::size_t size = std::size_t{kBlock} * blocks;
  tpacket_req ring{};
  ring.tp_block_size = kBlock;
  ring.tp_block_nr = blocks;
  ring.tp_frame_size = kFrame;
  ring.tp_frame_nr = static_cast<unsigned>(size / kFrame);
  if (::setsockopt(fd.get(), SOL_PACKET, PACKET_RX_RING, &ring, sizeof ring) != 0)
    return system_error("PACKET_RX_RING", "packet", errno, ErrorKind::local);
  auto memory = Mapping::make(fd.get(), size);
  if (!memory) return std::unexpected(memory.error());
  PacketRing made(std::move(fd), std::move(*memory));
  sockaddr_ll address{};
  address.sll_family = AF_PACKET;
  address.sll_protocol = htons(ethertype);
  if (::bind(made.fd(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    return system_error("bind", "packet", errno, ErrorKind::local);
  return made;
}

void PacketRing::take(const std::function<void(const ReceivedPacket& packet)>& visit) {
  const TimePoint zero = steady_now_minus_real();
  const std::size_t frames = ring_.size() / kFrame;
  // Not more than there can be at once: who sends all the time must not keep us here.
  for (std::size_t i = 0; i < frames; ++i) {
    auto& header = *ring_.at<tpacket2_hdr>(next_ * kFrame);
    std::atomic_ref status(header.tp_status);
    const std::uint32_t flags = status.load(std::memory_order_acquire);
    if ((flags & TP_STATUS_USER) == 0) return;
    const auto* bytes = reinterpret_cast<const std::uint8_t*>(&header);
    const auto& link = *reinterpret_cast<const sockaddr_ll*>(bytes + TPACKET_ALIGN(sizeof header));
    const bool checked = (flags & (TP_STATUS_CSUMNOTREADY | TP_STATUS_CSUM_VALID)) != 0;
    visit({.bytes = {bytes + header.tp_net, header.tp_snaplen},
           .interface = static_cast<unsigned>(link.sll_ifindex),
           .to_us = link.sll_pkttype == PACKET_HOST,
           .checksums = checked ? Checksums::skip : Checksums::check,
           .at = zero + std::chrono::seconds(header.tp_sec) + std::chrono::nanoseconds(header.tp_nsec)});
    status.store(TP_STATUS_KERNEL, std::memory_order_release);
    next_ = (next_ + 1) % frames;
  }
}

std::uint64_t PacketRing::take_drops() {
  tpacket_stats stats{};
  socklen_t size = sizeof stats;
  if (::getsockopt(fd_.get(), SOL_PACKET, PACKET_STATISTICS, &stats, &size) != 0) return 0;
  return stats.tp_drops;
}

}  // namespace pier
