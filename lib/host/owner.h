// Who owns a socket, an address, a port: the socket, its role, and the processes that hold it, put together.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "base/error.h"
#include "host/netns.h"
#include "host/owner_search.h"
#include "host/process.h"
#include "host/role.h"
#include "host/socket_info.h"
#include "net/address.h"
#include "net/endpoint.h"

namespace pier {

// Why a socket has no owner that we can name.
enum class Hidden : std::uint8_t {
  permission,     // its process belongs to another user, and we may not look there
  pid_namespace,  // nothing was kept from us, but we do not see the processes of the whole host
  kernel,         // no process: the kernel's own socket, or a connection that nobody has accepted yet
  time_wait,      // its process closed it; the kernel keeps the port for a minute (RFC 9293, section 3.6.1)
  orphan,         // its process closed it or ended; the kernel still sends or waits for the peer's end
};

// "permission", "pid-namespace", "kernel", "time-wait", "orphan".
[[nodiscard]] std::string_view to_string(Hidden hidden);

struct OwnedSocket {
  SocketInfo socket;
  std::optional<Role> role;
  std::string_view role_reason;  // "it listens"
  std::vector<Process> owners;   // by pid
  std::optional<Hidden> hidden;  // set exactly when `owners` is empty
  std::string netns;             // the label of its network namespace where that is not ours
};

struct OwnedSockets {
  // What waits for anyone first, then what is bound, then connections; each by transport, family and address.
  std::vector<OwnedSocket> sockets;
  std::string fallback;  // as in SocketList
  SearchReach reach = SearchReach::relatives;
};

struct OwnerRules {
  std::vector<NetNamespace> places = {};  // whose sockets; empty for the one we are in
  bool everywhere = false;                // look at every process, however soon an owner is found
  // Of these sockets alone, by inode, but for what waits on the same port; nullopt for all.
  std::optional<std::unordered_set<std::uint64_t>> only = {};
};

// The sockets the query asks for, each with its owners. A socket that was closed while we looked for its
// owner is left out. ErrorKind::local when the kernel's list cannot be had at all.
[[nodiscard]] Result<OwnedSockets> owned_sockets(const SocketQuery& query, const OwnerRules& rules = {});

// Whether a TCP or UDP socket bound to the IPv6 wildcard takes IPv4 too.
[[nodiscard]] bool takes_ipv4_too(const SocketInfo& socket);

// What would help where another user's processes are closed to us: "run as root".
[[nodiscard]] std::string_view remedy();

// One sentence that says why the owner cannot be named, and what would help where something does: "tcp
// [::]:9100 is listening (uid 0), but its process is not ours to look into: run as root to see which". Only
// for a socket with `hidden`.
[[nodiscard]] std::string hidden_reason(const OwnedSocket& socket);

// Who is in the way of binding `wanted`, to stand after "address in use by": "nginx (pid 812, user
// www-data)", "nginx (pid 812, user root) and 4 more processes", or what is known of an owner who cannot be
// seen: "a process of user root (run as root to see which)", "a connection that ended a moment ago
// (time-wait)". Empty when nobody is found, as for Unix sockets, and when the kernel tells nothing. `wanted`
// is the address that bind(2) refused with EADDRINUSE; takes as long as one look at every descriptor of the
// host.
[[nodiscard]] std::string owner_phrase(const SocketAddress& wanted, Transport transport);

}  // namespace pier
