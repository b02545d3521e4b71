#include "host/netns.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/core.h>
#include <sched.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <map>
#include <memory>
#include <thread>

#include "base/fd.h"
#include "base/number.h"
#include "host/descriptors.h"

namespace pier {
namespace {

constexpr std::string_view kNames = "/run/netns";

std::string name_path(std::string_view name) {
  return fmt::format("{}/{}", kNames, name);
}

// The inode number that a namespace's file leads to; 0, with errno, when it cannot be asked.
std::uint64_t id_of(const std::string& path) {
  struct stat status;
  return ::stat(path.c_str(), &status) == 0 ? status.st_ino : 0;
}

std::uint64_t id_of(pid_t pid) {
  return id_of(fmt::format("/proc/{}/ns/net", pid));
}

std::uint64_t own_id() {
  return id_of("/proc/thread-self/ns/net");
}

// By id. Names without a namespace, such as what is left of one that was removed badly, are passed over.
std::map<std::uint64_t, std::string> names() {
  std::map<std::uint64_t, std::string> found;
  struct Close {
    void operator()(DIR* directory) const { ::closedir(directory); }
  };
  const std::unique_ptr<DIR, Close> folder(::opendir(std::string(kNames).c_str()));
  struct stat around;
  if (!folder || ::stat(std::string(kNames).c_str(), &around) != 0) return found;
  while (const dirent* entry = ::readdir(folder.get())) {
    struct stat status;
    if (entry->d_name[0] == '.' || ::stat(name_path(entry->d_name).c_str(), &status) != 0) continue;
    if (status.st_dev != around.st_dev) found.emplace(status.st_ino, entry->d_name);
  }
  return found;
}

// Runs in a thread of its own, which ends in the other namespace.
Result<SocketList> list_entered(const NetNamespace& place, const SocketQuery& query) {
  Result<SocketList> list;
  std::thread([&] {
    const Fd fd(::open(name_path(place.name).c_str(), O_RDONLY | O_CLOEXEC));
    if (!fd.valid() || ::setns(fd.get(), CLONE_NEWNET) != 0)
      list = system_error("setns", place.name, errno, ErrorKind::local);
    else
      list = list_sockets(query);
  }).join();
  return list;
}

}  // namespace

std::string NetNamespace::label() const {
  return name.empty() ? fmt::format("net:[{}]", id) : name;
}

NetNamespaces every_net_namespace() {
  NetNamespaces found;
  std::map<std::uint64_t, NetNamespace> by_id;
  for (const auto& [id, name] : names()) by_id[id].name = name;
  for (const pid_t pid : every_pid()) {
    const std::uint64_t id = id_of(pid);
    if (id == 0 && (errno == EACCES || errno == EPERM)) ++found.denied;
    if (id == 0) continue;
    NetNamespace& place = by_id[id];
    if (place.pid == 0) place.pid = pid;
  }
  const std::uint64_t own = own_id();
  by_id[own].ours = true;
  for (auto& [id, place] : by_id) {
    place.id = id;
    found.all.push_back(std::move(place));
  }
  std::ranges::stable_partition(found.all, [](const NetNamespace& place) { return place.ours; });
  return found;
}

Result<NetNamespace> find_net_namespace(std::string_view text) {
  NetNamespace place;
  const auto pid = parse_unsigned(text, 1, INT32_MAX, "pid");
  if (pid) {
    place.pid = static_cast<pid_t>(*pid);
    place.id = id_of(place.pid);
    const int code = errno;
    if (place.id == 0 && (code == EACCES || code == EPERM))
      return fail(ErrorKind::unknown, "--netns", text,
                  "the network namespace of this process is not ours to see");
    if (place.id == 0) return fail(ErrorKind::failed, "--netns", text, "no such process");
    if (const auto known = names(); known.contains(place.id)) place.name = known.at(place.id);
  } else {
    if (text.empty() || text.find('/') != std::string_view::npos)
      return usage_error("--netns", text, "give all, a process's number, or a name of ip-netns(8)");
    for (const auto& [id, name] : names())
      if (name == text) place = {.id = id, .name = name, .pid = 0, .ours = false};
    if (place.id == 0)
      return fail(ErrorKind::failed, "--netns", text, "no network namespace of this name in /run/netns");
    for (const pid_t candidate : every_pid()) {
      if (id_of(candidate) != place.id) continue;
      place.pid = candidate;
      break;
    }
  }
  place.ours = place.id == own_id();
  return place;
}

Result<SocketList> list_sockets_in(const NetNamespace& place, const SocketQuery& query) {
  if (place.ours) return list_sockets(query);
  if (place.pid == 0) return list_entered(place, query);
  return list_sockets_of(place.pid, query);
}

}  // namespace pier
