// What a handshake has shown of the peer: plain values, for --explain, records and --show-cert.
#pragma once

#include <string>
#include <vector>

namespace pier {

struct TlsCertificate {
  std::string subject, issuer;        // "CN=db.example,O=Example" (RFC 2253)
  std::vector<std::string> names;     // subject alternative names: DNS names and addresses
  std::string not_before, not_after;  // "2026-11-21T07:54:58Z"
  std::string key;                    // "EC 256", "RSA 2048"
  std::string fingerprint;            // "SHA256:…", as --pin takes it
};

struct TlsReport {
  std::string peer;     // as the handshake was told to call it
  std::string version;  // "TLSv1.3"
  std::string cipher;   // OpenSSL's name
  std::string alpn;     // the protocol that was agreed on, or empty
  // How the peer is known: "chain", "pin", "no" (nobody asked, or it did not verify), "none" (it has shown no
  // certificate).
  std::string verified;
  std::string why;                    // why it did not verify, or empty
  std::vector<TlsCertificate> chain;  // as it was sent, its own first
};

}  // namespace pier
