// What a fresh connection says of itself before anything else, such as the PROXY protocol's header. It is
// read to its last byte and no further, so that the socket can go on to whoever is next.
#pragma once

#include <functional>
#include <memory>
#include <optional>

#include "net/address.h"
#include "stream/handshake.h"

namespace pier {

class Preface {
 public:
  // Nothing where the connection's own addresses are meant.
  struct Told {
    std::optional<SocketAddress> peer = {};
    std::optional<SocketAddress> local = {};
  };
  using Done = std::function<void(Result<Told>)>;

  virtual ~Preface() = default;

  // Begins with a connected, non-blocking socket, which stays the caller's and must stay open as long as what
  // is returned; destroying that cancels. `done` runs once, from the loop and never from within start().
  // Errors are of kind failed, or deadline.
  [[nodiscard]] virtual std::unique_ptr<Handshake> start(Loop& loop, int fd, const Deadline& deadline,
                                                         Done done) = 0;
};

}  // namespace pier
