// What --events says of reaching a server, beside the session's own records (out/session_report).
#pragma once

#include "event/connector.h"
#include "net/endpoint.h"
#include "out/ndjson.h"

namespace pier::client {

// {"type":"attempt","proto":"tcp","host":"db","addr":"10.0.0.5","port":5432,"result":"failed",
//  "reason":"connection refused","elapsed_us":312}: one address, and what became of it. `result` is
//  connected,
// failed, "no answer" or overtaken (another address was faster).
[[nodiscard]] JsonObject attempt_record(const Endpoint& endpoint, const Attempt& attempt);

}  // namespace pier::client
