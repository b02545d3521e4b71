// TLS in a run of pier-connect: what each dial does after it has connected.
#pragma once

#include "cmd/connect/run.h"
#include "stream/tls_report.h"

namespace pier::client {

// Reads the files and gives each dial of `plan` that wants TLS its handshake; what each has shown is then in
// `report`, which must outlive them. ErrorKind::local for a file.
[[nodiscard]] Result<void> prepare_tls(const Run& run, Plan& plan, TlsReport& report);

}  // namespace pier::client
