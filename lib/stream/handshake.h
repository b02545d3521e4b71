// A dialogue that a fresh connection goes through before a session begins on it: TLS's, for one.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "base/clock.h"
#include "base/error.h"
#include "base/fd.h"
#include "event/loop.h"
#include "stream/socket_stream.h"
#include "stream/stream.h"

namespace pier {

// One under way. Destroying it cancels: the connection is closed and the callback never runs.
class Handshake {
 public:
  virtual ~Handshake() = default;
};

// Starts them; one for all connections that are made the same way.
class Handshaker {
 public:
  using Done = std::function<void(Result<std::unique_ptr<Stream>>)>;

  virtual ~Handshaker() = default;

  // Takes over `below`, a connected socket or what already lies over one; `peer` names its other end in
  // errors. `done` runs once, from the loop and never from within start(), with the stream that a session
  // then uses, or an error of kind failed, deadline or local. The callback may destroy what start() has
  // returned.
  [[nodiscard]] virtual std::unique_ptr<Handshake> start(Loop& loop, std::unique_ptr<Stream> below,
                                                         std::string peer, const Deadline& deadline,
                                                         Done done) = 0;
  // The same over a socket, connected and non-blocking.
  [[nodiscard]] std::unique_ptr<Handshake> start(Loop& loop, Fd fd, std::string peer,
                                                 const Deadline& deadline, Done done) {
    return start(loop, std::make_unique<SocketStream>(std::move(fd)), std::move(peer), deadline,
                 std::move(done));
  }
};

}  // namespace pier
