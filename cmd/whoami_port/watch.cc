// --watch and --wait-free: the same question again and again.
#include <fmt/core.h>

#include <algorithm>
#include <map>
#include <tuple>

#include "cmd/whoami_port/ending.h"
#include "cmd/whoami_port/owners.h"

namespace pier::whoami {
namespace {

// How long --wait-free waits before it asks again: well below what a person notices, and a load of nothing.
constexpr Duration kAskAgain = std::chrono::milliseconds(50);

// What makes a socket the same one when it is seen again. A connection loses its inode when its process
// closes it, and keeps its addresses.
using Key = std::tuple<std::string, std::string, std::string, std::string, std::uint64_t>;

Key key_of(const OwnedSocket& found) {
  const SocketInfo& s = found.socket;
  const bool by_inode = s.is_unix() || s.waits_for_anyone() || s.state == SocketState::bound;
  return {found.netns, std::string(to_string(s.transport)), s.local.to_string(), s.remote.to_string(),
          by_inode ? s.inode : 0};
}

// What is told of a change in a socket that stays.
using Look = std::tuple<std::string, std::vector<pid_t>>;

Look look_of(const OwnedSocket& found) {
  std::vector<pid_t> pids;
  for (const Process& process : found.owners) pids.push_back(process.pid);
  return {std::string(state_name(found.socket)), std::move(pids)};
}

class Watcher {
 public:
  explicit Watcher(Report& report) : report_(report) {}

  void see(const std::vector<OwnedSocket>& sockets) {
    std::map<Key, OwnedSocket> now;
    for (const OwnedSocket& socket : sockets) now.emplace(key_of(socket), socket);
    for (const auto& [key, socket] : before_)
      if (!now.contains(key)) tell("gone", socket);
    for (const auto& [key, socket] : now) {
      const auto old = before_.find(key);
      if (old == before_.end())
        tell(first_ ? "now" : "new", socket);
      else if (look_of(old->second) != look_of(socket))
        tell("changed", socket);
    }
    before_ = std::move(now);
    first_ = false;
    report_.flush();
  }

  [[nodiscard]] std::uint64_t changes() const { return changes_; }

 private:
  void tell(const char* change, const OwnedSocket& socket) {
    if (!first_) ++changes_;
    if (report_.json()) {
      report_.record(socket_record(socket, users_, change));
      return;
    }
    Rows rows;
    add_socket_rows(rows, socket, users_);
    for (auto& row : rows) row.insert(row.begin(), change);
    report_.table(rows);
  }

  Report& report_;
  UserNames users_;
  std::map<Key, OwnedSocket> before_;
  std::uint64_t changes_ = 0;
  bool first_ = true;
};

// Whether the socket keeps a server, which sets SO_REUSEADDR, from the port.
bool takes_the_port(const SocketInfo& socket) {
  return socket.inode != 0 || socket.state == SocketState::listen || socket.state == SocketState::bound;
}

}  // namespace

int watch_sockets(const App& app, Report& report, const SocketsQuestion& question) {
  const EndingSignals ending;
  Watcher watcher(report);
  for (;;) {
    // A process or a namespace may come and go while we watch.
    const auto search = search_for(app, question);
    if (!search && search.error().kind != ErrorKind::failed) return report.fail(search.error());
    if (!search) {
      watcher.see({});
    } else {
      const auto found = find(*search);
      if (!found) return report.fail(found.error());
      watcher.see(found->sockets);
    }
    if (!report.ok()) return report.end(kExitYes, false);
    if (const auto number = ending.wait(question.interval))
      return report.end(kExitSignal + *number, true, {{"changes", watcher.changes()}});
  }
}

int wait_until_free(const App& app, Report& report, const SocketsQuestion& question, Duration longest) {
  const auto search = search_for(app, question);
  if (!search) return report.fail(search.error());
  const Deadline deadline = Deadline::after(longest);
  const EndingSignals ending;
  const TimePoint begun = now();
  for (;;) {
    auto list = list_sockets(search->query);
    if (!list) return report.fail(list.error());
    std::erase_if(list->sockets, [](const SocketInfo& socket) { return !takes_the_port(socket); });
    const auto waited = std::chrono::duration_cast<std::chrono::milliseconds>(now() - begun);
    if (list->sockets.empty()) {
      app.detail(fmt::format("{} is free after {} ms", subject_of(question), waited.count()));
      return report.end(kExitYes, true, {{"waited_ms", static_cast<std::uint64_t>(waited.count())}});
    }
    if (deadline.passed()) break;
    const Duration left = *deadline.at() - now();
    if (const auto number = ending.wait(std::clamp(left, Duration(0), kAskAgain)))
      return report.end(kExitSignal + *number, false);
  }
  const auto found = find(*search);
  if (!found) return report.fail(found.error());
  UserNames users;
  Rows rows;
  for (const OwnedSocket& socket : found->sockets) {
    if (!takes_the_port(socket.socket)) continue;
    if (report.json())
      report.record(socket_record(socket, users));
    else
      add_owner_rows(rows, socket, users);
  }
  if (!report.json()) report.table(rows);
  explain_hidden(app, found->sockets, !rows.empty());
  return report.fail(
      fail(ErrorKind::deadline, "--wait-free", subject_of(question), "still taken at the end of the time")
          .error());
}

}  // namespace pier::whoami
