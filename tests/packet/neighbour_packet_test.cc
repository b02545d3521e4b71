#include "packet/neighbour_packet.h"

#include <gtest/gtest.h>

#include "tests/packet/support.h"

namespace pier {
namespace {

constexpr MacAddress kOurs{2, 0, 0, 0, 0, 1};
constexpr MacAddress kTheirs{2, 0, 0, 0, 0, 0x77};

IpAddress ip(std::string_view text) {
  return IpAddress::parse(text).value();
}

Packet arp_reply(const IpAddress& target, const MacAddress& mac, const IpAddress& to) {
  Packet packet{0, 1, 8, 0, 6, 4, 0, 2};
  packet.insert(packet.end(), mac.begin(), mac.end());
  packet.insert(packet.end(), target.bytes().begin(), target.bytes().end());
  packet.insert(packet.end(), kOurs.begin(), kOurs.end());
  packet.insert(packet.end(), to.bytes().begin(), to.bytes().end());
  return packet;
}

struct Advertisement {
  IpAddress target = ip("fe80::77");
  IpAddress from = ip("fe80::77");
  IpAddress to = ip("fe80::1");
  std::uint8_t type = 136;
  std::uint8_t code = 0;
  std::uint8_t flags = 0x60;  // solicited, override
  std::uint8_t hops = 255;
  Packet options = {2, 1, 2, 0, 0, 0, 0, 0x77};

