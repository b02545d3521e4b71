#include "packet/receiver.h"

#include <linux/filter.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <atomic>
#include <cerrno>
#include <ctime>
#include <utility>

#include "net/socket.h"

namespace pier {
namespace {

// An answer and what the kernel writes before it are some 200 bytes. All together, a hundredth of a second of
// a million answers a second, and more than a scheduler's slice of those that one core can handle.
constexpr unsigned kFrame = 512;
constexpr unsigned kBlock = 1U << 16;
constexpr unsigned kBlocks = 128;
constexpr std::size_t kRing = std::size_t{kBlock} * kBlocks;
constexpr std::size_t kFrames = kRing / kFrame;

using Program = std::vector<sock_filter>;

// Jumps to the end of the program are filled in when it is whole: these stand for it.
constexpr std::uint8_t kToAccept = 254;
constexpr std::uint8_t kToReject = 255;

void add(Program& program, std::uint16_t code, std::uint32_t k) {
  program.push_back({code, 0, 0, k});
}
void jump(Program& program, std::uint32_t k, std::uint8_t yes, std::uint8_t no) {
  program.push_back({BPF_JMP | BPF_JEQ | BPF_K, yes, no, k});
}
void accept_any_of(Program& program, std::span<const std::uint32_t> values) {
  for (const std::uint32_t value : values) jump(program, value, kToAccept, 0);
  add(program, BPF_RET | BPF_K, 0);
}
void finish(Program& program) {
  add(program, BPF_RET | BPF_K, 0);
  add(program, BPF_RET | BPF_K, UINT32_MAX);
  for (std::size_t i = 0; i < program.size(); ++i) {
    for (std::uint8_t sock_filter::* target : {&sock_filter::jt, &sock_filter::jf}) {
      std::uint8_t& jump_by = program[i].*target;
      if (jump_by == kToReject)
        jump_by = static_cast<std::uint8_t>(program.size() - i - 3);
      else if (jump_by == kToAccept)
        jump_by = static_cast<std::uint8_t>(program.size() - i - 2);
    }
  }
}

// Both see the packet from its IP header on.
Program filter4(std::span<const std::uint32_t> ports) {
  Program program;
  const auto tests = static_cast<std::uint8_t>(ports.size());
  add(program, BPF_LDX | BPF_B | BPF_MSH, 0);  // X: the length of the IP header
  add(program, BPF_LD | BPF_B | BPF_ABS, 9);
  jump(program, IPPROTO_ICMP, static_cast<std::uint8_t>(tests + 5), 0);
  jump(program, IPPROTO_TCP, 0, kToReject);
  add(program, BPF_LD | BPF_H | BPF_ABS, 6);
  program.push_back({BPF_JMP | BPF_JSET | BPF_K, kToReject, 0, 0x1fff});  // a later fragment
  add(program, BPF_LD | BPF_H | BPF_IND, 2);
  accept_any_of(program, ports);
  add(program, BPF_LD | BPF_B | BPF_IND, 0);
  constexpr std::uint32_t kErrors[] = {3, 11, 12};
  accept_any_of(program, kErrors);
  finish(program);
  return program;
}

Program filter6(std::span<const std::uint32_t> ports) {
  Program program;
  const auto tests = static_cast<std::uint8_t>(ports.size());
  add(program, BPF_LD | BPF_B | BPF_ABS, 6);
  jump(program, IPPROTO_HOPOPTS, kToAccept, 0);
  jump(program, IPPROTO_ROUTING, kToAccept, 0);
  jump(program, IPPROTO_DSTOPTS, kToAccept, 0);
  jump(program, IPPROTO_ICMPV6, static_cast<std::uint8_t>(tests + 3), 0);
  jump(program, IPPROTO_TCP, 0, kToReject);
  add(program, BPF_LD | BPF_H | BPF_ABS, 40 + 2);
  accept_any_of(program, ports);
  add(program, BPF_LD | BPF_B | BPF_ABS, 40);
  constexpr std::uint32_t kErrors[] = {1, 3, 4};
  accept_any_of(program, kErrors);
  finish(program);
  return program;
}

// fe80::/10 (RFC 4291, section 2.5.6).
bool is_link_local(const IpAddress& ip) {
  return ip.family() == Family::ipv6 && ip.bytes()[0] == 0xfe && (ip.bytes()[1] & 0xc0) == 0x80;
}

TimePoint steady_now_minus_real() {
  timespec real{};
  ::clock_gettime(CLOCK_REALTIME, &real);
  return now() - std::chrono::seconds(real.tv_sec) - std::chrono::nanoseconds(real.tv_nsec);
}

}  // namespace

Result<SynReceiver> SynReceiver::open(Family family, std::span<const std::uint16_t> ports) {
  // With protocol 0 nothing comes in before the filter is there.
  Fd fd(::socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd.valid()) return system_error("socket", "packet", errno, ErrorKind::local);
  const std::vector<std::uint32_t> numbers(ports.begin(), ports.end());
  Program program = family == Family::ipv4 ? filter4(numbers) : filter6(numbers);
  const sock_fprog filter{static_cast<unsigned short>(program.size()), program.data()};
  if (::setsockopt(fd.get(), SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof filter) != 0)
    return system_error("SO_ATTACH_FILTER", "packet", errno, ErrorKind::local);
  if (auto set = set_option(fd, SOL_PACKET, PACKET_VERSION, TPACKET_V2, "PACKET_VERSION"); !set)
    return std::unexpected(set.error());
  tpacket_req ring{};
  ring.tp_block_size = kBlock;
  ring.tp_block_nr = kBlocks;
  ring.tp_frame_size = kFrame;
  ring.tp_frame_nr = kFrames;
  if (::setsockopt(fd.get(), SOL_PACKET, PACKET_RX_RING, &ring, sizeof ring) != 0)
    return system_error("PACKET_RX_RING", "packet", errno, ErrorKind::local);
  auto memory = Mapping::make(fd.get(), kRing);
  if (!memory) return std::unexpected(memory.error());
  SynReceiver receiver(std::move(fd), std::move(*memory));
  sockaddr_ll address{};
  address.sll_family = AF_PACKET;
  address.sll_protocol = htons(family == Family::ipv4 ? ETH_P_IP : ETH_P_IPV6);
  if (::bind(receiver.fd(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    return system_error("bind", "packet", errno, ErrorKind::local);
  return receiver;
}

void SynReceiver::take(const std::function<void(const SynReply& reply, TimePoint at)>& visit) {
  const TimePoint zero = steady_now_minus_real();
  // Not more than there can be at once: who sends all the time must not keep us here.
  for (std::size_t i = 0; i < kFrames; ++i) {
    auto& header = *ring_.at<tpacket2_hdr>(next_ * kFrame);
    std::atomic_ref status(header.tp_status);
    const std::uint32_t flags = status.load(std::memory_order_acquire);
    if ((flags & TP_STATUS_USER) == 0) return;
    const std::span<const std::uint8_t> packet(reinterpret_cast<const std::uint8_t*>(&header) + header.tp_net,
                                               header.tp_snaplen);
    const bool checked = (flags & (TP_STATUS_CSUMNOTREADY | TP_STATUS_CSUM_VALID)) != 0;
    const auto at = zero + std::chrono::seconds(header.tp_sec) + std::chrono::nanoseconds(header.tp_nsec);
    if (auto reply = parse_syn_reply(packet, checked ? Checksums::skip : Checksums::check)) {
      // The same link-local address is another host's on each link.
      const auto& link = *reinterpret_cast<const sockaddr_ll*>(
          reinterpret_cast<const std::uint8_t*>(&header) + TPACKET_ALIGN(sizeof header));
      if (is_link_local(reply->flow.remote))
        reply->flow.remote =
            IpAddress(Family::ipv6, reply->flow.remote.bytes(), static_cast<std::uint32_t>(link.sll_ifindex));
      visit(*reply, at);
    }
    status.store(TP_STATUS_KERNEL, std::memory_order_release);
    next_ = (next_ + 1) % kFrames;
  }
}

std::uint64_t SynReceiver::take_drops() {
  tpacket_stats stats{};
  socklen_t size = sizeof stats;
  if (::getsockopt(fd_.get(), SOL_PACKET, PACKET_STATISTICS, &stats, &size) != 0) return 0;
  return stats.tp_drops;
}

}  // namespace pier
