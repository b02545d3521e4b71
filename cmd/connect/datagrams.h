// Datagrams in place of a stream: UDP and Unix datagram sockets.
#pragma once

#include <optional>

#include "cmd/connect/run.h"
#include "proxy/negotiation.h"
#include "scan/reach_attempt.h"

namespace pier::client {

// A usage error for an option of datagrams where there are none, or that does not fit. `checks`: no session
// follows.
[[nodiscard]] Result<void> check_datagram_options(const Parsed& args, const Endpoint& endpoint, bool checks);

// Joins the peer to stdin and stdout, or to the program of --exec. Returns the exit code. `wait`: until then
// the first datagram is sent again when it is refused.
int talk_by_datagrams(Run& run, Reached reached, std::optional<TimePoint> wait);

// The same through a SOCKS 5 proxy that takes datagrams at `association`, for as long as the connection
// `reached` stands.
int talk_by_proxy(Run& run, Reached reached, const ProxyTarget& association, const Endpoint& endpoint);

}  // namespace pier::client
