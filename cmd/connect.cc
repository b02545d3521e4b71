// pier-connect: the client. Initiates, and joins the peer to stdin and stdout.
#include <csignal>

#include "cmd/connect/events.h"
#include "cmd/connect/flags.h"
#include "cmd/connect/run.h"
#include "cmd/connect/show_cert.h"
#include "cmd/connect/tls.h"
#include "cmd/connect/way.h"
#include "cmd/session_flags.h"
#include "cmd/tls_options.h"

namespace pier {
namespace {

constexpr Flag kFlags[] = {
    flag::kIpv4,
    flag::kIpv6,
    flag::kUdp,
    flag::kUnix,
    client::flag::kSource,
    client::flag::kSourcePort,
    client::flag::kInterface,
    client::flag::kMptcp,
    client::flag::kHandover,
    client::flag::kStreams,
    client::flag::kFastopen,
    client::flag::kProxy,
    client::flag::kProxyAuthFile,
    client::flag::kSendProxy,
    client::flag::kStarttls,
    client::flag::kCheck,
    client::flag::kWait,
    client::flag::kStable,
    client::flag::kExpect,
    client::flag::kSendText,
    client::flag::kUntilClosed,
    client::flag::kAny,
    client::flag::kAll,
    flag::kExec,
    flag::kShExec,
    client::flag::kConnectTimeout,
    client::flag::kTimeout,
    flag::kIdleTimeout,
    flag::kReplyTimeout,
    client::flag::kReplies,
    client::flag::kMaxDatagram,
    flag::kSend,
    flag::kRecv,
    flag::kPartial,
    flag::kSendOnly,
    flag::kRecvOnly,
    flag::kNoHalfClose,
    flag::kKeepStdin,
    flag::kCrlf,
    client::flag::kTelnet,
    flag::kSndbuf,
    flag::kRcvbuf,
    flag::kMss,
    flag::kNodelay,
    flag::kCongestion,
    flag::kKeepalive,
    flag::kTos,
    client::flag::kTtl,
    flag::kLimitRate,
    flag::kProgress,
    flag::kHexDump,
    client::flag::kTranscript,
    flag::kTls,
    flag::kInsecure,
    flag::kCa,
    flag::kPin,
    flag::kServerName,
    flag::kAlpn,
    flag::kCert,
    flag::kKey,
    flag::kShowCert,
    flag::kSummary,
    flag::kEvents,
    kExplainFlag,
    {.name = "json",
     .group = "Output",
     .brief = "with --check or --show-cert: one JSON object a line (NDJSON)"},
};

constexpr std::string_view kForms[] = {"[OPTIONS] HOST PORT", "[OPTIONS] ENDPOINT",
                                       "--check|--wait D|--until-closed [OPTIONS] ENDPOINT… [-- CMD…]",
                                       "--exec [OPTIONS] ENDPOINT -- PROGRAM…"};
constexpr Example kExamples[] = {
    {"pier-connect db.example 5432", "talk to a server; stdin to it, its bytes to stdout"},
    {"pier-connect --proxy socks5://gate.example db.example 5432", "the same, through a proxy"},
    {"pier-connect --streams 4 --send disk.img backup.example 9000",
     "over four connections to listen --handover --recv"},
    {"printf 'GET / HTTP/1.0\\r\\n\\r\\n' | pier-connect www.example 80", "ask, half-close, read the answer"},
    {"pier-connect --check db:5432 cache:6379", "are they up? one row each; 0 yes, 1 no, 3 can't tell"},
    {"pier-connect --wait 30s db:5432 -- ./run-tests", "run the tests once the database accepts connections"},
    {"pier-connect --tls imap.example 993", "TLS, and only with a server that is who it says"},
    {"pier-connect --check --expect '^220 ' mail.example:25", "does it greet as a mail server does?"},
    {"pier-connect -u 192.0.2.53 5353 < query", "one datagram, and the replies of a second"},
};
constexpr ExitNote kExits[] = {
    {"0", "connected, and both sides ended well; --check: all open"},
    {"1",
     "refused, reset, unreachable, unknown host, bytes not sent or written; --check: closed, or not as "
     "expected"},
    {"2", "wrong usage or a fault of this host"},
    {"3", "--check: no answer, so it can't be told"},
    {"124", "a deadline passed: --connect-timeout, --wait, --idle-timeout, --timeout; too few --replies"},
    {"126, 127", "CMD or the program of --exec could not be run, was not found"},
    {"any", "--exec or --sh-exec: the program's own"},
    {"130, 143", "SIGINT, SIGTERM"},
    {"141", "stdout was closed by its reader"},
};
constexpr std::string_view kConflicts[] = {
    "ipv4 ipv6",
    "handover udp",
    "handover unix",
    "handover tls",
    "handover proxy",
    "handover send-proxy",
    "handover starttls",
    "handover check",
    "handover until-closed",
    "handover fastopen",
    "handover expect",
    "handover stable",
    "streams udp",
    "streams unix",
    "streams tls",
    "streams proxy",
    "streams send-proxy",
    "streams starttls",
    "streams check",
    "streams until-closed",
    "streams fastopen",
    "streams expect",
    "streams stable",
    "streams recv",
    "streams recv-only",
    "streams send-only",
    "streams exec",
    "streams sh-exec",
    "streams no-half-close",
    "udp tls",
    "insecure ca pin",
    "insecure show-cert",
    "udp show-cert",
    "show-cert check",
    "show-cert until-closed",
    "show-cert stable",
    "show-cert expect",
    "show-cert exec",
    "show-cert sh-exec",
    "show-cert send",
    "show-cert recv",
    "show-cert send-only",
    "show-cert recv-only",
    "show-cert summary",
    "show-cert hex-dump",
    "show-cert progress",
    "show-cert limit-rate",
    "show-cert crlf",
    "show-cert transcript",
    "show-cert telnet",
    "show-cert fastopen",
    "send-only recv-only",
    "unix source-port",
    "check send-only",
    "check recv-only",
    "check crlf",
    "check keep-stdin",
    "check no-half-close",
    "check summary",
    "exec sh-exec",
    "check exec",
    "check sh-exec",
    "exec send-only",
    "exec recv-only",
    "exec no-half-close",
    "exec keep-stdin",
    "sh-exec send-only",
    "sh-exec recv-only",
    "sh-exec no-half-close",
    "sh-exec keep-stdin",
    "fastopen check",
    "fastopen wait",
    "fastopen udp",
    "fastopen unix",
    "fastopen proxy",
    "fastopen send-proxy",
    "fastopen starttls",
    "udp starttls",
    "mptcp udp",
    "mptcp unix",
    "mptcp fastopen",
    "unix interface",
    "until-closed stable",
    "until-closed expect",
    "until-closed send-text",
    "any all",
    "replies send-only",
    "check send",
    "check recv",
    "check limit-rate",
    "check hex-dump",
    "check transcript",
    "check telnet",
    "udp telnet",
    "fastopen telnet",
    "check progress",
    "exec progress",
    "sh-exec progress",
    "send recv-only",
    "recv send-only",
    "exec send",
    "exec recv",
    "sh-exec send",
    "sh-exec recv",
};

constexpr Command kCommand{
    .name = "pier-connect",
    .brief = "the client: connect to a server",
    .forms = kForms,
    .examples = kExamples,
    .flags = kFlags,
    .exits = kExits,
    .conflicts = kConflicts,
    .runs_command = true,
    .libraries = tls_libraries,
    .operand = ValueKind::host,
};

int run(App& app) {
  auto plan = client::make_plan(app.args);
  if (!plan) return app.fail(plan.error());
  auto program = program_of(app.args);
  if (!program) return app.fail(program.error());
  auto ends = LocalEnds::open(app);
  if (!ends) return app.fail(ends.error());
  auto news = News::open(app, "server", false);
  if (!news) return app.fail(news.error());
  Loop loop;
  client::Run run{app, **news, loop, **ends, std::move(*program)};
  const auto signals = loop.signals({SIGINT, SIGTERM}, [&](int number) {
    run.outside.signal = number;
    loop.stop();
  });
  run.news.on_fault([&](const Error& error) {
    run.outside.fault = error;
    loop.stop();
  });
  if (!signals) return run.news.end(app, signals.error());
  if (const auto made = (*ends)->prepare(); !made) return run.news.end(app, made.error());
  run.news.settles(**ends);
  const Timer whole_run = loop.timer(Deadline::after(app.args.duration("timeout")), [&] {
    run.outside.out_of_time = true;
    loop.stop();
  });
  note_cut_buffers(app, plan->dials.front().connect.options);
  TlsReport report;
  if (const auto made = client::prepare_tls(run, *plan, report); !made)
    return run.news.end(app, made.error());
  if (const auto made = client::prepare_way(run, *plan); !made) return run.news.end(app, made.error());
  for (ReachPlan& dial : plan->dials) {
    dial.connect.steps = run.news.steps();
    if (run.news.events() == nullptr) continue;
    dial.connect.on_attempt = [&run, endpoint = dial.connect.endpoint](const Attempt& attempt) {
      run.news.events()->write(client::attempt_record(endpoint, attempt));
    };
  }
  if (app.args.has("show-cert")) return client::show_cert(run, std::move(plan->dials.front()), report);
  if (plan->checks) return client::check(run, std::move(*plan));
  return client::talk(run, std::move(*plan));
}

}  // namespace
}  // namespace pier

int main(int argc, char** argv) {
  return pier::run_app(argc, argv, pier::kCommand, pier::run);
}
