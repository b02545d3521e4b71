// TLS in a run of pier-connect: what each dial does after it has connected.
#pragma once

#include "cmd/connect/run.h"

namespace pier::client {

// Reads the files and gives each dial of `plan` that wants TLS its handshake. ErrorKind::local for a file.
[[nodiscard]] Result<void> prepare_tls(const Run& run, Plan& plan);

}  // namespace pier::client
