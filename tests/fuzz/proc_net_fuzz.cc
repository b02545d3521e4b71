// /proc/net/{tcp,tcp6,udp,udp6,unix}: whatever the text, the answer is sockets as the query describes them,
// or an error of one line.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "host/proc_net.h"
#include "host/role.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace pier;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  for (const Transport transport : {Transport::tcp, Transport::udp}) {
    for (const Family family : {Family::ipv4, Family::ipv6}) {
      const auto sockets = parse_proc_net(text, transport, family);
      if (!sockets) {
        if (sockets.error().message().find('\n') != std::string::npos) std::abort();
        continue;
      }
      const Roles roles(*sockets);
      for (const SocketInfo& socket : *sockets) {
        if (socket.local.ip().family() != family || state_name(socket).empty()) std::abort();
        if (socket.waits_for_anyone() && roles.of(socket) != Role::server) std::abort();
      }
    }
  }
  for (const SocketInfo& socket : parse_proc_net_unix(text))
    if (!socket.is_unix() || state_name(socket).empty()) std::abort();
  return 0;
}
