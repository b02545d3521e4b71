// --show-cert: who answers there, told and not talked to.
#pragma once

#include "cmd/connect/run.h"
#include "stream/tls_report.h"

namespace pier::client {

// Connects, shakes hands, prints what `report` has then, and closes; nothing is sent. Exit 1 where the server
// would not be believed. `report` is filled by the plan's handshaker (prepare_tls).
int show_cert(Run& run, ReachPlan plan, const TlsReport& report);

}  // namespace pier::client
