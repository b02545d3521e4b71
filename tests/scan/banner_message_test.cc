#include "scan/banner_message.h"

#include <gtest/gtest.h>

#include <cstring>

namespace pier {
namespace {

BannerMessage https() {
  return {
      .number = 0x1234'5678'9abc'def0,
      .banner = {
          .protocol = "http",
          .product = "nginx/1.22.1",
          .text = "HTTP/1.1 200 OK",
          .tls = BannerTls{
              .version = "TLSv1.3", .alpn = "", .subject = "CN=www", .names = {"www", "www.example.org"}}}};
}

void expect_same(const BannerMessage& a, const BannerMessage& b) {
  EXPECT_EQ(a.number, b.number);
  EXPECT_EQ(a.banner.protocol, b.banner.protocol);
  EXPECT_EQ(a.banner.product, b.banner.product);
  EXPECT_EQ(a.banner.text, b.banner.text);
  ASSERT_EQ(a.banner.tls.has_value(), b.banner.tls.has_value());
  if (!a.banner.tls) return;
  EXPECT_EQ(a.banner.tls->version, b.banner.tls->version);
  EXPECT_EQ(a.banner.tls->alpn, b.banner.tls->alpn);
  EXPECT_EQ(a.banner.tls->subject, b.banner.tls->subject);
  EXPECT_EQ(a.banner.tls->names, b.banner.tls->names);
}

TEST(BannerMessageTest, IsReadAsItWasWrittenHoweverItIsCut) {
  BannerMessage no_names = https();
  no_names.banner.tls->names.clear();
  const BannerMessage plain{.number = 1,
                            .banner = {.protocol = "ssh", .product = "", .text = "SSH-2.0-x", .tls = {}}};
  const std::vector<BannerMessage> sent = {https(), no_names, plain, {}};
  std::string bytes;
  for (const BannerMessage& message : sent) bytes += to_bytes(message);
  for (const std::size_t piece : {std::size_t{1}, std::size_t{7}, bytes.size()}) {
    BannerMessageReader reader;
    std::size_t read = 0;
    for (std::size_t at = 0; at < bytes.size(); at += piece) {
      reader.add(std::string_view(bytes).substr(at, piece));
      for (auto message = reader.next(); message && *message; message = reader.next()) {
        ASSERT_LT(read, sent.size());
        expect_same(**message, sent[read++]);
      }
    }
    EXPECT_EQ(read, sent.size());
  }
}

TEST(BannerMessageTest, WhatIsNoneIsAnError) {
  std::string too_few = to_bytes({});
  too_few.erase(too_few.size() - 4);  // one text less
  const std::uint32_t size = static_cast<std::uint32_t>(too_few.size() - sizeof size);
  std::memcpy(too_few.data(), &size, sizeof size);
  std::string too_long_a_text = to_bytes({});
  too_long_a_text.back() = '\x7f';
  const std::uint32_t most = BannerMessageReader::kMostBytes + 1;
  const std::string too_long(reinterpret_cast<const char*>(&most), sizeof most);
  for (const std::string& bytes : {too_few, too_long_a_text, too_long, std::string(4, '\0')}) {
    BannerMessageReader reader;
    reader.add(bytes);
    EXPECT_FALSE(reader.next().has_value());
  }
}

TEST(BannerMessageTest, NothingThatATerminalWouldObeyComesOut) {
  BannerMessage message = https();
  message.banner.text = "\x1b[2J";
  message.banner.tls->names = {"a\nb"};
  BannerMessageReader reader;
  reader.add(to_bytes(message));
  const auto read = reader.next();
  ASSERT_TRUE(read && *read);
  EXPECT_EQ((*read)->banner.text, "\\x1b[2J");
  EXPECT_EQ((*read)->banner.tls->names.front(), "a\\x0ab");
}

}  // namespace
}  // namespace pier
