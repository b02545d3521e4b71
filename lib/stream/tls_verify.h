// Whether the peer is who it should be, judged while the handshake runs, and told in words when it is not.
// Included by lib/stream/tls* alone.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "stream/tls_fingerprint.h"
#include "stream/tls_ptr.h"

namespace pier {

// How peers are known.
struct TlsTrust {
  enum class Kind : unsigned char { nobody_asked, pins, store };
  Kind kind = Kind::store;
  std::vector<TlsFingerprint> pins;
  bool report_only = false;  // who fails is told of and let in
  bool server = false;       // who judges: a server judges its clients
};

// What came of it for one connection. Filled by OpenSSL's callback, so it must live as long as the SSL.
struct TlsVerdict {
  const TlsTrust* trust = nullptr;
  std::string name;  // what a server's certificate must be for; empty for a client's
  bool failed = false;
  std::string why = {};                     // then: what is wrong and what to do about it
  std::optional<TlsFingerprint> peer = {};  // of its certificate, once it has given one
};

// Makes `context` judge by the TlsVerdict of each of its connections.
void judge_peers(SSL_CTX* context);
void set_verdict(SSL* ssl, TlsVerdict* verdict);

}  // namespace pier
