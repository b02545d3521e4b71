#include "host/process.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/core.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <memory>
#include <unordered_set>

#include "base/number.h"
#include "base/proc_file.h"
#include "host/cgroup.h"

namespace pier {
namespace {

constexpr std::size_t kCommLength = 15;  // TASK_COMM_LEN less its NUL
// The longest command line worth showing; Linux allows megabytes.
constexpr std::size_t kCmdlineLimit = 65536;
// The inode of the host's first pid namespace, fixed in the kernel (PROC_PID_INIT_INO).
constexpr ino_t kFirstPidNamespace = 0xEFFFFFFC;

struct CloseDirectory {
  void operator()(DIR* directory) const { ::closedir(directory); }
};
using Directory = std::unique_ptr<DIR, CloseDirectory>;

std::string proc_path(pid_t pid, std::string_view name) {
  return fmt::format("/proc/{}/{}", pid, name);
}

// "socket:[12345]".
std::optional<std::uint64_t> socket_inode(std::string_view link) {
  constexpr std::string_view kPrefix = "socket:[";
  if (!link.starts_with(kPrefix) || !link.ends_with(']')) return std::nullopt;
  link.remove_prefix(kPrefix.size());
  link.remove_suffix(1);
  std::uint64_t inode = 0;
  const auto [end, error] = std::from_chars(link.data(), link.data() + link.size(), inode);
  if (error != std::errc() || end != link.data() + link.size()) return std::nullopt;
  return inode;
}

// Calls `visit` with the inode of each socket among the process's descriptors. 0, or the errno that kept us
// from looking at all of them.
template <class Visit>
int visit_sockets(pid_t pid, Visit visit) {
  const Directory directory(::opendir(proc_path(pid, "fd").c_str()));
  if (!directory) return errno;
  while (const dirent* entry = ::readdir(directory.get())) {
    if (entry->d_name[0] == '.') continue;
    std::array<char, 64> link;  // longer ones are no sockets
    const ssize_t n = ::readlinkat(::dirfd(directory.get()), entry->d_name, link.data(), link.size());
    if (n < 0 && (errno == EACCES || errno == EPERM)) return errno;
    if (n < 0) continue;  // closed meanwhile
    const auto inode = socket_inode({link.data(), static_cast<std::size_t>(n)});
    if (inode) visit(*inode);
  }
  return 0;
}

std::vector<pid_t> every_pid() {
  std::vector<pid_t> pids;
  const Directory directory(::opendir("/proc"));
  if (!directory) return pids;
  while (const dirent* entry = ::readdir(directory.get())) {
    const auto pid = parse_unsigned(entry->d_name, 1, INT32_MAX, "pid");
    if (pid) pids.push_back(static_cast<pid_t>(*pid));
  }
  return pids;
}

bool in_first_pid_namespace() {
  struct stat status;
  return ::stat("/proc/self/ns/pid", &status) == 0 && status.st_ino == kFirstPidNamespace;
}

// Mounted with hidepid=2 or 4, /proc does not even list the processes of others. The first process is never
// ours then.
bool processes_are_hidden() {
  return ::access("/proc/1", F_OK) != 0;
}

}  // namespace

std::string join_cmdline(std::string_view text) {
  while (text.ends_with('\0')) text.remove_suffix(1);
  std::string line(text);
  std::ranges::replace(line, '\0', ' ');
  return line;
}

std::string program_name(std::string_view comm, std::string_view cmdline_text) {
  if (comm.ends_with('\n')) comm.remove_suffix(1);
  if (comm.size() < kCommLength) return std::string(comm);
  std::string_view word = cmdline_text.substr(0, cmdline_text.find('\0'));
  if (const std::size_t slash = word.rfind('/'); slash != std::string_view::npos)
    word.remove_prefix(slash + 1);
  return std::string(word.starts_with(comm) ? word : comm);
}

std::optional<Process> read_process(pid_t pid) {
  struct stat status;
  // The directory's owner is root for a process that may not be dumped; its status file knows better.
  if (::stat(fmt::format("/proc/{}", pid).c_str(), &status) != 0) return std::nullopt;
  Process process{
      .pid = pid, .uid = status.st_uid, .program = {}, .cmdline = {}, .unit = {}, .container = {}};
  if (const auto text = read_file(proc_path(pid, "status"))) {
    if (const std::size_t at = text->find("\nUid:\t"); at != std::string::npos) {
      unsigned real = 0;
      unsigned effective = 0;
      if (std::sscanf(text->c_str() + at, "\nUid:\t%u\t%u", &real, &effective) == 2) process.uid = effective;
    }
  }
  const auto cmdline = read_file(proc_path(pid, "cmdline"), kCmdlineLimit);
  const auto comm = read_file(proc_path(pid, "comm"));
  if (!comm && comm.error().code != EACCES) return std::nullopt;
  process.program = program_name(comm.value_or(""), cmdline.value_or(""));
  process.cmdline = join_cmdline(cmdline.value_or(""));
  CgroupNames names = parse_cgroup(read_file(proc_path(pid, "cgroup")).value_or(""));
  process.unit = std::move(names.unit);
  process.container = std::move(names.container);
  return process;
}

std::string user_name(std::uint32_t uid) {
  std::vector<char> buffer(1024);
  for (;;) {
    passwd entry{};
    passwd* found = nullptr;
    const int error = ::getpwuid_r(uid, &entry, buffer.data(), buffer.size(), &found);
    if (error == ERANGE && buffer.size() < (1U << 20)) {
      buffer.resize(buffer.size() * 2);
      continue;
    }
    return found ? found->pw_name : "";
  }
}

OwnerSearch find_owners(std::span<const std::uint64_t> inodes) {
  OwnerSearch result;
  std::unordered_set<std::uint64_t> wanted(inodes.begin(), inodes.end());
  wanted.erase(0);  // no process holds a socket without an inode
  if (wanted.empty()) return result;
  for (const pid_t pid : every_pid()) {
    const int error = visit_sockets(pid, [&](std::uint64_t inode) {
      if (!wanted.contains(inode)) return;
      std::vector<pid_t>& pids = result.pids[inode];
      if (pids.empty() || pids.back() != pid) pids.push_back(pid);  // one process may hold it twice
    });
    if (error == EACCES || error == EPERM) result.denied = true;
  }
  for (auto& [inode, pids] : result.pids) std::ranges::sort(pids);
  result.denied = result.denied || processes_are_hidden();
  result.whole_host = in_first_pid_namespace();
  return result;
}

}  // namespace pier
