// Sockets that a service manager has opened for us.
#include "cmd/listen/run.h"
#include "net/service_manager.h"

namespace pier::server {

Result<std::optional<Listener>> take_passed_listener(std::vector<std::string>& names) {
  auto passed = take_passed_sockets();
  if (!passed) return std::unexpected(passed.error());
  if (passed->empty()) return std::nullopt;
  std::vector<Fd> sockets;
  for (PassedSocket& socket : *passed) {
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
  return passed;
}

}  // namespace pier::server
