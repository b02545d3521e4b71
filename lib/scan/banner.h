// What a service says of itself when it is asked, and which protocol that is: rules over bytes alone.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace pier {

struct BannerTls {
  std::string version;             // "TLSv1.3"
  std::string alpn;                // the protocol agreed on, or empty
  std::string subject;             // of its certificate
  std::vector<std::string> names;  // and the names that it is for
};

struct Banner {
  std::string protocol;  // "ssh", "http"; empty where no rule knows it
  std::string product;   // "OpenSSH_9.2p1 Debian-2", "nginx/1.22.1"; empty where it does not say
  std::string text;      // its first line, printable, at most kMostText bytes; empty when it was silent
  std::optional<BannerTls> tls;  // when it is spoken over TLS

  static constexpr std::size_t kMostText = 200;
  [[nodiscard]] bool empty() const { return text.empty() && protocol.empty() && !tls; }
  // For people: "ssh OpenSSH_9.2p1", "http nginx/1.22.1 over TLSv1.3 (CN=www; www, example.org)".
  [[nodiscard]] std::string to_string() const;
};

// `received`: the first bytes from a service, unasked or after an HTTP request. The rules and their sources:
// SSH RFC 4253 section 4.2; SMTP RFC 5321 sections 3.1 and 4.2; FTP RFC 959 section 5.4; POP3 RFC 1939
// section 4; IMAP RFC 9051 section 7.1; NNTP RFC 3977 section 5.1; HTTP RFC 9112 section 4 and, for Server,
// RFC 9110 section 10.2.4; RTSP RFC 7826; SIP RFC 3261; RFB (VNC) RFC 6143 section 7.1.1; Telnet RFC 854;
// ManageSieve RFC 5804 section 1.8; IRC RFC 2812 section 2.3.1; rsync, Redis (RESP), MySQL and MariaDB (the
// handshake packet, version 10) by their own protocol documents.
[[nodiscard]] Banner read_banner(std::string_view received);

// A TLS alert or handshake record (RFC 8446, section 5.1), or what HTTP servers say to a plain request on a
// TLS port.
[[nodiscard]] bool asks_for_tls(std::string_view received);

}  // namespace pier
