// The first message of a TLS or DTLS client, made by hand: it asks what a server would say to anybody, before
// any key is agreed on, so no cryptography is needed to send it or to read the answer.
#pragma once

#include <string>
#include <string_view>

namespace pier {

// TLS 1.2 (RFC 5246) and no newer version: its server sends the certificate in the clear. As a record.
// `server_name` (RFC 6066) may be empty; ALPN (RFC 7301) offers h2 and http/1.1.
[[nodiscard]] std::string tls_client_hello(std::string_view server_name);

// DTLS 1.2 (RFC 6347) without a cookie, which a server answers by a HelloVerifyRequest. As a datagram.
[[nodiscard]] std::string dtls_client_hello();

}  // namespace pier
