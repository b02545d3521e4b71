#include "scan/check.h"

#include <sys/resource.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>

#include "cmd/connect/run.h"
#include "net/socket.h"
#include "out/check_rows.h"
#include "out/text.h"
#include "ports/registry.h"
#include "scan/descriptors.h"

namespace pier::client {
namespace {

int run_command(const App& app, const std::vector<std::string>& words) {
  std::vector<char*> arguments;
  for (const std::string& word : words) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  // The mask that the loop's signalfd needed, and the ignored SIGPIPE, would be inherited.
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  ::signal(SIGPIPE, SIG_DFL);
  ::execvp(arguments.front(), arguments.data());
  const int code = errno;
  app.error("run " + quoted(words.front()) + ": " + errno_text(code));
  return code == ENOENT ? kExitNotFound : kExitCannotRun;
}

std::string_view service_name(const CheckResult& result) {
  const bool udp = result.endpoint.transport == Transport::udp;
  if (!udp && result.endpoint.transport != Transport::tcp) return {};
  return service_of(udp ? PortProtocol::udp : PortProtocol::tcp,
                    static_cast<std::uint16_t>(result.endpoint.port));
}

// Of several endpoints the worst counts: a fault of ours before a "no", that before "can't tell", and time
// last.
int worse_exit(int a, int b) {
  constexpr int kOrder[] = {kExitUsage, kExitNo, kExitUnknown, kExitDeadline};
  for (const int code : kOrder)
    if (a == code || b == code) return code;
  return kExitYes;
}

int print_checks(const App& app, const std::vector<CheckResult>& results, bool complete, int code) {
  Writer out(STDOUT_FILENO);
  if (app.args.has("json")) {
    out.line(JsonObject("start").number("schema", 1).str());
    for (const CheckResult& result : results) out.line(check_record(result, service_name(result)).str());
    out.line(JsonObject("summary").boolean("complete", complete).number("exit", code).str());
  } else {
    TextRows rows(out, app.out);
    for (const CheckResult& result : results) rows.row(check_cells(result, service_name(result)));
  }
  return app.finish(out, code);
}

}  // namespace

int check(Run& run, const Plan& plan) {
  rlimit inherited{};
  const bool limited = ::getrlimit(RLIMIT_NOFILE, &inherited) == 0;
  const std::size_t room = free_descriptors(raise_descriptor_limit());
  std::vector<CheckResult> results;
  {
    Checks checks(run.loop, plan.dials, room / Checks::kDescriptorsEach,
                  [&](const std::vector<CheckResult>&) { run.loop.stop(); });
    run.loop.run();
    results = checks.results();
  }
  int code = kExitYes;
  for (const CheckResult& result : results) {
    if (run.news.events() != nullptr) run.news.events()->write(check_record(result, service_name(result)));
    if (result.error && (result.state == CheckState::fault || !run.app.args.has("check")))
      run.app.error(result.error->message());
    code = worse_exit(code, result.error ? exit_code_of(*result.error) : kExitYes);
  }
  if (run.outside.ended()) {
    // What was found out by then is told all the same.
    code = run.end_from_outside();
    return run.app.args.has("check") ? print_checks(run.app, results, false, code) : code;
  }
  if (run.app.args.has("check")) code = print_checks(run.app, results, true, code);
  if (code != kExitYes || run.app.args.command.empty()) return run.news.end_with(code);
  // A program with select(2) inside can't do with more descriptors than the usual.
  if (limited) ::setrlimit(RLIMIT_NOFILE, &inherited);
  run.news.end_with(kExitYes);  // the exit code is the command's from here on
  return run_command(run.app, run.app.args.command);
}

}  // namespace pier::client
