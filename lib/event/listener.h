// Opening the sockets of a server: bound, and listening where the transport has connections.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/fd.h"
#include "net/address.h"
#include "net/endpoint.h"
#include "net/multicast.h"
#include "net/options.h"
#include "net/socket_file.h"
#include "net/step.h"

namespace pier {

// Of a Unix socket's file: what is not said is the umask's, and this process's.
struct FileRights {
  std::optional<mode_t> mode = {};  // exactly, whatever the umask
  std::optional<uid_t> user = {};
  std::optional<gid_t> group = {};
};

struct ListenPlan {
  // host empty: loopback, both families, or with `groups` these alone; every_interface: any, both families.
  Endpoint endpoint = {};
  std::optional<Family> family = {};  // -4 or -6
  int backlog = 4096;          // the kernel cuts it to net.core.somaxconn (its own default since Linux 5.4)
  SocketOptions options = {};  // set before binding; TCP hands them down to the sockets it accepts
  std::vector<MulticastGroup> groups = {};  // UDP: joined by the sockets of their family
  StepSink* steps = nullptr;
  FileRights file = {};
  bool shared = false;  // share() will be called
};

// One or two sockets (one for each family, or each group) on ONE port number, also when the port is 0: the
// number the kernel chose for the first is bound for the second, and another is drawn when it is taken there.
// Where this host has no IPv6, a listener that asked for both families is IPv4 alone.
class Listener {
 public:
  struct Bound {
    Fd fd;
    SocketAddress address;  // as bound, with the real port
  };

  // Blocking only for resolving a host name. Errors: usage (text that cannot be an address), failed (a name
  // that does not resolve), local (address in use: code EADDRINUSE, subject the address; permission). A stale
  // Unix socket file, on which nobody answers, is replaced; a file of any other kind never (EADDRINUSE).
  [[nodiscard]] static Result<Listener> open(const ListenPlan& plan);

  // Sockets that somebody else has opened (a service manager): streams that listen, or are bound and do so at
  // listen(), or bound datagram sockets, of one transport. They become non-blocking. A Unix socket's file is
  // left to who made it. ErrorKind::local for anything else.
  [[nodiscard]] static Result<Listener> adopt(std::vector<Fd> sockets);
  // Sets options, as open() does before binding, on each socket.
  [[nodiscard]] Result<void> set_all(const SocketOptions& options, StepSink* steps);
  // listen(2) on each adopted stream that does not listen yet. ErrorKind::local.
  [[nodiscard]] Result<void> listen(int backlog, StepSink* steps);

  // Another listener for the same clients, for a loop of its own: TCP sockets of its own (SO_REUSEPORT),
  // among which the kernel spreads who comes, where open() made these; otherwise the same sockets once more.
  [[nodiscard]] Result<Listener> share(const ListenPlan& plan) const;

  Listener(Listener&&) noexcept = default;
  Listener& operator=(Listener&&) noexcept = delete;
  // Closes, and removes the Unix socket file if it is still the one made here.
  ~Listener() = default;

  [[nodiscard]] std::vector<Bound>& sockets() { return sockets_; }
  [[nodiscard]] const std::vector<Bound>& sockets() const { return sockets_; }
  [[nodiscard]] std::uint16_t port() const;  // 0 for Unix sockets
  [[nodiscard]] Transport transport() const { return transport_; }
  // Stops accepting: closes the sockets now.
  void close();

 private:
  Listener() = default;
  std::vector<Bound> sockets_;
  SocketFile file_;
  Transport transport_ = Transport::tcp;
  bool adopted_ = false;
};

}  // namespace pier
