// Asking a server to go on in TLS, the client's side (STARTTLS and its like).
//
//   smtp      RFC 3207       imap  RFC 9051, section 6.2.1      pop3  RFC 2595, section 4
//   ftp       RFC 4217       ldap  RFC 4511, section 4.14       xmpp  RFC 6120, section 5
//   postgres  SSLRequest of its frontend/backend protocol       mysql  SSLRequest of its handshake
#pragma once

#include <memory>
#include <optional>
#include <string_view>

#include "proxy/negotiation.h"

namespace pier {

enum class StarttlsProtocol : unsigned char { smtp, imap, pop3, ftp, ldap, postgres, mysql, xmpp };

// All of them as an option's value names them: "smtp|imap|…".
inline constexpr std::string_view kStarttlsProtocols = "smtp|imap|pop3|ftp|ldap|postgres|mysql|xmpp";
[[nodiscard]] std::optional<StarttlsProtocol> parse_starttls(std::string_view name);
[[nodiscard]] std::string_view starttls_name(StarttlsProtocol protocol);

// A dialogue that is done when the TLS handshake is to begin; what take_output() then gives goes before it
// (mysql). Whatever the server has said in plain text is thereby forgotten, and a byte beyond its go-ahead is
// an error: it could be anybody's, and would be taken for one of the encrypted session (CVE-2011-0411).
// Bounded to 64 KiB. `server_name` is said where the protocol wants it (xmpp).
[[nodiscard]] std::unique_ptr<Negotiation> make_starttls(StarttlsProtocol protocol,
                                                         std::string_view server_name);

}  // namespace pier
