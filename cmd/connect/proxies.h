// The way to a server, as the options say: --proxy, once or in a chain, --send-proxy, --starttls.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "cli/flags.h"
#include "net/endpoint.h"
#include "proxy/starttls.h"

namespace pier::client {

struct Proxy {
  enum class Kind : unsigned char { socks4a, socks5, http };
  Kind kind = Kind::socks5;
  bool tls = false;        // https://: TLS to the proxy itself
  Endpoint endpoint = {};  // TCP
  std::string user = {};   // of socks4a, which has no passwords

  // "socks5://10.0.0.1:1080"
  [[nodiscard]] std::string to_string() const;
};

struct WayPlan {
  std::vector<Proxy> proxies = {};              // the first is connected to
  std::vector<std::string> without_proxy = {};  // of NO_PROXY, with --proxy env
  std::optional<std::string> credentials = {};  // the file of --proxy-auth-file
  std::optional<unsigned> send_proxy = {};      // the version of the header
  std::optional<StarttlsProtocol> starttls = {};

  // The proxies on the way to this host: all, or none where NO_PROXY names it.
  [[nodiscard]] std::span<const Proxy> to(const Endpoint& endpoint) const;
  // What is connected to on the way there: the first proxy, or the endpoint itself.
  [[nodiscard]] const Endpoint& first_stop(const Endpoint& endpoint) const;
};

// Usage errors only; the environment is looked at for --proxy env, and no file is.
[[nodiscard]] Result<WayPlan> way_of(const Parsed& args);
// A usage error where the way does not lead to such an endpoint. `no_session`: nothing is
// relayed between it and our stdin and stdout.
[[nodiscard]] Result<void> check_way(const WayPlan& way, const Endpoint& endpoint, bool no_session);

}  // namespace pier::client
