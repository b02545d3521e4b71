#include "proxy/proxy_protocol.h"

#include "tests/proxy/support.h"

namespace pier {
namespace {

using namespace std::string_literals;

SocketAddress at(std::string_view ip, std::uint16_t port) {
  return {IpAddress::parse(ip).value(), port};
}

const MakeNegotiation kReader = [] { return std::make_unique<ProxyProtocolReader>(); };

ProxyHeader read(std::string_view bytes) {
  ProxyProtocolReader reader;
  const auto fed = reader.receive(bytes);
  EXPECT_TRUE(fed && fed->done) << (fed ? "not whole" : fed.error().message());
  return reader.header();
}

std::string v2(unsigned command, unsigned family, const std::string& body) {
  std::string header("\r\n\r\n\0\r\nQUIT\n"s);
  header += static_cast<char>(command);
  header += static_cast<char>(family);
  header += static_cast<char>(body.size() >> 8U);
  header += static_cast<char>(body.size());
  return header + body;
}

const std::string kV4Body = "\xc0\x00\x02\x07\xc0\x00\x02\x01\x9c\x40\x01\xbb"s;

TEST(ProxyProtocol, Version1) {
  const ProxyHeader v4 = read("PROXY TCP4 192.0.2.7 192.0.2.1 40000 443\r\n");
  EXPECT_EQ(v4.version, 1U);
  EXPECT_EQ(v4.source, at("192.0.2.7", 40000));
  EXPECT_EQ(v4.destination, at("192.0.2.1", 443));
  const ProxyHeader v6 = read("PROXY TCP6 2001:db8::7 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 0 65535\r\n");
  EXPECT_EQ(v6.source, at("2001:db8::7", 0));
  EXPECT_EQ(v6.destination, at("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", 65535));
  for (const char* const unknown : {"PROXY UNKNOWN\r\n", "PROXY UNKNOWN ffff::1 any thing 1 2\r\n"})
    EXPECT_FALSE(read(unknown).source) << unknown;
}

TEST(ProxyProtocol, Version2) {
  const ProxyHeader v4 = read(v2(0x21, 0x11, kV4Body));
  EXPECT_EQ(v4.version, 2U);
  EXPECT_EQ(v4.source, at("192.0.2.7", 40000));
  EXPECT_EQ(v4.destination, at("192.0.2.1", 443));
  EXPECT_FALSE(v4.datagram);
  EXPECT_TRUE(read(v2(0x21, 0x12, kV4Body)).datagram);
  EXPECT_FALSE(read(v2(0x20, 0x11, kV4Body)).source);            // LOCAL
  EXPECT_FALSE(read(v2(0x20, 0x00, "anything at all")).source);  // its body is ignored
  EXPECT_FALSE(read(v2(0x21, 0x00, "")).source);                 // UNSPEC
  std::string unix_body = "/run/client.sock";
  unix_body.resize(108);
  unix_body += "\0server"s;
  unix_body.resize(216);
  const ProxyHeader local = read(v2(0x21, 0x31, unix_body));
  EXPECT_EQ(local.source->path(), "/run/client.sock");
  EXPECT_EQ(local.destination->path(), "@server");
  EXPECT_EQ(read(v2(0x21, 0x31, std::string(216, '\0'))).source->path(), "");
}

TEST(ProxyProtocol, ExtrasAreSkippedAndAChecksumIsChecked) {
  EXPECT_TRUE(read(v2(0x21, 0x11, kV4Body + "\x02\x00\x04host\x04\x00\x00"s)).source);
  // The checksum of the header with zeros in its place, computed apart.
  std::string header = v2(0x21, 0x11, kV4Body + "\x03\x00\x04\x00\x00\x00\x00"s);
  std::uint32_t crc = ~0U;
  for (const char c : header) {
    crc ^= static_cast<unsigned char>(c);
    for (int i = 0; i < 8; ++i) crc = (crc & 1U) != 0 ? crc >> 1U ^ 0x82f63b78U : crc >> 1U;
  }
  crc = ~crc;
  for (int i = 0; i < 4; ++i)
    header[header.size() - 4 + static_cast<std::size_t>(i)] = static_cast<char>(crc >> (24 - 8 * i));
  EXPECT_TRUE(read(header).source);
  header.back() = static_cast<char>(header.back() ^ 1);
  EXPECT_NE(converse(*kReader(), header).error, "");
}

TEST(ProxyProtocol, WhatComesBehindTheHeaderIsThePeers) {
  for (const std::string& header :
       {"PROXY TCP4 192.0.2.7 192.0.2.1 40000 443\r\n"s, "PROXY UNKNOWN\r\n"s, v2(0x21, 0x11, kV4Body)}) {
    const Outcome outcome = converse_in_every_way(kReader, header + "GET / HTTP/1.0\r\n");
    EXPECT_TRUE(outcome.done);
    EXPECT_EQ(outcome.consumed, header.size());
    expect_more_at_every_truncation(kReader, header);
  }
}

TEST(ProxyProtocol, AnythingElseIsRefused) {
  const std::string bad[] = {
      "GET / HTTP/1.0\r\n",
      "proxy TCP4 192.0.2.7 192.0.2.1 1 2\r\n",
      "PROXY  TCP4 192.0.2.7 192.0.2.1 1 2\r\n",
      "PROXY TCP4 192.0.2.7 192.0.2.1 1 2\n",
      "PROXY TCP4 192.0.2.7 192.0.2.1 1 2\rx",
      "PROXY TCP4 192.0.2.7 192.0.2.1 1 2 \r\n",
      "PROXY TCP4 192.0.2.7 192.0.2.1 1 02\r\n",
      "PROXY TCP4 192.0.2.7 192.0.2.1 1 65536\r\n",
      "PROXY TCP4 192.0.2.7 192.0.2.1 -1 2\r\n",
      "PROXY TCP4 192.0.2.07 192.0.2.1 1 2\r\n",
      "PROXY TCP4 ::1 ::1 1 2\r\n",
      "PROXY TCP6 192.0.2.7 192.0.2.1 1 2\r\n",
      "PROXY TCP6 fe80::1%lo ::1 1 2\r\n",
      "PROXY TCP5 192.0.2.7 192.0.2.1 1 2\r\n",
      "PROXY UDP4 192.0.2.7 192.0.2.1 1 2\r\n",
      "PROXY TCP4 192.0.2.7 192.0.2.1 1\r\n",
      "PROXY \r\n",
      "PROXY UNKNOWN" + std::string(100, ' '),
      v2(0x11, 0x11, kV4Body),            // version 1 in binary
      v2(0x22, 0x11, kV4Body),            // no such command
      v2(0x21, 0x41, kV4Body),            // no such family
      v2(0x21, 0x13, kV4Body),            // no such transport
      v2(0x21, 0x11, kV4Body.substr(1)),  // too short
      v2(0x21, 0x21, kV4Body),            // too short for IPv6
      v2(0x21, 0x11, kV4Body + "\x04"),   // half a TLV
      v2(0x21, 0x11,
         kV4Body + "\x04\x00\x05"
                   "abcd"s),  // a TLV that is too long
      v2(0x21, 0x11, std::string(5000, 'x')),
      "\r\n\r\n\0\r\nQUIT\r"s,
  };
  for (const std::string& text : bad) {
    const Outcome outcome = converse_in_every_way(kReader, text);
    EXPECT_FALSE(outcome.done) << ::testing::PrintToString(text);
    EXPECT_TRUE(outcome.error.starts_with("PROXY header")) << ::testing::PrintToString(text) << outcome.error;
    EXPECT_EQ(outcome.error.find('\n'), std::string::npos);
  }
}

TEST(ProxyProtocol, WhatIsWrittenIsReadBack) {
  const SocketAddress v4a = at("192.0.2.7", 1), v4b = at("198.51.100.1", 65535), v6 = at("2001:db8::1", 80);
  for (const unsigned version : {1U, 2U}) {
    EXPECT_EQ(read(write_proxy_header(version, v4a, v4b)).source, v4a);
    EXPECT_EQ(read(write_proxy_header(version, v4a, v4b)).destination, v4b);
    EXPECT_EQ(read(write_proxy_header(version, v6, v6)).source, v6);
    const ProxyHeader mixed = read(write_proxy_header(version, v4a, v6));
    EXPECT_EQ(mixed.source, at("::ffff:192.0.2.7", 1));
    EXPECT_EQ(mixed.destination, v6);
    EXPECT_FALSE(read(write_proxy_header(version, v4a, SocketAddress::vsock(1, 2))).source);
  }
  const SocketAddress path = SocketAddress::unix_path("/run/x").value(),
                      name = SocketAddress::unix_path("@n").value();
  EXPECT_EQ(write_proxy_header(1, path, name), "PROXY UNKNOWN\r\n");
  EXPECT_EQ(read(write_proxy_header(2, path, name)).source, path);
  EXPECT_EQ(read(write_proxy_header(2, path, name)).destination, name);
  EXPECT_TRUE(read(write_proxy_header(2, v4a, v4b, true)).datagram);
  EXPECT_EQ(write_proxy_header(1, v4a, v4b), "PROXY TCP4 192.0.2.7 198.51.100.1 1 65535\r\n");
}

}  // namespace
}  // namespace pier
