// The sockets of a race: made as its plan says, and what can be said of them.
#pragma once

#include <string>

#include "base/clock.h"
#include "base/error.h"
#include "base/fd.h"
#include "event/race.h"
#include "net/address.h"
#include "net/socket_file.h"

namespace pier {

struct AttemptSocket {
  Fd fd;
  SocketFile file;  // of a Unix source path
};

// A socket ready for connect(2) to `target`: of the plan's protocol, held to its interface, bound to its
// source. ErrorKind::local on failure.
[[nodiscard]] Result<AttemptSocket> open_for_attempt(const RacePlan& plan, const SocketAddress& target);

// Where every port that a socket bound to `local` could have towards `target` is taken, and has been for so
// long.
[[nodiscard]] Error no_port_error(const SocketAddress& target, const SocketAddress& local, Duration tried);

// The end of the sentence that tells of a success. `deferred`: see Connected.
[[nodiscard]] std::string success_text(const RacePlan& plan, int fd, const SocketAddress& local,
                                       bool deferred, Duration took);

}  // namespace pier
