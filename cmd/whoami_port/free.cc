#include <csignal>

#include "cmd/whoami_port/modes.h"
#include "host/free_ports.h"

namespace pier::whoami {
namespace {

// The signals that end a program that holds ports. They are taken from a queue, so that the summary is the
// last record whenever they come.
sigset_t block_ending_signals() {
  sigset_t set;
  sigemptyset(&set);
  for (const int number : {SIGINT, SIGTERM, SIGHUP}) sigaddset(&set, number);
  ::sigprocmask(SIG_BLOCK, &set, nullptr);
  return set;
}

int wait_for_signal(const sigset_t& set) {
  return retry_eintr([&] { return ::sigwaitinfo(&set, nullptr); });
}

}  // namespace

int tell_free(const App& app, Report& report, const FreeQuestion& question) {
  std::optional<sigset_t> ending;
  if (question.hold) ending = block_ending_signals();
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
    code = kExitSignal + wait_for_signal(*ending);
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
