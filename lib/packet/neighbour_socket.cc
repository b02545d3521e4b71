#include "packet/neighbour_socket.h"

#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>

namespace pier {
namespace {

// 2 MB: 4,096 replies, a fiftieth of a second of 200,000 a second.
constexpr unsigned kBlocks = 32;

constexpr std::uint32_t kToWhom = static_cast<std::uint32_t>(SKF_AD_OFF + SKF_AD_PKTTYPE);

constexpr sock_filter kArpReplies[] = {
    {BPF_LD | BPF_B | BPF_ABS, 0, 0, kToWhom},
    {BPF_JMP | BPF_JEQ | BPF_K, 0, 3, PACKET_HOST},
    {BPF_LD | BPF_H | BPF_ABS, 0, 0, 6},  // operation
    {BPF_JMP | BPF_JEQ | BPF_K, 0, 1, 2},
    {BPF_RET | BPF_K, 0, 0, UINT32_MAX},
    {BPF_RET | BPF_K, 0, 0, 0},
};

constexpr sock_filter kAdvertisements[] = {
    {BPF_LD | BPF_B | BPF_ABS, 0, 0, kToWhom},
    {BPF_JMP | BPF_JEQ | BPF_K, 0, 5, PACKET_HOST},
    {BPF_LD | BPF_H | BPF_ABS, 0, 0, 6},  // next header and hop limit
    {BPF_JMP | BPF_JEQ | BPF_K, 0, 3, IPPROTO_ICMPV6 << 8 | 255},
    {BPF_LD | BPF_B | BPF_ABS, 0, 0, 40},  // type
    {BPF_JMP | BPF_JEQ | BPF_K, 0, 1, 136},
    {BPF_RET | BPF_K, 0, 0, UINT32_MAX},
    {BPF_RET | BPF_K, 0, 0, 0},
};

}  // namespace

Result<NeighbourSocket> NeighbourSocket::open(Family family) {
  auto ring = family == Family::ipv4 ? PacketRing::open(ETH_P_ARP, kArpReplies, kBlocks)
                                     : PacketRing::open(ETH_P_IPV6, kAdvertisements, kBlocks);
  if (!ring) return std::unexpected(ring.error());
  return NeighbourSocket(family, std::move(*ring));
}

int NeighbourSocket::send(unsigned interface, const NeighbourRequest& request) const {
  sockaddr_ll to{};
  to.sll_family = AF_PACKET;
  to.sll_protocol = htons(family_ == Family::ipv4 ? ETH_P_ARP : ETH_P_IPV6);
  to.sll_ifindex = static_cast<int>(interface);
  to.sll_halen = static_cast<unsigned char>(request.to.size());
  std::ranges::copy(request.to, to.sll_addr);
  const ssize_t sent = retry_eintr([&] {
    return ::sendto(fd(), request.bytes.data(), request.size, 0, reinterpret_cast<const sockaddr*>(&to),
                    sizeof to);
  });
  return sent < 0 ? errno : 0;
}

void NeighbourSocket::take(const std::function<void(unsigned, const NeighbourReply&)>& visit) {
  ring_.take([&](const ReceivedPacket& packet) {
    if (!packet.to_us) return;
    const auto reply = parse_neighbour_reply(family_, packet.bytes, packet.checksums);
    if (reply) visit(packet.interface, *reply);
  });
}

}  // namespace pier
