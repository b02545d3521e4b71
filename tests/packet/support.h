// Answers as other hosts would send them, byte for byte.
#pragma once

#include <cstdint>
#include <vector>

#include "packet/checksum.h"
#include "packet/flow.h"
#include "packet/syn_packet.h"

namespace pier {

using Packet = std::vector<std::uint8_t>;

inline void put16(Packet& packet, std::size_t at, std::size_t value) {
  packet[at] = static_cast<std::uint8_t>(value >> 8);
  packet[at + 1] = static_cast<std::uint8_t>(value);
}

inline Packet ip_packet(const IpAddress& from, const IpAddress& to, std::uint8_t protocol,
                        const Packet& payload) {
  const bool v4 = from.family() == Family::ipv4;
  Packet packet(v4 ? 20 : 40);
  const auto insert = [&](std::size_t at, const IpAddress& ip) {
    std::copy(ip.bytes().begin(), ip.bytes().end(), packet.begin() + static_cast<std::ptrdiff_t>(at));
  };
  if (v4) {
    packet[0] = 0x45;
    put16(packet, 2, packet.size() + payload.size());
    packet[8] = 60;
    packet[9] = protocol;
    insert(12, from);
    insert(16, to);
    ChecksumSum sum;
    sum.add(packet);
    put16(packet, 10, sum.value());
  } else {
    packet[0] = 0x60;
    put16(packet, 4, payload.size());
    packet[6] = protocol;
    packet[7] = 60;
    insert(8, from);
    insert(24, to);
  }
  packet.insert(packet.end(), payload.begin(), payload.end());
  return packet;
}

inline constexpr std::uint8_t kSynAckFlags = 0x12;
inline constexpr std::uint8_t kRstAckFlags = 0x14;

// The segment that answers a SYN of `flow` with this sequence number.
inline Packet tcp_answer(const Flow& flow, std::uint32_t sequence, std::uint8_t flags) {
  Packet segment(20);
  put16(segment, 0, flow.remote_port);
  put16(segment, 2, flow.local_port);
  put16(segment, 4, 0x1234);
  put16(segment, 8, (sequence + 1) >> 16);
  put16(segment, 10, (sequence + 1) & 0xffff);
  segment[12] = 5 << 4;
  segment[13] = flags;
  ChecksumSum sum;
  sum.add_pseudo_header(flow.remote, flow.local, 6, segment.size());
  sum.add(segment);
  put16(segment, 16, sum.value());
  return ip_packet(flow.remote, flow.local, 6, segment);
}

// An ICMP error from `sender` that quotes `quoted` bytes of the SYN.
inline Packet icmp_answer(const Flow& flow, std::uint32_t sequence, const IpAddress& sender,
                          std::uint8_t type, std::uint8_t code, std::size_t quoted) {
  SynPacket syn;
  write_syn(syn, flow, sequence, 0);
  Packet message(8 + quoted);
  message[0] = type;
  message[1] = code;
  std::copy_n(syn.begin(), quoted, message.begin() + 8);
  const bool v4 = sender.family() == Family::ipv4;
  ChecksumSum sum;
  if (!v4) sum.add_pseudo_header(sender, flow.local, 58, message.size());
  sum.add(message);
  put16(message, 2, sum.value());
  return ip_packet(sender, flow.local, v4 ? 1 : 58, message);
}

}  // namespace pier
