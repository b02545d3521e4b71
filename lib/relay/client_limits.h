// How many clients a server has at once, in all and of one host.
#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <string_view>

#include "net/address.h"

namespace pier {

struct ClientLimits {
  // Nothing: no such limit. Who comes beyond one of these two is sent away.
  std::optional<std::size_t> clients = {};
  std::optional<std::size_t> per_host = {};
  // How many this process has descriptors for: nobody is accepted beyond it, and who comes waits.
  std::optional<std::size_t> room = {};
};

// Counts the clients of each host where that is limited. A host is an IP address, an IPv4-mapped one being
// the IPv4 address that it stands for; Unix and vsock clients are of no host.
class HostCounts {
 public:
  explicit HostCounts(std::optional<std::size_t> per_host) : per_host_(per_host) {}

  // False, and nothing counted, where the host has as many as it may.
  [[nodiscard]] bool enter(const SocketAddress& client);
  // For each enter() that was true.
  void leave(const SocketAddress& client);

 private:
  std::optional<std::size_t> per_host_;
  std::map<IpAddress, std::size_t> counts_;
};

}  // namespace pier
