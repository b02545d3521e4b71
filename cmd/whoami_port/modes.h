// What pier-whoami-port can be asked: one function a question, whose result is the exit code.
#pragma once

#include <optional>

#include "base/clock.h"
#include "cli/app.h"
#include "cmd/whoami_port/report.h"
#include "net/endpoint.h"

namespace pier::whoami {

// No argument: which port a new socket gets here, and what this host does with its ports.
int tell_here(const App& app, Report& report);

struct PeerQuestion {
  Endpoint endpoint;
  bool connect = true;              // else from the route only, without a packet
  std::optional<Duration> timeout;  // of connecting
};
// HOST PORT: both ends of a connection there.
int tell_ends(Report& report, const PeerQuestion& question);

struct PortQuestion {
  std::uint16_t port = 0;
  std::optional<Transport> transport;  // both when not given
};
// --port: who owns it.
int tell_owners(const App& app, Report& report, const PortQuestion& question);

struct FreeQuestion {
  std::size_t count = 1;
  bool hold = false;
};
// --free: ports nobody uses; with words after "--", a program that gets them.
int tell_free(const App& app, Report& report, const FreeQuestion& question);
int run_with_free(const App& app, StepSink* steps, const FreeQuestion& question);

}  // namespace pier::whoami
