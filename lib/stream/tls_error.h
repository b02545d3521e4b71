// What OpenSSL's errors mean, for a person. Included by lib/stream/tls* alone.
#pragma once

#include <string>
#include <string_view>

namespace pier {

// The newest error of OpenSSL's queue, which is emptied: "unsupported", "bad decrypt". What it has no text
// for is told by number.
[[nodiscard]] std::string take_tls_error();

// The same for an error of a TLS connection: an alert of the peer is told as such, with what it most likely
// means. `began` is how the first bytes received begin, `server` our role.
[[nodiscard]] std::string take_tls_protocol_error(std::string_view began, bool server);

}  // namespace pier
