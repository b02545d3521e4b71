// /proc/net/tcp, tcp6, udp, udp6 and unix (proc(5)): what is left where sock_diag(7) is not to be had, as in
// many sandboxes and on kernels without inet_diag, and in network namespaces other than ours.
#pragma once

#include <string_view>
#include <vector>

#include "base/error.h"
#include "host/socket_info.h"

namespace pier {

// The sockets in the text of one such file, its heading included. Strict: a line that is not as the kernel
// writes it is an error (ErrorKind::local), for a guess would be an owner who is none.
[[nodiscard]] Result<std::vector<SocketInfo>> parse_proc_net(std::string_view text, Transport transport,
                                                             Family family);

// The same for /proc/net/unix, which does not tell peers and users. Anybody may put a line end into a name,
// so lines of another form are passed over.
[[nodiscard]] std::vector<SocketInfo> parse_proc_net_unix(std::string_view text);

// Reads the file of this transport and family in `folder` ("/proc/PID/net") and keeps what the query asks
// for. ErrorKind::local when it is missing (code ENOENT) or unreadable.
[[nodiscard]] Result<std::vector<SocketInfo>> read_proc_net(std::string_view folder, Transport transport,
                                                            Family family, const SocketQuery& query);
[[nodiscard]] Result<std::vector<SocketInfo>> read_proc_net_unix(std::string_view folder);

}  // namespace pier
