// OpenSSL, loaded when TLS is asked for and not before.
#pragma once

#include <string>

#include "base/error.h"

namespace pier {

// Loads libssl and libcrypto of the major version that this was built with, once: dlopen(3), where the
// dynamic linker looks for them. ErrorKind::local says what is missing. Every function of OpenSSL used in
// lib/stream/tls* is a row in tls_functions.inc, and may be called only after this has succeeded.
[[nodiscard]] Result<void> load_tls_library();

}  // namespace pier
