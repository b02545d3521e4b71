// pier-scan: which ports of which hosts are open, closed, filtered.
#include <fmt/core.h>

#include <algorithm>
#include <thread>

#include "base/number.h"
#include "cmd/scan/options.h"
#include "cmd/scan/output.h"
#include "cmd/scan/report.h"
#include "scan/descriptors.h"
#include "scan/interrupt.h"
#include "scan/probe_connect.h"
#include "scan/socket_prober.h"

namespace pier {
namespace {

constexpr Flag kFlags[] = {
    {.name = "ports",
     .letter = 'p',
     .value = "SET",
     .kind = ValueKind::text,
     .group = "What",
     .brief = "ports: 22,80,8000-8100, - for all, class and service names, !X (default: common)"},
    {.name = "exclude",
     .value = "SET",
     .kind = ValueKind::text,
     .group = "What",
     .brief = "targets to leave out, whatever else is said",
     .repeats = true},
    {.name = "shard",
     .value = "I/N",
     .kind = ValueKind::text,
     .group = "What",
     .brief = "the I-th of N equal parts of the same scan"},
    {.name = "dry-run", .group = "What", .brief = "only say what would be asked, in order; opens no socket"},
    {.name = "connect",
     .group = "How",
     .brief = "TCP ports by connect(2), which needs no privilege (the default)"},
    {.name = "udp",
     .letter = 'u',
     .group = "How",
     .brief = "UDP: ports that -p names are UDP ports, asked in their protocol; needs no privilege"},
    {.name = "window",
     .value = "N",
     .kind = ValueKind::number,
     .group = "How",
     .brief = "probes in flight at most (default: 4096, or what the descriptor limit leaves)",
     .min = 1,
     .max = 1'000'000},
    {.name = "rate",
     .value = "R",
     .kind = ValueKind::rate,
     .group = "How",
     .brief = "probes a second at most"},
    {.name = "retries",
     .value = "N",
     .kind = ValueKind::number,
     .group = "How",
     .brief = "further probes for a port that has not answered (default: as long as they find something)",
     .max = 100},
    {.name = "probe-timeout",
     .value = "D",
     .kind = ValueKind::duration,
     .group = "How",
     .brief = "how long a probe waits for its answer at most (default: 1s)"},
    {.name = "limit-time",
     .value = "D",
     .kind = ValueKind::duration,
     .group = "How",
     .brief = "end the scan (124) after D (default: never)"},
    {.name = "seed",
     .value = "N",
     .kind = ValueKind::number,
     .group = "How",
     .brief = "of the order of probes; the same seed, the same order (default: random; 0 with --shard)"},
    {.name = "source",
     .value = "ADDR",
     .kind = ValueKind::text,
     .group = "How",
     .brief = "ask from this address of this host"},
    {.name = "source-port",
     .value = "P",
     .kind = ValueKind::port,
     .group = "How",
     .brief = "ask from this port"},
    {.name = "interface",
     .value = "IF",
     .kind = ValueKind::text,
     .group = "How",
     .brief = "ask through this interface only"},
    {.name = "all-states", .group = "Output", .brief = "show every port, not open ones only"},
    {.name = "state",
     .value = "LIST",
     .kind = ValueKind::text,
     .group = "Output",
     .brief = "show ports in these states: open, closed, filtered, error…"},
    {.name = "max-open",
     .value = "N",
     .kind = ValueKind::number,
     .group = "Output",
     .brief = "of a host with more open ports, say only how many",
     .min = 1},
    {.name = "expect",
     .value = "PORTS",
     .kind = ValueKind::text,
     .group = "Output",
     .brief = "exit 1, and show the difference, unless just these are open on each host"},
    {.name = "output",
     .letter = 'o',
     .value = "FILE",
     .kind = ValueKind::file,
     .group = "Output",
     .brief = "write the results there, whole or not at all"},
    {.name = "progress", .group = "Output", .brief = "say on stderr how far it is"},
    kExplainFlag,
    kJsonFlag,
};

constexpr std::string_view kForms[] = {"[OPTIONS] TARGET…"};
constexpr Example kExamples[] = {
    {"pier-scan 192.0.2.7", "which of the common ports are open"},
    {"pier-scan -p 22,80,8000-8100 db.example 10.0.0.0/24", "these ports of a host and a network"},
    {"pier-scan -p - --all-states localhost", "every port of this host, with its state"},
    {"pier-scan 10.0.0-3.1-254 --exclude 10.0.2.0/24 --rate 500", "gently, and leaving out a network"},
    {"pier-scan @hosts.txt -p https --json -o scan.ndjson", "a list of hosts; records to a file"},
    {"pier-scan web1 web2 -p 1-1024 --expect 22,443", "exit 1 when anything else is open, or these are not"},
    {"pier-scan -u 10.0.0.1", "the common UDP ports; -p T:22,U:53 asks both transports"},
    {"pier-scan 10.0.0.0/8 -p 443 --shard 2/8", "the second of eight machines' parts"},
};
constexpr ExitNote kExits[] = {
    {"0", "something is open; --expect: just what was expected"},
    {"1", "nothing is open; an unknown name; --expect: something differs"},
    {"2", "wrong usage, or a fault of this host"},
    {"3", "nothing is open, and something can't be told (filtered, error)"},
    {"124", "--limit-time passed; what was found until then is reported"},
};
constexpr std::string_view kConflicts[] = {
    "all-states state", "dry-run expect",     "dry-run explain", "dry-run progress",
    "dry-run state",    "dry-run all-states", "max-open expect",
};

constexpr Command kCommand{
    .name = "pier-scan",
    .brief = "which ports of which hosts are open, closed, filtered",
    .forms = kForms,
    .examples = kExamples,
    .flags = kFlags,
    .exits = kExits,
    .conflicts = kConflicts,
};

using scan::Options;
using scan::Report;

// Between two looks for a signal; a dry run writes millions of lines a second.
constexpr std::uint64_t kPairsBetweenLooks = 1024;

int dry_run(Report& report, const ProbePlan& plan, Interrupt& interrupt) {
  for (std::uint64_t i = 0; i < plan.size(); ++i) {
    if (!report.pair(plan.at(i))) break;
    if (i % kPairsBetweenLooks == 0 && interrupt.taken()) break;
  }
  return report.end_dry_run(plan.size(), interrupt.taken());
}

std::vector<Family> families_of(const ProbePlan& plan) {
  std::vector<Family> families;
  for (const AddressRange& range : plan.targets().addresses().ranges())
    if (families.empty() || families.back() != range.family) families.push_back(range.family);
  return families;
}

// How many probes fit: what was asked for, as far as the descriptor limit goes.
std::size_t fit_window(const App& app, std::size_t wanted) {
  const std::size_t room = free_descriptors(raise_descriptor_limit());
  if (room >= wanted) return wanted;
  const std::string line = fmt::format("the descriptor limit leaves room for {} probes at a time, not {}",
                                       format_count(room), format_count(wanted));
  app.args.has("window") ? app.note(line) : app.detail(line);
  return room;
}

// For hosts that answer at once, where asking is all the work there is.
unsigned threads() {
  constexpr unsigned kMost = 4;  // more get in each other's way in the kernel's tables of sockets
  return std::clamp(std::thread::hardware_concurrency(), 1U, kMost);
}

void explain_roles(StepSink* steps) {
  if (steps == nullptr) return;
  steps->step({.call = "roles",
               .text = "we are the client of every probe: we initiate; a server is whoever waits on the port",
               .result = "ok",
               .fields = {{"role", "client"}}});
}

int probe(const App& app, const Options& options, const ProbePlan& plan, Report& report,
          Interrupt& interrupt) {
  ScanLimits limits = options.limits;
  limits.window = fit_window(app, limits.window);
  if (options.progress) limits.tick = report.tick();
  explain_roles(report.steps());
  auto prober = SocketProber::make({.source = options.source,
                                    .interrupt_fd = interrupt.fd(),
                                    .steps = report.steps(),
                                    .threads = threads()});
  if (!prober) return app.fail(prober.error());
  ScanEngine engine(plan, **prober, limits, report, &interrupt);
  const ScanEnd end = engine.run();
  return report.end(end, engine.stats(), engine.given_up(), interrupt.taken());
}

int run(App& app) {
  const auto options = scan::read_options(app);
  if (!options) return app.fail(options.error());
  Report report(app, *options);
  const auto plan = scan::make_plan(app, *options, report.steps());
  if (!plan) return app.fail(plan.error());
  app.detail(fmt::format("{} hosts, {} ports; seed {}", format_count(plan->hosts()),
                         format_count(plan->ports()), options->seed));
  if (!options->dry_run)
    for (const PortProtocol protocol : {PortProtocol::tcp, PortProtocol::udp})
      if (const auto usable = check_source(options->source, protocol, families_of(*plan));
          !usable && options->ports.size(protocol) > 0)
        return app.fail(usable.error());
  auto output = scan::Output::open(app, app.args.text("output"), !options->dry_run);
  if (!output) return app.fail(output.error());
  // After what may wait, for names or for a FIFO's reader: until here a signal ends the program as ever.
  auto interrupt = Interrupt::catch_signals();
  if (!interrupt) return app.fail(interrupt.error());
  report.start(*plan, (*output)->writer(), (*output)->style());
  const int code =
      options->dry_run ? dry_run(report, *plan, *interrupt) : probe(app, *options, *plan, report, *interrupt);
  return (*output)->finish(app, code);
}

}  // namespace
}  // namespace pier

int main(int argc, char** argv) {
  return pier::run_app(argc, argv, pier::kCommand, pier::run);
}
