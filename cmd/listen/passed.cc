// Sockets that a service manager has opened for us.
#include <algorithm>

#include "cmd/listen/run.h"
#include "net/service_manager.h"

namespace pier::server {
namespace {

// pier-whoami-port --free passes each port for TCP and for UDP, as tcp-43817 and udp-43817, so that a program
// has the number whichever it serves. We serve TCP then; it goes on holding the other.
bool is_spare(const PassedSocket& socket, const std::vector<std::string>& names) {
  constexpr std::string_view kUdp = "udp-";
  return socket.name.starts_with(kUdp) &&
         std::ranges::find(names, "tcp-" + socket.name.substr(kUdp.size())) != names.end();
}

}  // namespace

Result<std::optional<Listener>> take_passed_listener(std::vector<std::string>& names) {
  auto passed = take_passed_sockets();
  if (!passed) return std::unexpected(passed.error());
  if (passed->empty()) return std::nullopt;
  std::vector<Fd> sockets;
  for (PassedSocket& socket : *passed) {
    if (is_spare(socket, names)) continue;
    sockets.push_back(std::move(socket.fd));
    names.push_back(std::move(socket.name));
  }
  auto listener = Listener::adopt(std::move(sockets));
  if (!listener) return std::unexpected(listener.error());
  return std::move(*listener);
}

Endpoint endpoint_of_passed(const Listener& listener) {
  const SocketAddress& address = listener.sockets().front().address;
  Endpoint endpoint{.transport = listener.transport()};
  if (address.is_ip()) {
    endpoint.host = address.ip().to_string();
    endpoint.port = address.port();
  } else if (address.is_unix()) {
    endpoint.path = address.path();
  }
  return endpoint;
}

Result<Listener> adopt_listener(Listener passed, const ListenPlan& plan) {
  if (const auto set = passed.set_all(plan.options, plan.steps); !set) return std::unexpected(set.error());
  if (const auto listening = passed.listen(plan.backlog, plan.steps); !listening)
    return std::unexpected(listening.error());
  return passed;
}

}  // namespace pier::server
