// pier-whoami-port: what local address and port am I, who owns this port, give me a free one.
#include "base/number.h"
#include "cmd/session.h"
#include "cmd/whoami_port/modes.h"
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
    {.name = "free",
     .group = "Free ports",
     .brief = "a port free for TCP and UDP, IPv4 and IPv6; an operand N asks for N of them"},
    {.name = "hold", .group = "Free ports", .brief = "keep the free ports until this program is ended"},
    kExplainFlag,
    kJsonFlag,
};

constexpr std::string_view kForms[] = {
    "[OPTIONS]",
    "[--no-connect | --connect-timeout D] [OPTIONS] HOST PORT | ENDPOINT",
    "--port PORT[/PROTO] [OPTIONS]",
    "--free [N] [--hold] [OPTIONS]",
    "--free [N] [OPTIONS] -- CMD…",
};

constexpr Example kExamples[] = {
    {"pier-whoami-port", "the port a new socket gets here, and how full the range is"},
    {"pier-whoami-port db.example 5432", "which address and port the database sees me come from"},
    {"pier-whoami-port --no-connect 192.0.2.7:443", "which address and interface it would be; no packet"},
    {"pier-whoami-port --port 8080", "who has taken port 8080"},
    {"pier-whoami-port --port domain/udp --json", "the same as records"},
    {"pier-whoami-port --free 3", "three ports that nobody uses"},
    {"pier-whoami-port --free -- ./serve", "run ./serve with PORT set, the port kept for it"},
};

constexpr ExitNote kExits[] = {
    {"0", "told; the port is owned"},
    {"1", "refused, unreachable, unknown host; nobody owns the port"},
    {"2", "wrong usage, or a fault of this host"},
    {"3", "the owner is hidden, with the reason on stderr; the peer is filtered"},
    {"124", "--connect-timeout passed"},
    {"126, 127", "CMD could not be run, was not found; else CMD's own status"},
    {"128+N", "--hold was ended by signal N"},
};

constexpr std::string_view kConflicts[] = {
    "port free",       "port no-connect",      "port connect-timeout", "no-connect connect-timeout",
    "free no-connect", "free connect-timeout",
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
};

EndpointRules rules() {
  return {.services = registry_names()};
}

Result<whoami::PortQuestion> port_question(const Parsed& args) {
  const std::string text = *args.text("port");
  if (!args.operands.empty()) {
    return usage_error("operand", args.operands.front(),
                       "--port takes its port as its value and nothing else");
  }
  whoami::PortQuestion question;
  EndpointRules names = rules();
  const std::size_t slash = text.find('/');
  if (slash != std::string::npos) {
    const std::string proto = text.substr(slash + 1);
    if (proto != "tcp" && proto != "udp") return usage_error("--port", text, "PROTO is tcp or udp");
    question.transport = proto == "tcp" ? Transport::tcp : Transport::udp;
    names.transport = *question.transport;
  }
  const auto port = parse_port(text.substr(0, slash), names);
  if (!port) return std::unexpected(port.error());
  question.port = *port;
  return question;
}

Result<whoami::FreeQuestion> free_question(const Parsed& args) {
  whoami::FreeQuestion question{.count = 1, .hold = args.has("hold")};
  if (args.operands.size() > 1) {
    return usage_error("operand", args.operands[1], "--free takes one number: how many ports");
  }
  if (!args.operands.empty()) {
    const auto count = parse_unsigned(args.operands.front(), 1, UINT16_MAX, "--free");
    if (!count) return std::unexpected(count.error());
    question.count = *count;
  }
  if (!args.command_given) return question;
  if (args.command.empty()) return fail(ErrorKind::usage, "--", "", "a command to run is missing after it");
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

// Options that mean nothing without another, refused before anything is done.
Result<void> check(const Parsed& args) {
  if (!args.has("free")) {
    if (args.has("hold")) return fail(ErrorKind::usage, "--hold", "", "needs --free");
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
  if (args.has("port")) {
    const auto question = port_question(args);
    if (!question) return app.fail(question.error());
    whoami::Report report(app);
    return whoami::tell_owners(app, report, *question);
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
