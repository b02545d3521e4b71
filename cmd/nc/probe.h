// Whether anybody is at a UDP port, as far as that can be told: what -z asks, and -v before a session.
#pragma once

#include "base/fd.h"
#include "cmd/nc/options.h"
#include "event/loop.h"
#include "net/address.h"

namespace pier::nc {

enum class Probed : unsigned char {
  answered,
  closed,  // ICMP says so
  silent,  // nothing came: nobody, somebody who does not answer, or a firewall
};

// Sends datagrams of one "X". With -z an answer is waited for, by the time of -w or a second; without, only
// what the kernel knows at once counts, and all answers are the session's. `socket` is connected to `peer`.
[[nodiscard]] Probed probe(Loop& loop, const Options& options, const Fd& socket, const SocketAddress& peer);

}  // namespace pier::nc
