#include "net/socket.h"
#include "proxy/socks4.h"
#include "proxy/socks5.h"
#include "proxy/socks_server.h"
#include "tests/proxy/support.h"

namespace pier {
namespace {

using namespace std::string_literals;

// --- clients ------------------------------------------------------------------------------------------

Outcome ask4(const ProxyTarget& target, const std::string& answer) {
  return converse_in_every_way([&] { return std::make_unique<Socks4Client>(target, "me"); }, answer);
}

Outcome ask5(const ProxyTarget& target, const std::string& answer,
             std::optional<Credentials> credentials = {}, SocksCommand command = SocksCommand::connect) {
  return converse_in_every_way([&] { return std::make_unique<Socks5Client>(command, target, credentials); },
                               answer);
}

TEST(Socks4Client, AsksByNameAndByAddress) {
  const Outcome name = ask4({"db.example", 5432}, "\0\x5a\0\0\0\0\0\0hello"s);
  EXPECT_EQ(name.sent, "\4\1\x15\x38\0\0\0\1me\0db.example\0"s);
  EXPECT_TRUE(name.done);
  EXPECT_EQ(name.consumed, 8U);  // "hello" is the peer's
  EXPECT_EQ(ask4({"192.0.2.7", 80}, "\0\x5a\0\0\0\0\0\0"s).sent, "\4\1\0\x50\xc0\0\2\7me\0"s);
}

TEST(Socks4Client, TellsRefusalsApart) {
  EXPECT_EQ(ask4({"db", 5432}, "\0\x5b\0\0\0\0\0\0"s).error,
            "connect db:5432: refused or not reached, says the proxy");
  EXPECT_TRUE(ask4({"db", 5432}, "\0\x5c\0\0\0\0\0\0"s).error.starts_with("proxy, asked for db:5432: "));
  EXPECT_TRUE(ask4({"db", 5432}, "HTTP/1.0 400 Bad Request\r\n").error.starts_with("proxy: "));
  EXPECT_NE(ask4({"::1", 5432}, "\0\x5a"s).error.find("IPv6"), std::string::npos);
  expect_more_at_every_truncation([] { return std::make_unique<Socks4Client>(ProxyTarget{"db", 1}); },
                                  "\0\x5a\0\0\0\0\0\0"s);
}

TEST(Socks5Client, Rfc1928WithoutAuthentication) {
  const std::string reply = "\5\0\5\0\0\1\x7f\0\0\1\x12\x34"s;
  const Outcome outcome = ask5({"db.example", 5432}, reply + "hello");
  EXPECT_EQ(outcome.sent,
            "\5\1\0\5\1\0\3\x0a"
            "db.example\x15\x38"s);
  EXPECT_TRUE(outcome.done);
  EXPECT_EQ(outcome.consumed, reply.size());
  expect_more_at_every_truncation(
      [] { return std::make_unique<Socks5Client>(SocksCommand::connect, ProxyTarget{"db.example", 5432}); },
      reply);
  EXPECT_EQ(ask5({"192.0.2.7", 80}, reply).sent, "\5\1\0\5\1\0\1\xc0\0\2\7\0\x50"s);
  EXPECT_EQ(ask5({"2001:db8::7", 80}, reply).sent,
            "\5\1\0\5\1\0\4\x20\1\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\7\0\x50"s);
}

TEST(Socks5Client, TheBoundAddressMayBeOfAnyType) {
  for (const auto& [address, host] :
       {std::pair{"\1\xc0\0\2\1\0\x50"s, "192.0.2.1"},
        std::pair{"\4\x20\1\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\7\0\x50"s, "2001:db8::7"},
        std::pair{"\3\4name\0\x50"s, "name"}}) {
    Socks5Client client(SocksCommand::udp_associate, {"0.0.0.0", 0});
    (void)client.take_output();
    const auto fed = client.receive("\5\0\5\0\0"s + address);
    ASSERT_TRUE(fed && fed->done);
    EXPECT_EQ(client.bound(), (ProxyTarget{host, 80}));
  }
}

TEST(Socks5Client, Rfc1929) {
  const Outcome outcome = ask5({"db", 1}, "\5\2\1\0\5\0\0\1\0\0\0\0\0\0"s, Credentials{"me", "secret"});
  EXPECT_EQ(outcome.sent, "\5\2\0\2\1\2me\6secret\5\1\0\3\2db\0\1"s);
  EXPECT_TRUE(outcome.done);
  EXPECT_NE(ask5({"db", 1}, "\5\2\1\1"s, Credentials{"me", "wrong"}).error.find("password is wrong"),
            std::string::npos);
  EXPECT_NE(ask5({"db", 1}, "\5\xff"s).error.find("--proxy-auth-file"), std::string::npos);
  EXPECT_TRUE(ask5({"db", 1}, "\5\2"s).error.starts_with("proxy: "));  // a method that was not offered
  EXPECT_FALSE(ask5({"db", 1}, "\5\0"s, Credentials{"me", std::string(256, 'x')}).error.empty());
  EXPECT_FALSE(ask5({"db", 1}, "\5\0"s, Credentials{"me", ""}).error.empty());
}

TEST(Socks5Client, TellsTheProxysRefusalFromTheTargets) {
  for (int code = 1; code <= 9; ++code) {
    const Outcome outcome = ask5({"db", 5432}, "\5\0\5"s + static_cast<char>(code) + "\0\1\0\0\0\0\0\0"s);
    EXPECT_FALSE(outcome.done);
    const bool targets = code >= 3 && code <= 6;
    EXPECT_EQ(outcome.error.starts_with("connect db:5432: "), targets) << outcome.error;
    if (!targets) {
      EXPECT_TRUE(outcome.error.starts_with("proxy")) << outcome.error;
    }
  }
}

TEST(Socks5Client, AnythingElseIsRefused) {
  for (const std::string& answer : {"HTTP/1.1 400 Bad\r\n\r\n"s, "\4\0"s, "\5\1"s, "\5\0\4\0\0\1"s,
                                    "\5\0\5\0\0\2\0\0"s, "\5\0\5\0\0\3\0\0"s})
    EXPECT_FALSE(ask5({"db", 1}, answer).error.empty()) << ::testing::PrintToString(answer);
  EXPECT_FALSE(ask5({std::string(256, 'x'), 1}, "\5\0"s).error.empty());
  EXPECT_FALSE(ask5({"", 1}, "\5\0"s).error.empty());
}

TEST(Socks5Datagram, IsWrappedAndUnwrapped) {
  for (const ProxyTarget& target :
       {ProxyTarget{"192.0.2.7", 53}, ProxyTarget{"2001:db8::7", 53}, ProxyTarget{"name", 53}}) {
    const std::string wrapped = wrap_datagram(target, "payload");
    const auto back = unwrap_datagram(wrapped);
    ASSERT_TRUE(back);
    EXPECT_EQ(back->from, target);
    EXPECT_EQ(back->payload, "payload");
    for (std::size_t size = 0; size < wrapped.size() - 7; ++size)
      EXPECT_FALSE(unwrap_datagram(wrapped.substr(0, size))) << size;
  }
  EXPECT_EQ(wrap_datagram({"192.0.2.7", 53}, "x"), "\0\0\0\1\xc0\0\2\7\0\x35x"s);
  EXPECT_FALSE(unwrap_datagram("\0\0\1\1\xc0\0\2\7\0\x35x"s));  // a fragment
  EXPECT_FALSE(unwrap_datagram("\0\1\0\1\xc0\0\2\7\0\x35x"s));
  EXPECT_FALSE(unwrap_datagram("\0\0\0\2\xc0\0\2\7\0\x35x"s));
  EXPECT_FALSE(unwrap_datagram("\0\0\0\3\0\0\x35"s));
}

// --- the server ---------------------------------------------------------------------------------------

bool is_me(std::string_view user, std::string_view password) {
  return user == "me" && password == "secret";
}

Outcome serve(const std::string& bytes, CheckCredentials check = {}) {
  return converse_in_every_way([&] { return std::make_unique<SocksServer>(check); }, bytes);
}

// The target, when it is known after exactly these bytes.
std::string target_of(const std::string& bytes, CheckCredentials check = {}) {
  SocksServer server(std::move(check));
  const auto fed = server.receive(bytes);
  return fed && fed->done && fed->consumed == bytes.size() ? server.target().to_string() : "none";
}

TEST(SocksServer, KnowsAllThreeVersions) {
  EXPECT_EQ(target_of("\4\1\0\x50\xc0\0\2\7me\0"s), "192.0.2.7:80");
  EXPECT_EQ(target_of("\4\1\0\x50\xc0\0\2\7\0"s), "192.0.2.7:80");
  EXPECT_EQ(target_of("\4\1\x15\x38\0\0\0\1me\0db.example\0"s), "db.example:5432");
  EXPECT_EQ(target_of("\5\1\0\5\1\0\3\x0a"
                      "db.example\x15\x38"s),
            "db.example:5432");
  EXPECT_EQ(target_of("\5\3\1\2\0\5\1\0\1\xc0\0\2\7\0\x50"s), "192.0.2.7:80");
  EXPECT_EQ(target_of("\5\1\0\5\1\0\4\x20\1\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\7\0\x50"s), "[2001:db8::7]:80");
  for (const std::string& bytes :
       {"\4\1\0\x50\xc0\0\2\7me\0"s, "\4\1\x15\x38\0\0\0\1me\0db\0"s, "\5\1\0\5\1\0\3\2db\0\1"s}) {
    EXPECT_EQ(serve(bytes + "early").consumed, bytes.size());
    expect_more_at_every_truncation([] { return std::make_unique<SocksServer>(); }, bytes);
  }
}

TEST(SocksServer, TalksToOurOwnClients) {
  for (const bool with_password : {false, true}) {
    const std::optional<Credentials> credentials =
        with_password ? std::optional(Credentials{"me", "secret"}) : std::nullopt;
    SocksServer server(with_password ? CheckCredentials(is_me) : CheckCredentials());
    Socks5Client client(SocksCommand::connect, {"db", 5432}, credentials);
    bool known = false;
    bool over = false;
    while (!over) {
      const std::string up = client.take_output();
      if (!known) {
        const auto fed = server.receive(up);
        ASSERT_TRUE(fed) << fed.error().message();
        known = fed->done;
        if (known) server.connected(SocketAddress(IpAddress::parse("192.0.2.1").value(), 4000));
      }
      const auto fed = client.receive(server.take_output());
      ASSERT_TRUE(fed) << fed.error().message();
      over = fed->done;
    }
    EXPECT_EQ(server.target(), (ProxyTarget{"db", 5432}));
    EXPECT_EQ(client.bound(), (ProxyTarget{"192.0.2.1", 4000}));
  }
}

TEST(SocksServer, AnswersInItsClientsVersion) {
  const auto answer = [](const std::string& bytes, const std::function<void(ProxyServer&)>& then) {
    SocksServer server;
    (void)server.receive(bytes);
    (void)server.take_output();
    then(server);
    return server.take_output();
  };
  const std::string v4 = "\4\1\0\x50\xc0\0\2\7\0"s;
  const std::string v5 = "\5\1\0\5\1\0\1\xc0\0\2\7\0\x50"s;
  const SocketAddress local(IpAddress::parse("::ffff:192.0.2.1").value(), 80);
  const auto connected = [&](ProxyServer& server) { server.connected(local); };
  EXPECT_EQ(answer(v4, connected), "\0\x5a\0\x50\xc0\0\2\1"s);
  EXPECT_EQ(answer(v5, connected), "\5\0\0\1\xc0\0\2\1\0\x50"s);
  EXPECT_EQ(answer(v4, [](ProxyServer& s) { s.refuse(ProxyRefusal::refused); }), "\0\x5b\0\0\0\0\0\0"s);
  const struct {
    ProxyRefusal why;
    char code;
  } codes[] = {{ProxyRefusal::general, 1},
               {ProxyRefusal::not_allowed, 2},
               {ProxyRefusal::network_unreachable, 3},
               {ProxyRefusal::host_unreachable, 4},
               {ProxyRefusal::unknown_name, 4},
               {ProxyRefusal::refused, 5},
               {ProxyRefusal::no_answer, 6}};
  for (const auto& [why, code] : codes)
    EXPECT_EQ(answer(v5, [why](ProxyServer& s) { s.refuse(why); }), "\5"s + code + "\0\1\0\0\0\0\0\0"s);
}

TEST(SocksServer, WantsThePasswordThatItWasTold) {
  const std::string greeting = "\5\2\0\2"s;
  EXPECT_EQ(serve(greeting, is_me).sent, "\5\2"s);
  EXPECT_EQ(target_of("\5\1\2\1\2me\6secret\5\1\0\1\xc0\0\2\7\0\x50"s, is_me), "192.0.2.7:80");
  const Outcome wrong = serve(greeting + "\1\2me\5wrong"s, is_me);
  EXPECT_EQ(wrong.sent, "\5\2\1\1"s);
  EXPECT_FALSE(wrong.error.empty());
  EXPECT_EQ(wrong.error.find("wrong\n"), std::string::npos);
  const Outcome none = serve("\5\1\0"s, is_me);
  EXPECT_EQ(none.sent, "\5\xff"s);
  EXPECT_FALSE(none.error.empty());
  const Outcome v4 = serve("\4\1\0\x50\xc0\0\2\7me\0"s, is_me);
  EXPECT_EQ(v4.sent, "\0\x5b\0\0\0\0\0\0"s);
  EXPECT_FALSE(v4.error.empty());
  EXPECT_FALSE(serve("\5\1\2"s).error.empty());  // only a password is offered, and none is wanted
}

TEST(SocksServer, RefusesInItsProtocolWhatItDoesNotDo) {
  EXPECT_EQ(serve("\5\1\0\5\3\0\1\0\0\0\0\0\0"s).sent, "\5\0\5\7\0\1\0\0\0\0\0\0"s);  // UDP ASSOCIATE
  EXPECT_EQ(serve("\5\1\0\5\1\0\2\0\0\0\0\0\0"s).sent, "\5\0\5\x08\0\1\0\0\0\0\0\0"s);
  EXPECT_EQ(serve("\4\2\0\x50\xc0\0\2\7\0"s).sent, "\0\x5b\0\0\0\0\0\0"s);  // BIND
  for (const std::string& bytes :
       {"GET / HTTP/1.0\r\n"s, "\6"s, "\0"s, "\5\0"s, "\5\1\0\4\1\0\1\0\0\0\0\0\0"s, "\5\1\0\5\1\0\3\0"s,
        "\5\1\0\5\1\0\3\3a b\0\x50"s,
        "\5\1\0\5\1\0\3\5"
        "1.2.3\0\x50"s,
        "\4\1\0\x50\0\0\0\1\0\0"s, "\4\1\0\x50\xc0\0\2\7"s + std::string(300, 'x'),
        "\4\1\0\x50\0\0\0\1\0"s + std::string(300, 'x')}) {
    const Outcome outcome = serve(bytes);
    EXPECT_FALSE(outcome.done) << ::testing::PrintToString(bytes);
    EXPECT_TRUE(outcome.error.starts_with("SOCKS")) << ::testing::PrintToString(bytes);
  }
}

}  // namespace
}  // namespace pier
