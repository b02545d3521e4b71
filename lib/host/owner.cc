#include "host/owner.h"

#include <fmt/core.h>
#include <unistd.h>

#include <algorithm>
#include <tuple>
#include <unordered_map>
#include <unordered_set>

#include "host/sockets.h"
#include "ports/ephemeral.h"

namespace pier {
namespace {

int precedence(const SocketInfo& socket) {
  if (socket.waits_for_anyone()) return 0;
  if (socket.state == SocketState::bound) return 1;
  return socket.state == SocketState::time_wait ? 3 : 2;
}

bool comes_before(const SocketInfo& a, const SocketInfo& b) {
  if (a.is_unix() || b.is_unix()) {
    if (precedence(a) != precedence(b)) return precedence(a) < precedence(b);
    if (!a.is_unix() || !b.is_unix()) return b.is_unix();
    return std::tuple(a.transport, a.local.path(), a.inode) <
           std::tuple(b.transport, b.local.path(), b.inode);
  }
  const auto key = [](const SocketInfo& s) {
    return std::tuple(precedence(s), s.transport, s.family, s.local.ip(), s.local.port(), s.remote.ip(),
                      s.remote.port(), s.inode);
  };
  return key(a) < key(b);
}

// A socket without an inode is with no process. Of these, one that can still be accepted is waiting for that.
Hidden hidden_without_inode(const SocketInfo& socket) {
  switch (socket.state) {
    case SocketState::time_wait:
      return Hidden::time_wait;
    case SocketState::established:
    case SocketState::syn_recv:
    case SocketState::new_syn_recv:
    case SocketState::close_wait:
    case SocketState::listen:
      return Hidden::kernel;
    default:
      return Hidden::orphan;
  }
}

Hidden hidden_from(const OwnerSearch& search, const SocketInfo& socket) {
  if (socket.inode == 0) return hidden_without_inode(socket);
  if (search.outside) return Hidden::pid_namespace;
  if (search.denied) return Hidden::permission;
  return search.whole_host ? Hidden::kernel : Hidden::pid_namespace;
}

// What /proc tells of each process, asked once.
class Processes {
 public:
  const std::optional<Process>& of(pid_t pid) {
    const auto known = read_.find(pid);
    return known != read_.end() ? known->second : read_.emplace(pid, read_process(pid)).first->second;
  }