  [[nodiscard]] Packet packet() const {
    Packet message{type, code, 0, 0, flags, 0, 0, 0};
    message.insert(message.end(), target.bytes().begin(), target.bytes().end());
    message.insert(message.end(), options.begin(), options.end());
    ChecksumSum sum;
    sum.add_pseudo_header(from, to, 58, message.size());
    sum.add(message);
    put16(message, 2, sum.value());
    Packet whole = ip_packet(from, to, 58, message);
    whole[7] = hops;
    return whole;
  }
};

std::optional<NeighbourReply> parse6(const Packet& packet) {
  return parse_neighbour_reply(Family::ipv6, packet, Checksums::check);
}
std::optional<NeighbourReply> parse4(const Packet& packet) {
  return parse_neighbour_reply(Family::ipv4, packet, Checksums::check);
}

TEST(NeighbourRequests, ArpAsksEverybody) {
  const auto request = write_neighbour_request(kOurs, ip("10.0.0.1"), ip("10.0.0.7"));
  const Packet expected{0, 1, 8, 0, 6, 4, 0, 1, 2, 0, 0, 0, 0, 1, 10, 0, 0, 1, 0, 0, 0, 0, 0, 0, 10, 0, 0, 7};
  EXPECT_EQ(Packet(request.bytes.begin(), request.bytes.begin() + 28), expected);
  EXPECT_EQ(request.size, 28U);
  EXPECT_EQ(request.to, (MacAddress{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}));
}

TEST(NeighbourRequests, ASolicitationAsksThoseOfItsGroup) {
  const IpAddress source = ip("2001:db8::1");
  const IpAddress target = ip("2001:db8::12:3456");
  const auto request = write_neighbour_request(kOurs, source, target);
  ASSERT_EQ(request.size, 72U);
  EXPECT_EQ(request.to, (MacAddress{0x33, 0x33, 0xff, 0x12, 0x34, 0x56}));
  const std::span<const std::uint8_t> bytes(request.bytes);
  EXPECT_EQ(bytes[7], 255) << "hop limit";
  EXPECT_EQ(IpAddress(Family::ipv6, bytes.subspan(8, 16)), source);
  const IpAddress group(Family::ipv6, bytes.subspan(24, 16));
  EXPECT_EQ(group, ip("ff02::1:ff12:3456"));
  EXPECT_EQ(bytes[40], 135);
  EXPECT_EQ(IpAddress(Family::ipv6, bytes.subspan(48, 16)), target);
  EXPECT_EQ(Packet(bytes.begin() + 64, bytes.end()), (Packet{1, 1, 2, 0, 0, 0, 0, 1}));
  ChecksumSum sum;
  sum.add_pseudo_header(source, group, 58, 32);
  sum.add(bytes.subspan(40));
  EXPECT_EQ(sum.value(), 0);
}

TEST(NeighbourReplies, ArpTellsItsSender) {
  Packet packet = arp_reply(ip("10.0.0.7"), kTheirs, ip("10.0.0.1"));
  const NeighbourReply told{ip("10.0.0.7"), kTheirs, ip("10.0.0.1")};
  EXPECT_EQ(parse4(packet), told);
  packet.insert(packet.end(), 18, 0);
  EXPECT_EQ(parse4(packet), told) << "with a frame's padding";
}

TEST(NeighbourReplies, OtherArpIsNone) {
  const Packet good = arp_reply(ip("10.0.0.7"), kTheirs, ip("10.0.0.1"));
  for (std::size_t at = 0; at < 8; ++at) {  // types, lengths, operation
    Packet wrong = good;
    wrong[at] ^= 1;
    EXPECT_FALSE(parse4(wrong)) << at;
  }
  for (std::size_t size = 0; size < good.size(); ++size)
    EXPECT_FALSE(parse4(Packet(good.begin(), good.begin() + static_cast<std::ptrdiff_t>(size)))) << size;
  for (const MacAddress& mac :
       {MacAddress{}, MacAddress{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, MacAddress{1, 0, 0x5e, 0, 0, 1}})
    EXPECT_FALSE(parse4(arp_reply(ip("10.0.0.7"), mac, ip("10.0.0.1"))));
  EXPECT_FALSE(parse4(arp_reply(ip("0.0.0.0"), kTheirs, ip("10.0.0.1"))));
  EXPECT_FALSE(parse4(arp_reply(ip("224.0.0.1"), kTheirs, ip("10.0.0.1"))));
}

TEST(NeighbourReplies, AnAdvertisementTellsItsTarget) {
  Advertisement advertisement;
  const NeighbourReply told{ip("fe80::77"), kTheirs, ip("fe80::1")};
  EXPECT_EQ(parse6(advertisement.packet()), told);
  advertisement.flags = 0xc0;  // of a router, without override
  EXPECT_EQ(parse6(advertisement.packet()), told);
  advertisement.from = ip("fe80::99");
  EXPECT_EQ(parse6(advertisement.packet()), told) << "a proxy's";
  const Packet other{14, 1, 0, 0, 0, 0, 0, 0};
  advertisement.options.insert(advertisement.options.begin(), other.begin(), other.end());
  EXPECT_EQ(parse6(advertisement.packet()), told) << "after an option that is not known";
}

// RFC 4861, section 7.1.2, and what was not asked for.
TEST(NeighbourReplies, OtherAdvertisementsAreNone) {
  const struct {
    const char* what;
    Advertisement advertisement;
  } kRows[] = {
      {"passed on by a router", {.hops = 254}},
      {"another code", {.code = 1}},
      {"a solicitation", {.type = 135}},
      {"to a group", {.to = ip("ff02::1")}},
      {"not asked for", {.flags = 0x20}},
      {"a group as its target", {.target = ip("ff02::7")}},
      {"an option of no length", {.options = {2, 1, 2, 0, 0, 0, 0, 0x77, 3, 0, 0, 0, 0, 0, 0, 0}}},
      {"an option that is cut off", {.options = {2, 2, 2, 0, 0, 0, 0, 0x77}}},
      {"half an option", {.options = {2, 1, 2, 0}}},
      {"without an option", {.options = {}}},
      {"another option", {.options = {1, 1, 2, 0, 0, 0, 0, 0x77}}},
      {"a longer address", {.options = {2, 2, 2, 0, 0, 0, 0, 0x77, 0, 0, 0, 0, 0, 0, 0, 0}}},
      {"a group's MAC address", {.options = {2, 1, 3, 0, 0, 0, 0, 0x77}}},
      {"no MAC address", {.options = {2, 1, 0, 0, 0, 0, 0, 0}}},
  };
  for (const auto& row : kRows) EXPECT_FALSE(parse6(row.advertisement.packet())) << row.what;
}

TEST(NeighbourReplies, OneWrongBitOfAnAdvertisementIsSeenByTheChecksum) {
  const Packet right = Advertisement{}.packet();
  for (std::size_t bit = std::size_t{8} * 8; bit < right.size() * 8; ++bit) {
    Packet wrong = right;
    wrong[bit / 8] ^= static_cast<std::uint8_t>(1U << bit % 8);
    EXPECT_FALSE(parse6(wrong)) << bit;
  }
  Packet packet = right;
  packet[42] ^= 1;
  EXPECT_TRUE(parse_neighbour_reply(Family::ipv6, packet, Checksums::skip));
}

TEST(NeighbourReplies, CutShortNothingIsReadPastTheEnd) {
  const Packet right = Advertisement{}.packet();
  for (std::size_t size = 0; size < right.size(); ++size)
    EXPECT_FALSE(parse6(Packet(right.begin(), right.begin() + static_cast<std::ptrdiff_t>(size)))) << size;
}

}  // namespace
}  // namespace pier
