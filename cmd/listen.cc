// pier-listen: the server. Waits to be contacted, and joins who comes to stdin and stdout.
#include <fmt/core.h>

#include <csignal>

#include "base/atomic_file.h"
#include "cmd/listen/run.h"
#include "cmd/session_flags.h"
#include "net/service_manager.h"
#include "scan/descriptors.h"

namespace pier {
namespace {

constexpr Flag kFlags[] = {
    flag::kIpv4,
    flag::kIpv6,
    flag::kUdp,
    flag::kUnix,
    {.name = "public", .group = "Serving", .brief = "every interface, not this host's loopback alone"},
    {.name = "keep-open",
     .letter = 'k',
     .group = "Serving",
     .brief = "serve any number of clients, also at once"},
    {.name = "max-accepts",
     .value = "N",
     .kind = ValueKind::number,
     .group = "Serving",
     .brief = "take N clients, then end with the last (implies -k)",
     .min = 1},
    {.name = "max-clients",
     .value = "N",
     .kind = ValueKind::number,
     .group = "Serving",
     .brief = "at most N at once, more are reset (implies -k; default: as descriptors allow)",
     .min = 1},
    {.name = "per-host",
     .value = "N",
     .kind = ValueKind::number,
     .group = "Serving",
     .brief = "at most N at once of one address, more are reset (implies -k)",
     .min = 1},
    {.name = "handover",
     .group = "Serving",
     .brief = "send each client on to a port of its own, where it must come within 10s"},
    {.name = "join",
     .value = "GROUP[%IF]",
     .kind = ValueKind::text,
     .group = "Serving",
     .brief = "-u: hear this multicast group (by interface IF); may be repeated",
     .repeats = true},
    {.name = "workers",
     .value = "N",
     .kind = ValueKind::number,
     .group = "Serving",
     .brief = "serve on N threads, among which the kernel spreads clients (implies -k)",
     .min = 1,
     .max = 256},
    {.name = "backlog",
     .value = "N",
     .kind = ValueKind::number,
     .group = "Serving",
     .brief = "how many may wait to be accepted (default: 4096, cut by the kernel)",
     .min = 1,
     .max = 65535},
    {.name = "allow",
     .value = "SET|@FILE",
     .kind = ValueKind::text,
     .group = "Who may come",
     .brief = "only these hosts: CIDR, ranges, addresses, names; may be repeated",
     .repeats = true},
    {.name = "deny",
     .value = "SET|@FILE",
     .kind = ValueKind::text,
     .group = "Who may come",
     .brief = "not these hosts, allowed or not; may be repeated",
     .repeats = true},
    {.name = "proxy-protocol",
     .group = "Who may come",
     .brief = "each connection begins with a PROXY header (v1, v2) that names its client"},
    {.name = "proxy-from",
     .value = "SET|@FILE",
     .kind = ValueKind::text,
     .group = "Who may come",
     .brief = "whose header is believed (default: 127.0.0.0/8, ::1)",
     .repeats = true},
    {.name = "port-file",
     .value = "FILE",
     .kind = ValueKind::file,
     .group = "Serving",
     .brief = "write the port number there once connections are accepted"},
    {.name = "accept-timeout",
     .value = "D",
     .kind = ValueKind::duration,
     .group = "Time",
     .brief = "end (124) when nobody has come for D (default: never)"},
    {.name = "drain",
     .value = "D",
     .kind = ValueKind::duration,
     .group = "Time",
     .brief = "at SIGTERM take nobody new, and let clients finish for D (default: 0)"},
    {.name = "echo", .group = "Serving", .brief = "send each client its own bytes back"},
    {.name = "discard", .group = "Serving", .brief = "take each client's bytes and throw them away"},
    {.name = "broker",
     .group = "Serving",
     .brief = "clients hear each other, and stdin (implies -k); one 256k behind for 1s is reset"},
    {.name = "chat", .group = "Serving", .brief = "the same by whole lines, with <ID> before each"},
    server::flag::kTo,
    server::flag::kServeHttpProxy,
    server::flag::kServeSocks,
    server::flag::kProxyAuthFile,
    server::flag::kAllowTarget,
    server::flag::kDenyTarget,
    server::flag::kUser,
    server::flag::kMode,
    server::flag::kOwner,
    flag::kExec,
    flag::kShExec,
    {.name = "idle-timeout",
     .value = "D",
     .kind = ValueKind::duration,
     .group = "Time",
     .brief = "end (124) when no byte has moved for D (default: never); with -k that client; -u -k: 2m"},
    flag::kReplyTimeout,
    flag::kSend,
    flag::kRecv,
    flag::kPartial,
    flag::kSendOnly,
    flag::kRecvOnly,
    flag::kNoHalfClose,
    flag::kKeepStdin,
    flag::kCrlf,
    flag::kSndbuf,
    flag::kRcvbuf,
    flag::kMss,
    flag::kNodelay,
    flag::kCongestion,
    flag::kKeepalive,
    flag::kTos,
    flag::kLimitRate,
    flag::kProgress,
    flag::kHexDump,
    flag::kTls,
    flag::kCert,
    flag::kKey,
    flag::kClientCa,
    flag::kCa,
    flag::kPin,
    flag::kServerName,
    flag::kInsecure,
    flag::kSummary,
    flag::kEvents,
    kExplainFlag,
};

constexpr std::string_view kForms[] = {"[OPTIONS] [ADDRESS] PORT", "[OPTIONS] ENDPOINT",
                                       "--exec [OPTIONS] ENDPOINT -- PROGRAM…"};
constexpr Example kExamples[] = {
    {"pier-listen 0 > report.pdf", "receive one file on a port the kernel chooses"},
    {"pier-listen --public 9000 < report.pdf", "hand a file to the first client, from anywhere"},
    {"pier-listen -k --recv-only :5140 | grep -i error", "gather lines from many clients"},
    {"pier-listen -k --echo 7777", "an echo server"},
    {"pier-listen -k 9000 --exec -- wc -c", "a program for each client, as its stdin and stdout"},
    {"pier-listen -k 8080 --to unix:/run/app.sock", "a relay: TCP here, a Unix socket there"},
    {"pier-listen --chat :4000", "whoever connects talks with everybody else"},
    {"pier-listen 1080 --serve-socks", "a SOCKS proxy for this host"},
    {"pier-listen -u 5353", "datagrams; answers go to the first who writes"},
    {"pier-listen -u -k 5353 --to udp://192.0.2.7:53",
     "a relay for datagrams, with a socket for each client"},
    {"pier-listen -u -k --join 239.1.2.3%eth0 5000", "hear a multicast group"},
    {"pier-listen --public --handover --recv disk.img 9000", "receive what connect --streams sends"},
    {"pier-listen --tls 8443 > secret.pdf", "TLS; its fingerprint, printed, is what clients give to --pin"},
    {"pier-listen unix:/run/user/1000/demo.sock", "a Unix socket"},
};
constexpr ExitNote kExits[] = {
    {"0", "the client was served; with --max-accepts, all of them"},
    {"1", "the client reset the connection, was no TLS client, or bytes could not be sent or written"},
    {"2", "wrong usage; the port is taken or may not be bound; stdin can't be read"},
    {"124", "--accept-timeout or --idle-timeout passed"},
    {"126, 127", "the program of --exec could not be run, was not found"},
    {"any", "--exec or --sh-exec for one client: the program's own"},
    {"130, 143", "SIGINT, SIGTERM"},
    {"141", "stdout was closed by its reader"},
};
constexpr std::string_view kConflicts[] = {
    "ipv4 ipv6",
    "send-only recv-only",
    "unix public",
    "unix port-file",
    "unix ipv4",
    "unix ipv6",
    "udp max-accepts",
    "udp backlog",
    "udp drain",
    "udp workers",
    "workers max-accepts",
    "workers accept-timeout",
    "workers explain",
    "workers hex-dump",
    "workers progress",
    "udp max-clients",
    "udp per-host",
    "max-clients progress",
    "per-host progress",
    "udp proxy-protocol",
    "exec sh-exec echo discard to serve-http-proxy serve-socks broker",
    "exec sh-exec echo discard to serve-http-proxy serve-socks chat",
    "udp broker",
    "udp chat",
    "broker send-only",
    "broker no-half-close",
    "broker keep-stdin",
    "broker send",
    "broker recv",
    "broker limit-rate",
    "broker progress",
    "chat send-only",
    "chat no-half-close",
    "chat keep-stdin",
    "chat send",
    "chat recv",
    "chat limit-rate",
    "chat progress",
    "echo send-only",
    "echo recv-only",
    "echo no-half-close",
    "echo keep-stdin",
    "echo crlf",
    "echo send",
    "echo recv",
    "echo limit-rate",
    "echo progress",
    "discard send-only",
    "discard recv-only",
    "discard no-half-close",
    "discard keep-stdin",
    "discard crlf",
    "discard send",
    "discard recv",
    "discard limit-rate",
    "discard progress",
    "exec send-only",
    "exec recv-only",
    "exec no-half-close",
    "exec keep-stdin",
    "sh-exec send-only",
    "sh-exec recv-only",
    "sh-exec no-half-close",
    "sh-exec keep-stdin",
    "send recv-only",
    "recv send-only",
    "exec send",
    "exec recv",
    "sh-exec send",
    "sh-exec recv",
    "keep-open progress",
    "max-accepts progress",
    "exec progress",
    "sh-exec progress",
    "udp tls",
};

constexpr Command kCommand{
    .name = "pier-listen",
    .brief = "the server: wait to be contacted",
    .forms = kForms,
    .examples = kExamples,
    .flags = kFlags,
    .exits = kExits,
    .conflicts = kConflicts,
    .runs_command = true,
    .libraries = tls_libraries,
};

// The sockets, and all that is done with the rights we began with.
Result<Listener> bind_all(server::Run& run, const server::Plan& plan, std::optional<Listener>& passed) {
  const App& app = run.app;
  ListenPlan listen = plan.listen;
  listen.steps = run.news.steps();
  auto listener = passed ? server::adopt_listener(std::move(*passed), listen) : server::open_listener(listen);
  if (!listener) return listener;
  if (plan.forward && plan.forward->is_proxy())
    for (const Listener::Bound& bound : listener->sockets())
      if (const auto fits = server::check_proxy_reach(app.args, bound.address); !fits)
        return std::unexpected(fits.error());
  if (plan.port_file)
    if (const auto written = write_file_atomically(*plan.port_file, fmt::format("{}\n", listener->port()));
        !written)
      return std::unexpected(written.error());
  for (std::size_t i = 1; i < plan.workers; ++i) {
    auto share = listener->share(listen);
    if (!share) return share;
    run.shares.push_back(std::move(*share));
  }
  if (const auto become = server::become_user(run, plan); !become) return std::unexpected(become.error());
  return listener;
}

int run(App& app) {
  std::vector<std::string> passed_names;
  auto passed = server::take_passed_listener(passed_names);
  if (!passed) return app.fail(passed.error());
  const auto plan = server::make_plan(
      app.args, *passed ? std::optional(server::endpoint_of_passed(**passed)) : std::nullopt);
  if (!plan) return app.fail(plan.error());
  auto program = program_of(app.args);
  if (!program) return app.fail(program.error());
  auto ends = LocalEnds::open(app);
  if (!ends) return app.fail(ends.error());
  auto news = News::open(app, "client", true);
  if (!news) return app.fail(news.error());
  Loop loop;
  server::Run run{app, **news, loop, **ends};
  run.passed_names = std::move(passed_names);
  const auto signals = loop.signals({SIGINT, SIGTERM}, [&](int number) {
    const bool drains = number == SIGTERM && run.signal == 0 && run.drain;
    run.signal = number;
    tell_service_manager("STOPPING=1");
    drains ? run.drain() : loop.stop();
  });
  run.news.on_fault([&](const Error& error) {
    run.fault = error;
    loop.stop();
  });
  if (!signals) return run.news.end(app, signals.error());
  if (const auto read = server::read_hosts(run); !read) return run.news.end(app, read.error());
  if (plan->forward) {
    auto forward = server::prepare_forward(run, *plan->forward);
    if (!forward) return run.news.end(app, forward.error());
    run.forward = std::move(*forward);
  }
  run.program = std::move(*program);
  run.descriptors = descriptor_limit();
  const auto tls = server::prepare_tls(run, *plan);
  if (!tls) return run.news.end(app, tls.error());
  server::prepare_handover(run, *plan);
  if (const auto made = (*ends)->prepare(); !made) return run.news.end(app, made.error());
  run.news.settles(**ends);
  if (plan->keep_open) run.room = server::room_for_clients(run, *plan);
  note_cut_buffers(app, plan->listen.options);
  auto listener = bind_all(run, *plan, *passed);
  if (!listener) return run.news.end(app, listener.error());
  server::tell_ready(run, *listener);
  tell_service_manager("READY=1");
  if (is_datagram(plan->listen.endpoint.transport))
    return server::serve_datagrams(run, std::move(*listener), *plan);
  return server::serve_streams(run, std::move(*listener), *plan);
}

}  // namespace
}  // namespace pier

int main(int argc, char** argv) {
  return pier::run_app(argc, argv, pier::kCommand, pier::run);
}
