#include "cmd/nc/proxy.h"

#include <cerrno>
#include <optional>
#include <random>

#include "cmd/nc/names.h"
#include "cmd/nc/secret.h"
#include "proxy/http_connect.h"
#include "proxy/passage.h"
#include "proxy/socks4.h"
#include "proxy/socks5.h"
#include "stream/socket_stream.h"

namespace pier::nc {
namespace {

// A dialogue whose first line of the answer is kept, for the error that shows it.
class Remembering final : public Negotiation {
 public:
  Remembering(std::unique_ptr<Negotiation> inner, std::shared_ptr<std::string> line)
      : inner_(std::move(inner)), line_(std::move(line)) {
    output_ = inner_->take_output();
  }

  [[nodiscard]] Result<Fed> receive(std::string_view bytes) override {
    constexpr std::size_t kMost = 256;
    if (line_->find('\n') == std::string::npos) *line_ += bytes.substr(0, kMost);
    auto fed = inner_->receive(bytes);
    output_ += inner_->take_output();
    return fed;
  }
  [[nodiscard]] const Negotiation& inner() const { return *inner_; }

 private:
  std::unique_ptr<Negotiation> inner_;
  std::shared_ptr<std::string> line_;
};

std::string first_line(const std::string& text) {
  std::string line = text.substr(0, text.find_first_of("\r\n"));
  for (char& c : line)
    if (static_cast<unsigned char>(c) < ' ' || c == '\x7f') c = '?';
  return line;
}

// RFC 1928, section 6, in nc's words where it has some.
std::string socks5_text(const Error& error) {
  switch (error.code) {
    case ENETUNREACH:
      return "Network unreachable";
    case EHOSTUNREACH:
      return "Host unreachable";
    case ECONNREFUSED:
      return "Connection refused";
    case ETIMEDOUT:
      return "TTL expired";
    default:
      return error.why;
  }
}

std::string nonce() {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::random_device device;
  std::string text;
  while (text.size() < 32) text += kDigits[device() % kDigits.size()];
  return text;
}

}  // namespace

struct ProxyWay::Dialogue {
  std::unique_ptr<Negotiation> negotiation;
  std::shared_ptr<std::string> line = std::make_shared<std::string>();
};

std::expected<ProxyWay::Dialogue, std::string> ProxyWay::begin(std::uint16_t port) {
  Dialogue dialogue;
  ProxyTarget target{options_.host, port};
  switch (kind()) {
    case ProxyKind::socks5:
      dialogue.negotiation = std::make_unique<Socks5Client>(SocksCommand::connect, target);
      break;
    case ProxyKind::socks4: {  // which has no names: they are looked up here
      const auto found = addresses_of(options_.host, Family::ipv4, options_.numeric);
      if (!found)
        return std::unexpected("getaddrinfo(\"" + options_.host + "\", \"" + std::to_string(port) +
                               "\"): " + found.error());
      target.host = found->front().to_string();
      dialogue.negotiation = std::make_unique<Socks4Client>(target);
      break;
    }
    case ProxyKind::http:
      dialogue.negotiation =
          std::make_unique<Remembering>(std::make_unique<HttpConnectClient>(target, auth_), dialogue.line);
      break;
  }
  return dialogue;
}

std::expected<ProxyWay::Passed, std::string> ProxyWay::pass(Fd socket, std::uint16_t port) {
  auto dialogue = begin(port);
  if (!dialogue) return std::unexpected(dialogue.error());
  return hold(std::move(socket), std::move(*dialogue));
}

std::expected<ProxyWay::Passed, std::string> ProxyWay::hold(Fd socket, Dialogue dialogue) {
  NegotiatedPassage passage(
      [&](const SocketAddress&, const SocketAddress&) -> NegotiatedPassage::Opening {
        return {"", std::move(dialogue.negotiation)};
      },
      {"proxy", "proxy"}, nullptr,
      [](Negotiation& over) {
        const auto* const held = dynamic_cast<Remembering*>(&over);
        const auto* const http = held ? dynamic_cast<const HttpConnectClient*>(&held->inner()) : nullptr;
        return http != nullptr && http->again();
      });
  std::optional<Result<PassageEnd>> ended;
  const auto handshake = passage.start(loop_, std::make_unique<SocketStream>(std::move(socket)),
                                       Deadline::after(options_.timeout), [&](Result<PassageEnd> end) {
                                         ended = std::move(end);
                                         loop_.stop();
                                       });
  loop_.run();
  if (!*ended) return after_failure(ended->error(), dialogue);
  auto* const stream = dynamic_cast<SocketStream*>((*ended)->stream.get());
  if (stream == nullptr) return Passed{{}, true};
  return Passed{stream->release(), false};
}

std::expected<ProxyWay::Passed, std::string> ProxyWay::after_failure(const Error& error,
                                                                     const Dialogue& dialogue) {
  const std::string line = first_line(*dialogue.line);
  if (kind() != ProxyKind::http) {
    const bool five = kind() == ProxyKind::socks5;
    const bool rejected = error.op == "connect" && !five;
    return std::unexpected(std::string("connection failed, SOCKSv") + (five ? "5" : "4") +
                           " error: " + (rejected ? "Request rejected or failed" : socks5_text(error)));
  }
  if (line.empty())
    return std::unexpected("proxy read: " + (error.why.empty() ? error.message() : error.why));
  const bool asks = line.starts_with("HTTP/1.") && line.substr(8).starts_with(" 407");
  if (!asks || options_.proxy_user.empty() || auth_) return std::unexpected("Proxy error: \"" + line + "\"");
  auto password = ask_secret("Proxy password for " + options_.proxy_user + "@" + options_.proxy_host + ": ");
  if (!password) return std::unexpected("Unable to read proxy passphrase");
  // Digest would need a library of cryptography, which takes as long to load as all of the rest.
  const auto no_digest = [](DigestAlgorithm, std::string_view) { return std::string(); };
  auth_ = std::make_shared<HttpProxyAuth>(Credentials{options_.proxy_user, std::move(*password)}, no_digest,
                                          nonce);
  return Passed{{}, true};
}

}  // namespace pier::nc
