#include "scan/banner.h"

#include <gtest/gtest.h>

namespace pier {
namespace {

using namespace std::string_literals;

struct Case {
  std::string received, protocol, product;
};

TEST(Banner, EachProtocolIsKnownByWhatItsServersSayFirst) {
  const Case cases[] = {
      {"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n", "ssh", "OpenSSH_9.2p1 Debian-2"},
      {"220 mail.example ESMTP Postfix (Debian)\r\n", "smtp", "Postfix (Debian)"},
      {"220-mail.example SMTP\r\n220 ready\r\n", "smtp", ""},
      {"220 (vsFTPd 3.0.3)\r\n", "ftp", "(vsFTPd 3.0.3)"},
      {"+OK Dovecot ready.\r\n", "pop3", "Dovecot ready."},
      {"* OK [CAPABILITY IMAP4rev1 SASL-IR] Dovecot ready.\r\n", "imap", "Dovecot ready."},
      {"200 news.example InterNetNews NNRP server ready\r\n", "nntp",
       "news.example InterNetNews NNRP server ready"},
      {"HTTP/1.1 200 OK\r\nDate: x\r\nserver: nginx/1.22.1\r\n\r\n", "http", "nginx/1.22.1"},
      {"HTTP/1.0 404 Not Found\r\n\r\nServer: a body's\r\n", "http", ""},
      {"RTSP/1.0 400 Bad Request\r\nServer: x\r\n\r\n", "rtsp", "x"},
      {"RFB 003.008\n", "vnc", "003.008"},
      {"@RSYNCD: 31.0\n", "rsync", "31.0"},
      {"-ERR wrong number of arguments for 'get' command\r\n", "redis", ""},
      {":irc.example NOTICE * :*** Looking up your hostname\r\n", "irc", ""},
      {"\xff\xfb\x01\xff\xfb\x03", "telnet", ""},
      {"J\0\0\0\x0a"
       "8.0.36\0\x01\x02\x03"s,
       "mysql", "8.0.36"},
      {"whatever\r\nelse", "", ""},
      {"220 ready\r\n", "", ""},
      {"", "", ""},
  };
  for (const Case& one : cases) {
    const Banner banner = read_banner(one.received);
    EXPECT_EQ(banner.protocol, one.protocol) << one.received;
    EXPECT_EQ(banner.product, one.product) << one.received;
  }
}

TEST(Banner, WhatIsForeignIsShownSafely) {
  const Banner banner = read_banner("a\x1b[31mb\r\nsecond");
  EXPECT_EQ(banner.text, "a\\x1b[31mb");
  EXPECT_LE(read_banner(std::string(5000, 'x')).text.size(), Banner::kMostText);
}

TEST(Banner, AMySqlPacketThatIsCutShortOrBinaryIsNone) {
  EXPECT_EQ(read_banner("\x02\0\0\0\x0a"
                        "8.0.36\0"s)
                .protocol,
            "");
  EXPECT_EQ(read_banner("J\0\0\0\x0a"
                        "\x01\x02\0"s)
                .protocol,
            "");
  EXPECT_EQ(read_banner("J\0\0\0"s).protocol, "");
}

TEST(Banner, AGreetingThatIsCutShortIsKnown) {
  for (const std::string_view text : {"* OK", "* OK [", "* PREAUTH", "+OK"})
    EXPECT_EQ(read_banner(text).product.find_first_not_of('['), std::string::npos) << text;
  EXPECT_EQ(read_banner("* OK").protocol, "imap");
  EXPECT_EQ(read_banner("220 ").protocol, "");
}

TEST(Banner, ServersThatWantTlsSayItInTheirWay) {
  EXPECT_TRUE(asks_for_tls("\x15\x03\x01\0\x02\x02\x46"s));
  EXPECT_TRUE(asks_for_tls("HTTP/1.1 400 Bad Request\r\n\r\nThe plain HTTP request was sent to HTTPS port"));
  EXPECT_FALSE(asks_for_tls("HTTP/1.1 200 OK\r\n\r\n"));
  EXPECT_FALSE(asks_for_tls(""));
}

TEST(Banner, ForPeopleItIsOneLine) {
  Banner banner = read_banner("HTTP/1.0 200 OK\r\nServer: nginx\r\n\r\n");
  EXPECT_EQ(banner.to_string(), "http nginx");
  banner.tls = {.version = "TLSv1.3", .alpn = "h2", .subject = "CN=www", .names = {"www", "example.org"}};
  EXPECT_EQ(banner.to_string(), "http nginx over TLSv1.3 h2 (CN=www; www, example.org)");
  EXPECT_EQ(Banner{}.to_string(), "");
}

}  // namespace
}  // namespace pier
