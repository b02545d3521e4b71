// Ports that nobody uses, kept from others while they are chosen, held, or handed to a program.
#pragma once

#include <cstdint>
#include <set>
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
  // `count` different ports, from this host's ephemeral range, chosen by the kernel, and none of `avoid`.
  // ErrorKind::local when there are not so many, or no descriptors for them.
  [[nodiscard]] static Result<FreePorts> take(std::size_t count, StepSink* steps = nullptr,
                                              const std::set<std::uint16_t>& avoid = {});

  [[nodiscard]] const std::vector<std::uint16_t>& ports() const { return ports_; }

  // Runs a program (execvp(3)) that gets the sockets as descriptors 3, 4…, as sd_listen_fds(3) passes them:
  // those of TCP in the order of ports(), and then with `udp` those of UDP in the same order. LISTEN_FDS,
  // LISTEN_PID and LISTEN_FDNAMES ("tcp-43817:udp-43817") are set, and PORT, PORT1, PORT2…. They are bound,
  // the TCP ones do not listen, and all are marked SO_REUSEADDR: the program listens on them, or binds the
  // port itself with that option, as servers do. Without `udp` those of UDP are closed, for the program to
  // bind. Signals are as at a program's start.
  //
  // Waits for it, and keeps the ports until then, whatever it does with its copies. Signals that would end us
  // are handed on to it. The result is its status as a shell tells it: what it exits with, or 128 and the
  // number of the signal that ended it. ErrorKind::not_found or ::cannot_run when it could not be started.
  [[nodiscard]] Result<int> run(const std::vector<std::string>& command, bool udp);

 private:
  struct Held {
    Fd tcp;
    Fd udp;
  };

  FreePorts() = default;
  // One more port. False: what the kernel chose for TCP is taken for UDP or to be avoided; `rejected` keeps
  // it from being chosen again.
  Result<bool> take_one(std::vector<Fd>& rejected, StepSink* steps, const std::set<std::uint16_t>& avoid);
  // In the child.
  Result<void> pass_sockets(bool udp);
  void set_environment(bool udp) const;

  std::vector<std::uint16_t> ports_;
  std::vector<Held> held_;
};

}  // namespace pier