 private:
  std::unordered_map<pid_t, std::optional<Process>> read_;
};

void put_owners(OwnedSocket& owned, const OwnerSearch& search, Processes& processes) {
  if (const auto found = search.pids.find(owned.socket.inode); found != search.pids.end()) {
    for (const pid_t pid : found->second) {
      if (const auto& process = processes.of(pid)) owned.owners.push_back(*process);
    }
  }
  if (owned.owners.empty()) owned.hidden = hidden_from(search, owned.socket);
}

// The sockets of one namespace, still without owners.
Result<void> add_sockets(OwnedSockets& result, const NetNamespace& place, const SocketQuery& query,
                         const OwnerRules& rules) {
  auto list = list_sockets_in(place, query);
  if (!list) return std::unexpected(list.error());
  if (!list->fallback.empty()) result.fallback = std::move(list->fallback);
  const HostPorts ports = read_host_ports();
  const Roles roles(list->sockets, ports.ephemeral);
  for (SocketInfo& socket : list->sockets) {
    if (rules.only && !rules.only->contains(socket.inode)) continue;
    const RoleTold told = roles.tell(socket);
    result.sockets.push_back({.socket = std::move(socket),
                              .role = told.role,
                              .role_reason = told.why,
                              .owners = {},
                              .hidden = std::nullopt,
                              .netns = place.ours ? std::string() : place.label()});
  }
  return {};
}

// Leaves out the sockets that have gone since the list was made: their owner was not hidden, but ended.
void drop_closed(std::vector<OwnedSocket>& sockets, const std::vector<NetNamespace>& places,
                 const SocketQuery& query) {
  const auto doubtful = [](const OwnedSocket& s) { return s.hidden && s.socket.inode != 0; };
  if (std::ranges::none_of(sockets, doubtful)) return;
  std::unordered_set<std::uint64_t> alive;
  for (const NetNamespace& place : places) {
    const auto again = list_sockets_in(place, query);
    if (!again) continue;  // the namespace has gone with all of its sockets, or cannot be asked again
    for (const SocketInfo& socket : again->sockets) alive.insert(socket.inode);
  }
  std::erase_if(sockets,
                [&](const OwnedSocket& s) { return doubtful(s) && !alive.contains(s.socket.inode); });
}

std::string user_text(std::uint32_t uid) {
  const std::string name = user_name(uid);
  return name.empty() ? fmt::format("uid {}", uid) : "user " + name;
}

// Two addresses that bind(2) does not give out together.
bool in_the_way(const SocketInfo& socket, const IpAddress& wanted) {
  if (covers(socket, wanted)) return true;
  if (!wanted.is_any()) return false;
  return wanted.family() == Family::ipv6 || socket.local.ip().unmapped().family() == Family::ipv4;
}

std::string phrase_of(const OwnedSocket& found) {
  if (!found.owners.empty()) {
    const Process& first = found.owners.front();
    std::string text = fmt::format("{} (pid {}, {})", first.program, first.pid, user_text(first.uid));
    const std::size_t others = found.owners.size() - 1;
    if (others > 0) text += fmt::format(" and {} more process{}", others, others == 1 ? "" : "es");
    return text;
  }
  switch (*found.hidden) {
    case Hidden::permission:
      return fmt::format("a process of {} ({} to see which)", user_text(found.socket.uid), remedy());
    case Hidden::pid_namespace:
      return fmt::format("a process of {} in another pid namespace", user_text(found.socket.uid));
    case Hidden::kernel:
      return "the kernel itself";
    case Hidden::time_wait:
      return "a connection that ended a moment ago (time-wait)";
    case Hidden::orphan:
      return "a connection that is still being closed";
  }
  return {};
}

}  // namespace

std::string_view remedy() {
  return ::geteuid() == 0 ? "run with all capabilities" : "run as root";
}

std::string_view to_string(Hidden hidden) {
  switch (hidden) {
    case Hidden::permission:
      return "permission";
    case Hidden::pid_namespace:
      return "pid-namespace";
    case Hidden::kernel:
      return "kernel";
    case Hidden::time_wait:
      return "time-wait";
    case Hidden::orphan:
      return "orphan";
  }
  return "kernel";
}

Result<OwnedSockets> owned_sockets(const SocketQuery& query, const OwnerRules& rules) {
  std::vector<NetNamespace> places = rules.places;
  if (places.empty()) places.push_back({.id = 0, .name = {}, .pid = 0, .ours = true});
  OwnedSockets result;
  for (const NetNamespace& place : places) {
    const auto added = add_sockets(result, place, query, rules);
    // One of many may have gone since it was listed.
    if (!added && places.size() == 1) return std::unexpected(added.error());
    if (!added) result.fallback = added.error().message();
  }
  std::vector<WantedSocket> wanted;
  wanted.reserve(result.sockets.size());
  for (const OwnedSocket& s : result.sockets) wanted.push_back({s.socket.inode, s.socket.cgroup});
  const OwnerSearch search = find_owners(wanted, rules.everywhere);
  result.reach = search.reach;
  Processes processes;
  for (OwnedSocket& socket : result.sockets) put_owners(socket, search, processes);
  drop_closed(result.sockets, places, query);
  std::ranges::sort(result.sockets, [](const OwnedSocket& a, const OwnedSocket& b) {
    return a.netns != b.netns ? a.netns < b.netns : comes_before(a.socket, b.socket);
  });
  return result;
}

bool takes_ipv4_too(const SocketInfo& socket) {
  return socket.local.is_ip() && socket.family == Family::ipv6 && socket.local.ip().is_any() &&
         socket.v6only == false;
}

std::string hidden_reason(const OwnedSocket& found) {
  const SocketInfo& socket = found.socket;
  const std::string what = socket.is_unix()
                               ? socket.local.to_string()
                               : fmt::format("{} {}", to_string(socket.transport), socket.local.to_string());
  const std::string holder =
      fmt::format("{} is {} (uid {})", what,
                  socket.state == SocketState::listen ? "listening" : state_name(socket), socket.uid);
  switch (*found.hidden) {
    case Hidden::permission:
      return fmt::format("{}, but its process is not ours to look into: {} to see which", holder, remedy());
    case Hidden::pid_namespace:
      return holder + ", but its process is in another pid namespace: run as root on the host";
    case Hidden::kernel:
      if (socket.inode == 0)
        return fmt::format("{} is {}, and nobody has accepted it yet", what, state_name(socket));
      return holder +
             ", but no process holds it: it is the kernel's own, or on its way between two processes";
    case Hidden::time_wait:
      return what +
             " is in time-wait: its process closed it, and the kernel keeps the port for up to a minute";
    case Hidden::orphan:
      return fmt::format("{} is {}: its process closed it, and the kernel still finishes the connection",
                         what, state_name(socket));
  }
  return {};
}

std::string owner_phrase(const SocketAddress& wanted, Transport transport) {
  if (!wanted.is_ip() || (transport != Transport::tcp && transport != Transport::udp)) return {};
  const auto found = owned_sockets(
      {.tcp = transport == Transport::tcp, .udp = transport == Transport::udp, .local_port = wanted.port()});
  if (!found) return {};
  const auto first = std::ranges::find_if(
      found->sockets, [&](const OwnedSocket& s) { return in_the_way(s.socket, wanted.ip()); });
  return first == found->sockets.end() ? std::string() : phrase_of(*first);
}

}  // namespace pier
