#include "packet/syn_reply.h"

#include <gtest/gtest.h>

#include <random>

#include "tests/packet/support.h"

namespace pier {
namespace {

constexpr std::uint32_t kSequence = 0xfffffffe;

Flow flow_of(Family family) {
  const bool v4 = family == Family::ipv4;
  return {*IpAddress::parse(v4 ? "192.0.2.1" : "2001:db8::1"), 40000,
          *IpAddress::parse(v4 ? "198.51.100.7" : "2001:db8:1::7"), 443};
}
IpAddress router_of(Family family) {
  return *IpAddress::parse(family == Family::ipv4 ? "192.0.2.254" : "2001:db8::fe");
}

bool is_flow(const Flow& a, const Flow& b) {
  return a.local == b.local && a.remote == b.remote && a.local_port == b.local_port &&
         a.remote_port == b.remote_port;
}

class SynReplies : public testing::TestWithParam<Family> {
 protected:
  Flow flow = flow_of(GetParam());
  IpAddress router = router_of(GetParam());
  std::uint8_t unreachable = GetParam() == Family::ipv4 ? 3 : 1;
};
INSTANTIATE_TEST_SUITE_P(Families, SynReplies, testing::Values(Family::ipv4, Family::ipv6));

TEST_P(SynReplies, TheSynHasRightChecksums) {
  SynPacket packet;
  const std::size_t size = write_syn(packet, flow, kSequence, 77);
  const std::size_t header = GetParam() == Family::ipv4 ? 20 : 40;
  ASSERT_EQ(size, header + 40);
  ChecksumSum tcp;
  tcp.add_pseudo_header(flow.local, flow.remote, 6, 40);
  tcp.add(std::span(packet).subspan(header, 40));
  EXPECT_EQ(tcp.value(), 0);
  ChecksumSum ip;
  ip.add(std::span(packet).first(header));
  if (GetParam() == Family::ipv4) {
    EXPECT_EQ(ip.value(), 0);
  }
}

TEST_P(SynReplies, SynAckAndResetAreOfTheirFlow) {
  for (const auto& [flags, kind] :
       {std::pair(kSynAckFlags, SynReply::Kind::syn_ack), std::pair(kRstAckFlags, SynReply::Kind::reset)}) {
    const auto reply = parse_syn_reply(tcp_answer(flow, kSequence, flags), Checksums::check);
    ASSERT_TRUE(reply);
    EXPECT_EQ(reply->kind, kind);
    EXPECT_TRUE(is_flow(reply->flow, flow));
    EXPECT_EQ(reply->sequence, kSequence);
  }
}

TEST_P(SynReplies, OtherFlagsAreNoAnswer) {
  for (unsigned flags = 0; flags < 256; ++flags) {
    const bool answer = (flags & 0x17) == kSynAckFlags || (flags & 0x17) == kRstAckFlags;
    const auto packet = tcp_answer(flow, kSequence, static_cast<std::uint8_t>(flags));
    EXPECT_EQ(parse_syn_reply(packet, Checksums::check).has_value(), answer) << flags;
  }
}

TEST_P(SynReplies, OneWrongBitIsSeenByTheChecksum) {
  const Packet right = tcp_answer(flow, kSequence, kSynAckFlags);
  const std::size_t header = GetParam() == Family::ipv4 ? 20 : 40;
  for (std::size_t bit = header * 8; bit < right.size() * 8; ++bit) {
    Packet wrong = right;
    wrong[bit / 8] ^= static_cast<std::uint8_t>(1U << bit % 8);
    EXPECT_FALSE(parse_syn_reply(wrong, Checksums::check)) << bit;
  }
}

TEST_P(SynReplies, AnEthernetFramesPaddingIsNoPartOfIt) {
  Packet padded = tcp_answer(flow, kSequence, kRstAckFlags);
  padded.insert(padded.end(), 6, 0xaa);
  EXPECT_TRUE(parse_syn_reply(padded, Checksums::check));
}

TEST_P(SynReplies, AFragmentIsNone) {
  if (GetParam() == Family::ipv6) return;  // another header, and so no TCP
  Packet packet = tcp_answer(flow, kSequence, kSynAckFlags);
  put16(packet, 6, 0x2000);
  EXPECT_FALSE(parse_syn_reply(packet, Checksums::skip));
}

TEST_P(SynReplies, IcmpIsMatchedToTheSynThatItQuotes) {
  const std::size_t least = (GetParam() == Family::ipv4 ? 20 : 40) + 8;
  for (const std::size_t quoted : {least, least + 32}) {
    const auto reply =
        parse_syn_reply(icmp_answer(flow, kSequence, router, unreachable, 1, quoted), Checksums::check);
    ASSERT_TRUE(reply);
    EXPECT_EQ(reply->kind, SynReply::Kind::icmp);
    EXPECT_TRUE(is_flow(reply->flow, flow));
    EXPECT_EQ(reply->sequence, kSequence);
    EXPECT_EQ(reply->icmp->type, unreachable);
    EXPECT_EQ(reply->icmp->code, 1);
    EXPECT_FALSE(reply->icmp->from_target);
    EXPECT_FALSE(reply->icmp->from_this_host);
  }
  EXPECT_FALSE(
      parse_syn_reply(icmp_answer(flow, kSequence, router, unreachable, 1, least - 1), Checksums::check));
}

TEST_P(SynReplies, IcmpTellsWhoSaysIt) {
  const std::size_t quoted = GetParam() == Family::ipv4 ? 60 : 80;
  const auto own =
      parse_syn_reply(icmp_answer(flow, 1, flow.local, unreachable, 1, quoted), Checksums::check);
  EXPECT_TRUE(own->icmp->from_this_host);
  const auto target =
      parse_syn_reply(icmp_answer(flow, 1, flow.remote, unreachable, 1, quoted), Checksums::check);
  EXPECT_TRUE(target->icmp->from_target);
}

TEST_P(SynReplies, OtherIcmpIsNoAnswer) {
  const std::size_t quoted = GetParam() == Family::ipv4 ? 60 : 80;
  for (const std::uint8_t type :
       std::initializer_list<std::uint8_t>{0, 2, 5, 8, 128, 129})  // echo, packet too big, redirect
    EXPECT_FALSE(parse_syn_reply(icmp_answer(flow, 1, router, type, 0, quoted), Checksums::check))
        << int{type};
}

TEST_P(SynReplies, CutShortNothingIsReadPastTheEnd) {
  for (const Packet& whole :
       {tcp_answer(flow, kSequence, kSynAckFlags),
        icmp_answer(flow, kSequence, router, unreachable, 1, GetParam() == Family::ipv4 ? 60 : 80)}) {
    for (std::size_t size = 0; size < whole.size(); ++size) {
      const Packet part(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size));
      (void)parse_syn_reply(part, Checksums::check);
    }
  }
}

// What hits every number but the cookie: of 65,536 forged answers with the right ports, none may pass.
TEST_P(SynReplies, ForgedNumbersAreNotTheCookie) {
  const FlowCookie cookie({3, 4});
  std::mt19937 random(5);
  unsigned passed = 0;
  for (int i = 0; i < 1 << 16; ++i) {
    const auto reply = parse_syn_reply(tcp_answer(flow, static_cast<std::uint32_t>(random()), kSynAckFlags),
                                       Checksums::check);
    ASSERT_TRUE(reply);
    if (reply->sequence == cookie.of(reply->flow)) ++passed;
  }
  EXPECT_EQ(passed, 0U);
}

}  // namespace
}  // namespace pier
