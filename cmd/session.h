// What listen and connect share: the options they have in common, and how a session's rules and end follow
// from them.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "base/error.h"
#include "cli/app.h"
#include "cli/flags.h"
#include "event/loop.h"
#include "net/endpoint.h"
#include "net/step.h"
#include "out/event_log.h"
#include "out/explain.h"
#include "out/session_report.h"
#include "ports/ephemeral.h"
#include "relay/relay.h"
#include "stream/stdio.h"

namespace pier {

namespace flag {

inline constexpr Flag kIpv4{.name = "ipv4", .letter = '4', .group = "Transport", .brief = "IPv4 only"};
inline constexpr Flag kIpv6{.name = "ipv6", .letter = '6', .group = "Transport", .brief = "IPv6 only"};
inline constexpr Flag kUdp{.name = "udp",
                           .letter = 'u',
                           .group = "Transport",
                           .brief = "UDP in place of TCP; with -U, Unix datagrams"};
inline constexpr Flag kUnix{.name = "unix",
                            .letter = 'U',
                            .group = "Transport",
                            .brief = "a Unix socket: the operand is its path, or @NAME"};
inline constexpr Flag kSendOnly{.name = "send-only",
                                .group = "Data",
                                .brief = "send stdin, receive nothing; end when all is acknowledged"};
inline constexpr Flag kRecvOnly{
    .name = "recv-only", .group = "Data", .brief = "receive only; stdin is never read"};
inline constexpr Flag kNoHalfClose{
    .name = "no-half-close", .group = "Data", .brief = "keep our sending side open after stdin's end"};
inline constexpr Flag kKeepStdin{
    .name = "keep-stdin",
    .group = "Data",
    .brief = "after the peer's end, wait for stdin's end (default: 0.5s of silence)"};
inline constexpr Flag kCrlf{.name = "crlf", .group = "Data", .brief = "send each LF as CR LF"};
inline constexpr Flag kIdleTimeout{.name = "idle-timeout",
                                   .value = "D",
                                   .kind = ValueKind::duration,
                                   .group = "Time",
                                   .brief = "end (124) when no byte has moved for D (default: never)"};
inline constexpr Flag kReplyTimeout{
    .name = "reply-timeout",
    .value = "D",
    .kind = ValueKind::duration,
    .group = "Time",
    .brief = "UDP: after stdin's end or a reply, wait D for more (default: 1s)"};
inline constexpr Flag kSummary{.name = "summary",
                               .group = "Output",
                               .brief = "bytes each way, duration and who closed first, on stderr"};
inline constexpr Flag kEvents{.name = "events",
                              .value = "FILE|fd:N",
                              .kind = ValueKind::file,
                              .group = "Output",
                              .brief = "write what happens as NDJSON there"};

}  // namespace flag

// IANA's service names, as the endpoint grammar asks for them.
[[nodiscard]] ServiceNames registry_names();

// What -u and -U, alone or together, ask for.
[[nodiscard]] Transport transport_of(const Parsed& args);
// What -4 or -6 asks for; a usage error when the endpoint's literal address is of the other family.
[[nodiscard]] Result<std::optional<Family>> family_of(const Parsed& args, const Endpoint& endpoint);

// The operands as one endpoint, with what this version does not speak refused.
[[nodiscard]] Result<Endpoint> endpoint_of(std::span<const std::string> words, const Parsed& args,
                                           bool port_zero);

// How the session treats its input: the close table's rows 10 to 14 are decided here. `listening`: a closed
// or null stdin then means "receive only".
[[nodiscard]] RelayRules relay_rules(const App& app, const StdioStream& local, bool listening,
                                     StepSink* steps);

// Where a run's news goes: stderr, --events, --explain. Made once, before any socket.
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

  // The last record, and the exit code for a session's or a server's end: an error is printed.
  int end(const App& app, const RelayResult& result);
  int end(const App& app, const Error& error);
  int end_by_signal(int number) { return end_with(kExitSignal + number); }
  int end_with(int exit_code);

 private:
  News() = default;

  HostPorts host_ = read_host_ports();
  std::unique_ptr<EventLog> events_;
  std::unique_ptr<Explain> explain_;
  std::unique_ptr<SessionReport> report_;
  TimePoint started_ = now();
};

// "registered, ephemeral-here": the class of a port and its flags on this host.
[[nodiscard]] std::string port_words(std::uint16_t port, const HostPorts& host);

}  // namespace pier
