// From a socket to the processes that hold it, by way of /proc/PID/fd (proc(5)).
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace pier {

struct Process {
  pid_t pid = 0;
  std::uint32_t uid = 0;  // effective
  std::string program;    // its name without a folder: "nginx"
  std::string cmdline;    // the words with blanks between; empty for a kernel thread or a zombie
  std::string unit;       // host/cgroup.h
  std::string container;
};

// What /proc tells of a process; nullopt when it has gone. Fields that are hidden from us are empty.
[[nodiscard]] std::optional<Process> read_process(pid_t pid);

// The text of /proc/PID/cmdline, words ended by NUL, as one line. A process may write there what it likes.
[[nodiscard]] std::string join_cmdline(std::string_view text);

// The program's name: that of the kernel (`comm`, cut to 15 bytes), or in place of a cut one the first word
// of the command line, where that begins with it.
[[nodiscard]] std::string program_name(std::string_view comm, std::string_view cmdline_text);

// The name of a user, or empty when the host knows none for it.
[[nodiscard]] std::string user_name(std::uint32_t uid);

struct OwnerSearch {
  std::unordered_map<std::uint64_t, std::vector<pid_t>> pids;  // by inode; only those found; pids ascending
  bool denied = false;     // the descriptors of some process were not ours to read, or /proc hides processes
  bool whole_host = true;  // we are in the first pid namespace, and so see every process there is
};

// Looks for the sockets of these inodes among the descriptors of every process in /proc: a socket may be
// shared, by fork(2) or by passing descriptors. Costs one readlink(2) for each open descriptor of the host,
// and nothing when there is no inode but 0 to look for.
[[nodiscard]] OwnerSearch find_owners(std::span<const std::uint64_t> inodes);

}  // namespace pier
