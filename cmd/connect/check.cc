#include "scan/check.h"

#include <fmt/core.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>

#include "cmd/connect/run.h"
#include "cmd/connect/wait_line.h"
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
// last. Where one is enough, none is up here: as long as one may be, it can't be told.
int worse_exit(int a, int b, bool any) {
  constexpr std::array kAll{+kExitUsage, +kExitNo, +kExitUnknown, +kExitDeadline};
  constexpr std::array kAny{+kExitUsage, +kExitUnknown, +kExitDeadline, +kExitNo};
  for (const int code : any ? kAny : kAll)
    if (a == code || b == code) return code;
  return kExitYes;
}

int exit_of(const std::vector<CheckResult>& results, bool any) {
  const auto is_up = [](const CheckResult& result) { return !result.error; };
  if (any && std::ranges::any_of(results, is_up)) return kExitYes;
  int code = kExitYes;
  for (const CheckResult& result : results)
    code = worse_exit(code, result.error ? exit_code_of(*result.error) : kExitYes, any);
  return code;
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

std::string progress_text(const Checks& checks, const Endpoint& first) {
  int tries = 0;
  const CheckResult* const one = checks.pending(tries);
  if (checks.size() == 1) return waiting_text(first, one, tries);
  std::string text = fmt::format("{} of {}", checks.size() - checks.ready(), checks.size());
  return one != nullptr ? text + ": " + waiting_text(one->endpoint, one, tries) : text;
}

// The limit of descriptors that this process was started with, for the command that it may become.
class InheritedLimit {
 public:
  InheritedLimit() : known_(::getrlimit(RLIMIT_NOFILE, &limit_) == 0) {}
  // A program with select(2) inside can't do with more descriptors than the usual.
  void restore() const {
    if (known_) ::setrlimit(RLIMIT_NOFILE, &limit_);
  }

 private:
  rlimit limit_{};
  bool known_;
};

void tell(Run& run, const std::vector<CheckResult>& results, bool errors, bool rows) {
  for (const CheckResult& result : results) {
    if (run.news.events() != nullptr) run.news.events()->write(check_record(result, service_name(result)));
    if (errors && result.error && (result.state == CheckState::fault || !rows))
      run.app.error(result.error->message());
  }
}

}  // namespace

int check(Run& run, Plan plan) {
  const InheritedLimit inherited;
  const std::size_t room = free_descriptors(raise_descriptor_limit());
  const CheckRules rules{.at_once = room / Checks::kDescriptorsEach,
                         .first_is_enough = plan.any && run.app.args.has("wait")};
  const bool rows = run.app.args.has("check");
  const Endpoint first = plan.dials.front().endpoint;
  std::vector<CheckResult> results;
  {
    const Checks checks(run.loop, std::move(plan.dials), rules, [&] { run.loop.stop(); });
    const WaitLine line(run.loop, run.app, [&] { return progress_text(checks, first); });
    run.loop.run();
    results = checks.results();
  }
  int code = exit_of(results, plan.any);
  tell(run, results, code != kExitYes, rows);
  if (run.outside.ended()) {
    // What was found out by then is told all the same.
    code = run.end_from_outside();
    return rows ? print_checks(run.app, results, false, code) : code;
  }
  if (rows) code = print_checks(run.app, results, true, code);
  if (code != kExitYes || run.app.args.command.empty()) return run.news.end_with(code);
  inherited.restore();
  run.news.end_with(kExitYes);  // the exit code is the command's from here on
  return run_command(run.app, run.app.args.command);
}

}  // namespace pier::client
