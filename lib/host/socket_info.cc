#include "host/socket_info.h"

namespace pier {

std::string_view state_name(const SocketInfo& socket) {
  if (is_datagram(socket.transport)) {
    return socket.state == SocketState::established ? "connected" : "unconnected";
  }
  switch (socket.state) {
    case SocketState::established:
      return "established";
    case SocketState::syn_sent:
      return "syn-sent";
    case SocketState::syn_recv:
    case SocketState::new_syn_recv:
      return "syn-recv";
    case SocketState::fin_wait1:
      return "fin-wait-1";
    case SocketState::fin_wait2:
      return "fin-wait-2";
    case SocketState::time_wait:
      return "time-wait";
    case SocketState::close:
      return "close";
    case SocketState::close_wait:
      return "close-wait";
    case SocketState::last_ack:
      return "last-ack";
    case SocketState::listen:
      return "listen";
    case SocketState::closing:
      return "closing";
    case SocketState::bound:
      return "bound";
  }
  return "close";
}

bool covers(const SocketInfo& socket, const IpAddress& ip) {
  if (!socket.local.is_ip()) return false;
  const IpAddress own = socket.local.ip();
  const IpAddress wanted = ip.unmapped();
  if (own.unmapped().bytes().size() == wanted.bytes().size() && own.unmapped() == wanted) return true;
  if (!own.is_any()) return false;
  if (own.family() == wanted.family()) return true;
  return own.family() == Family::ipv6 && !socket.v6only.value_or(false);
}

}  // namespace pier
