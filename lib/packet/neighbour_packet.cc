#include "packet/neighbour_packet.h"

#include <netinet/in.h>

#include <algorithm>

#include "packet/checksum.h"

namespace pier {
namespace {

using Bytes = std::span<const std::uint8_t>;

// Hardware type Ethernet, protocol IPv4, the lengths of both addresses (RFC 826).
constexpr std::array<std::uint8_t, 6> kEthernetAndIp4 = {0, 1, 8, 0, 6, 4};
constexpr std::size_t kArp = 28;
constexpr std::uint8_t kArpRequest = 1;
constexpr std::uint8_t kArpReply = 2;

constexpr std::size_t kIp6 = 40;
constexpr std::uint8_t kHopLimit = 255;  // no router has passed it on
constexpr std::size_t kMessage = 24;     // of both kinds, without options
constexpr std::size_t kUnit = 8;         // that the length of an option counts
constexpr std::uint8_t kSolicitation = 135;
constexpr std::uint8_t kAdvertisement = 136;
constexpr std::uint8_t kSolicited = 0x40;
constexpr std::uint8_t kSourceLinkAddress = 1;
constexpr std::uint8_t kTargetLinkAddress = 2;

void put(std::span<std::uint8_t> bytes, std::size_t at, Bytes value) {
  std::ranges::copy(value, bytes.begin() + static_cast<std::ptrdiff_t>(at));
}

MacAddress mac_at(Bytes bytes, std::size_t at) {
  MacAddress mac;
  std::ranges::copy(bytes.subspan(at, mac.size()), mac.begin());
  return mac;
}

bool is_one_hosts(const MacAddress& mac) {
  return (mac[0] & 1) == 0 && mac != MacAddress{};
}

void write_arp(NeighbourRequest& request, const MacAddress& mac, const IpAddress& source,
               const IpAddress& target) {
  request.size = kArp;
  request.to.fill(0xff);
  put(request.bytes, 0, kEthernetAndIp4);
  request.bytes[7] = kArpRequest;
  put(request.bytes, 8, mac);
  put(request.bytes, 14, source.bytes());
  put(request.bytes, 24, target.bytes());
}

void write_solicitation(NeighbourRequest& request, const MacAddress& mac, const IpAddress& source,
                        const IpAddress& target) {
  const std::span<std::uint8_t> bytes(request.bytes);
  const Bytes last = target.bytes().last(3);
  // ff02::1:ffXX:XXXX (RFC 4291, section 2.7.1), and its MAC address (RFC 2464, section 7).
  std::array<std::uint8_t, 16> group{0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff};
  put(group, 13, last);
  request.to = {0x33, 0x33, 0xff, last[0], last[1], last[2]};
  request.size = kIp6 + kMessage + kUnit;
  bytes[0] = 0x60;
  bytes[5] = kMessage + kUnit;
  bytes[6] = IPPROTO_ICMPV6;
  bytes[7] = kHopLimit;
  put(bytes, 8, source.bytes());
  put(bytes, 24, group);
  const auto message = bytes.subspan(kIp6, kMessage + kUnit);
  message[0] = kSolicitation;
  put(message, 8, target.bytes());
  message[kMessage] = kSourceLinkAddress;
  message[kMessage + 1] = 1;
  put(message, kMessage + 2, mac);
  ChecksumSum sum;
  sum.add_pseudo_header(source, IpAddress(Family::ipv6, group), IPPROTO_ICMPV6, message.size());
  sum.add(message);
  message[2] = static_cast<std::uint8_t>(sum.value() >> 8);
  message[3] = static_cast<std::uint8_t>(sum.value());
}

std::optional<NeighbourReply> read_arp(Bytes packet) {
  if (packet.size() < kArp || !std::ranges::equal(packet.first(6), kEthernetAndIp4)) return std::nullopt;
  if (packet[6] != 0 || packet[7] != kArpReply) return std::nullopt;
  return NeighbourReply{.target = IpAddress(Family::ipv4, packet.subspan(14, 4)),
                        .mac = mac_at(packet, 8),
                        .asked_by = IpAddress(Family::ipv4, packet.subspan(24, 4))};
}

// Any option of no length makes the whole invalid, also after the one that is looked for.
std::optional<MacAddress> target_link_address(Bytes options) {
  std::optional<MacAddress> found;
  while (!options.empty()) {
    if (options.size() < kUnit || options[1] == 0 || options.size() < kUnit * options[1]) return std::nullopt;
    if (options[0] == kTargetLinkAddress && options[1] == 1 && !found) found = mac_at(options, 2);
    options = options.subspan(kUnit * options[1]);
  }
  return found;
}

std::optional<NeighbourReply> read_advertisement(Bytes packet, Checksums checksums) {
  if (packet.size() < kIp6 + kMessage || packet[0] >> 4 != 6) return std::nullopt;
  if (packet[6] != IPPROTO_ICMPV6 || packet[7] != kHopLimit) return std::nullopt;
  const std::size_t length = static_cast<std::size_t>(packet[4]) << 8 | packet[5];
  if (length < kMessage || packet.size() < kIp6 + length) return std::nullopt;
  const IpAddress from(Family::ipv6, packet.subspan(8, 16));
  const IpAddress to(Family::ipv6, packet.subspan(24, 16));
  const Bytes message = packet.subspan(kIp6, length);
  if (message[0] != kAdvertisement || message[1] != 0) return std::nullopt;
  // To a group it must not say that it was asked for; and nothing else is wanted.
  if ((message[4] & kSolicited) == 0 || to.is_multicast() || from.is_multicast()) return std::nullopt;
  if (checksums == Checksums::check) {
    ChecksumSum sum;
    sum.add_pseudo_header(from, to, IPPROTO_ICMPV6, message.size());
    sum.add(message);
    if (sum.value() != 0) return std::nullopt;
  }
  const auto mac = target_link_address(message.subspan(kMessage));
  if (!mac) return std::nullopt;
  return NeighbourReply{
      .target = IpAddress(Family::ipv6, message.subspan(8, 16)), .mac = *mac, .asked_by = to};
}

}  // namespace

NeighbourRequest write_neighbour_request(const MacAddress& mac, const IpAddress& source,
                                         const IpAddress& target) {
  NeighbourRequest request;
  request.bytes.fill(0);
  if (target.family() == Family::ipv4)
    write_arp(request, mac, source, target);
  else
    write_solicitation(request, mac, source, target);
  return request;
}

std::optional<NeighbourReply> parse_neighbour_reply(Family family, Bytes packet, Checksums checksums) {
  auto reply = family == Family::ipv4 ? read_arp(packet) : read_advertisement(packet, checksums);
  if (!reply || !is_one_hosts(reply->mac) || reply->target.is_multicast() || reply->target.is_any())
    return std::nullopt;
  return reply;
}

}  // namespace pier
