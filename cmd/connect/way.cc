#include "cmd/connect/way.h"

#include "base/proc_file.h"
#include "cmd/tls_options.h"
#include "proxy/credentials.h"
#include "proxy/http_connect.h"
#include "proxy/passage.h"
#include "proxy/proxy_protocol.h"
#include "proxy/socks4.h"
#include "proxy/socks5.h"
#include "stream/handover_client.h"
#include "stream/tls_digest.h"
#include "stream/tls_handshake.h"

namespace pier::client {
namespace {

using Label = NegotiatedPassage::Label;
using Opening = NegotiatedPassage::Opening;

std::string digest(DigestAlgorithm algorithm, std::string_view text) {
  return tls_digest(algorithm == DigestAlgorithm::md5 ? "MD5" : "SHA256", text);
}

ProxyTarget target_of(const Endpoint& endpoint) {
  return {endpoint.host.empty() ? "localhost" : endpoint.host, static_cast<std::uint16_t>(endpoint.port)};
}

// One proxy of the chain, for all dials.
struct Hop {
  Proxy proxy;
  std::string name;  // in errors
  std::shared_ptr<Handshaker> handshaker = {};
  std::shared_ptr<HttpProxyAuth> http_auth = {};
  std::optional<Credentials> credentials = {};
};

class Builder {
 public:
  Builder(const Run& run, Plan& plan) : run_(run), plan_(plan) {}

  Result<void> prepare();
  void build(ReachPlan& dial, const std::optional<std::string>& server_name) const;

 private:
  Result<void> read_credentials();
  Result<void> prepare_tls();
  void add_proxies(ReachPlan& dial) const;
  [[nodiscard]] std::shared_ptr<Passage> dialogue(const Hop& hop, ProxyTarget target) const;
  [[nodiscard]] std::shared_ptr<Passage> association(const Hop& hop) const;

  const Run& run_;
  Plan& plan_;
  std::vector<Hop> hops_;
};

Result<void> Builder::prepare() {
  for (const Proxy& proxy : plan_.way.proxies) hops_.push_back({proxy, "proxy " + proxy.to_string()});
  if (plan_.way.credentials) {
    if (auto read = read_credentials(); !read) return read;
  }
  return prepare_tls();
}

Result<void> Builder::read_credentials() {
  const std::string& path = *plan_.way.credentials;
  constexpr std::size_t kMost = 64 * 1024;
  const auto text = read_file(path, kMost);
  if (!text) return std::unexpected(text.error());
  const auto known = parse_credentials(*text, path);
  if (!known) return std::unexpected(known.error());
  if (known->size() > 1) return fail(ErrorKind::local, "read", path, "more than one line: we are one user");
  for (Hop& hop : hops_) {
    hop.credentials = known->front();
    if (hop.proxy.kind == Proxy::Kind::http)
      hop.http_auth =
          std::make_shared<HttpProxyAuth>(known->front(), digest, [] { return random_digits(32); });
  }
  return {};
}

Result<void> Builder::prepare_tls() {
  std::shared_ptr<const TlsContext> context;
  for (Hop& hop : hops_) {
    if (!hop.proxy.tls) continue;
    if (!context) {
      auto made = TlsContext::client({.insecure = plan_.tls->insecure, .ca = plan_.tls->ca});
      if (!made) return std::unexpected(made.error());
      context = std::move(*made);
    }
    hop.handshaker = std::make_shared<TlsHandshaker>(context, hop.proxy.endpoint.host, run_.news.steps());
  }
  return {};
}

std::shared_ptr<Passage> Builder::dialogue(const Hop& hop, ProxyTarget target) const {
  const auto make = [hop, target](const SocketAddress&, const SocketAddress&) -> Opening {
    switch (hop.proxy.kind) {
      case Proxy::Kind::socks4a:
        return {"", std::make_unique<Socks4Client>(target, hop.proxy.user)};
      case Proxy::Kind::socks5:
        return {"", std::make_unique<Socks5Client>(SocksCommand::connect, target, hop.credentials)};
      case Proxy::Kind::http:
        break;
    }
    return {"", std::make_unique<HttpConnectClient>(target, hop.http_auth)};
  };
  const auto again = [](Negotiation& over) {
    const auto* const http = dynamic_cast<HttpConnectClient*>(&over);
    return http != nullptr && http->again();
  };
  return std::make_shared<NegotiatedPassage>(make, Label{"proxy", hop.name, target.to_string()},
                                             run_.news.steps(), again);
}

// SOCKS 5 for datagrams: the connection stays for as long as they pass, and says where they are to go.
std::shared_ptr<Passage> Builder::association(const Hop& hop) const {
  const auto where = std::make_shared<ProxyTarget>();
  plan_.association = where;
  const auto make = [hop](const SocketAddress&, const SocketAddress&) -> Opening {
    return {"", std::make_unique<Socks5Client>(SocksCommand::udp_associate, ProxyTarget{"0.0.0.0", 0},
                                               hop.credentials)};
  };
  const auto keep = [where](Negotiation& over) {
    *where = dynamic_cast<Socks5Client&>(over).bound();
    return false;
  };
  return std::make_shared<NegotiatedPassage>(make, Label{"proxy", hop.name, "datagrams"}, run_.news.steps(),
                                             keep);
}

void Builder::add_proxies(ReachPlan& dial) const {
  if (plan_.way.to(dial.endpoint).empty()) return;
  for (std::size_t i = 0; i < hops_.size(); ++i) {
    const Hop& hop = hops_[i];
    if (hop.handshaker) dial.passages.push_back(std::make_shared<HandshakePassage>(hop.handshaker, hop.name));
    const Endpoint& next = i + 1 < hops_.size() ? hops_[i + 1].proxy.endpoint : dial.endpoint;
    dial.passages.push_back(is_datagram(dial.endpoint.transport) ? association(hop)
                                                                 : dialogue(hop, target_of(next)));
  }
  dial.proxies = dial.passages.size();
}

void Builder::build(ReachPlan& dial, const std::optional<std::string>& server_name) const {
  add_proxies(dial);
  if (const auto version = plan_.way.send_proxy) {
    const auto header = [version](const SocketAddress& local, const SocketAddress& peer) -> Opening {
      return {write_proxy_header(*version, local, peer), nullptr};
    };
    dial.passages.push_back(std::make_shared<NegotiatedPassage>(
        header, Label{"proxy", "PROXY protocol header"}, run_.news.steps()));
  }
  if (const auto protocol = plan_.way.starttls) {
    const auto make = [protocol, name = server_name.value_or("")](const SocketAddress&,
                                                                  const SocketAddress&) -> Opening {
      return {"", make_starttls(*protocol, name)};
    };
    const std::string name =
        "STARTTLS (" + std::string(starttls_name(*protocol)) + ") " + name_of(dial.endpoint);
    dial.passages.push_back(
        std::make_shared<NegotiatedPassage>(make, Label{"starttls", name}, run_.news.steps()));
  }
  const Parsed& args = run_.app.args;
  if (args.has("handover") || args.has("streams"))
    dial.passages.push_back(std::make_shared<HandoverClient>(
        dial.connect, static_cast<std::uint32_t>(args.number("streams").value_or(0))));
}

}  // namespace

Result<void> prepare_way(const Run& run, Plan& plan) {
  Builder builder(run, plan);
  if (auto prepared = builder.prepare(); !prepared) return prepared;
  for (std::size_t i = 0; i < plan.dials.size(); ++i) builder.build(plan.dials[i], plan.server_names[i]);
  return {};
}

}  // namespace pier::client
