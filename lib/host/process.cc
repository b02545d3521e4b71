#include "host/process.h"

#include <fmt/core.h>
#include <pwd.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <utility>
#include <vector>

#include "base/proc_file.h"
#include "host/cgroup.h"

namespace pier {
namespace {

constexpr std::size_t kCommLength = 15;  // TASK_COMM_LEN less its NUL
// The longest command line worth showing; Linux allows megabytes.
constexpr std::size_t kCmdlineLimit = 65536;
std::string proc_path(pid_t pid, std::string_view name) {
  return fmt::format("/proc/{}/{}", pid, name);
}

// The words of /proc/PID/stat after the program's name, which may hold anything: the state is the first.
std::optional<std::string> stat_words(pid_t pid) {
  auto text = read_file(proc_path(pid, "stat"));
  if (!text) return std::nullopt;
  const std::size_t name_end = text->rfind(") ");
  if (name_end == std::string::npos) return std::nullopt;
  return text->substr(name_end + 2);
}

std::optional<std::uint64_t> number_at(std::string_view words, std::size_t index) {
  for (; index > 0; --index) {
    const std::size_t blank = words.find(' ');
    if (blank == std::string_view::npos) return std::nullopt;
    words.remove_prefix(blank + 1);
  }
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(words.data(), words.data() + words.size(), value);
  return error == std::errc() ? std::optional(value) : std::nullopt;
}

// Of those words, by proc(5)'s fields 4 and 22.
constexpr std::size_t kParent = 1;
constexpr std::size_t kStartTime = 19;

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
  Process process{.pid = pid,
                  .uid = status.st_uid,
                  .program = {},
                  .cmdline = {},
                  .unit = {},
                  .container = {},
                  .pod = {},
                  .target = {}};
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
  process.pod = std::move(names.pod);
  process.target = docker_proxy_target(cmdline.value_or(""));
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

std::string docker_proxy_target(std::string_view cmdline_text) {
  std::string ip;
  std::string port;
  std::string_view before;
  bool first = true;
  while (!cmdline_text.empty()) {
    const std::string_view word = cmdline_text.substr(0, cmdline_text.find('\0'));
    cmdline_text.remove_prefix(std::min(word.size() + 1, cmdline_text.size()));
    if (std::exchange(first, false) && word.substr(word.rfind('/') + 1) != "docker-proxy") return {};
    if (before == "-container-ip") ip = word;
    if (before == "-container-port") port = word;
    before = word;
  }
  if (ip.empty() || port.empty()) return {};
  return ip.find(':') == std::string::npos ? ip + ":" + port : "[" + ip + "]:" + port;
}

pid_t parent_of(pid_t pid) {
  const auto words = stat_words(pid);
  return words ? static_cast<pid_t>(number_at(*words, kParent).value_or(0)) : 0;
}

std::optional<std::uint64_t> start_time_of(pid_t pid) {
  const auto words = stat_words(pid);
  return words ? number_at(*words, kStartTime) : std::nullopt;
}

}  // namespace pier
