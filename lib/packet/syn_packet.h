// The SYN that asks a port, as it goes over the wire, from the IP header on.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "packet/flow.h"

namespace pier {

inline constexpr std::size_t kMostSynPacket = 40 + 40;  // IPv6 and TCP with options
using SynPacket = std::array<std::uint8_t, kMostSynPacket>;

// Writes the packet with all checksums and returns its length: IPv4 (RFC 791) or IPv6 (RFC 8200) by the
// flow's family, TCP (RFC 9293) with the options that Linux sends by default, in its order: maximum segment
// size, SACK permitted, timestamps, window scale. Without options some hosts and firewalls do not answer.
// `clock` is the timestamp (RFC 7323), in milliseconds from anywhere.
std::size_t write_syn(SynPacket& packet, const Flow& flow, std::uint32_t sequence, std::uint32_t clock);

}  // namespace pier
