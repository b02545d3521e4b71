#include "host/owner.h"

#include <fmt/core.h>
#include <unistd.h>

#include <algorithm>
#include <tuple>
#include <unordered_set>

#include "host/sockets.h"

namespace pier {
namespace {

int precedence(const SocketInfo& socket) {
  if (socket.waits_for_anyone()) return 0;
  if (socket.state == SocketState::bound) return 1;
  return socket.state == SocketState::time_wait ? 3 : 2;
}

bool comes_before(const SocketInfo& a, const SocketInfo& b) {
  const auto key = [](const SocketInfo& s) {
    return std::tuple(precedence(s), s.transport, s.family, s.local.ip(), s.local.port(), s.remote.ip(),
                      s.remote.port(), s.inode);
  };
  return key(a) < key(b);
}

std::vector<std::uint64_t> inodes_of(const std::vector<SocketInfo>& sockets) {
  std::vector<std::uint64_t> inodes;
  for (const SocketInfo& socket : sockets) {
    if (socket.inode != 0) inodes.push_back(socket.inode);
  }
  return inodes;
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
  if (search.denied) return Hidden::permission;
  return search.whole_host ? Hidden::kernel : Hidden::pid_namespace;
}

OwnedSocket owned(const SocketInfo& socket, const Roles& roles, const OwnerSearch& search) {
  OwnedSocket result{.socket = socket, .role = roles.of(socket), .owners = {}, .hidden = std::nullopt};
  if (const auto found = search.pids.find(socket.inode); found != search.pids.end()) {
    for (const pid_t pid : found->second) {
      if (auto process = read_process(pid)) result.owners.push_back(std::move(*process));
    }
  }
  if (result.owners.empty()) result.hidden = hidden_from(search, socket);
  return result;
}

// Leaves out the sockets that have gone since the list was made: their owner was not hidden, but ended.
void drop_closed(std::vector<OwnedSocket>& sockets, const SocketQuery& query) {
  const auto doubtful = [](const OwnedSocket& s) { return s.hidden && s.socket.inode != 0; };
  if (std::ranges::none_of(sockets, doubtful)) return;
  const auto again = list_sockets(query);
  if (!again) return;
  const auto inodes = inodes_of(again->sockets);
  const std::unordered_set<std::uint64_t> alive(inodes.begin(), inodes.end());
  std::erase_if(sockets,
                [&](const OwnedSocket& s) { return doubtful(s) && !alive.contains(s.socket.inode); });
}

// What would help where another user's processes are closed to us.
std::string_view remedy() {
  return ::geteuid() == 0 ? "run with all capabilities to see which" : "run as root to see which";
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
      return fmt::format("a process of {} ({})", user_text(found.socket.uid), remedy());
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

Result<OwnedSockets> owned_sockets(const SocketQuery& query) {
  auto list = list_sockets(query);
  if (!list) return std::unexpected(list.error());
  std::ranges::sort(list->sockets, comes_before);
  const OwnerSearch search = find_owners(inodes_of(list->sockets));
  const Roles roles(list->sockets);
  OwnedSockets result{.sockets = {}, .fallback = std::move(list->fallback)};
  for (const SocketInfo& socket : list->sockets) result.sockets.push_back(owned(socket, roles, search));
  drop_closed(result.sockets, query);
  return result;
}

std::string hidden_reason(const OwnedSocket& found) {
  const SocketInfo& socket = found.socket;
  const std::string what = fmt::format("{} {}", to_string(socket.transport), socket.local.to_string());
  const std::string holder =
      fmt::format("{} is {} (uid {})", what,
                  socket.state == SocketState::listen ? "listening" : state_name(socket), socket.uid);
  switch (*found.hidden) {
    case Hidden::permission:
      return fmt::format("{}, but its process is not ours to look into: {}", holder, remedy());
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
