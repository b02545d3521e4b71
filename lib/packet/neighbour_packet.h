// Questions for the MAC address of a neighbour on the same link, and the replies to them: ARP (RFC 826) for
// IPv4, Neighbor Discovery (RFC 4861) for IPv6. All without the Ethernet header.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "net/address.h"
#include "packet/syn_reply.h"
#include "packet/way.h"

namespace pier {

inline constexpr std::size_t kMostNeighbourRequest = 40 + 32;  // a Neighbor Solicitation with one option

struct NeighbourRequest {
  std::array<std::uint8_t, kMostNeighbourRequest> bytes;
  std::size_t size = 0;
  // Where the frame goes: everybody, or who listens to the solicited-node multicast address.
  MacAddress to{};
};

// A request for the MAC address of `target`, from `source` of the same family with the address `mac`: an ARP
// request, or a Neighbor Solicitation to the solicited-node multicast address (RFC 4861, section 7.2.2) with
// the source link-layer address option.
[[nodiscard]] NeighbourRequest write_neighbour_request(const MacAddress& mac, const IpAddress& source,
                                                       const IpAddress& target);

struct NeighbourReply {
  IpAddress target;  // without a zone
  MacAddress mac{};
  IpAddress asked_by;  // whom the reply is to
  friend bool operator==(const NeighbourReply&, const NeighbourReply&) = default;
};

// An ARP reply, or a solicited Neighbor Advertisement, valid by RFC 4861, section 7.1.2, with the target
// link-layer address option. The MAC address is one host's: neither a group's nor zero. nullopt for anything
// else. `packet` is all of it, a frame's padding may follow.
[[nodiscard]] std::optional<NeighbourReply> parse_neighbour_reply(Family family,
                                                                  std::span<const std::uint8_t> packet,
                                                                  Checksums checksums);

}  // namespace pier
