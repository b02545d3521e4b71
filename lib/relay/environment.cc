#include "relay/environment.h"

#include <unistd.h>

#include <algorithm>
#include <string_view>

namespace pier {
namespace {

constexpr std::string_view kUcspi[] = {"REMOTEIP",   "REMOTEPORT", "LOCALIP",   "LOCALPORT",
                                       "REMOTEHOST", "LOCALHOST",  "REMOTEINFO"};

// Whether a variable of ours is kept from the child, because it would be taken for something about its peer.
bool is_dropped(std::string_view variable) {
  const std::string_view name = variable.substr(0, variable.find('='));
  if (name == "PROTO" || name == "NOTIFY_SOCKET" || name == "LISTEN_FDS" || name == "LISTEN_PID" ||
      name == "LISTEN_FDNAMES" || name == "LISTEN_PIDFDID")
    return true;
  if (name.starts_with("PIER_REMOTE_") || name.starts_with("PIER_LOCAL_") || name == "PIER_PROTO")
    return true;
  return (name.starts_with("TCP") || name.starts_with("UDP")) &&
         std::ranges::find(kUcspi, name.substr(3)) != std::end(kUcspi);
}

Transport transport_of(const Session& session) {
  switch (session.local.domain()) {
    case AF_UNIX:
      return session.datagram ? Transport::unix_dgram : Transport::unix_stream;
    case AF_VSOCK:
      return Transport::vsock;
    default:
      return session.datagram ? Transport::udp : Transport::tcp;
  }
}

std::string_view ucspi_name(Transport transport) {
  switch (transport) {
    case Transport::tcp:
      return "TCP";
    case Transport::udp:
      return "UDP";
    case Transport::vsock:
      return "VSOCK";
    default:
      return "UNIX";
  }
}

std::string host_of(const SocketAddress& address) {
  if (address.is_ip()) return address.ip().unmapped().to_string();
  return address.is_unix() ? address.path() : std::string();
}

}  // namespace

std::vector<std::string> peer_environment(const Session& session) {
  std::vector<std::string> variables;
  for (char** variable = environ; variable != nullptr && *variable != nullptr; ++variable)
    if (!is_dropped(*variable)) variables.emplace_back(*variable);
  const Transport transport = transport_of(session);
  const std::string proto(ucspi_name(transport));
  variables.push_back("PIER_PROTO=" + std::string(to_string(transport)));
  variables.push_back("PROTO=" + proto);
  const auto add = [&](const std::string& side, const SocketAddress& address) {
    const std::string host = host_of(address);
    if (!host.empty()) variables.push_back("PIER_" + side + "_ADDR=" + host);
    if (!address.is_ip()) return;
    const std::string port = std::to_string(address.port());
    variables.push_back("PIER_" + side + "_PORT=" + port);
    variables.push_back(proto + side + "IP=" + host);
    variables.push_back(proto + side + "PORT=" + port);
  };
  add("REMOTE", session.peer);
  add("LOCAL", session.local);
  return variables;
}

}  // namespace pier
