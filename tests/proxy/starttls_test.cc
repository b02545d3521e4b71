#include "proxy/starttls.h"

#include "tests/proxy/support.h"

namespace pier {
namespace {

using namespace std::string_literals;

MakeNegotiation make(std::string_view name) {
  return [protocol = parse_starttls(name).value()] { return make_starttls(protocol, "chat.example"); };
}

std::string mysql_greeting(unsigned capabilities) {
  std::string packet =
      "\x0a"
      "8.0.36\0"s +
      "\1\0\0\0"
      "saltsalt\0"s;
  packet += static_cast<char>(capabilities);
  packet += static_cast<char>(capabilities >> 8U);
  packet += "\x21\2\0"s + std::string(20, '\0');
  return std::string{static_cast<char>(packet.size()), 0, 0, 0} + packet;
}

std::string ldap_response(char code, const std::string& text = {}) {
  const std::string response = "\x0a\1"s + code + "\4\0\4"s + static_cast<char>(text.size()) + text;
  const std::string body = "\2\1\1\x78"s + static_cast<char>(response.size()) + response;
  return "\x30"s + static_cast<char>(body.size()) + body;
}

const std::string kFeatures =
    "<?xml version='1.0'?><stream:stream from='chat.example' id='1' version='1.0' xmlns='jabber:client' "
    "xmlns:stream='http://etherx.jabber.org/streams'><stream:features><starttls "
    "xmlns='urn:ietf:params:xml:ns:xmpp-tls'><required/></starttls></stream:features>";
const std::string kProceed = "<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>";

struct Good {
  std::string_view protocol;
  std::string server;  // all that it says
  std::string client;
};
const Good kGood[] = {
    {"smtp",
     "220-mail.example\r\n220 ESMTP\r\n250-mail.example\r\n250-STARTTLS\r\n250 HELP\r\n220 go ahead\r\n",
     "EHLO localhost\r\nSTARTTLS\r\n"},
    {"smtp", "220 x\n250 starttls\n220 \n", "EHLO localhost\r\nSTARTTLS\r\n"},
    {"imap", "* OK ready\r\n* CAPABILITY IMAP4rev1\r\na1 OK begin\r\n", "a1 STARTTLS\r\n"},
    {"pop3", "+OK ready <1@x>\r\n+OK begin\r\n", "STLS\r\n"},
    {"ftp", "120 wait\r\n220-hello\r\n any text\r\n221 is not the end\r\n220 ready\r\n234 AUTH TLS ok\r\n",
     "AUTH TLS\r\n"},
    {"ldap", ldap_response(0),
     "\x30\x1d\x02\x01\x01\x77\x18\x80\x16"
     "1.3.6.1.4.1.1466.20037"},
    {"postgres", "S", "\0\0\0\x08\x04\xd2\x16\x2f"s},
    {"mysql", mysql_greeting(0xffff), "\x20\0\0\1\1\x8a\0\0\0\0\0\1\x21"s + std::string(23, '\0')},
    {"xmpp", kFeatures + kProceed,
     "<?xml version='1.0'?><stream:stream to='chat.example' xmlns='jabber:client' "
     "xmlns:stream='http://etherx.jabber.org/streams' version='1.0'><starttls "
     "xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"},
};

TEST(Starttls, EachProtocolGoesAheadHoweverItIsCut) {
  for (const Good& good : kGood) {
    SCOPED_TRACE(good.protocol);
    const Outcome outcome = converse_in_every_way(make(good.protocol), good.server);
    EXPECT_TRUE(outcome.done);
    EXPECT_EQ(outcome.error, "");
    EXPECT_EQ(outcome.sent, good.client);
    expect_more_at_every_truncation(make(good.protocol), good.server);
  }
}

TEST(Starttls, AByteBehindTheGoAheadIsRefused) {
  for (const Good& good : kGood) {
    SCOPED_TRACE(good.protocol);
    const Outcome outcome = converse(*make(good.protocol)(), good.server + "x");
    EXPECT_FALSE(outcome.done);
    EXPECT_NE(outcome.error.find("1 B in plain text"), std::string::npos) << outcome.error;
  }
}

TEST(Starttls, AServerThatDoesNotIsToldAsSuch) {
  const struct {
    std::string_view protocol;
    std::string server;
    std::string_view says;
  } cases[] = {
      {"smtp", "554 go away\r\n", "says no: 554 go away"},
      {"smtp", "220 x\r\n250-mail\r\n250 HELP\r\n", "does not offer"},
      {"smtp", "220 x\r\n250-XSTARTTLS\r\n250 STARTTLSX\r\n", "does not offer"},
      {"smtp", "220 x\r\n250 STARTTLS\r\n454 not now\r\n", "says no: 454 not now"},
      {"smtp", "* OK imap\r\n", "not a reply"},
      {"smtp", "220 STARTTLS\r\n250 no\r\n", "does not offer"},  // the greeting is no offer
      {"imap", "* PREAUTH welcome\r\n", "says no"},
      {"imap", "* BYE full\r\n", "says no"},
      {"imap", "* OK x\r\na1 BAD no\r\n", "says no: a1 BAD no"},
      {"imap", "* OK x\r\n* BYE gone\r\n", "says no"},
      {"imap", "* OK x\r\na2 OK\r\n", "says no"},
      {"pop3", "-ERR busy\r\n", "says no: -ERR busy"},
      {"pop3", "+OK\r\n-ERR what?\r\n", "says no"},
      {"ftp", "421 full\r\n", "says no"},
      {"ftp", "220 x\r\n534 no\r\n", "says no: 534 no"},
      {"ldap", ldap_response(2, "unknown\nrequest"), "result 2 unknown\\x0arequest"},
      {"ldap", "HTTP/1.1 400\r\n", "not LDAP"},
      {"ldap", "\x30\x80", "not LDAP"},
      {"ldap", "\x30\x85", "not LDAP"},
      {"ldap", "\x30\3\2\1\2", "not that to our request"},
      {"postgres", "N", "does not offer"},
      {"postgres", "E", "neither S nor N"},
      {"mysql", mysql_greeting(0xf7ff), "does not offer"},
      {"mysql", "\x0b\0\0\0\xff\x10\4too many"s, "says no: too many"},
      {"mysql", "SSH-2.0-OpenSSH\r\n", "not MySQL"},
      {"mysql", "\1\0\0\0\x0a"s, "not MySQL"},
      {"xmpp", "<stream:stream><stream:features/>", "does not offer"},
      {"xmpp", "<stream:stream><stream:error><host-unknown/>", "says no"},
      {"xmpp", kFeatures + "<failure xmlns='x'/>", "says no"},
  };
  for (const auto& [protocol, server, says] : cases) {
    SCOPED_TRACE(protocol);
    const Outcome outcome = converse(*make(protocol)(), server);
    EXPECT_FALSE(outcome.done) << server;
    EXPECT_TRUE(outcome.error.starts_with("STARTTLS (" + std::string(protocol) + "): ")) << outcome.error;
    EXPECT_NE(outcome.error.find(says), std::string::npos) << outcome.error;
    EXPECT_EQ(outcome.error.find('\n'), std::string::npos);
  }
}

TEST(Starttls, IsBounded) {
  for (const std::string_view protocol : {"smtp", "imap", "pop3", "ftp", "xmpp"}) {
    const auto dialogue = make(protocol)();
    const std::string block(4096, 'x');
    bool ended = false;
    for (int i = 0; i < 20 && !ended; ++i) ended = !dialogue->receive(block);
    EXPECT_TRUE(ended) << protocol;
  }
}

TEST(Starttls, NamesAreThoseOfTheOption) {
  for (std::string_view rest = kStarttlsProtocols;;) {
    const std::size_t bar = rest.find('|');
    EXPECT_TRUE(parse_starttls(rest.substr(0, bar))) << rest;
    if (bar == std::string_view::npos) break;
    rest.remove_prefix(bar + 1);
  }
  EXPECT_FALSE(parse_starttls("SMTP"));
  EXPECT_FALSE(parse_starttls(""));
  EXPECT_NE(make_starttls(StarttlsProtocol::xmpp, "a'<b")->take_output().find("to='a&#39;&#60;b'"),
            std::string::npos);
}

}  // namespace
}  // namespace pier
