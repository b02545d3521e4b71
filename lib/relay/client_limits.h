// How many clients a server has at once, in all and of one host.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>

#include "net/address.h"

namespace pier {

struct ClientLimits {
  // Nothing: no such limit. Who comes beyond one of these two is sent away.
  std::optional<std::size_t> clients = {};
  std::optional<std::size_t> per_host = {};
  // How many this process has descriptors for: nobody is accepted beyond it, and who comes waits.
  // Of each server by itself.
  std::optional<std::size_t> room = {};
};

// Counts clients, for one server or for several that share the limits, each on a thread of its own. A host is
// an IP address, an IPv4-mapped one being the IPv4 address that it stands for; Unix and vsock clients are of
// no host.
class ClientCounts {
 public:
  explicit ClientCounts(const ClientLimits& limits) : limits_(limits) {}

  // False, and nothing counted, where there are as many as there may be.
  [[nodiscard]] bool enter();
  [[nodiscard]] bool enter_host(const SocketAddress& client);
  // For each of these that was true.
  void leave();
  void leave_host(const SocketAddress& client);

  [[nodiscard]] std::size_t clients() const;
  // The number of a client whom the limits let in: 1, 2, 3 …
  [[nodiscard]] std::uint64_t next_number();
  // How many were sent away.
  void count_over_limit();
  [[nodiscard]] std::uint64_t over_limits() const;

 private:
  mutable std::mutex mutex_;  // guards all but the limits
  ClientLimits limits_;
  std::size_t clients_ = 0;
  std::map<IpAddress, std::size_t> hosts_;
  std::uint64_t numbers_ = 0;
  std::uint64_t over_limits_ = 0;
};

}  // namespace pier
