#include "packet/syn_reply.h"

#include <netinet/in.h>

#include "packet/checksum.h"

namespace pier {
namespace {

using Bytes = std::span<const std::uint8_t>;

constexpr std::uint8_t kFlagsThatCount = 0x17;  // ACK, RST, SYN, FIN
constexpr std::uint8_t kSynAck = 0x12;
constexpr std::uint8_t kRstAck = 0x14;

std::uint16_t u16(Bytes bytes, std::size_t at) {
  return static_cast<std::uint16_t>(bytes[at] << 8 | bytes[at + 1]);
}
std::uint32_t u32(Bytes bytes, std::size_t at) {
  return static_cast<std::uint32_t>(u16(bytes, at)) << 16 | u16(bytes, at + 2);
}

struct IpPacket {
  IpAddress from;
  IpAddress to;
  std::uint8_t protocol = 0;
  Bytes payload = {};
  bool whole = false;  // nothing of the payload was cut off
};

std::optional<IpPacket> read_ip4(Bytes packet, Checksums checksums) {
  if (packet.size() < 20) return std::nullopt;
  const std::size_t header = std::size_t{4} * (packet[0] & 0xf);
  const std::size_t total = u16(packet, 2);
  if (header < 20 || packet.size() < header || total < header) return std::nullopt;
  if ((u16(packet, 6) & 0x3fff) != 0) return std::nullopt;  // a fragment
  ChecksumSum sum;
  sum.add(packet.first(header));
  if (checksums == Checksums::check && sum.value() != 0) return std::nullopt;
  IpPacket ip{.from = IpAddress(Family::ipv4, packet.subspan(12, 4)),
              .to = IpAddress(Family::ipv4, packet.subspan(16, 4)),
              .protocol = packet[9]};
  ip.whole = packet.size() >= total;  // more than that is the frame's padding
  ip.payload = packet.first(ip.whole ? total : packet.size()).subspan(header);
  return ip;
}

// Headers between that of IPv6 and what it carries are few in practice; each of these has its length in its
// second byte, in units of eight bytes (RFC 8200, section 4).
constexpr int kMostExtensions = 8;

std::optional<IpPacket> read_ip6(Bytes packet) {
  if (packet.size() < 40) return std::nullopt;
  IpPacket ip{.from = IpAddress(Family::ipv6, packet.subspan(8, 16)),
              .to = IpAddress(Family::ipv6, packet.subspan(24, 16)),
              .protocol = packet[6]};
  const std::size_t total = std::size_t{40} + u16(packet, 4);
  ip.whole = packet.size() >= total;
  ip.payload = packet.first(ip.whole ? total : packet.size()).subspan(40);
  for (int i = 0; i < kMostExtensions; ++i) {
    const bool extension =
        ip.protocol == IPPROTO_HOPOPTS || ip.protocol == IPPROTO_DSTOPTS || ip.protocol == IPPROTO_ROUTING;
    if (!extension) return ip;
    if (ip.payload.size() < 8) return std::nullopt;
    const std::size_t length = std::size_t{8} * (ip.payload[1] + 1U);
    if (ip.payload.size() < length) return std::nullopt;
    ip.protocol = ip.payload[0];
    ip.payload = ip.payload.subspan(length);
  }
  return std::nullopt;
}

std::optional<IpPacket> read_ip(Bytes packet, Checksums checksums) {
  if (packet.empty()) return std::nullopt;
  switch (packet[0] >> 4) {
    case 4:
      return read_ip4(packet, checksums);
    case 6:
      return read_ip6(packet);
    default:
      return std::nullopt;
  }
}

std::optional<SynReply> read_tcp(const IpPacket& ip, Checksums checksums) {
  const Bytes segment = ip.payload;
  if (segment.size() < 20) return std::nullopt;
  const std::size_t header = std::size_t{4} * (segment[12] >> 4);
  if (header < 20 || (ip.whole && header > segment.size())) return std::nullopt;
  const auto flags = static_cast<std::uint8_t>(segment[13] & kFlagsThatCount);
  if (flags != kSynAck && flags != kRstAck) return std::nullopt;
  if (checksums == Checksums::check && ip.whole) {
    ChecksumSum sum;
    sum.add_pseudo_header(ip.from, ip.to, IPPROTO_TCP, segment.size());
    sum.add(segment);
    if (sum.value() != 0) return std::nullopt;
  }
  return SynReply{.kind = flags == kSynAck ? SynReply::Kind::syn_ack : SynReply::Kind::reset,
                  .flow = {.local = ip.to,
                           .local_port = u16(segment, 2),
                           .remote = ip.from,
                           .remote_port = u16(segment, 0)},
                  .sequence = u32(segment, 8) - 1};
}

bool is_error(Family family, std::uint8_t type) {
  if (family == Family::ipv4) return type == 3 || type == 11 || type == 12;
  return type == 1 || type == 3 || type == 4;
}

std::optional<SynReply> read_icmp(const IpPacket& ip, Checksums checksums) {
  const Bytes message = ip.payload;
  const Family family = ip.from.family();
  if (message.size() < 8 || !is_error(family, message[0])) return std::nullopt;
  if (checksums == Checksums::check && ip.whole) {
    ChecksumSum sum;
    if (family == Family::ipv6) sum.add_pseudo_header(ip.from, ip.to, IPPROTO_ICMPV6, message.size());
    sum.add(message);
    if (sum.value() != 0) return std::nullopt;
  }
  // Of the packet, at least its IP header and 64 bits more (RFC 792). Routers on the way have changed its
  // header and perhaps not its checksum.
  const auto quoted = read_ip(message.subspan(8), Checksums::skip);
  if (!quoted || quoted->from.family() != family || quoted->protocol != IPPROTO_TCP) return std::nullopt;
  if (quoted->payload.size() < 8) return std::nullopt;
  return SynReply{.kind = SynReply::Kind::icmp,
                  .flow = {.local = quoted->from,
                           .local_port = u16(quoted->payload, 0),
                           .remote = quoted->to,
                           .remote_port = u16(quoted->payload, 2)},
                  .sequence = u32(quoted->payload, 4),
                  .icmp = IcmpError{.family = family,
                                    .type = message[0],
                                    .code = message[1],
                                    .from_this_host = ip.from == quoted->from && ip.from != quoted->to,
                                    .from_target = ip.from == quoted->to}};
}

}  // namespace

std::optional<SynReply> parse_syn_reply(Bytes packet, Checksums checksums) {
  const auto ip = read_ip(packet, checksums);
  if (!ip) return std::nullopt;
  const int icmp = ip->from.family() == Family::ipv4 ? int{IPPROTO_ICMP} : int{IPPROTO_ICMPV6};
  if (ip->protocol == icmp) return read_icmp(*ip, checksums);
  return ip->protocol == IPPROTO_TCP ? read_tcp(*ip, checksums) : std::nullopt;
}

}  // namespace pier
