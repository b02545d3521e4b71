// What may be an answer to a SYN, read from a packet.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "net/icmp_error.h"
#include "packet/flow.h"

namespace pier {

struct SynReply {
  enum class Kind : std::uint8_t {
    syn_ack,
    reset,
    icmp,  // an error about the SYN, which it quotes
  };
  Kind kind = Kind::reset;
  Flow flow;                   // of the SYN
  std::uint32_t sequence = 0;  // of the SYN; an answer only where it is the cookie of the flow
  std::optional<IcmpError> icmp = {};
};

enum class Checksums : std::uint8_t {
  check,
  skip,  // the packet has not been on a wire, or the hardware has checked it
};

// `packet` begins with the IP header, whose version tells the family, and may be cut short. A SYN-ACK or a
// reset that acknowledges a SYN without data (RFC 9293, section 3.10.7.1), or destination unreachable, time
// exceeded or parameter problem (RFC 792, RFC 4443) that quotes TCP's ports and sequence number. nullopt for
// anything else: other packets, fragments, malformed ones, wrong checksums as far as the packet is whole.
[[nodiscard]] std::optional<SynReply> parse_syn_reply(std::span<const std::uint8_t> packet,
                                                      Checksums checksums);

}  // namespace pier
