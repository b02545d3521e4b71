// What the words of pier-listen's command line ask for, checked before any socket is made.
#pragma once

#include <optional>
#include <string>

#include "cli/flags.h"
#include "cmd/listen/forward.h"
#include "cmd/listen/rights.h"
#include "event/listener.h"
#include "relay/client_limits.h"
#include "stream/tls_context.h"

namespace pier::server {

struct Plan {
  ListenPlan listen;
  bool keep_open = false;
  std::size_t workers = 1;
  ClientLimits limits;
  std::optional<std::string> port_file;
  std::optional<TlsServerPlan> tls;
  bool handover = false;
  std::optional<ForwardOptions> forward;
  std::optional<Account> user;
};

// Only usage errors: nothing is opened. `passed`: what the sockets of a service manager listen on; then the
// words name no endpoint.
[[nodiscard]] Result<Plan> make_plan(const Parsed& args, const std::optional<Endpoint>& passed);

}  // namespace pier::server
