// What a TlsContext holds. Included by lib/stream/tls* alone.
#pragma once

#include "stream/tls_certificate.h"
#include "stream/tls_context.h"
#include "stream/tls_ptr.h"
#include "stream/tls_verify.h"

namespace pier {

struct TlsContext::State {
  TlsPtr<SSL_CTX> ssl;
  TlsTrust trust;
  std::optional<TlsFingerprint> own;
  std::string alpn;  // as it goes over the wire: each protocol after its length (RFC 7301, section 3.1)
};

}  // namespace pier
