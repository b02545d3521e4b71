#include "cmd/whoami_port/ending.h"
#include "cmd/whoami_port/modes.h"
#include "host/free_ports.h"

namespace pier::whoami {

int tell_free(const App& app, Report& report, const FreeQuestion& question) {
  std::optional<EndingSignals> ending;
  if (question.hold) ending.emplace();
  const auto free = FreePorts::take(question.count, report.steps());
  if (!free) return report.fail(free.error());
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
  const Error error = free->run(app.args.command);
  app.error(error.message());
  return error.op != "run" ? kExitUsage : error.code == ENOENT ? kExitNotFound : kExitCannotRun;
}

}  // namespace pier::whoami
