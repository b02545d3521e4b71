#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <optional>
#include <string>

#include "stream/tls_context.h"
#include "stream/tls_fingerprint.h"
#include "stream/tls_handshake.h"
#include "tests/relay/fixture.h"

namespace pier {
namespace {

std::span<const std::byte> bytes_of(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

TEST(TlsFingerprintTest, RoundTripsInEveryFormThatToolsPrint) {
  std::string digits, colons;
  for (int i = 0; i < 32; ++i) {
    digits += i % 2 == 0 ? "a7" : "0F";
    colons += std::string(i == 0 ? "" : ":") + (i % 2 == 0 ? "A7" : "0f");
  }
  const auto plain = TlsFingerprint::parse(digits);
  ASSERT_TRUE(plain);
  EXPECT_EQ(plain->to_string().substr(0, 15), "SHA256:a70fa70f");
  for (const std::string& text : {colons, "SHA256:" + digits, "sha256:" + colons, plain->to_string()})
    EXPECT_EQ(TlsFingerprint::parse(text).value(), *plain) << text;
}

TEST(TlsFingerprintTest, RefusesWhatIsNone) {
  const std::string digits(64, 'a');
  std::string mixed = digits;
  mixed[2] = ':';
  for (const std::string& text : {std::string(), std::string("SHA256:"), digits.substr(1), digits + "a",
                                  "g" + digits.substr(1), mixed, "SHA1:" + digits, digits + ":"}) {
    const auto parsed = TlsFingerprint::parse(text);
    ASSERT_FALSE(parsed) << text;
    EXPECT_EQ(parsed.error().kind, ErrorKind::usage);
  }
}

// Both ends in one loop: a server with a certificate made for the run, and a client that pins it.
class TlsTest : public testing::Test {
 protected:
  using Ended = std::optional<Result<std::unique_ptr<Stream>>>;

  void SetUp() override {
    auto made = TlsContext::server({});
    ASSERT_TRUE(made) << made.error().message();
    server_ = *made;
    plan_.pins = {*server_->own_fingerprint()};
  }

  std::unique_ptr<Handshake> accept(Fd fd, Ended& ended, const Deadline& deadline = {}) {
    TlsHandshaker shaker(server_, "", nullptr);
    return shaker.start(loop_, std::move(fd), "the client", deadline, keep(ended));
  }

  std::unique_ptr<Handshake> connect(Fd fd, Ended& ended, const Deadline& deadline = {}) {
    auto made = TlsContext::client(plan_);
    EXPECT_TRUE(made) << made.error().message();
    TlsHandshaker shaker(*made, "localhost", nullptr);
    return shaker.start(loop_, std::move(fd), "the server", deadline, keep(ended));
  }

  Handshaker::Done keep(Ended& ended) {
    ++waiting_;
    return [this, &ended](Result<std::unique_ptr<Stream>> result) {
      ended = std::move(result);
      if (--waiting_ == 0) loop_.stop();
    };
  }

  void shake_hands() {
    FdPair pair = make_tcp_pair();
    spare_ = Fd(::dup(pair.second.get()));
    const auto client = connect(std::move(pair.first), client_end_);
    const auto server = accept(std::move(pair.second), server_end_);
    run_guarded(loop_);
    ASSERT_TRUE(client_end_ && *client_end_) << client_end_->error().message();
    ASSERT_TRUE(server_end_ && *server_end_) << server_end_->error().message();
  }

  [[nodiscard]] Stream& client() { return **client_end_.value(); }
  [[nodiscard]] Stream& server() { return **server_end_.value(); }

  static void await(const Stream& stream) {
    pollfd watched{stream.read_fd(), POLLIN, 0};
    ASSERT_EQ(::poll(&watched, 1, 60'000), 1);
  }

  // Reads what has come, once something has.
  static std::string take(Stream& stream, Io& last) {
    std::string text;
    await(stream);
    std::byte buffer[4096];
    for (;;) {
      last = stream.read(buffer);
      if (last.kind != Io::Kind::bytes) return text;
      text.append(reinterpret_cast<const char*>(buffer), last.count);
    }
  }

  Loop loop_;
  std::shared_ptr<const TlsContext> server_;
  TlsClientPlan plan_;
  Ended client_end_, server_end_;
  Fd spare_;  // the server's socket once more
  int waiting_ = 0;
};

TEST_F(TlsTest, BytesGoBothWaysAndEachSideEndsByItself) {
  shake_hands();
  Io last;
  EXPECT_EQ(client().write(bytes_of("question")).count, 8u);
  EXPECT_EQ(take(server(), last), "question");
  EXPECT_EQ(last.kind, Io::Kind::again);
  client().finish_writing();
  EXPECT_EQ(take(server(), last), "");
  EXPECT_EQ(last.kind, Io::Kind::end);
  EXPECT_EQ(server().write(bytes_of("answer")).count, 6u);
  EXPECT_EQ(take(client(), last), "answer");
  EXPECT_EQ(last.kind, Io::Kind::again);
  server_end_.reset();  // closing says it
  EXPECT_EQ(take(client(), last), "");
  EXPECT_EQ(last.kind, Io::Kind::end);
}

TEST_F(TlsTest, AnEndWithoutCloseNotifyIsTruncation) {
  shake_hands();
  Io last;
  EXPECT_EQ(server().write(bytes_of("half")).count, 4u);
  ::shutdown(spare_.get(), SHUT_WR);
  EXPECT_EQ(take(client(), last), "half");
  EXPECT_EQ(last.kind, Io::Kind::error);
  EXPECT_NE(client().error_text(last.code).find("truncated"), std::string::npos);
}

TEST_F(TlsTest, ASlowReaderGetsEveryByteOnceAndWriteTellsOnlyWhatTheSocketTook) {
  shake_hands();
  std::string sent(8 << 20, '\0');
  for (std::size_t i = 0; i < sent.size(); ++i) sent[i] = static_cast<char>(i * 2654435761u >> 24);
  std::string got;
  std::size_t told = 0;
  int stalls = 0;
  Io last;
  while (got.size() < sent.size()) {
    // In pieces that change between the tries, as a rate limit makes them.
    const std::size_t piece = std::min<std::size_t>(sent.size() - told, 100'000 + told % 65'537);
    const Io io = piece == 0 ? Io::again() : client().write(bytes_of(sent).subspan(told, piece));
    if (io.kind == Io::Kind::bytes) {
      ASSERT_LE(io.count, piece);
      told += io.count;
      continue;
    }
    ASSERT_EQ(io.kind, Io::Kind::again);
    ++stalls;
    got += take(server(), last);
  }
  EXPECT_EQ(told, sent.size());
  EXPECT_TRUE(got == sent);
  EXPECT_GT(stalls, 1);
}

TEST_F(TlsTest, ReadSaysWhetherItHoldsMore) {
  shake_hands();
  EXPECT_EQ(client().write(bytes_of(std::string(1000, 'x'))).count, 1000u);
  std::byte buffer[600];
  await(server());
  EXPECT_EQ(server().read(buffer).count, 600u);
  EXPECT_TRUE(server().has_buffered_input());
  EXPECT_EQ(server().read(buffer).count, 400u);
  EXPECT_FALSE(server().has_buffered_input());
}

TEST_F(TlsTest, WhatComesWithTheEndOfTheHandshakeIsNotForgotten) {
  FdPair pair = make_tcp_pair();
  TlsHandshaker shaker(*TlsContext::client(plan_), "localhost", nullptr);
  const auto client = shaker.start(loop_, std::move(pair.first), "the server", {},
                                   [this](Result<std::unique_ptr<Stream>> result) {
                                     ASSERT_TRUE(result);
                                     EXPECT_EQ((*result)->write(bytes_of("early")).count, 5u);
                                     (*result)->finish_writing();
                                     client_end_ = std::move(result);
                                   });
  const auto server = accept(std::move(pair.second), server_end_);
  run_guarded(loop_);
  ASSERT_TRUE(server_end_ && *server_end_);
  // Nobody sends more: the descriptor alone might never wake the reader.
  std::byte buffer[16];
  if (this->server().has_buffered_input()) {
    EXPECT_EQ(this->server().read(buffer).count, 5u);
    EXPECT_TRUE(this->server().has_buffered_input());
    EXPECT_EQ(this->server().read(buffer).kind, Io::Kind::end);
    EXPECT_FALSE(this->server().has_buffered_input());
  } else {
    await(this->server());
  }
}

TEST_F(TlsTest, AnotherCertificateThanThePinnedOneEndsTheHandshake) {
  plan_.pins = {TlsFingerprint()};
  FdPair pair = make_tcp_pair();
  const auto client = connect(std::move(pair.first), client_end_);
  const auto server = accept(std::move(pair.second), server_end_);
  run_guarded(loop_);
  ASSERT_FALSE(*client_end_);
  EXPECT_EQ(client_end_->error().message(),
            "tls the server: the certificate is another than --pin says: its fingerprint is " +
                server_->own_fingerprint()->to_string());
  ASSERT_FALSE(*server_end_);
  EXPECT_NE(server_end_->error().message().find("alert"), std::string::npos);
}

TEST_F(TlsTest, ASelfSignedCertificateIsNotVerifiedByTheStore) {
  plan_.pins.clear();
  FdPair pair = make_tcp_pair();
  const auto client = connect(std::move(pair.first), client_end_);
  const auto server = accept(std::move(pair.second), server_end_);
  run_guarded(loop_);
  ASSERT_FALSE(*client_end_);
  EXPECT_EQ(client_end_->error().kind, ErrorKind::failed);
  EXPECT_EQ(client_end_->error().message(),
            "tls the server: certificate verify failed: self-signed certificate; --pin " +
                server_->own_fingerprint()->to_string() +
                " accepts exactly this one, --ca FILE trusts its issuer");
}

TEST_F(TlsTest, WhoDoesNotSpeakTlsIsQuoted) {
  FdPair pair = make_tcp_pair();
  put(pair.first, "GET / HTTP/1.0\r\n\r\n");
  const auto server = accept(std::move(pair.second), server_end_);
  run_guarded(loop_);
  ASSERT_FALSE(*server_end_);
  EXPECT_EQ(server_end_->error().message(),
            "tls the client: the peer does not speak TLS: it began with 'GET / HTTP/1.0'");
}

TEST_F(TlsTest, AStalledHandshakeEndsAtItsDeadline) {
  FdPair pair = make_tcp_pair();
  const auto client =
      connect(std::move(pair.first), client_end_, Deadline(now() + std::chrono::milliseconds(20)));
  run_guarded(loop_);
  ASSERT_FALSE(*client_end_);
  EXPECT_EQ(client_end_->error().kind, ErrorKind::deadline);
}

TEST_F(TlsTest, DestroyingAHandshakeClosesItsConnectionAndForgetsItsCallback) {
  FdPair pair = make_tcp_pair();
  auto server = accept(std::move(pair.second), server_end_);
  server.reset();
  char byte = 0;
  EXPECT_EQ(::recv(pair.first.get(), &byte, 1, 0), 0);
  EXPECT_FALSE(server_end_);
}

TEST_F(TlsTest, FilesThatDoNotFitAreToldWithTheirOption) {
  const auto missing = TlsContext::client({.ca = "/nonexistent/ca.pem"});
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().kind, ErrorKind::local);
  EXPECT_EQ(missing.error().message(), "--ca /nonexistent/ca.pem: no such file or directory");
  const auto empty = TlsContext::server({.own = TlsFiles{"/dev/null", "/dev/null"}});
  ASSERT_FALSE(empty);
  EXPECT_EQ(empty.error().message(), "--cert /dev/null: there is no certificate in PEM form in it");
}

TEST(TlsContextTest, AlpnProtocolsAreShortAndNotEmpty) {
  for (const std::string& one : {std::string(), std::string(256, 'x')}) {
    const auto made = TlsContext::client({.alpn = {one}});
    ASSERT_FALSE(made);
    EXPECT_EQ(made.error().kind, ErrorKind::usage);
  }
}

}  // namespace
}  // namespace pier
