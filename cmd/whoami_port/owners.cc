#include <fmt/core.h>

#include <algorithm>
#include <map>

#include "cmd/whoami_port/modes.h"
#include "host/owner.h"

namespace pier::whoami {
namespace {

// One line for each way of being hidden: the first such socket, and how many more there are.
void explain_hidden(const App& app, const std::vector<OwnedSocket>& sockets, bool anything_owned) {
  std::map<std::pair<bool, Hidden>, std::vector<const OwnedSocket*>> groups;
  for (const OwnedSocket& socket : sockets) {
    if (socket.hidden) groups[{!socket.socket.waits_for_anyone(), *socket.hidden}].push_back(&socket);
  }
  for (const auto& [kind, group] : groups) {
    std::string line = hidden_reason(*group.front());
    if (group.size() > 1) line += fmt::format(" (and {} more like it)", group.size() - 1);
    // Beside an owner that is known, leftovers of old connections are no news.
    const bool news = kind.second == Hidden::permission || kind.second == Hidden::pid_namespace;
    if (news || !anything_owned) {
      app.note(line);
    } else {
      app.detail(line);
    }
  }
}

}  // namespace

int tell_owners(const App& app, Report& report, const PortQuestion& question) {
  const bool both = !question.transport;
  const auto found = owned_sockets({.tcp = both || *question.transport == Transport::tcp,
                                    .udp = both || *question.transport == Transport::udp,
                                    .local_port = question.port});
  if (!found) return report.fail(found.error());
  const bool diag = found->fallback.empty();
  if (!diag) app.detail("read from /proc/net: " + found->fallback);
  if (StepSink* steps = report.steps()) {
    Step step;
    step.call = diag ? "sock_diag" : "open";
    step.text = fmt::format("asked the kernel for the sockets with local port {}{}: {}", question.port,
                            diag ? "" : ", by /proc/net", found->sockets.size());
    step.result = "ok";
    steps->step(step);
  }
  std::uint64_t owned = 0;
  std::vector<std::vector<std::string>> rows;
  for (const OwnedSocket& socket : found->sockets) {
    if (!socket.hidden) ++owned;
    if (report.json()) report.record(socket_record(socket));
    for (auto& cells : socket_rows(socket)) rows.push_back(std::move(cells));
  }
  if (!report.json()) report.table(rows);
  const std::uint64_t all = found->sockets.size();
  explain_hidden(app, found->sockets, owned > 0);
  if (all == 0) {
    app.note(fmt::format("nobody has port {}{}", question.port,
                         both ? " (tcp, udp)" : fmt::format(" ({})", to_string(*question.transport))));
  }
  const int code = owned > 0 ? kExitYes : all > 0 ? kExitUnknown : kExitNo;
  return report.end(code, true, {{"sockets", all}, {"owned", owned}, {"hidden", all - owned}});
}

}  // namespace pier::whoami
