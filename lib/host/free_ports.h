// Ports that nobody uses, kept from others while they are chosen, held, or handed to a program.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/fd.h"
#include "net/step.h"

namespace pier {

// Each port is free for TCP and UDP on every address of both families: it is bound there, by one socket a
// transport (dual stack, or IPv4 alone on a host without IPv6), and stays so as long as this lives.
class FreePorts {
 public:
  // `count` different ports, from this host's ephemeral range, chosen by the kernel. ErrorKind::local when
  // there are not so many, or no descriptors for them.
  [[nodiscard]] static Result<FreePorts> take(std::size_t count, StepSink* steps = nullptr);

  [[nodiscard]] const std::vector<std::uint16_t>& ports() const { return ports_; }

  // Replaces this process by a program (execvp(3)) that gets the TCP sockets as descriptors 3, 4…, in the
  // order of ports(), as sd_listen_fds(3) passes them: LISTEN_FDS and LISTEN_PID are set, and PORT, PORT1,
  // PORT2…. They are bound but do not listen, and are marked SO_REUSEADDR: the program listens on them, or
  // binds the port itself with that option, as servers do. The UDP sockets are closed, for the program to
  // bind. Signals are as at a program's start. Returns only if that failed: ErrorKind::local, code ENOENT
  // when there is no such program.
  [[nodiscard]] Error run(const std::vector<std::string>& command);

 private:
  struct Held {
    Fd tcp;
    Fd udp;
  };

  FreePorts() = default;
  // One more port. nullopt: what the kernel chose for TCP is taken for UDP; `held` keeps it from being chosen
  // again.
  Result<bool> take_one(std::vector<Fd>& rejected, StepSink* steps);
  Result<void> pass_sockets();

  std::vector<std::uint16_t> ports_;
  std::vector<Held> held_;
};

}  // namespace pier
