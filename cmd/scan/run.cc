#include "cmd/scan/run.h"

#include <fmt/core.h>
#include <unistd.h>

#include <algorithm>
#include <iostream>
#include <thread>

#include "base/number.h"
#include "cmd/scan/banners.h"
#include "cmd/scan/journal.h"
#include "cmd/scan/options.h"
#include "cmd/scan/output.h"
#include "cmd/scan/report.h"
#include "cmd/scan/syn.h"
#include "scan/descriptors.h"
#include "scan/interrupt.h"
#include "scan/probe_connect.h"
#include "scan/socket_prober.h"
#include "scan/syn_engine.h"

namespace pier::scan {
namespace {

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

// More pairs than these are asked about first, where somebody can answer: a slip of a digit in a prefix makes
// a thousand times as many.
constexpr std::uint64_t kAskFrom = 1U << 20;

bool confirmed(const App& app, const ProbePlan& plan) {
  if (plan.size() <= kAskFrom || app.args.has("yes")) return true;
  if (::isatty(STDIN_FILENO) == 0 || ::isatty(STDERR_FILENO) == 0) return true;
  // Not by note(): a question is no chatter, and waits for its answer on the same line.
  std::cerr << fmt::format("{} pairs of {} hosts and {} ports. Go on? [y/N] ", format_count(plan.size()),
                           format_count(plan.hosts()), format_count(plan.ports()))
            << std::flush;
  std::string answer;
  std::getline(std::cin, answer);
  return answer == "y" || answer == "Y" || answer == "yes";
}

struct Scan {
  const App& app;
  const Options& options;
  const ProbePlan& plan;
  const std::optional<Checkpoint>& from;
};

Result<void> check_sources(const Scan& scan) {
  for (const PortProtocol protocol : {PortProtocol::tcp, PortProtocol::udp}) {
    if (scan.options.ports.size(protocol) == 0) continue;
    if (auto usable = check_source(scan.options.source, protocol, families_of(scan.plan)); !usable)
      return usable;
  }
  return {};
}

Result<std::unique_ptr<Output>> open_output(const Scan& scan, bool resumable) {
  const auto path = scan.app.args.text("output");
  if (resumable) return Output::open_resumable(scan.app, path, scan.from ? scan.from->output_size : 0);
  return Output::open(scan.app, path, !scan.options.dry_run);
}

int finish_xml(const Scan& scan, const Report& report, const ScanStats& stats, int code) {
  const auto path = scan.app.args.text("xml");
  if (!path) return code;
  auto output = Output::open(scan.app, path, false);
  if (!output) return scan.app.fail(output.error());
  report.write_xml((*output)->writer(), stats);
  return (*output)->finish(scan.app, code);
}

int probe(const Scan& scan, Report& report, Output& output, Interrupt& interrupt) {
  const App& app = scan.app;
  ScanLimits limits = scan.options.limits;
  limits.window = fit_window(app, limits.window);
  if (scan.options.progress) limits.tick = report.tick();
  auto prober = SocketProber::make({.source = scan.options.source,
                                    .interrupt_fd = interrupt.fd(),
                                    .steps = report.steps(),
                                    .threads = threads()});
  if (!prober) return app.fail(prober.error());
  std::optional<FileJournal> journal;
  if (const auto path = scan.from ? app.args.text("resume") : app.args.text("checkpoint"))
    limits.journal = &journal.emplace(*path, describe(app, scan.options, scan.plan), output, report);
  ScanEngine engine(scan.plan, **prober, limits, report, &interrupt);
  if (scan.from) engine.restore(scan.from->progress);
  ScanEnd end = engine.run();
  if (end != ScanEnd::unwanted &&
      !take_banners({app, report.take_unshown(), scan.options.source, limits.deadline}, interrupt,
                    [&](const PortResult& port, const Banner& banner) { report.show_with(port, banner); }) &&
      end == ScanEnd::complete)
    end = interrupt.taken() ? ScanEnd::interrupted : ScanEnd::deadline;
  const int code = end_run(app, report, output, journal ? &*journal : nullptr,
                           {end, engine.stats(), engine.given_up(), interrupt.taken()});
  return finish_xml(scan, report, engine.stats(), code);
}

int go(const Scan& scan, Report& report) {
  const App& app = scan.app;
  app.detail(fmt::format("{} hosts, {} ports; seed {}", format_count(scan.plan.hosts()),
                         format_count(scan.plan.ports()), scan.options.seed));
  const bool resumable = scan.from || app.args.has("checkpoint");
  if (!scan.options.dry_run) {
    if (const auto usable = check_sources(scan); !usable) return app.fail(usable.error());
    if (!confirmed(app, scan.plan)) return app.fail(fail(ErrorKind::failed, "not confirmed", "", "").error());
  }
  // A scan that is complete already has nothing to add to its file.
  if (scan.from && scan.from->complete && app.args.has("output")) {
    app.note("this scan is complete already");
    return report.exit_code_of(scan.from->progress.stats);
  }
  auto output = open_output(scan, resumable);
  if (!output) return app.fail(output.error());
  // After what may wait, for names or for a FIFO's reader: until here a signal ends the program as ever.
  auto interrupt = Interrupt::catch_signals();
  if (!interrupt) return app.fail(interrupt.error());
  const bool goes_on = scan.from && scan.from->output_size > 0;
  report.start(scan.plan, (*output)->writer(), (*output)->style(), scan.from.has_value(), goes_on);
  if (scan.options.dry_run) return (*output)->finish(app, dry_run(report, scan.plan, *interrupt));
  explain_roles(report.steps());
  if (scan.options.syn)
    return scan_by_syn(app, scan.options, scan.plan, scan.from ? &*scan.from : nullptr, report, **output,
                       *interrupt);
  return probe(scan, report, **output, *interrupt);
}

int resume(const App& app, const std::string& path) {
  const std::optional<Checkpoint> from = [&]() -> std::optional<Checkpoint> {
    auto read = read_checkpoint(path);
    if (read) return std::move(*read);
    (void)app.fail(read.error());
    return std::nullopt;
  }();
  if (!from) return kExitUsage;
  const auto words = resumed_words(app.command, app.args, *from, path);
  if (!words) return app.fail(words.error());
  const App as_before{.command = app.command,
                      .args = *words,
                      .out = app.out,
                      .err = app.err,
                      .quiet = app.quiet,
                      .verbosity = app.verbosity,
                      .stdin_closed = app.stdin_closed,
                      .stdout_closed = app.stdout_closed};
  auto options = read_options(as_before);
  if (!options) return app.fail(options.error());
  options->seed = options->limits.seed = from->seed;
  Report report(as_before, *options);
  report.restore(*from);
  auto targets = resumed_targets(*from);
  if (!targets) return app.fail(targets.error());
  const auto plan = ProbePlan::make(std::move(*targets), options->ports, options->seed, options->shard);
  if (!plan) return app.fail(plan.error());
  if (plan->run_id() != from->run_id)
    return app.fail(usage_error("--resume", path, "its ports mean something else to this version").error());
  const bool fits = options->syn ? SynEngine::fits(*plan, from->progress) : !from->progress.syn.has_value();
  if (!fits) return app.fail(usage_error("--resume", path, "a damaged checkpoint").error());
  return go({as_before, *options, *plan, from}, report);
}

}  // namespace

int run(const App& app) {
  if (const auto path = app.args.text("resume")) return resume(app, *path);
  const auto options = read_options(app);
  if (!options) return app.fail(options.error());
  if (const auto path = app.args.text("checkpoint"))
    if (const auto free = check_free(*path); !free) return app.fail(free.error());
  Report report(app, *options);
  const auto plan = make_plan(app, *options, report.steps());
  if (!plan) return app.fail(plan.error());
  return go({app, *options, *plan, std::nullopt}, report);
}

}  // namespace pier::scan
