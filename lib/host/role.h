// Who is who at the two ends of a socket: who was waiting, and who went out.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "host/socket_info.h"
#include "ports/port_set.h"

namespace pier {

enum class Role : std::uint8_t {
  server,    // waits to be contacted: TCP listening, UDP without a peer of its own
  accepted,  // came in through a port that somebody here waits on, or did
  client,    // went out
};

[[nodiscard]] std::string_view to_string(Role role);

struct RoleTold {
  std::optional<Role> role;  // nullopt for a socket that is bound and nothing more: it has none yet
  std::string_view why;      // "it listens"; always there
};

// Tells the role of each of a list of sockets. The list must hold every socket that waits on the local ports
// in question: all of them, or those of one port (SocketQuery::local_port).
//
// A connection is `accepted` when something waits on its local address and port. It is a conclusion, not a
// record: the kernel forgets who began. A connection that outlives its listener is known by its ports, where
// `ephemeral` (the range from which this host's clients get theirs) has the peer's and not its own; otherwise
// it looks like a client's.
class Roles {
 public:
  explicit Roles(std::span<const SocketInfo> sockets, std::optional<PortRange> ephemeral = std::nullopt);

  [[nodiscard]] RoleTold tell(const SocketInfo& socket) const;
  [[nodiscard]] std::optional<Role> of(const SocketInfo& socket) const { return tell(socket).role; }

 private:
  [[nodiscard]] RoleTold tell_unix(const SocketInfo& socket) const;
  [[nodiscard]] RoleTold tell_by_ports(const SocketInfo& socket) const;

  // What `covers` asks about a socket that waits.
  std::unordered_map<std::uint32_t, std::vector<SocketInfo>> waiting_;  // by transport and local port
  std::set<std::string> waiting_names_;                                 // of Unix sockets
  std::optional<PortRange> ephemeral_;
};

}  // namespace pier
