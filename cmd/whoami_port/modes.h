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

// --port, --pid or, without either, --all: which sockets.
struct SocketsQuestion {
  std::optional<std::uint16_t> port = {};
  std::optional<pid_t> pid = {};
  bool tcp = true;
  bool udp = true;
  bool unix_sockets = true;               // for a port there are none
  std::optional<std::string> netns = {};  // "all", a process's number, or a name; our own when not given
  Duration interval{};                    // of --watch
};
// The sockets and who owns them.
int tell_sockets(const App& app, Report& report, const SocketsQuestion& question);
// --watch: those there are now, and then every change, until a signal ends it.
int watch_sockets(const App& app, Report& report, const SocketsQuestion& question);
// --wait-free: until nothing keeps a server from the port.
int wait_until_free(const App& app, Report& report, const SocketsQuestion& question, Duration longest);

struct Signal {
  int number = 0;
  std::string name;  // "TERM"
};
// "TERM", "SIGTERM" or "15".
[[nodiscard]] Result<Signal> parse_signal(std::string_view text);
// --kill: to every owner of the port, each asked for first unless --yes was given; then as wait_until_free().
int kill_owners(const App& app, Report& report, const SocketsQuestion& question, const Signal& signal,
                std::optional<Duration> then_wait_free);

struct FreeQuestion {
  std::size_t count = 1;
  bool hold = false;
  bool tcp_only = false;                  // of what a program is handed
  std::optional<std::string> lease = {};  // the file of leases
};
// --free: ports nobody uses; with words after "--", a program that gets them.
int tell_free(const App& app, Report& report, const FreeQuestion& question);
int run_with_free(const App& app, StepSink* steps, const FreeQuestion& question);

}  // namespace pier::whoami
