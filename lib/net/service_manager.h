// What a service manager such as systemd does for the programs that it starts: sockets passed to them
// (sd_listen_fds(3)), and a place to say that they are ready (sd_notify(3)). No library of its is needed.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/fd.h"

namespace pier {

struct PassedSocket {
  Fd fd;             // close-on-exec from now on
  std::string name;  // of LISTEN_FDNAMES; "unknown" where there is none
};

// Whether LISTEN_FDS and LISTEN_PID say that sockets were passed to this very process.
[[nodiscard]] bool sockets_were_passed();

// Those sockets, descriptors 3 and up, none where none were passed; to be called once. Takes LISTEN_FDS,
// LISTEN_PID and LISTEN_FDNAMES out of the environment, so that no child takes them for its own.
// ErrorKind::local for text that is no count, or a descriptor that is not open.
[[nodiscard]] Result<std::vector<PassedSocket>> take_passed_sockets();

// Says something to the manager, such as "READY=1", where it listens (NOTIFY_SOCKET); otherwise nothing
// happens. A manager that does not hear is no matter of ours.
void tell_service_manager(std::string_view text);

}  // namespace pier
