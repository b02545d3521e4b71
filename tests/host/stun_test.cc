#include "host/stun.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "host/stun_schedule.h"

namespace pier {
namespace {

std::vector<std::byte> bytes(std::string_view hex) {
  std::vector<std::byte> out;
  std::string digits;
  for (const char c : hex) {
    if (c == ' ' || c == '\n') continue;
    digits += c;
    if (digits.size() < 2) continue;
    out.push_back(static_cast<std::byte>(std::stoi(digits, nullptr, 16)));
    digits.clear();
  }
  return out;
}

// RFC 5769, sections 2.2 and 2.3: a response over IPv4 and one over IPv6.
constexpr std::string_view kHead4 =
    "0101003c 2112a442 b7e7a701bc34d686fa87dfae 8022000b 7465737420766563746f7220 "
    "00200008 0001a147 e112a643 00080014 2b91f599fd9e90c38c7489f92af9ba53f06be7d7 80280004 c07d4c96";
constexpr std::string_view kHead6 =
    "01010048 2112a442 b7e7a701bc34d686fa87dfae 8022000b 7465737420766563746f7220 "
    "00200014 0002a147 0113a9faa5d3f179bc25f4b5bed2b9d9 "
    "00080014 a382954e4be67bf11784c97c8292c275bfe3ed41 80280004 c8fb0b4c";

TEST(Stun, ReadsTheResponsesOfRfc5769) {
  const auto four = decode_stun(bytes(kHead4));
  ASSERT_TRUE(four) << four.error().message();
  EXPECT_EQ(four->kind, StunClass::success);
  EXPECT_EQ(four->method, kStunBinding);
  EXPECT_EQ(four->software, "test vector");
  EXPECT_EQ(four->mapped->to_string(), "192.0.2.1:32853");
  const auto six = decode_stun(bytes(kHead6));
  ASSERT_TRUE(six) << six.error().message();
  EXPECT_EQ(six->mapped->to_string(), "[2001:db8:1234:5678:11:2233:4455:6677]:32853");
}

TEST(Stun, ARequestIsReadBackWithItsIdAndFingerprint) {
  for (const bool address : {false, true}) {
    for (const bool port : {false, true}) {
      const StunRequest request{.id = new_stun_id(), .change_address = address, .change_port = port};
      auto encoded = encode(request);
      EXPECT_EQ(stun_length(encoded).value(), encoded.size());
      const auto read = decode_stun(encoded);
      ASSERT_TRUE(read) << read.error().message();
      EXPECT_EQ(read->kind, StunClass::request);
      EXPECT_EQ(read->id, request.id);
      EXPECT_TRUE(read->unknown.empty());
      encoded[12] ^= std::byte{1};
      EXPECT_FALSE(decode_stun(encoded));  // the fingerprint no longer fits
    }
  }
  EXPECT_NE(new_stun_id(), new_stun_id());
}

TEST(Stun, ReadsErrorsAndTheAddressesOfRfc5780) {
  const auto error =
      decode_stun(bytes("01110010 2112a442 000000000000000000000000 0009000a 00000414 "
                        "556e6b6e6f776e 0000"));
  EXPECT_FALSE(error);  // the length says less than there is
  const auto fine =
      decode_stun(bytes("01110010 2112a442 000000000000000000000000 0009000b 00000414 556e6b6e6f776e 00"));
  ASSERT_TRUE(fine) << fine.error().message();
  EXPECT_EQ(fine->kind, StunClass::error);
  EXPECT_EQ(fine->error->code, 420);
  const auto other =
      decode_stun(bytes("01010018 2112a442 000000000000000000000000 802c0008 00010d97 c0000202 "
                        "802b0008 00010d96 c0000201"));
  ASSERT_TRUE(other) << other.error().message();
  EXPECT_EQ(other->other->to_string(), "192.0.2.2:3479");
  EXPECT_EQ(other->origin->to_string(), "192.0.2.1:3478");
  EXPECT_FALSE(other->mapped);
}

TEST(Stun, WhatIsNoMessageIsRefused) {
  for (const std::string_view text :
       {"",                                                                       // nothing
        "01010000 2112a442 0000000000000000000000",                               // a byte short
        "81010000 2112a442 000000000000000000000000",                             // RTP, by its first bits
        "01010000 2112a443 000000000000000000000000",                             // another cookie
        "01010002 2112a442 000000000000000000000000 0000",                        // no words
        "01010004 2112a442 000000000000000000000000 00200008",                    // past the end
        "0101000c 2112a442 000000000000000000000000 00200008 0003a147 e112a643",  // a family of its own
        "01010008 2112a442 000000000000000000000000 00200004 0001a147",           // no address
        "01010008 2112a442 000000000000000000000000 00090004 00000763",           // error 799
        "01010004 2112a442 000000000000000000000000 80280000"}) {                 // an empty fingerprint
    EXPECT_FALSE(decode_stun(bytes(text))) << text;
  }
}

TEST(Stun, AttributesThatMustBeUnderstoodAreTold) {
  const auto message =
      decode_stun(bytes("01010010 2112a442 000000000000000000000000 7ffe0004 00000000 fffe0001 00000000"));
  ASSERT_TRUE(message) << message.error().message();
  EXPECT_EQ(message->unknown, std::vector<std::uint16_t>{0x7ffe});
}

TEST(StunSchedule, IsThatOfTheRfc) {
  using std::chrono::milliseconds;
  const StunSchedule udp(false);
  const int expected[] = {0, 500, 1500, 3500, 7500, 15500, 31500};
  for (int sent = 0; sent < 7; ++sent) EXPECT_EQ(udp.next(sent), milliseconds(expected[sent])) << sent;
  EXPECT_EQ(udp.next(7), std::nullopt);
  EXPECT_EQ(udp.give_up(), milliseconds(39500));
  const StunSchedule tcp(true, milliseconds(100));
  EXPECT_EQ(tcp.next(0), Duration(0));
  EXPECT_EQ(tcp.next(1), std::nullopt);
  EXPECT_EQ(tcp.give_up(), milliseconds(100));
}

}  // namespace
}  // namespace pier
