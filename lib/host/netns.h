// The network namespaces of this host (network_namespaces(7)): each has its own sockets and ports.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "host/sockets.h"

namespace pier {

struct NetNamespace {
  std::uint64_t id = 0;  // the number in "net:[4026531840]"
  std::string name;      // as ip-netns(8) has it, in /run/netns; empty without one
  pid_t pid = 0;         // a process in it; 0 when it is held by its name alone
  bool ours = false;     // the one we are in

  // The name, or "net:[4026531840]".
  [[nodiscard]] std::string label() const;
};

struct NetNamespaces {
  std::vector<NetNamespace> all;  // ours first, then by id
  std::size_t denied = 0;         // processes whose namespace is not ours to see: there may be more
};

// Those that have a process or a name.
[[nodiscard]] NetNamespaces every_net_namespace();

// The one of a process (a number), or of a name. ErrorKind::failed when there is none, ErrorKind::unknown
// when the process's is not ours to see.
[[nodiscard]] Result<NetNamespace> find_net_namespace(std::string_view text);

// Its sockets: ours by sock_diag(7), that of a process from /proc/PID/net without entering it, and one that
// is only held by its name by a thread that enters it (setns(2), which takes CAP_SYS_ADMIN).
[[nodiscard]] Result<SocketList> list_sockets_in(const NetNamespace& place, const SocketQuery& query);

}  // namespace pier
