// Names and numbers of hosts and ports, as this host's own tables have them: what nc shows and takes.
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "net/address.h"

namespace pier::nc {

// getaddrinfo(3), while the caller waits, in the order of RFC 6724; also what inet_aton(3) takes, as `127.1`.
// The error is the library's text: "Name or service not known". `numeric`: no look-up.
[[nodiscard]] std::expected<std::vector<IpAddress>, std::string> addresses_of(const std::string& host,
                                                                              std::optional<Family> family,
                                                                              bool numeric);

// The port of a service: of /etc/services, else of the registry.
[[nodiscard]] std::optional<std::uint16_t> named_port(const std::string& name, bool datagrams);
// A number from 0 to 65535, or a name.
[[nodiscard]] std::expected<std::uint16_t, std::string> port_of(const std::string& text, bool datagrams);

// What /etc/services calls the port, or "*".
[[nodiscard]] std::string service_of(std::uint16_t port, bool datagrams, bool numeric);

// "localhost 43817" or with `numeric` "127.0.0.1 43817"; of a Unix socket its path.
[[nodiscard]] std::string shown(const SocketAddress& address, bool numeric);

struct ProxyName {
  std::string host;
  std::uint16_t port = 0;
};
// `host`, `host:port`, `[v6]:port` or `[v6]`.
[[nodiscard]] std::expected<ProxyName, std::string> split_proxy(const std::string& text, std::uint16_t port);

}  // namespace pier::nc
