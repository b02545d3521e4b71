// --stun: what the world sees of us.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "base/clock.h"
#include "cmd/whoami_port/report.h"
#include "net/endpoint.h"
#include "stream/tls_context.h"

namespace pier::whoami {

struct StunQuestion {
  Endpoint server;  // host and port; `tls` over TCP
  bool datagrams = true;
  bool nat = false;
  std::optional<Family> family = {};
  std::optional<Duration> longest = {};  // in place of the RFC's 39.5 s
  std::string server_name = {};          // that a TLS server must prove
  std::optional<TlsClientPlan> tls = {};
};

// The question as the options have it; a usage error for what does not fit.
[[nodiscard]] Result<StunQuestion> stun_question(const Parsed& args);

int tell_stun(const App& app, Report& report, const StunQuestion& question);

}  // namespace pier::whoami
