// Service names where a user may type one in place of a port: `redis://db`, `pier-connect db postgres`.
//
// The three functions have the shape of net/endpoint.h's ServiceNames, so that a command fills it with
//   ServiceNames{.port_of = service_port, .nearest = nearest_service, .is_tls = is_tls_service}
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "ports/registry.h"

namespace pier {

// Where a name is assigned (find_service), and also where a customary name that IANA does not have stands for
// one that it has: `smtps`, `postgres`. The names in the result are the registry's.
[[nodiscard]] std::vector<ServicePort> resolve_service(std::string_view name);

// The port of a service on "tcp", "udp", "sctp" or "dccp". Where a name has several, the customary one
// (http-alt is 8080), else the first in the registry.
[[nodiscard]] std::optional<std::uint16_t> service_port(std::string_view name, std::string_view protocol);

// A service name near to a mistyped one, or empty.
[[nodiscard]] std::string nearest_service(std::string_view name);

// The registered name that a word which is none surely stands for: the only one that begins with it, or the
// one that is clearly nearest. Empty where none is, or several are as good. For questions whose answer shows
// what was understood, never for what is connected to.
[[nodiscard]] std::string meant_service(std::string_view word);

// A service whose first bytes on the wire are a TLS handshake, and the document that says so.
struct TlsService {
  char name[16];
  char source[16];
};
[[nodiscard]] std::span<const TlsService> tls_services();
// Whether the name, in any case, is one of those. Services that begin in clear and upgrade (STARTTLS) are
// not.
[[nodiscard]] bool is_tls_service(std::string_view name);

}  // namespace pier
