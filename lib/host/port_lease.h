// Ports that are promised to processes in a file, for programs that cannot be handed a socket.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <set>
#include <span>
#include <string>

#include "base/error.h"
#include "base/fd.h"

namespace pier {

// A text file of lines "PORT PID STARTED", locked (flock(2)) as long as this lives, so that those who agree
// on the file take turns. A lease ends with the process it was made for: STARTED is when that began, in clock
// ticks since boot (proc(5)), so that a number used again does not prolong it.
class PortLease {
 public:
  // Opens or makes the file and waits for its lock. Ended leases are forgotten. ErrorKind::local with the
  // path; ErrorKind::usage when it holds something else than leases: it is left as it is.
  [[nodiscard]] static Result<PortLease> open(const std::string& path);

  [[nodiscard]] const std::set<std::uint16_t>& taken() const { return taken_; }
  // Adds these ports for a process and writes the file. ErrorKind::local, also when the process has gone.
  [[nodiscard]] Result<void> add(std::span<const std::uint16_t> ports, pid_t holder);

 private:
  PortLease(Fd fd, std::string path) : fd_(std::move(fd)), path_(std::move(path)) {}

  Fd fd_;
  std::string path_;
  std::string lines_;  // of leases that go on
  std::set<std::uint16_t> taken_;
};

}  // namespace pier
