#include "proxy/credentials.h"
#include "proxy/http_connect.h"
#include "proxy/http_server.h"
#include "tests/proxy/digests.h"
#include "tests/proxy/support.h"

namespace pier {
namespace {

using namespace std::string_literals;

constexpr std::string_view kEstablished = "HTTP/1.1 200 Connection established\r\n\r\n";

std::shared_ptr<HttpProxyAuth> auth(Credentials credentials = {"me", "secret"}, std::string nonce = "ours") {
  return std::make_shared<HttpProxyAuth>(std::move(credentials), digests::digest, [nonce] { return nonce; });
}

HttpHead response_of(std::string_view text) {
  HttpHeadReader reader;
  reader.take(text);
  EXPECT_EQ(reader.state(), HttpHeadReader::State::whole);
  return reader.release();
}

std::string challenge(const std::string& how, const std::string& more = {}) {
  return "HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: " + how + "\r\n" + more + "\r\n";
}

// --- the client ---------------------------------------------------------------------------------------

Outcome ask(const std::string& answer, bool with_password = false) {
  return converse_in_every_way(
      [&] {
        return std::make_unique<HttpConnectClient>(ProxyTarget{"db.example", 5432},
                                                   with_password ? auth() : nullptr);
      },
      answer);
}

TEST(HttpConnectClient, AsksAndKeepsWhatIsThePeers) {
  const Outcome outcome = ask(std::string(kEstablished) + "220 hello");
  EXPECT_EQ(outcome.sent, "CONNECT db.example:5432 HTTP/1.1\r\nHost: db.example:5432\r\n\r\n");
  EXPECT_TRUE(outcome.done);
  EXPECT_EQ(outcome.consumed, kEstablished.size());
  // A length says nothing in a 2xx answer to CONNECT (RFC 9110, section 9.3.6).
  EXPECT_TRUE(ask("HTTP/1.0 200 OK\nContent-Length: 5\n\nhello").done);
  EXPECT_TRUE(ask("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200\r\n\r\n").done);
  EXPECT_EQ(HttpConnectClient({"2001:db8::1", 80}).take_output(),
            "CONNECT [2001:db8::1]:80 HTTP/1.1\r\nHost: [2001:db8::1]:80\r\n\r\n");
  expect_more_at_every_truncation([] { return std::make_unique<HttpConnectClient>(ProxyTarget{"db", 1}); },
                                  "HTTP/1.1 200 OK\r\nVia: 1.1 proxy\r\n\r\n");
}

TEST(HttpConnectClient, TellsTheProxysRefusalFromTheTargets) {
  EXPECT_EQ(ask("HTTP/1.1 403 Forbidden\r\n\r\n").error, "proxy, asked for db.example:5432: 403 Forbidden");
  EXPECT_EQ(ask("HTTP/1.1 502 Bad Gateway\r\n\r\n").error,
            "connect db.example:5432: not reached (502 Bad Gateway), says the proxy");
  EXPECT_TRUE(ask("HTTP/1.1 504 Gateway Timeout\r\n\r\n").error.starts_with("connect db.example:5432: "));
  EXPECT_NE(ask(challenge("Basic realm=\"x\"")).error.find("--proxy-auth-file"), std::string::npos);
}

TEST(HttpConnectClient, AnythingElseIsRefused) {
  for (const std::string& answer :
       {"SSH-2.0-x\r\n\r\n"s, "HTTP/2 200\r\n\r\n"s, "HTTP/1.1 99 x\r\n\r\n"s, "HTTP/1.1 2000 x\r\n\r\n"s,
        "HTTP/1.1 200 OK\r\nno colon\r\n\r\n"s, "HTTP/1.1 200 OK\r\n folded\r\n\r\n"s, "\5\0"s,
        "HTTP/1.1 200 OK\rX"s, "HTTP/1.1 200 "s + std::string(5000, 'x'),
        "HTTP/1.1 200 OK\r\n"s + std::string(17000, 'x')}) {
    const Outcome outcome = answer.size() > 1000
                                ? converse(*std::make_unique<HttpConnectClient>(ProxyTarget{"db", 1}), answer)
                                : ask(answer);
    EXPECT_FALSE(outcome.done) << answer.substr(0, 40);
    EXPECT_TRUE(outcome.error.starts_with("proxy: ")) << answer.substr(0, 40) << outcome.error;
  }
}

TEST(HttpConnectClient, AnswersBasicOnTheSameConnection) {
  const Outcome outcome =
      ask(challenge("Basic realm=\"x\"", "Content-Length: 4\r\n") + "body" + std::string(kEstablished) + "hi",
          true);
  EXPECT_TRUE(outcome.done) << outcome.error;
  EXPECT_EQ(outcome.sent,
            "CONNECT db.example:5432 HTTP/1.1\r\nHost: db.example:5432\r\n\r\n"
            "CONNECT db.example:5432 HTTP/1.1\r\nHost: db.example:5432\r\nProxy-Authorization: Basic "
            "bWU6c2VjcmV0\r\n\r\n");
}

TEST(HttpConnectClient, AWrongPasswordIsToldAndNotRepeated) {
  const std::string again = challenge("Basic realm=\"x\"", "Content-Length: 0\r\n");
  EXPECT_NE(ask(again + again, true).error.find("wrong"), std::string::npos);
  const std::string digest =
      challenge("Digest realm=\"x\", nonce=\"1\", qop=\"auth\"", "Content-Length: 0\r\n");
  EXPECT_NE(ask(digest + digest, true).error.find("wrong"), std::string::npos);
  // A proxy that only ever says that its nonce is old.
  std::string old;
  for (int i = 0; i < 10; ++i)
    old += challenge("Digest realm=\"x\", stale=true, nonce=\"" + std::to_string(i) + "\"",
                     "Content-Length: 0\r\n");
  EXPECT_NE(ask(old, true).error.find("again and again"), std::string::npos);
  EXPECT_NE(ask(challenge("NTLM, Negotiate abc=="), true).error.find("no way known"), std::string::npos);
}

TEST(HttpConnectClient, AProxyThatClosesIsAskedAgainOnAnotherConnection) {
  for (const std::string& more :
       {"Connection: close\r\n"s, "Proxy-Connection: close\r\n"s, "Transfer-Encoding: chunked\r\n"s,
        "Content-Length: 999999999\r\n"s, "Content-Length: x\r\n"s}) {
    const auto shared = auth();
    HttpConnectClient first({"db", 1}, shared);
    (void)first.take_output();
    const auto fed = first.receive(challenge("Basic realm=\"x\"", more));
    ASSERT_TRUE(fed && fed->done) << more;
    EXPECT_TRUE(first.again()) << more;
    EXPECT_NE(HttpConnectClient({"db", 1}, shared).take_output().find("Basic bWU6"), std::string::npos);
  }
  HttpConnectClient done({"db", 1}, auth());
  (void)done.receive(kEstablished);
  EXPECT_FALSE(done.again());
}

// --- Basic and Digest ---------------------------------------------------------------------------------

TEST(HttpProxyAuth, DigestsOfTheTestAreRight) {
  EXPECT_EQ(digests::md5(""), "d41d8cd98f00b204e9800998ecf8427e");
  EXPECT_EQ(digests::md5("message digest"), "f96b697d7cb7938d525a2f31aaf161d0");
  EXPECT_EQ(digests::sha256("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

std::string answer_to(const std::string& challenge_text, const std::shared_ptr<HttpProxyAuth>& to,
                      std::string_view method, std::string_view uri) {
  EXPECT_EQ(to->learn(response_of(challenge(challenge_text))), HttpProxyAuth::Learned::usable);
  return to->authorization(method, uri);
}

TEST(HttpProxyAuth, Rfc7616Section391) {
  const auto mufasa = [] {
    return auth({"Mufasa", "Circle of Life"}, "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ");
  };
  const std::string common =
      "realm=\"http-auth@example.org\", qop=\"auth, auth-int\", nonce=\"7ypf/xlj9XXwfDPEoM4URrv/"
      "xwf94BcCAzFZH4GiTo0v\", opaque=\"FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS\"";
  const std::string md5 =
      answer_to("Digest " + common + ", algorithm=MD5", mufasa(), "GET", "/dir/index.html");
  EXPECT_NE(md5.find("response=\"8ca523f5e9506fed4657c9700eebdbec\""), std::string::npos) << md5;
  EXPECT_NE(md5.find("qop=auth, nc=00000001, cnonce=\"f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ\""),
            std::string::npos)
      << md5;
  EXPECT_NE(md5.find("opaque=\"FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS\""), std::string::npos);
  const std::string both = answer_to(
      "Digest " + common + ", algorithm=MD5, Digest " + common + ", algorithm=SHA-256, Basic realm=\"b\"",
      mufasa(), "GET", "/dir/index.html");
  EXPECT_NE(both.find("response=\"753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1\""),
            std::string::npos)
      << both;
  EXPECT_NE(both.find("algorithm=SHA-256"), std::string::npos);
}

TEST(HttpProxyAuth, Rfc2617Section35AndTheFormBeforeIt) {
  const std::string with = answer_to(
      "Digest realm=\"testrealm@host.com\", qop=\"auth,auth-int\", "
      "nonce=\"dcd98b7102dd2f0e8b11d0f600bfb0c093\"",
      auth({"Mufasa", "Circle Of Life"}, "0a4f113b"), "GET", "/dir/index.html");
  EXPECT_NE(with.find("response=\"6629fae49393a05397450978507c4ef1\""), std::string::npos) << with;
  const std::string without =
      answer_to("Digest realm=\"testrealm@host.com\", nonce=\"dcd98b7102dd2f0e8b11d0f600bfb0c093\"",
                auth({"Mufasa", "Circle Of Life"}), "GET", "/dir/index.html");
  EXPECT_NE(without.find("response=\"670fd8c2df070c60b045671b8b24ff02\""), std::string::npos) << without;
  EXPECT_EQ(without.find("nc="), std::string::npos);
}

TEST(HttpProxyAuth, ANonceIsCountedAndAnOldOneReplaced) {
  const auto me = auth();
  const std::string first = "Digest realm=\"r\", nonce=\"one\", qop=auth";
  EXPECT_NE(answer_to(first, me, "CONNECT", "db:1").find("nc=00000001"), std::string::npos);
  EXPECT_NE(me->authorization("CONNECT", "db:1").find("nc=00000002"), std::string::npos);
  const std::string next =
      answer_to("Digest realm=\"r\", nonce=\"two\", qop=auth, stale=TRUE", me, "CONNECT", "db:1");
  EXPECT_NE(next.find("nonce=\"two\""), std::string::npos);
  EXPECT_NE(next.find("nc=00000001"), std::string::npos);
  EXPECT_EQ(me->learn(response_of(challenge("Digest realm=\"r\", nonce=\"three\", qop=auth"))),
            HttpProxyAuth::Learned::refused);
}

TEST(HttpProxyAuth, QuotesSessionsAndHashedNames) {
  const std::string quoted =
      answer_to("Digest realm=\"a \\\"b\\\" \\\\c\", nonce=n", auth({"m\"e", "x"}), "CONNECT", "db:1");
  EXPECT_NE(quoted.find("username=\"m\\\"e\", realm=\"a \\\"b\\\" \\\\c\", nonce=\"n\""), std::string::npos)
      << quoted;
  const std::string session = answer_to(
      "Digest realm=\"r\", nonce=\"n\", qop=\"auth\", algorithm=SHA-256-sess", auth(), "CONNECT", "db:1");
  const auto& h = digests::sha256;
  const std::string secret = h(h("me:r:secret") + ":n:ours");
  EXPECT_NE(session.find("response=\"" + h(secret + ":n:00000001:ours:auth:" + h("CONNECT:db:1")) + "\""),
            std::string::npos);
  const std::string hashed = answer_to("Digest realm=\"r\", nonce=\"n\", userhash=true, algorithm=SHA-256",
                                       auth(), "CONNECT", "db:1");
  EXPECT_NE(hashed.find("username=\"" + h("me:r") + "\""), std::string::npos);
  EXPECT_NE(hashed.find("userhash=true"), std::string::npos);
}

TEST(HttpProxyAuth, BasicIsTheLastResortAndWithoutDigestsTheOnly) {
  HttpProxyAuth no_digests({"me", "secret"}, {}, [] { return "x"s; });
  EXPECT_EQ(no_digests.learn(response_of(challenge("Digest realm=\"r\", nonce=\"n\", Basic realm=\"r\""))),
            HttpProxyAuth::Learned::usable);
  EXPECT_TRUE(no_digests.authorization("CONNECT", "db:1").starts_with("Basic "));
  EXPECT_EQ(no_digests.learn(response_of(challenge("Digest realm=\"r\", nonce=\"n\""))),
            HttpProxyAuth::Learned::unknown);
  EXPECT_EQ(auth()->learn(response_of(challenge("Digest realm=\"r\", nonce=\"n\", algorithm=SHA-512-256"))),
            HttpProxyAuth::Learned::unknown);
  EXPECT_EQ(auth()->learn(response_of(challenge("Digest realm=\"r\", nonce=\"n\", qop=\"auth-int\""))),
            HttpProxyAuth::Learned::unknown);
  EXPECT_EQ(auth()->authorization("CONNECT", "db:1"), "");  // nobody has asked
}

// --- the server ---------------------------------------------------------------------------------------

Outcome serve(const std::string& bytes, CheckCredentials check = {}) {
  return converse_in_every_way([&] { return std::make_unique<HttpProxyServer>(check); }, bytes);
}

std::string target_of(const std::string& bytes, CheckCredentials check = {}) {
  HttpProxyServer server(std::move(check));
  const auto fed = server.receive(bytes);
  return fed && fed->done ? server.target().to_string() : "none";
}

TEST(HttpProxyServer, KnowsTheTarget) {
  EXPECT_EQ(target_of("CONNECT db.example:5432 HTTP/1.1\r\nHost: db.example:5432\r\n\r\n"),
            "db.example:5432");
  EXPECT_EQ(target_of("CONNECT [2001:db8::1]:443 HTTP/1.0\r\n\r\n"), "[2001:db8::1]:443");
  EXPECT_EQ(target_of("\r\nCONNECT 192.0.2.7:80 HTTP/1.1\r\nContent-Length: 0\r\n\r\n"), "192.0.2.7:80");
  const std::string request = "CONNECT db:1 HTTP/1.1\r\nUser-Agent: x\r\n\r\n";
  EXPECT_EQ(serve(request + "early").consumed, request.size());
  expect_more_at_every_truncation([] { return std::make_unique<HttpProxyServer>(); }, request);
}

TEST(HttpProxyServer, RefusesWithTheRightStatus) {
  const struct {
    std::string request;
    std::string status;
  } cases[] = {
      {"GET http://db/ HTTP/1.1\r\nHost: db\r\n\r\n", "405"},
      {"OPTIONS * HTTP/1.1\r\n\r\n", "405"},
      {"connect db:1 HTTP/1.1\r\n\r\n", "405"},  // methods have a case
      {"CONNECT db:1\r\n\r\n", "400"},
      {"CONNECT db:1 HTTP/2.0\r\n\r\n", "400"},
      {"CONNECT db HTTP/1.1\r\n\r\n", "400"},
      {"CONNECT db: HTTP/1.1\r\n\r\n", "400"},
      {"CONNECT db:0 HTTP/1.1\r\n\r\n", "400"},
      {"CONNECT db:65536 HTTP/1.1\r\n\r\n", "400"},
      {"CONNECT db:0x50 HTTP/1.1\r\n\r\n", "400"},
      {"CONNECT :80 HTTP/1.1\r\n\r\n", "400"},
      {"CONNECT ::1:80 HTTP/1.1\r\n\r\n", "400"},
      {"CONNECT [db]:80 HTTP/1.1\r\n\r\n", "400"},
      {"CONNECT 1.2.3:80 HTTP/1.1\r\n\r\n", "400"},
      {"CONNECT http://db:80/ HTTP/1.1\r\n\r\n", "400"},
      {"CONNECT a b:80 HTTP/1.1\r\n\r\n", "400"},
      {"CONNECT db:80 HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", "400"},
      {"CONNECT db:80 HTTP/1.1\r\nContent-Length: 5\r\n\r\n", "400"},
      {"CONNECT db:80 HTTP/1.1\r\nno colon\r\n\r\n", "400"},
      {"CONNECT db:80 HTTP/1.1\r\nname : x\r\n\r\n", "400"},
      {"\x16\x03\x01\x02\x00", "400"},  // TLS
      {"CONNECT d\0b:80 HTTP/1.1\r\n\r\n"s, "400"},
  };
  for (const auto& [request, status] : cases) {
    const Outcome outcome = serve(request);
    EXPECT_FALSE(outcome.done) << request;
    EXPECT_TRUE(outcome.sent.starts_with("HTTP/1.1 " + status + " ")) << request << outcome.sent;
    EXPECT_TRUE(outcome.error.starts_with("HTTP proxy: " + status + " ")) << outcome.error;
    EXPECT_NE(outcome.sent.find("Connection: close\r\n"), std::string::npos);
  }
  EXPECT_NE(serve("GET / HTTP/1.1\r\n\r\n").sent.find("\r\nAllow: CONNECT\r\n"), std::string::npos);
}

TEST(HttpProxyServer, OverlongInputIsRefusedBeforeItIsWhole) {
  HttpProxyServer line;
  EXPECT_FALSE(line.receive("CONNECT " + std::string(5000, 'x')));
  EXPECT_TRUE(line.take_output().starts_with("HTTP/1.1 414 "));
  HttpProxyServer head;
  std::string request = "CONNECT db:1 HTTP/1.1\r\n";
  while (request.size() < 16384) request += "X-Field: " + std::string(100, 'x') + "\r\n";
  EXPECT_FALSE(head.receive(request));
  EXPECT_TRUE(head.take_output().starts_with("HTTP/1.1 413 "));
}

TEST(HttpProxyServer, WantsThePasswordThatItWasTold) {
  const auto check = check_against({{"me", "secret"}, {"you", "a:b"}});
  const auto with = [](const std::string& value) {
    return "CONNECT db:1 HTTP/1.1\r\nProxy-Authorization: " + value + "\r\n\r\n";
  };
  EXPECT_EQ(target_of(with("Basic bWU6c2VjcmV0"), check), "db:1");
  EXPECT_EQ(target_of(with("bAsIc  bWU6c2VjcmV0"), check), "db:1");
  EXPECT_EQ(target_of(with("Basic eW91OmE6Yg=="), check), "db:1");
  for (const std::string& value :
       {"Basic bWU6d3Jvbmc="s, "Basic !"s, "Basic"s, "Basic "s, "Basic bWU="s, "Digest x"s, ""s}) {
    const Outcome outcome = serve(with(value), check);
    EXPECT_TRUE(outcome.sent.starts_with("HTTP/1.1 407 ")) << value;
    EXPECT_NE(outcome.sent.find("Proxy-Authenticate: Basic realm="), std::string::npos);
  }
  EXPECT_TRUE(serve("CONNECT db:1 HTTP/1.1\r\n\r\n", check).sent.starts_with("HTTP/1.1 407 "));
}

TEST(HttpProxyServer, SaysWhatBecameOfTheTarget) {
  const struct {
    ProxyRefusal why;
    std::string status;
  } cases[] = {{ProxyRefusal::not_allowed, "403"},  {ProxyRefusal::refused, "502"},
               {ProxyRefusal::unknown_name, "502"}, {ProxyRefusal::host_unreachable, "502"},
               {ProxyRefusal::general, "502"},      {ProxyRefusal::no_answer, "504"}};
  for (const auto& [why, status] : cases) {
    HttpProxyServer server;
    (void)server.receive("CONNECT db:1 HTTP/1.1\r\n\r\n");
    server.refuse(why);
    EXPECT_TRUE(server.take_output().starts_with("HTTP/1.1 " + status + " "));
  }
  HttpProxyServer server;
  server.connected({});
  EXPECT_EQ(server.take_output(), kEstablished);
}

TEST(Refusal, FollowsFromTheErrorOfConnecting) {
  EXPECT_EQ(refusal_of(Error{ErrorKind::failed, "connect", "x", ECONNREFUSED, {}}), ProxyRefusal::refused);
  EXPECT_EQ(refusal_of(Error{ErrorKind::failed, "connect", "x", ENETUNREACH, {}}),
            ProxyRefusal::network_unreachable);
  EXPECT_EQ(refusal_of(Error{ErrorKind::failed, "resolve", "x", 0, "name not known"}),
            ProxyRefusal::unknown_name);
  EXPECT_EQ(refusal_of(Error{ErrorKind::deadline, "connect", "x", 0, "no answer"}), ProxyRefusal::no_answer);
  EXPECT_EQ(refusal_of(Error{ErrorKind::local, "socket", "x", EMFILE, {}}), ProxyRefusal::general);
}

TEST(Credentials, AreReadALineEach) {
  const auto read = parse_credentials("me:secret\r\n\nyou:a:b\n#x:\n", "f");
  ASSERT_TRUE(read);
  ASSERT_EQ(read->size(), 3U);
  EXPECT_EQ((*read)[0].password, "secret");
  EXPECT_EQ((*read)[1].password, "a:b");
  EXPECT_EQ((*read)[2].user, "#x");
  for (const std::string_view text : {"", "\n\n", "secret\n", ":secret\n", "me:x\nsecret"}) {
    const auto bad = parse_credentials(text, "f");
    ASSERT_FALSE(bad) << text;
    EXPECT_EQ(bad.error().kind, ErrorKind::local);
    EXPECT_EQ(bad.error().message().find("secret"), std::string::npos) << bad.error().message();
  }
  EXPECT_NE(parse_credentials("me:x\nsecret", "f").error().message().find("f:2"), std::string::npos);
  const auto check = check_against({{"me", ""}, {"you", "x"}});
  EXPECT_TRUE(check("me", ""));
  EXPECT_FALSE(check("me", "x"));
  EXPECT_FALSE(check("you", ""));
  EXPECT_FALSE(check("", ""));
  EXPECT_FALSE(check("you", "xx"));
}

}  // namespace
}  // namespace pier
