// What a server does with its clients, where it is something else than joining them to its own input and
// output.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include "base/fd.h"
#include "relay/result.h"
#include "stream/socket_stream.h"
#include "stream/stream.h"

namespace pier {

class Service {
 public:
  // Told once of each client, from the loop, when it has ended and its stream is closed. Not from inside
  // serve().
  using Closed = std::function<void(std::uint64_t id, const RelayResult&)>;

  virtual ~Service() = default;

  // To be set before the first client.
  void on_closed(Closed closed) { closed_ = std::move(closed); }

  // Takes a client over; session.id must be new.
  virtual void serve(const Session& session, std::unique_ptr<Stream> stream) = 0;
  // The same for a plain socket (non-blocking), with nothing between it and the peer.
  virtual void serve(const Session& session, Fd socket) {
    serve(session, std::make_unique<SocketStream>(std::move(socket)));
  }

  // Ends all clients now and tells of each.
  virtual void end_all() = 0;

 protected:
  Closed closed_;
};

}  // namespace pier
