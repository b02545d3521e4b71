// The way to a server in a run of pier-connect: what each dial goes through after it has connected.
#pragma once

#include "cmd/connect/run.h"

namespace pier::client {

// Reads --proxy-auth-file and the files of TLS, and gives each dial of `plan` its passages: the proxies in
// order, --send-proxy, --starttls. ErrorKind::local for a file.
[[nodiscard]] Result<void> prepare_way(const Run& run, Plan& plan);

}  // namespace pier::client
