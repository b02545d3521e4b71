// The one endpoint grammar: every place where a user names an end of a socket goes through parse_endpoint.
//
//   HOST PORT   HOST:PORT   [IPV6]:PORT   [IPV6%zone]:PORT   :PORT   PORT
//   unix:PATH   unix:@ABSTRACT   unix-dgram:PATH   vsock:CID:PORT   SCHEME://HOST[:PORT][/…]
//
// PORT is 0 to 65535 or a service name. Parsing opens no socket and looks up no host name.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/error.h"

namespace pier {

enum class Transport : std::uint8_t { tcp, udp, unix_stream, unix_dgram, vsock };

// "tcp", "udp", "unix", "unix-dgram", "vsock".
[[nodiscard]] std::string_view to_string(Transport transport);
// Whether bytes come as messages with borders and without an end (UDP, Unix datagrams).
[[nodiscard]] constexpr bool is_datagram(Transport t) {
  return t == Transport::udp || t == Transport::unix_dgram;
}

struct Endpoint {
  Transport transport = Transport::tcp;
  std::string host = {};         // a name or an address literal; empty where none was given
  bool every_interface = false;  // written `:PORT`
  std::uint32_t port = 0;        // 16 bits, but for vsock
  std::string path = {};         // Unix: the path, or "@name"
  std::uint32_t cid = 0;         // vsock
  bool tls = false;              // asked for by the scheme
  std::string scheme = {};       // as written before "://", or empty

  // The shortest form that parses back to the same value: "db:5432", "[::1]:80", ":80", "80", "unix:/x".
  [[nodiscard]] std::string to_string() const;

  friend bool operator==(const Endpoint&, const Endpoint&) = default;
};

// Service names are the caller's knowledge (ports/registry has them): this layer only asks.
struct ServiceNames {
  // The port assigned to the name for "tcp" or "udp".
  std::optional<std::uint16_t> (*port_of)(std::string_view name, std::string_view proto) = nullptr;
  // A known name near to a mistyped one, or empty.
  std::string (*nearest)(std::string_view name) = nullptr;
  // Whether what speaks on that service begins with TLS ("https", "imaps").
  bool (*is_tls)(std::string_view name) = nullptr;
};

struct EndpointRules {
  Transport transport = Transport::tcp;  // of an endpoint that does not name its own
  bool port_zero = false;                // 0, "the kernel chooses", is allowed
  ServiceNames services = {};
};

// One word, or two words HOST PORT. A usage error quotes the bad text and says what fits.
[[nodiscard]] Result<Endpoint> parse_endpoint(std::span<const std::string> words, const EndpointRules& rules);

// A port: a number, or a service name.
[[nodiscard]] Result<std::uint16_t> parse_port(std::string_view text, const EndpointRules& rules);

}  // namespace pier
