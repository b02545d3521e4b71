// A TlsReport of a connection, and the step that tells of it. Included by lib/stream/tls* alone.
#pragma once

#include <string>

#include "net/step.h"
#include "stream/tls_ptr.h"
#include "stream/tls_report.h"
#include "stream/tls_verify.h"

namespace pier {

// After the handshake.
[[nodiscard]] TlsReport describe_tls(SSL* ssl, const TlsVerdict& verdict, std::string peer);

// "TLSv1.3 with TLS_AES_256_GCM_SHA384; db:5432 is CN=db.example, verified", and the same as fields.
[[nodiscard]] Step tls_step(const TlsReport& report);

}  // namespace pier
