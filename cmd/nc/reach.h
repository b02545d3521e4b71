// Reaching a port: the sockets of nc's client role.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "base/fd.h"
#include "cmd/nc/options.h"
#include "cmd/nc/run.h"
#include "event/connector.h"
#include "event/loop.h"
#include "net/address.h"

namespace pier::nc {

// Looks up where to go and where from, once, and then connects to one port after another.
class Destination {
 public:
  Destination(Loop& loop, const Options& options, const Voice& voice)
      : loop_(loop), options_(options), voice_(voice) {}

  // False, and told, where there is none: the run is over.
  [[nodiscard]] bool look_up();

  struct Reached {
    std::optional<Connected> connected;
    bool over = false;  // a fault of this host, which the next port would meet too
  };
  // Tells who did not answer, with -v. `port` is 0 for a Unix socket.
  [[nodiscard]] Reached reach(std::uint16_t port);

  // The same for a peer that has refused a datagram.
  void tell_refused(const SocketAddress& peer) const;

  // "127.0.0.1 80 port [tcp/http]", as the success is told.
  [[nodiscard]] std::string title(const SocketAddress& peer, std::uint16_t port) const;

 private:
  [[nodiscard]] bool look_up_unix();
  [[nodiscard]] bool look_up_source();
  void tell_attempt(const Attempt& attempt) const;
  [[nodiscard]] std::string host_with(const SocketAddress& peer) const;
  [[nodiscard]] std::string host() const;

  Loop& loop_;
  const Options& options_;
  const Voice& voice_;
  std::vector<SocketAddress> addresses_;  // ports are set later
  std::optional<SocketAddress> source_;
};

}  // namespace pier::nc
