// pier-connect: the client. Initiates, and joins the peer to stdin and stdout.
#include <fmt/core.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>

#include "cmd/session.h"
#include "event/dialer.h"
#include "net/socket.h"
#include "out/check_rows.h"
#include "out/text.h"
#include "ports/registry.h"
#include "relay/datagram.h"
#include "relay/relay.h"
#include "scan/check.h"
#include "scan/descriptors.h"
#include "stream/socket_stream.h"

namespace pier {
namespace {

constexpr Flag kFlags[] = {
    flag::kIpv4,
    flag::kIpv6,
    flag::kUdp,
    flag::kUnix,
    {.name = "source",
     .value = "ADDR[:PORT]",
     .kind = ValueKind::text,
     .group = "Transport",
     .brief = "connect from this address (or unix:PATH for datagrams)"},
    {.name = "source-port",
     .letter = 'p',
     .value = "P",
     .kind = ValueKind::port,
     .group = "Transport",
     .brief = "connect from this port"},
    {.name = "check",
     .group = "Reaching",
     .brief = "only connect and report; no data; several endpoints are checked at once"},
    {.name = "wait",
     .value = "D",
     .kind = ValueKind::duration,
     .group = "Reaching",
     .brief = "try again until it is up, for at most D (then 124)"},
    {.name = "connect-timeout",
     .value = "D",
     .kind = ValueKind::duration,
     .group = "Time",
     .brief = "give up connecting after D (default: the kernel's; with --wait 1s an attempt)"},
    {.name = "timeout",
     .value = "D",
     .kind = ValueKind::duration,
     .group = "Time",
     .brief = "end the whole run (124) after D (default: never)"},
    flag::kIdleTimeout,
    flag::kReplyTimeout,
    flag::kSendOnly,
    flag::kRecvOnly,
    flag::kNoHalfClose,
    flag::kKeepStdin,
    flag::kCrlf,
    flag::kSummary,
    flag::kEvents,
    kExplainFlag,
    {.name = "json", .group = "Output", .brief = "with --check: one JSON object a line (NDJSON)"},
};

constexpr std::string_view kForms[] = {"[OPTIONS] HOST PORT", "[OPTIONS] ENDPOINT",
                                       "--check|--wait D [OPTIONS] ENDPOINT… [-- CMD…]"};
constexpr Example kExamples[] = {
    {"pier-connect db.example 5432", "talk to a server; stdin to it, its bytes to stdout"},
    {"printf 'GET / HTTP/1.0\\r\\n\\r\\n' | pier-connect www.example 80", "ask, half-close, read the answer"},
    {"pier-connect --check db:5432 cache:6379", "are they up? one row each; 0 yes, 1 no, 3 can't tell"},
    {"pier-connect --wait 30s db:5432 -- ./run-tests", "run the tests once the database accepts connections"},
    {"pier-connect -u 192.0.2.53 5353 < query", "one datagram, and the replies of a second"},
};
constexpr ExitNote kExits[] = {
    {"0", "connected, and both sides ended well; --check: all open"},
    {"1",
     "refused, reset, unreachable, unknown host, or bytes not sent or written; --check: something closed"},
    {"2", "wrong usage or a fault of this host"},
    {"3", "--check: no answer, so it can't be told"},
    {"124", "a deadline passed: --connect-timeout, --wait, --idle-timeout, --timeout"},
    {"126, 127", "CMD could not be run, was not found"},
    {"130, 143", "SIGINT, SIGTERM"},
    {"141", "stdout was closed by its reader"},
};
constexpr std::string_view kConflicts[] = {"ipv4 ipv6",        "send-only recv-only", "unix source-port",
                                           "check send-only",  "check recv-only",     "check crlf",
                                           "check keep-stdin", "check no-half-close", "check summary"};

constexpr Command kCommand{
    .name = "pier-connect",
    .brief = "the client: connect to a server",
    .forms = kForms,
    .examples = kExamples,
    .flags = kFlags,
    .exits = kExits,
    .conflicts = kConflicts,
    .runs_command = true,
    .operand = ValueKind::host,
};

struct Plan {
  std::vector<DialPlan> dials;  // one, but for --check and --wait
};

Result<std::optional<SocketAddress>> source_of(const Parsed& args, const Endpoint& endpoint) {
  const auto port = static_cast<std::uint16_t>(args.number("source-port").value_or(0));
  const auto text = args.text("source");
  if (!text) {
    if (args.has("source-port") &&
        !(endpoint.transport == Transport::tcp || endpoint.transport == Transport::udp))
      return usage_error("--source-port", std::to_string(port),
                         "only an Internet address has a port to come from");
    return std::nullopt;
  }
  if (text->starts_with("unix:")) {
    if (endpoint.transport != Transport::unix_dgram)
      return usage_error("--source", *text, "only a Unix datagram socket has a path to be answered at");
    auto path = SocketAddress::unix_path(std::string_view(*text).substr(5));
    if (!path) return std::unexpected(path.error());
    return *path;
  }
  if (const auto ip = IpAddress::parse(*text)) return SocketAddress(*ip, port);
  const auto parsed = parse_endpoint(std::vector<std::string>{*text}, {.port_zero = true});
  const auto ip = parsed ? IpAddress::parse(parsed->host) : std::unexpected(Error{});
  if (!ip || args.has("source-port"))
    return usage_error("--source", *text,
                       "not an address of this host such as 192.0.2.1, 192.0.2.1:5000 or [::1]:5000");
  return SocketAddress(*ip, static_cast<std::uint16_t>(parsed->port));
}

// The operands as endpoints: with --check or --wait several, where two words whose second is a bare port are
// one.
Result<std::vector<Endpoint>> endpoints_of(const Parsed& args) {
  std::vector<Endpoint> endpoints;
  const auto add = [&](std::span<const std::string> words) -> Result<void> {
    auto endpoint = endpoint_of(words, args, false);
    if (!endpoint) return std::unexpected(endpoint.error());
    endpoints.push_back(std::move(*endpoint));
    return {};
  };
  const std::span<const std::string> words = args.operands;
  if (words.empty())
    return fail(ErrorKind::usage, "no endpoint", "", "give HOST PORT, HOST:PORT or unix:PATH");
  const bool several = args.has("check") || args.has("wait");
  if (!several || words.size() == 1) {
    if (const auto added = add(words); !added) return std::unexpected(added.error());
    return endpoints;
  }
  const EndpointRules rules{.services = registry_names()};
  for (std::size_t i = 0; i < words.size();) {
    const bool pair = i + 1 < words.size() && words[i].find("://") == std::string::npos &&
                      !parse_endpoint(words.subspan(i, 1), rules) &&
                      parse_port(words[i + 1], rules).has_value();
    if (const auto added = add(words.subspan(i, pair ? 2 : 1)); !added) return std::unexpected(added.error());
    i += pair ? 2 : 1;
  }
  return endpoints;
}

Result<Plan> make_plan(const Parsed& args) {
  auto endpoints = endpoints_of(args);
  if (!endpoints) return std::unexpected(endpoints.error());
  if (args.command_given && args.command.empty())
    return fail(ErrorKind::usage, "no command after", "--", "give the command to run");
  if (args.command_given && !args.has("wait") && !args.has("check"))
    return usage_error("--", args.command.front(),
                       "a command is run only with --wait or --check, once all is up");
  if (args.has("json") && !args.has("check"))
    return usage_error("--json", "--json",
                       "it is for --check; what happens to a connection is told by --events");
  Plan plan;
  for (Endpoint& endpoint : *endpoints) {
    auto family = family_of(args, endpoint);
    if (!family) return std::unexpected(family.error());
    auto source = source_of(args, endpoint);
    if (!source) return std::unexpected(source.error());
    DialPlan dial;
    dial.connect.endpoint = std::move(endpoint);
    dial.connect.family = *family;
    dial.connect.source = *source;
    if (!*source && args.has("source-port"))
      dial.connect.source_port = static_cast<std::uint16_t>(*args.number("source-port"));
    dial.connect.timeout = args.duration("connect-timeout");
    dial.wait = args.duration("wait");
    plan.dials.push_back(std::move(dial));
  }
  return plan;
}

// What ends a run from outside: a signal or --timeout. Kept together, so that every stage can ask.
struct Outside {
  int signal = 0;
  bool out_of_time = false;
  [[nodiscard]] bool ended() const { return signal != 0 || out_of_time; }
};

int end_from_outside(const App& app, News& news, const Outside& outside) {
  if (outside.signal != 0) return news.end_by_signal(outside.signal);
  return news.end(app, Error{ErrorKind::deadline, "--timeout", "", 0,
                             "the run took longer than " + *app.args.text("timeout")});
}

int relay_stream(const App& app, News& news, Loop& loop, Connected connected, const Session& session,
                 const Outside& outside) {
  StdioStream local(STDIN_FILENO, STDOUT_FILENO);
  SocketStream net(std::move(connected.fd));
  RelayResult ended;
  Relay relay(loop, net, local, relay_rules(app, local, false, news.steps()), [&](const RelayResult& result) {
    ended = result;
    loop.stop();
  });
  loop.run();
  if (outside.ended()) {
    news.sessions().closed(session, relay.end_now(outside.out_of_time));
    return end_from_outside(app, news, outside);
  }
  news.sessions().closed(session, ended);
  return news.end(app, ended);
}

int relay_datagrams(const App& app, News& news, Loop& loop, Connected connected, const Outside& outside) {
  StdioStream local(STDIN_FILENO, STDOUT_FILENO);
  DatagramPlan plan;
  plan.rules = relay_rules(app, local, false, news.steps());
  plan.reply_timeout = app.args.duration("reply-timeout").value_or(plan.reply_timeout);
  std::vector<Fd> sockets;
  sockets.push_back(std::move(connected.fd));
  RelayResult ended;
  DatagramRelay relay(loop, std::move(sockets), connected.peer, local, plan, news.sessions(),
                      [&](const RelayResult& result) {
                        ended = result;
                        loop.stop();
                      });
  if (const auto started = relay.start(); !started) return news.end(app, started.error());
  loop.run();
  if (outside.ended()) {
    relay.end_now();
    return end_from_outside(app, news, outside);
  }
  return news.end(app, ended);
}

int talk(const App& app, News& news, Loop& loop, const DialPlan& plan, const Outside& outside) {
  Result<Connected> connected = std::unexpected(Error{});
  bool done = false;
  {
    Dialer dialer(loop, plan, [&](Result<Connected> result, const std::vector<Attempt>&) {
      connected = std::move(result);
      done = true;
      loop.stop();
    });
    loop.run();
  }
  if (outside.ended()) return end_from_outside(app, news, outside);
  if (!done || !connected) return news.end(app, connected.error());
  if (is_datagram(plan.connect.endpoint.transport))
    return relay_datagrams(app, news, loop, std::move(*connected), outside);
  const Session session{1, connected->peer, local_address(connected->fd.get())};
  news.sessions().connected(session);
  if (app.err.terminal && fd_kind(STDIN_FILENO) == FdKind::terminal && !app.args.has("recv-only"))
    app.note(fmt::format("connected to {}: what you type is sent line by line; ctrl-D ends",
                         session.peer.to_string()));
  return relay_stream(app, news, loop, std::move(*connected), session, outside);
}

int run_command(const App& app, const std::vector<std::string>& words) {
  std::vector<char*> arguments;
  for (const std::string& word : words) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  // The mask that the loop's signalfd needed, and the ignored SIGPIPE, would be inherited.
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  ::signal(SIGPIPE, SIG_DFL);
  ::execvp(arguments.front(), arguments.data());
  const int code = errno;
  app.error("run " + quoted(words.front()) + ": " + errno_text(code));
  return code == ENOENT ? kExitNotFound : kExitCannotRun;
}

std::string_view service_name(const CheckResult& result) {
  const bool udp = result.endpoint.transport == Transport::udp;
  if (!udp && result.endpoint.transport != Transport::tcp) return {};
  return service_of(udp ? PortProtocol::udp : PortProtocol::tcp,
                    static_cast<std::uint16_t>(result.endpoint.port));
}

// Of several endpoints the worst counts: a fault of ours before a "no", that before "can't tell", and time
// last.
int worse_exit(int a, int b) {
  constexpr int kOrder[] = {kExitUsage, kExitNo, kExitUnknown, kExitDeadline};
  for (const int code : kOrder)
    if (a == code || b == code) return code;
  return kExitYes;
}

int print_checks(const App& app, const std::vector<CheckResult>& results, bool complete, int code) {
  Writer out(STDOUT_FILENO);
  if (app.args.has("json")) {
    out.line(JsonObject("start").number("schema", 1).str());
    for (const CheckResult& result : results) out.line(check_record(result, service_name(result)).str());
    out.line(JsonObject("summary").boolean("complete", complete).number("exit", code).str());
  } else {
    TextRows rows(out, app.out);
    for (const CheckResult& result : results) rows.row(check_cells(result, service_name(result)));
  }
  return app.finish(out, code);
}

// --check, and --wait for several endpoints or a command: nothing is sent; one row each with --check.
int check(const App& app, News& news, Loop& loop, const Plan& plan, const Outside& outside) {
  rlimit inherited{};
  const bool limited = ::getrlimit(RLIMIT_NOFILE, &inherited) == 0;
  const std::size_t room = free_descriptors(raise_descriptor_limit());
  std::vector<CheckResult> results;
  {
    Checks checks(loop, plan.dials, room / Checks::kDescriptorsEach,
                  [&](const std::vector<CheckResult>&) { loop.stop(); });
    loop.run();
    results = checks.results();
  }
  int code = kExitYes;
  for (const CheckResult& result : results) {
    if (news.events() != nullptr) news.events()->write(check_record(result, service_name(result)));
    if (result.error && (result.state == CheckState::fault || !app.args.has("check")))
      app.error(result.error->message());
    code = worse_exit(code, result.error ? exit_code_of(*result.error) : kExitYes);
  }
  if (outside.ended()) {
    // What was found out by then is told all the same.
    code = end_from_outside(app, news, outside);
    return app.args.has("check") ? print_checks(app, results, false, code) : code;
  }
  if (app.args.has("check")) code = print_checks(app, results, true, code);
  if (code != kExitYes || app.args.command.empty()) return news.end_with(code);
  // A program with select(2) inside can't do with more descriptors than the usual.
  if (limited) ::setrlimit(RLIMIT_NOFILE, &inherited);
  news.end_with(kExitYes);  // the exit code is the command's from here on
  return run_command(app, app.args.command);
}

int run(App& app) {
  auto plan = make_plan(app.args);
  if (!plan) return app.fail(plan.error());
  auto news = News::open(app, "server", false);
  if (!news) return app.fail(news.error());
  Loop loop;
  Outside outside;
  const auto signals = loop.signals({SIGINT, SIGTERM}, [&](int number) {
    outside.signal = number;
    loop.stop();
  });
  if (!signals) return (*news)->end(app, signals.error());
  const Timer whole_run = loop.timer(Deadline::after(app.args.duration("timeout")), [&] {
    outside.out_of_time = true;
    loop.stop();
  });
  for (DialPlan& dial : plan->dials) dial.connect.steps = (*news)->steps();
  if (app.args.has("check") || !app.args.command.empty() || plan->dials.size() > 1)
    return check(app, **news, loop, *plan, outside);
  return talk(app, **news, loop, plan->dials.front(), outside);
}

}  // namespace
}  // namespace pier

int main(int argc, char** argv) {
  return pier::run_app(argc, argv, pier::kCommand, pier::run);
}
