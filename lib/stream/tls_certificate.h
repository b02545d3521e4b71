// Certificates and keys: read from files, made for a run, and described.
#pragma once

#include <string>
#include <vector>

#include "base/error.h"
#include "stream/tls_ptr.h"

namespace pier {

// Who we are to the peer.
struct TlsIdentity {
  std::vector<TlsPtr<X509>> chain;  // our certificate first, then those that lead to its issuer
  TlsPtr<EVP_PKEY> key;
};

// The certificates in a PEM file (RFC 7468), in order, at least one. ErrorKind::local names `option`, the
// file and what is wrong with it.
[[nodiscard]] Result<std::vector<TlsPtr<X509>>> read_certificates(const std::string& option,
                                                                  const std::string& path);

// The chain of one file and the unencrypted key of another, or the same, that belongs to its first
// certificate. ErrorKind::local.
[[nodiscard]] Result<TlsIdentity> read_identity(const std::string& certificate_path,
                                                const std::string& key_path);

// A key on P-256 and a certificate signed by itself for localhost, the loopback addresses and this host's
// name, good for a year. ErrorKind::local when OpenSSL can't make them.
[[nodiscard]] Result<TlsIdentity> make_identity();

// "CN=db.example,O=Example" (RFC 2253, UTF-8), or "(no subject)".
[[nodiscard]] std::string subject_of(const X509* certificate);
[[nodiscard]] std::string issuer_of(const X509* certificate);
// The subject alternative names a server is checked by: DNS names and addresses.
[[nodiscard]] std::vector<std::string> names_of(const X509* certificate);
// "2026-11-21T07:54:58Z" (RFC 3339).
[[nodiscard]] std::string time_text(const ASN1_TIME* time);

}  // namespace pier
