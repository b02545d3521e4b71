// What listen and connect share: how a session's rules and end follow from the options they have in common
// (cmd/session_flags.h).
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "base/error.h"
#include "cli/app.h"
#include "cli/flags.h"
#include "cmd/local_ends.h"
#include "event/loop.h"
#include "net/endpoint.h"
#include "net/options.h"
#include "net/step.h"
#include "out/event_log.h"
#include "out/explain.h"
#include "out/hex_dump.h"
#include "out/session_report.h"
#include "out/transcript.h"
#include "ports/ephemeral.h"
#include "relay/program.h"
#include "relay/relay.h"

namespace pier {

// IANA's service names, as the endpoint grammar asks for them.
[[nodiscard]] ServiceNames registry_names();

// What -u and -U, alone or together, ask for.
[[nodiscard]] Transport transport_of(const Parsed& args);
// What -4 or -6 asks for; a usage error when the endpoint's literal address is of the other family.
[[nodiscard]] Result<std::optional<Family>> family_of(const Parsed& args, const Endpoint& endpoint);

// The operands as one endpoint.
[[nodiscard]] Result<Endpoint> endpoint_of(std::span<const std::string> words, const Parsed& args,
                                           bool port_zero);

// The socket options asked for; a usage error for one that the endpoint's transport does not have.
[[nodiscard]] Result<SocketOptions> socket_options_of(const Parsed& args, const Endpoint& endpoint);
// A usage error where --limit-rate can't be kept.
[[nodiscard]] Result<void> check_limit_rate(const Parsed& args, const Endpoint& endpoint);
// Tells on stderr what the host's limits will make of them.
void note_cut_buffers(const App& app, const SocketOptions& options);

// A usage error where --exec has no words after "--" to run.
[[nodiscard]] Result<void> check_exec(const Parsed& args);
// The program that --exec or --sh-exec names, looked for now (exit 127, 126); nullopt without them.
[[nodiscard]] Result<std::optional<Program>> program_of(const Parsed& args);

// Where a run's news goes: stderr, --events, --explain, --hex-dump. Made once, before any socket.
class News {
 public:
  // `role`: what our peers are to us, "client" or "server". `announce`: sessions are told on stderr even
  // without -v.
  [[nodiscard]] static Result<std::unique_ptr<News>> open(const App& app, std::string_view role,
                                                          bool announce);

  [[nodiscard]] StepSink* steps() { return explain_.get(); }  // nullptr without --explain
  [[nodiscard]] EventLog* events() { return events_.get(); }  // nullptr without --events
  [[nodiscard]] SessionReport& sessions() { return *report_; }
  [[nodiscard]] const HostPorts& host() const { return host_; }
  // What sees a session's bytes for --hex-dump and --transcript; empty without them.
  [[nodiscard]] std::function<Taps(const Session&)> taps();
  // Called when the dump or the transcript can't be written any more, which ends the run; to be set before
  // any session.
  void on_fault(std::function<void(const Error&)> fault) { fault_ = std::move(fault); }

  // Called before each line on stderr that is not an error: what is drawn there is to be taken away. May be
  // empty.
  void before_lines(std::function<void()> before) { before_ = std::move(before); }
  // What the run's end settles before it is told; not owned.
  void settles(LocalEnds& ends) { ends_ = &ends; }

  // The last record, and the exit code for a session's or a server's end: an error is printed, with what
  // became of --recv's file.
  int end(const App& app, const RelayResult& result);
  int end(const App& app, Error error);
  int end_by_signal(const App& app, int number);
  int end_with(int exit_code);

 private:
  explicit News(const App& app) : app_(app) {}
  void say(const App& app, std::string_view line);
  [[nodiscard]] Result<std::string> settle(bool complete);
  // Prints an error that ends the run, and what became of --recv's file; the exit code of it.
  int tell(const App& app, Error error);

  const App& app_;
  HostPorts host_ = read_host_ports();
  std::unique_ptr<EventLog> events_;
  std::unique_ptr<Explain> explain_;
  std::unique_ptr<SessionReport> report_;
  std::unique_ptr<HexDump> dump_;
  std::unique_ptr<Transcript> transcript_;
  std::function<void(const Error&)> fault_;
  std::function<void()> before_;
  LocalEnds* ends_ = nullptr;
  TimePoint started_ = now();
};

// How the session treats its input: the close table's rows 10 to 14 are decided here; and who sees its bytes.
// `listening`: a closed or null stdin then means "receive only".
[[nodiscard]] RelayRules relay_rules(const App& app, const LocalEnds& ends, bool listening, News& news);

// "registered, ephemeral-here": the class of a port and its flags on this host.
[[nodiscard]] std::string port_words(std::uint16_t port, const HostPorts& host);

}  // namespace pier
