#include "cmd/scan/syn.h"

#include <fmt/core.h>

#include <algorithm>
#include <filesystem>

#include "base/number.h"
#include "cmd/scan/banner_process.h"
#include "cmd/scan/confine.h"
#include "cmd/scan/journal.h"
#include "scan/rate_signals.h"
#include "scan/syn_engine.h"
#include "scan/syn_sockets.h"

namespace pier::scan {
namespace {

Error explain_missing_right(Error error) {
  if (!is_missing_right(error)) return error;
  std::error_code ignored;
  const std::string program = std::filesystem::read_symlink("/proc/self/exe", ignored).string();
  return {.kind = ErrorKind::local,
          .op = "--syn",
          .subject = {},
          .code = 0,
          .why = fmt::format("needs CAP_NET_RAW: setcap cap_net_raw+ep {}, or use --connect",
                             program.empty() ? "pier-scan" : program)};
}

bool has_family(const ProbePlan& plan, Family family) {
  return std::ranges::any_of(plan.targets().addresses().ranges(),
                             [&](const AddressRange& range) { return range.family == family; });
}

std::optional<std::string> checkpoint_path(const App& app) {
  const auto resumed = app.args.text("resume");
  return resumed ? resumed : app.args.text("checkpoint");
}

std::vector<std::string> result_files(const App& app, const Output& output) {
  std::vector<std::string> files;
  if (!output.renamed_path().empty()) files.push_back(output.renamed_path());
  if (const auto path = app.args.text("xml"); path && *path != "-") files.push_back(*path);
  if (const auto path = checkpoint_path(app)) files.push_back(*path);
  return files;
}

}  // namespace

int scan_by_syn(const App& app, const Options& options, const ProbePlan& plan, const Checkpoint* from,
                Report& report, Output& output, Interrupt& interrupt) {
  const auto state = checkpoint_path(app);
  if (state && AtomicFile::is_special(*state))
    return app.fail(usage_error("--checkpoint", *state,
                                "is no regular file: with --syn, a new one is put in its place each time")
                        .error());
  const std::vector<std::string> files = result_files(app, output);
  const auto account = scan_account(app, files);
  if (!account) return app.fail(account.error());
  std::unique_ptr<Output> xml;
  if (const auto path = app.args.text("xml")) {
    auto opened = Output::open(app, path, false);
    if (!opened) return app.fail(opened.error());
    xml = std::move(*opened);
  }
  auto signals = RateSignals::catch_signals();
  if (!signals) return app.fail(signals.error());
  std::unique_ptr<BannerProcess> banners;
  std::vector<int> wake_fds = {interrupt.fd(), signals->fd()};
  if (app.args.has("banner")) {
    auto started = BannerProcess::start(app, *account, plan, options.source, report);
    if (!started) return app.fail(started.error());
    banners = std::move(*started);
    wake_fds.push_back(banners->fd());
  }
  auto sockets =
      SynSockets::open({.source = options.source,
                        .ipv4 = has_family(plan, Family::ipv4),
                        .ipv6 = has_family(plan, Family::ipv6),
                        .first = plan.size() > 0 ? std::optional(plan.at(0).address) : std::nullopt,
                        .wake_fds = std::move(wake_fds),
                        .steps = report.steps()});
  if (!sockets) return app.fail(explain_missing_right(sockets.error()));
  const auto child = banners ? std::optional(banners->pid()) : std::nullopt;
  if (const auto confined = confine(app, *account, {.child = child, .new_files = state.has_value()});
      !confined)
    return app.fail(confined.error());
  app.note(fmt::format("at most {} SYNs a second{}", format_count(*options.limits.rate),
                       app.args.has("rate") ? "" : " (--rate)"));
  ScanLimits limits = options.limits;
  if (options.progress) limits.tick = report.tick();
  std::optional<FileJournal> journal;
  if (state) limits.journal = &journal.emplace(*state, describe(app, options, plan), output, report);
  ScanObserver& observer = banners ? static_cast<ScanObserver&>(*banners) : report;
  SynEngine engine(plan, **sockets, limits, observer, &interrupt, &*signals);
  if (from != nullptr) engine.restore(from->progress);
  ScanEnd end = engine.run();
  if (banners) end = banners->finish(end, limits.deadline, interrupt);
  if (engine.failure()) app.error(engine.failure()->message());
  const int code = end_run(app, report, output, journal ? &*journal : nullptr,
                           {end, engine.stats(), {}, interrupt.taken()});
  if (!xml) return code;
  report.write_xml(xml->writer(), engine.stats());
  return xml->finish(app, code);
}

}  // namespace pier::scan
