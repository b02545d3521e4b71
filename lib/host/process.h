// What /proc tells of a process (proc(5)).
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace pier {

struct Process {
  pid_t pid = 0;
  std::uint32_t uid = 0;  // effective
  std::string program;    // its name without a folder: "nginx"
  std::string cmdline;    // the words with blanks between; empty for a kernel thread or a zombie
  std::string unit;       // host/cgroup.h
  std::string container;
  std::string pod;
  std::string target;  // of Docker's proxy: where it forwards to, "172.17.0.2:80"
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

// Where docker-proxy, with these words in its command line (ended by NUL each), forwards to: "172.17.0.2:80".
// Empty for any other program.
[[nodiscard]] std::string docker_proxy_target(std::string_view cmdline_text);

// The process that started it, or that took it over; 0 when it has none in sight or has gone.
[[nodiscard]] pid_t parent_of(pid_t pid);

// When it was started, in clock ticks since boot: with the pid, who it is. nullopt when it has gone.
[[nodiscard]] std::optional<std::uint64_t> start_time_of(pid_t pid);

}  // namespace pier
