#include "packet/receiver.h"

#include <linux/filter.h>
#include <net/ethernet.h>
#include <netinet/in.h>

#include <utility>

namespace pier {
namespace {

// 8 MB: a hundredth of a second of a million answers a second, and more than a scheduler's slice of those
// that one core can handle.
constexpr unsigned kBlocks = 128;

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

}  // namespace

Result<SynReceiver> SynReceiver::open(Family family, std::span<const std::uint16_t> ports) {
  const bool v4 = family == Family::ipv4;
  const std::vector<std::uint32_t> numbers(ports.begin(), ports.end());
  const Program program = v4 ? filter4(numbers) : filter6(numbers);
  auto ring = PacketRing::open(v4 ? ETH_P_IP : ETH_P_IPV6, program, kBlocks);
  if (!ring) return std::unexpected(ring.error());
  return SynReceiver(std::move(*ring));
}

void SynReceiver::take(const std::function<void(const SynReply& reply, TimePoint at)>& visit) {
  ring_.take([&](const ReceivedPacket& packet) {
    auto reply = parse_syn_reply(packet.bytes, packet.checksums);
    if (!reply) return;
    // The same link-local address is another host's on each link.
    if (reply->flow.remote.is_link_local())
      reply->flow.remote = IpAddress(Family::ipv6, reply->flow.remote.bytes(), packet.interface);
    visit(*reply, packet.at);
  });
}

}  // namespace pier
