// --kill: a signal to whoever owns a port.
#include <fmt/core.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <iostream>
#include <map>
#include <set>

#include "base/fd.h"
#include "base/number.h"
#include "cmd/whoami_port/owners.h"
#include "host/descriptors.h"

namespace pier::whoami {
namespace {

struct Target {
  Process process;
  std::set<std::uint64_t> inodes;  // of the port's sockets that it holds
  std::optional<std::uint64_t> started;
};

std::map<pid_t, Target> targets_of(const OwnedSockets& found) {
  std::map<pid_t, Target> targets;
  for (const OwnedSocket& socket : found.sockets) {
    for (const Process& process : socket.owners) {
      if (process.pid == ::getpid()) continue;
      Target& target = targets[process.pid];
      target.process = process;
      target.inodes.insert(socket.socket.inode);
    }
  }
  for (auto& [pid, target] : targets) target.started = start_time_of(pid);
  return targets;
}

// Whether the process is still the one that was found, and holds the port. Asked while we hold its pidfd: its
// number cannot have gone to another one unless the signal fails too.
bool still_holds(const Target& target) {
  if (!target.started || start_time_of(target.process.pid) != target.started) return false;
  bool holds = false;
  (void)visit_sockets(target.process.pid,
                      [&](std::uint64_t inode) { holds = holds || target.inodes.contains(inode); });
  return holds;
}

bool agreed(const std::string& question) {
  std::cerr << question << " [y/N] " << std::flush;
  std::string answer;
  std::getline(std::cin, answer);
  return answer == "y" || answer == "Y" || answer == "yes";
}

enum class Outcome { sent, declined, gone };

Result<Outcome> signal_one(const Target& target, const Signal& signal, const std::string& who, bool ask) {
  const Fd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, target.process.pid, 0)));
  if (!pidfd.valid() && errno == ESRCH) return Outcome::gone;
  if (!pidfd.valid()) return system_error("pidfd_open", who, errno, ErrorKind::local);
  if (ask && !agreed(fmt::format("send SIG{} to {}?", signal.name, who))) return Outcome::declined;
  if (!still_holds(target)) return Outcome::gone;
  if (::syscall(SYS_pidfd_send_signal, pidfd.get(), signal.number, nullptr, 0) == 0) return Outcome::sent;
  if (errno == ESRCH) return Outcome::gone;
  return system_error("signal", who, errno, ErrorKind::local);
}

void tell(Report& report, const Target& target, const Signal& signal, Outcome outcome) {
  const char* word = outcome == Outcome::sent ? "sent" : outcome == Outcome::declined ? "declined" : "gone";
  if (report.json()) {
    report.record(JsonObject("signal")
                      .number("pid", target.process.pid)
                      .text("program", target.process.program)
                      .text("signal", signal.name)
                      .text("outcome", word));
    return;
  }
  report.table({{"SIG" + signal.name, word, target.process.program, fmt::format("pid {}", target.process.pid),
                 target.process.cmdline}});
}

}  // namespace

Result<Signal> parse_signal(std::string_view text) {
  std::string_view name = text;
  if (name.starts_with("SIG")) name.remove_prefix(3);
  for (int number = 1; number < SIGRTMIN; ++number) {
    const char* known = ::sigabbrev_np(number);
    if (known == nullptr) continue;
    if (name == known || text == std::to_string(number)) return Signal{.number = number, .name = known};
  }
  return usage_error("--kill", text, "no signal of this name or number; TERM and KILL are the usual ones");
}

int kill_owners(const App& app, Report& report, const SocketsQuestion& question, const Signal& signal,
                std::optional<Duration> then_wait_free) {
  const auto search = search_for(app, question);
  if (!search) return report.fail(search.error());
  const auto found = find(*search);
  if (!found) return report.fail(found.error());
  UserNames users;
  std::uint64_t sent = 0;
  bool failed = false;
  const auto targets = targets_of(*found);
  for (const auto& [pid, target] : targets) {
    const auto outcome = signal_one(target, signal, name_of(target.process, users), !app.args.has("yes"));
    if (!outcome) {
      app.error(outcome.error().message());
      failed = true;
      continue;
    }
    tell(report, target, signal, *outcome);
    if (*outcome == Outcome::sent) ++sent;
  }
  explain_hidden(app, found->sockets, !targets.empty());
  if (found->sockets.empty()) app.note("nobody has " + subject_of(question));
  const int code = failed             ? kExitUsage
                   : sent > 0         ? kExitYes
                   : !targets.empty() ? kExitNo
                                      : exit_code_of(*found);
  if (code == kExitYes && then_wait_free) return wait_until_free(app, report, question, *then_wait_free);
  return report.end(code, !failed, {{"signalled", sent}});
}

}  // namespace pier::whoami
