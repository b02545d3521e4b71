// pier-whoami-port: what local address and port am I, who owns this port, give me a free one.
#include <unistd.h>

#include <algorithm>

#include "base/number.h"
#include "cmd/session.h"
#include "cmd/tls_options.h"
#include "cmd/whoami_port/modes.h"
#include "cmd/whoami_port/stun.h"
#include "net/endpoint.h"

namespace pier {
namespace {

constexpr Flag kFlags[] = {
    {.name = "no-connect",
     .group = "To a peer",
     .brief = "tell it from the route alone: no packet is sent, and no port chosen yet"},
    {.name = "connect-timeout",
     .value = "D",
     .kind = ValueKind::duration,
     .group = "To a peer",
     .brief = "give up connecting after D, exit 124 (default: when the kernel does)"},
    {.name = "port",
     .value = "PORT[/PROTO]",
     .kind = ValueKind::text,
     .group = "Owners",
     .brief = "who owns this port, for tcp and udp unless one is named"},
    {.name = "all", .group = "Owners", .brief = "every socket of this host: TCP, UDP and Unix"},
    {.name = "pid",
     .value = "PID",
     .kind = ValueKind::number,
     .group = "Owners",
     .brief = "the sockets of this process",
     .min = 1,
     .max = INT32_MAX},
    {.name = "proto",
     .value = "LIST",
     .kind = ValueKind::text,
     .group = "Owners",
     .brief = "with --all, --pid: only these of tcp, udp, unix"},
    {.name = "netns",
     .value = "all|PID|NAME",
     .kind = ValueKind::text,
     .group = "Owners",
     .brief = "in every network namespace, in that of a process, or in a named one"},
    {.name = "watch", .group = "Owners", .brief = "then tell each change, until ended"},
    {.name = "interval",
     .value = "D",
     .kind = ValueKind::duration,
     .group = "Owners",
     .brief = "how often --watch looks (default: 1s)"},
    {.name = "wait-free",
     .value = "D",
     .kind = ValueKind::duration,
     .group = "Owners",
     .brief = "wait until nobody has the port, exit 124 after D"},
    {.name = "kill",
     .value = "SIG",
     .kind = ValueKind::text,
     .group = "Owners",
     .brief = "send a signal to every owner of the port; asks for each on a terminal"},
    {.name = "yes", .letter = 'y', .group = "Owners", .brief = "let --kill not ask"},
    {.name = "stun",
     .value = "SERVER",
     .kind = ValueKind::host,
     .group = "The world's view",
     .brief = "the address and port that this STUN server sees; over UDP, or tcp:// or tls:// before it"},
    {.name = "nat",
     .group = "The world's view",
     .brief = "how the NAT before us maps and filters, if the server knows RFC 5780"},
    {.name = "reply-timeout",
     .value = "D",
     .kind = ValueKind::duration,
     .group = "The world's view",
     .brief = "how long to wait for the server (default: 39.5s, by the RFC)"},
    {.name = "ipv4", .letter = '4', .group = "The world's view", .brief = "ask over IPv4 only"},
    {.name = "ipv6", .letter = '6', .group = "The world's view", .brief = "ask over IPv6 only"},
    flag::kCa,
    flag::kPin,
    flag::kServerName,
    flag::kInsecure,
    {.name = "free",
     .group = "Free ports",
     .brief = "a port free for TCP and UDP, IPv4 and IPv6; an operand N asks for N of them"},
    {.name = "tcp-only", .group = "Free ports", .brief = "leave the ports of UDP for CMD to bind itself"},
    {.name = "lease",
     .value = "FILE",
     .kind = ValueKind::file,
     .group = "Free ports",
     .brief = "none that FILE promises to a living process; note ours there, for whoever called"},
    {.name = "hold", .group = "Free ports", .brief = "keep the free ports until this program is ended"},
    kExplainFlag,
    kJsonFlag,
};

constexpr std::string_view kForms[] = {
    "[OPTIONS]",
    "[--no-connect | --connect-timeout D] [OPTIONS] HOST PORT | ENDPOINT",
    "--port PORT[/PROTO] [--watch | --wait-free D | --kill SIG] [OPTIONS]",
    "--all | --pid PID [--watch] [OPTIONS]",
    "--stun SERVER [--nat] [OPTIONS]",
    "--free [N] [--hold] [OPTIONS]",
    "--free [N] [OPTIONS] -- CMD…",
};

constexpr Example kExamples[] = {
    {"pier-whoami-port", "the port a new socket gets here, and how full the range is"},
    {"pier-whoami-port db.example 5432", "which address and port the database sees me come from"},
    {"pier-whoami-port --no-connect 192.0.2.7:443", "which address and interface it would be; no packet"},
    {"pier-whoami-port --port 8080", "who has taken port 8080"},
    {"pier-whoami-port --port domain/udp --json", "the same as records"},
    {"pier-whoami-port --all --proto tcp", "every TCP socket: role, state, classes, owner"},
    {"pier-whoami-port --port 8080 --kill TERM --wait-free 5s", "end who has it, and wait until it is free"},
    {"pier-whoami-port --stun stun.example.net", "which address and port the world sees"},
    {"pier-whoami-port --free 3", "three ports that nobody uses"},
    {"pier-whoami-port --free -- ./serve", "run ./serve with PORT set, the port kept for it"},
};

constexpr ExitNote kExits[] = {
    {"0", "told; the port is owned; free again (--wait-free); signalled (--kill)"},
    {"1", "refused, unreachable, unknown host; nobody owns the port; no such process"},
    {"2", "wrong usage, or a fault of this host"},
    {"3", "the owner is hidden, with the reason on stderr; the peer is filtered; no STUN server answers"},
    {"124", "--connect-timeout or --wait-free passed"},
    {"126, 127", "CMD could not be run, was not found; else CMD's own status"},
    {"128+N", "--hold or --watch was ended by signal N"},
};

constexpr std::string_view kConflicts[] = {
    "port all pid free stun no-connect",
    "port all pid free stun connect-timeout",
    "no-connect connect-timeout",
    "ipv4 ipv6",
    "insecure pin",
    "insecure ca",
    "watch wait-free",
    "watch kill",
    "netns pid",
    "netns kill",
    "netns wait-free",
    "proto port",
};

constexpr Command kCommand{
    .name = "pier-whoami-port",
    .brief = "which port am I, who owns this port, which port is free",
    .forms = kForms,
    .examples = kExamples,
    .flags = kFlags,
    .exits = kExits,
    .conflicts = kConflicts,
    .runs_command = true,
    .libraries = tls_libraries,
};

EndpointRules rules() {
  return {.services = registry_names()};
}

Result<void> put_port(whoami::SocketsQuestion& question, const std::string& text) {
  EndpointRules names = rules();
  const std::size_t slash = text.find('/');
  if (slash != std::string::npos) {
    const std::string proto = text.substr(slash + 1);
    if (proto != "tcp" && proto != "udp") return usage_error("--port", text, "PROTO is tcp or udp");
    question.tcp = proto == "tcp";
    question.udp = !question.tcp;
    names.transport = question.tcp ? Transport::tcp : Transport::udp;
  }
  const auto port = parse_port(text.substr(0, slash), names);
  if (!port) return std::unexpected(port.error());
  question.port = *port;
  return {};
}

Result<void> put_protocols(whoami::SocketsQuestion& question, const std::string& text) {
  question.tcp = question.udp = question.unix_sockets = false;
  std::string_view rest = text;
  for (;;) {
    const std::string_view word = rest.substr(0, rest.find(','));
    if (word == "tcp")
      question.tcp = true;
    else if (word == "udp")
      question.udp = true;
    else if (word == "unix")
      question.unix_sockets = true;
    else
      return usage_error("--proto", text, "give a list of tcp, udp and unix");
    if (word.size() == rest.size()) return {};
    rest.remove_prefix(word.size() + 1);
  }
}

Result<whoami::SocketsQuestion> sockets_question(const Parsed& args) {
  if (!args.operands.empty())
    return usage_error("operand", args.operands.front(),
                       args.has("port")  ? "--port takes its port as its value and nothing else"
                       : args.has("pid") ? "--pid takes its process as its value and nothing else"
                                         : "--all takes none");
  whoami::SocketsQuestion question;
  question.interval = args.duration("interval").value_or(std::chrono::seconds(1));
  question.netns = args.text("netns");
  if (const auto pid = args.number("pid")) question.pid = static_cast<pid_t>(*pid);
  if (const auto port = args.text("port"))
    if (const auto put = put_port(question, *port); !put) return std::unexpected(put.error());
  if (const auto list = args.text("proto"))
    if (const auto put = put_protocols(question, *list); !put) return std::unexpected(put.error());
  if (args.has("interval") && question.interval < std::chrono::milliseconds(10))
    return usage_error("--interval", *args.text("interval"), "10ms is the least");
  if (args.has("kill") && !args.has("yes") && ::isatty(STDIN_FILENO) != 1)
    return fail(ErrorKind::usage, "--kill", "", "there is no terminal to ask on: give --yes");
  return question;
}

// The one thing to do with the sockets, or two: --kill, and then --wait-free.
int answer_sockets(App& app, const whoami::SocketsQuestion& question) {
  std::optional<whoami::Signal> signal;
  if (const auto text = app.args.text("kill")) {
    auto known = whoami::parse_signal(*text);
    if (!known) return app.fail(known.error());
    signal = *std::move(known);
  }
  whoami::Report report(app);
  if (app.args.has("watch")) return watch_sockets(app, report, question);
  const auto longest = app.args.duration("wait-free");
  if (signal) return kill_owners(app, report, question, *signal, longest);
  if (longest) return wait_until_free(app, report, question, *longest);
  return tell_sockets(app, report, question);
}

Result<whoami::FreeQuestion> free_question(const Parsed& args) {
  whoami::FreeQuestion question{
      .count = 1, .hold = args.has("hold"), .tcp_only = args.has("tcp-only"), .lease = args.text("lease")};
  if (args.operands.size() > 1) {
    return usage_error("operand", args.operands[1], "--free takes one number: how many ports");
  }
  if (!args.operands.empty()) {
    const auto count = parse_unsigned(args.operands.front(), 1, UINT16_MAX, "--free");
    if (!count) return std::unexpected(count.error());
    question.count = *count;
  }
  if (question.tcp_only && !args.command_given)
    return fail(ErrorKind::usage, "--tcp-only", "", "needs a command after --");
  if (!args.command_given) return question;
  if (args.command.empty()) return fail(ErrorKind::usage, "--", "", "a command to run is missing after it");
  if (question.lease) return usage_error("--lease", "--", "the command holds the ports as long as it runs");
  if (question.hold) return usage_error("--hold", "--", "the command holds the ports as long as it runs");
  if (args.has("json"))
    return usage_error("--json", "--", "stdout is the command's; the ports are in its PORT");
  return question;
}

Result<whoami::PeerQuestion> peer_question(const Parsed& args) {
  auto endpoint = parse_endpoint(args.operands, rules());
  if (!endpoint) return std::unexpected(endpoint.error());
  if (endpoint->transport != Transport::tcp && endpoint->transport != Transport::udp) {
    return usage_error("endpoint", args.operands.front(), "only tcp and udp have ports");
  }
  return whoami::PeerQuestion{.endpoint = std::move(*endpoint),
                              .connect = !args.has("no-connect"),
                              .timeout = args.duration("connect-timeout")};
}

struct Need {
  std::string_view option;
  std::string_view needs;  // words separated by blanks: one of them
};
constexpr Need kNeeds[] = {
    {"hold", "free"},        {"lease", "free"},         {"tcp-only", "free"},  {"proto", "all pid"},
    {"netns", "port all"},   {"watch", "port all pid"}, {"interval", "watch"}, {"wait-free", "port"},
    {"kill", "port"},        {"yes", "kill"},           {"nat", "stun"},       {"reply-timeout", "stun"},
    {"ipv4", "stun"},        {"ipv6", "stun"},          {"ca", "stun"},        {"pin", "stun"},
    {"server-name", "stun"}, {"insecure", "stun"},
};

// Options that mean nothing without another, refused before anything is done.
Result<void> check(const Parsed& args) {
  for (const auto& [option, needs] : kNeeds) {
    if (!args.has(option)) continue;
    bool met = false;
    std::string list;
    for (std::string_view rest = needs; !rest.empty();) {
      const std::string_view word = rest.substr(0, rest.find(' '));
      rest.remove_prefix(std::min(word.size() + 1, rest.size()));
      met = met || args.has(word);
      list += (list.empty() ? "--" : rest.empty() ? " or --" : ", --") + std::string(word);
    }
    if (!met) return fail(ErrorKind::usage, "--" + std::string(option), "", "needs " + list);
  }
  if (!args.has("free")) {
    if (args.command_given) return fail(ErrorKind::usage, "--", "", "a command is run with --free only");
  }
  if (!args.operands.empty()) return {};
  for (const std::string_view name : {"no-connect", "connect-timeout"}) {
    if (args.has(name)) return fail(ErrorKind::usage, "--" + std::string(name), "", "needs HOST PORT");
  }
  return {};
}

int run(App& app) {
  const Parsed& args = app.args;
  if (const auto fine = check(args); !fine) return app.fail(fine.error());
  if (args.has("port") || args.has("all") || args.has("pid")) {
    const auto question = sockets_question(args);
    return question ? answer_sockets(app, *question) : app.fail(question.error());
  }
  if (args.has("stun")) {
    const auto question = whoami::stun_question(args);
    if (!question) return app.fail(question.error());
    whoami::Report report(app);
    return whoami::tell_stun(app, report, *question);
  }
  if (args.has("free")) {
    const auto question = free_question(args);
    if (!question) return app.fail(question.error());
    whoami::Report report(app);
    if (args.command_given) return whoami::run_with_free(app, report.steps(), *question);
    return whoami::tell_free(app, report, *question);
  }
  if (args.operands.empty()) {
    whoami::Report report(app);
    return whoami::tell_here(app, report);
  }
  const auto question = peer_question(args);
  if (!question) return app.fail(question.error());
  whoami::Report report(app);
  return whoami::tell_ends(report, *question);
}

}  // namespace
}  // namespace pier

int main(int argc, char** argv) {
  return pier::run_app(argc, argv, pier::kCommand, pier::run);
}
