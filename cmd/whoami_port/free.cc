#include <unistd.h>

#include <optional>
#include <set>

#include "cmd/whoami_port/ending.h"
#include "cmd/whoami_port/modes.h"
#include "host/free_ports.h"
#include "host/port_lease.h"

namespace pier::whoami {

int tell_free(const App& app, Report& report, const FreeQuestion& question) {
  std::optional<EndingSignals> ending;
  if (question.hold) ending.emplace();
  std::optional<PortLease> lease;
  if (question.lease) {
    auto opened = PortLease::open(*question.lease);
    if (!opened) return report.fail(opened.error());
    lease = *std::move(opened);
  }
  const auto free =
      FreePorts::take(question.count, report.steps(), lease ? lease->taken() : std::set<std::uint16_t>());
  if (!free) return report.fail(free.error());
  if (lease) {
    // Whoever asked: a script, to which we are a word.
    const pid_t holder = question.hold ? ::getpid() : ::getppid();
    if (const auto added = lease->add(free->ports(), holder); !added) return report.fail(added.error());
    lease.reset();
  }
  std::vector<std::vector<std::string>> rows;
  for (const std::uint16_t port : free->ports()) {
    Ends ends;
    ends.local_port = port;
    if (report.json()) report.record(port_record(ends));
    rows.push_back({std::to_string(port)});
  }
  if (!report.json()) report.table(rows);
  int code = kExitYes;
  if (ending) {
    report.flush();
    if (app.err.terminal) app.note("held until this program ends (Ctrl-C)");
    code = kExitSignal + ending->wait().value_or(SIGTERM);
  }
  return report.end(code, true, {{"ports", free->ports().size()}});
}

int run_with_free(const App& app, StepSink* steps, const FreeQuestion& question) {
  auto free = FreePorts::take(question.count, steps);
  if (!free) return app.fail(free.error());
  const auto status = free->run(app.args.command, !question.tcp_only);
  return status ? *status : app.fail(status.error());
}

}  // namespace pier::whoami
