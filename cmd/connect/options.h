// What the words of pier-connect's command line ask for, checked before any socket is made.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cli/flags.h"
#include "cmd/connect/proxies.h"
#include "proxy/negotiation.h"
#include "scan/reach_attempt.h"
#include "stream/tls_context.h"

namespace pier::client {

struct Plan {
  std::vector<ReachPlan> dials;  // one, but for --check and --wait
  bool checks = false;           // they are only reached: no session follows
  bool any = false;              // one that is up is enough
  WayPlan way;                   // to all of them
  // Through a SOCKS 5 proxy for datagrams: where it takes them, once the way has been gone.
  std::shared_ptr<ProxyTarget> association = {};
  // For each dial, the name that its server is known by over TLS, or nullopt for none.
  std::vector<std::optional<std::string>> server_names;
  std::optional<TlsClientPlan> tls;  // where any wants it
};

// Only usage errors: nothing is opened or looked up.
[[nodiscard]] Result<Plan> make_plan(const Parsed& args);

}  // namespace pier::client
