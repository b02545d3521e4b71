#include "cmd/whoami_port/owners.h"

#include <fmt/core.h>

#include <algorithm>
#include <cerrno>
#include <map>

#include "host/descriptors.h"
#include "host/netns.h"

namespace pier::whoami {
namespace {

std::uint64_t owned_of(const OwnedSockets& found) {
  return static_cast<std::uint64_t>(
      std::ranges::count_if(found.sockets, [](const OwnedSocket& s) { return !s.hidden; }));
}

Result<std::unordered_set<std::uint64_t>> sockets_of_process(pid_t pid) {
  std::unordered_set<std::uint64_t> inodes;
  const int code = visit_sockets(pid, [&](std::uint64_t inode) { inodes.insert(inode); });
  const std::string subject = std::to_string(pid);
  if (code == EACCES || code == EPERM)
    return fail(ErrorKind::unknown, "--pid", subject,
                "the descriptors of this process are not ours to see: " + std::string(remedy()));
  if (code == ENOENT || code == ESRCH) return fail(ErrorKind::failed, "--pid", subject, "no such process");
  if (code != 0) return system_error("read", fmt::format("/proc/{}/fd", pid), code, ErrorKind::local);
  if (inodes.empty()) return fail(ErrorKind::failed, "--pid", subject, "this process has no sockets");
  return inodes;
}

void tell_step(const App& app, Report& report, const SocketsQuestion& question, const OwnedSockets& found) {
  const bool diag = found.fallback.empty();
  if (!diag) app.detail("read from /proc/net: " + found.fallback);
  app.detail(fmt::format("looked for owners among: {}", to_string(found.reach)));
  StepSink* steps = report.steps();
  if (steps == nullptr) return;
  Step step;
  step.call = diag ? "sock_diag" : "open";
  step.text = fmt::format("asked the kernel for the sockets with local port {}{}: {}",
                          question.port.value_or(0), diag ? "" : ", by /proc/net", found.sockets.size());
  if (!question.port)
    step.text =
        fmt::format("asked the kernel for the sockets of {}: {}", subject_of(question), found.sockets.size());
  step.result = "ok";
  steps->step(step);
}

}  // namespace

Result<Search> search_for(const App& app, const SocketsQuestion& question) {
  Search search{.query = {.tcp = question.tcp,
                          .udp = question.udp,
                          .unix_sockets = question.unix_sockets && !question.port,
                          .local_port = question.port,
                          .details = app.args.has("json")},
                .rules = {}};
  search.rules.everywhere = !question.port && !question.pid;
  if (question.pid) {
    auto inodes = sockets_of_process(*question.pid);
    if (!inodes) return std::unexpected(inodes.error());
    search.rules.only = *std::move(inodes);
    auto place = find_net_namespace(std::to_string(*question.pid));
    if (!place) return std::unexpected(place.error());
    search.rules.places.push_back(*std::move(place));
  } else if (question.netns == "all") {
    NetNamespaces places = every_net_namespace();
    if (places.denied > 0)
      app.note(
          fmt::format("there may be more network namespaces: those of {} process{} are not ours to see: {}",
                      places.denied, places.denied == 1 ? "" : "es", remedy()));
    search.rules.places = std::move(places.all);
  } else if (question.netns) {
    auto place = find_net_namespace(*question.netns);
    if (!place) return std::unexpected(place.error());
    search.rules.places.push_back(*std::move(place));
  }
  return search;
}

Result<OwnedSockets> find(const Search& search) {
  return owned_sockets(search.query, search.rules);
}

void add_rows(Rows& rows, const SocketsQuestion& question, const OwnedSocket& socket, UserNames& users) {
  if (question.port)
    add_owner_rows(rows, socket, users);
  else
    add_socket_rows(rows, socket, users);
}

std::string subject_of(const SocketsQuestion& question) {
  if (question.pid) return fmt::format("process {}", *question.pid);
  if (!question.port) return "this host";
  return fmt::format("port {} ({})", *question.port,
                     question.tcp && question.udp ? "tcp, udp"
                     : question.tcp               ? "tcp"
                                                  : "udp");
}

int exit_code_of(const OwnedSockets& found) {
  if (found.sockets.empty()) return kExitNo;
  return owned_of(found) > 0 ? kExitYes : kExitUnknown;
}

// The first such socket, and how many more there are.
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

int tell_sockets(const App& app, Report& report, const SocketsQuestion& question) {
  const auto search = search_for(app, question);
  if (!search) return report.fail(search.error());
  const auto found = find(*search);
  if (!found) return report.fail(found.error());
  tell_step(app, report, question, *found);
  UserNames users;
  Rows rows;
  for (const OwnedSocket& socket : found->sockets) {
    if (report.json())
      report.record(socket_record(socket, users));
    else
      add_rows(rows, question, socket, users);
  }
  if (!report.json()) report.table(rows);
  const std::uint64_t all = found->sockets.size();
  const std::uint64_t owned = owned_of(*found);
  explain_hidden(app, found->sockets, owned > 0);
  if (all == 0)
    app.note(question.port ? "nobody has " + subject_of(question)
                           : fmt::format("{} has no such sockets", subject_of(question)));
  return report.end(exit_code_of(*found), true,
                    {{"sockets", all}, {"owned", owned}, {"hidden", all - owned}});
}

}  // namespace pier::whoami
