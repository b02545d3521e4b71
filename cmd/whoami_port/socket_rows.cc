#include "cmd/whoami_port/socket_rows.h"

#include <fmt/core.h>
#include <net/if.h>

#include <array>

#include "cmd/whoami_port/report.h"

namespace pier::whoami {
namespace {

// Of a container's id of 64 digits: as many as its runtime's own lists show.
constexpr std::size_t kShownId = 12;

std::string protocol_of(const SocketInfo& socket) {
  if (socket.mptcp) return "mptcp";
  return std::string(socket.seqpacket ? "unix-seqpacket" : to_string(socket.transport));
}

bool has_peer(const SocketInfo& socket) {
  if (socket.is_unix()) return socket.peer != 0;
  return socket.remote.port() != 0 || !socket.remote.ip().is_any();
}

std::string shown(const SocketAddress& address) {
  if (address.is_unix()) return address.path();
  return SocketAddress(address.ip().unmapped(), address.port()).to_string();
}

std::string shown_local(const SocketInfo& socket) {
  return shown(socket.local) + (takes_ipv4_too(socket) ? " (also IPv4)" : "");
}

std::string interface_name(std::uint32_t index) {
  std::array<char, IF_NAMESIZE> name{};
  return index != 0 && ::if_indextoname(index, name.data()) != nullptr ? name.data() : "";
}

std::string owner_json(const Process& process) {
  JsonObject owner;
  owner.number("pid", process.pid).text("program", process.program).text("cmdline", process.cmdline);
  text_or_null(owner, "unit", process.unit);
  text_or_null(owner, "container", process.container);
  text_or_null(owner, "pod", process.pod);
  text_or_null(owner, "target", process.target);
  return owner.str();
}

std::string place_of(const Process& process) {
  if (!process.target.empty()) return "to " + process.target;
  return process.container.empty() ? process.unit : process.container.substr(0, kShownId);
}

template <class Number>
void number_or_null(JsonObject& record, std::string_view name, const std::optional<Number>& value) {
  if (value)
    record.number(name, *value);
  else
    record.null(name);
}

// What waits to be accepted, and how many may: of a listener.
void put_queues(JsonObject& record, const SocketInfo& socket) {
  const bool listens = socket.state == SocketState::listen;
  const std::optional<std::uint32_t> none;
  number_or_null(record, "backlog_used", listens ? socket.receive_queue : none);
  number_or_null(record, "backlog_limit", listens ? socket.send_queue : none);
  number_or_null(record, "receive_queue", listens ? none : socket.receive_queue);
  number_or_null(record, "send_queue", listens ? none : socket.send_queue);
  number_or_null(record, "memory", socket.memory);
  number_or_null(record, "rtt_us", socket.rtt_us);
}

void put_unix_end(JsonObject& record, const std::string& prefix, const SocketAddress& address) {
  text_or_null(record, prefix + "_addr", address.path());
  record.null(prefix + "_port").null(prefix + "_class");
}

void put_ends(JsonObject& record, const SocketInfo& socket) {
  if (socket.is_unix()) {
    put_unix_end(record, "local", socket.local);
    put_unix_end(record, "remote", socket.remote);
    return;
  }
  const bool peer = has_peer(socket);
  put_end(record, "local", socket.local.ip(), socket.local.port());
  put_end(record, "remote", peer ? std::optional(socket.remote.ip()) : std::nullopt,
          peer ? std::optional(socket.remote.port()) : std::nullopt);
}

std::string user_of(const SocketInfo& socket, UserNames& users) {
  const std::string& user = users.of(socket.uid);
  return user.empty() ? std::to_string(socket.uid) : user;
}

std::string role_of(const OwnedSocket& found) {
  return found.role ? std::string(to_string(*found.role)) : "";
}

}  // namespace

const std::string& UserNames::of(std::uint32_t uid) {
  const auto known = names_.find(uid);
  return known != names_.end() ? known->second : names_.emplace(uid, user_name(uid)).first->second;
}

JsonObject socket_record(const OwnedSocket& found, UserNames& users, std::string_view change) {
  const SocketInfo& socket = found.socket;
  JsonObject record("socket");
  record.text("proto", socket.mptcp ? "tcp" : protocol_of(socket));
  record.text("family", socket.is_unix() ? "unix" : to_string(socket.local.ip().unmapped().family()));
  put_ends(record, socket);
  record.text("state", state_name(socket));
  text_or_null(record, "role", role_of(found));
  record.number("uid", socket.uid);
  text_or_null(record, "user", users.of(socket.uid));
  record.number("inode", socket.inode);
  std::string owners;
  for (const Process& process : found.owners) {
    owners += owners.empty() ? "[" : ",";
    owners += owner_json(process);
  }
  record.raw("owners", owners.empty() ? "[]" : owners + "]");
  text_or_null(record, "hidden", found.hidden ? to_string(*found.hidden) : "");
  text_or_null(record, "hidden_reason", found.hidden ? hidden_reason(found) : "");
  record.text("role_reason", found.role_reason);
  record.boolean("also_ipv4", takes_ipv4_too(socket)).boolean("mptcp", socket.mptcp);
  text_or_null(record, "interface", interface_name(found.netns.empty() ? socket.interface : 0));
  put_queues(record, socket);
  text_or_null(record, "netns", found.netns);
  if (!change.empty()) record.text("change", change);
  return record;
}

void add_owner_rows(Rows& rows, const OwnedSocket& found, UserNames& users) {
  const SocketInfo& socket = found.socket;
  std::string address = shown_local(socket);
  if (has_peer(socket)) address += "->" + shown(socket.remote);
  for (const Process& process : found.owners) {
    rows.push_back({protocol_of(socket), address, std::string(state_name(socket)), role_of(found),
                    process.program, fmt::format("pid {}", process.pid), user_of(socket, users),
                    place_of(process), process.cmdline});
  }
}

void add_socket_rows(Rows& rows, const OwnedSocket& found, UserNames& users) {
  const SocketInfo& socket = found.socket;
  const bool ports = !socket.is_unix();
  const bool peer = has_peer(socket);
  std::vector<std::string> row{protocol_of(socket),
                               shown_local(socket),
                               ports ? class_of(socket.local.port()) : "",
                               peer ? shown(socket.remote) : "",
                               peer && ports ? class_of(socket.remote.port()) : "",
                               std::string(state_name(socket)),
                               role_of(found)};
  const std::size_t columns = row.size();
  for (const Process& process : found.owners) {
    row.resize(columns);
    row.insert(row.end(), {process.program, fmt::format("pid {}", process.pid), user_of(socket, users),
                           place_of(process), process.cmdline});
    rows.push_back(row);
  }
  if (!found.owners.empty()) return;
  row.insert(row.end(),
             {"", fmt::format("hidden: {}", to_string(*found.hidden)), user_of(socket, users), "", ""});
  rows.push_back(row);
}

std::string name_of(const Process& process, UserNames& users) {
  const std::string& user = users.of(process.uid);
  return fmt::format("{} (pid {}, {})", process.program, process.pid,
                     user.empty() ? fmt::format("uid {}", process.uid) : "user " + user);
}

}  // namespace pier::whoami
