// One message of a sock_diag reply as a socket: what sock_diag.cc reads its dumps with.
#pragma once

#include <linux/netlink.h>

#include "host/socket_info.h"

namespace pier {

// False, with errno EBADMSG, for a message that is cut short or not of the family asked for.
[[nodiscard]] bool read_inet_message(const nlmsghdr* header, SocketInfo& socket);
[[nodiscard]] bool read_unix_message(const nlmsghdr* header, SocketInfo& socket);

}  // namespace pier
