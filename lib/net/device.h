// Holding a socket to one network interface.
#pragma once

#include <string>

#include "base/error.h"
#include "base/fd.h"
#include "net/endpoint.h"
#include "net/step.h"

namespace pier {

// The index of the interface `name`; ErrorKind::local, with the names there are, where there is none.
[[nodiscard]] Result<unsigned> interface_index(const std::string& name);

// Before connecting or binding. SO_BINDTODEVICE (socket(7)): what the socket sends leaves by `name`, and
// nothing that comes in by another reaches it; without privilege since Linux 5.7. Where the kernel refuses
// it, datagram sockets are given IP_UNICAST_IF or IPV6_UNICAST_IF (ip(7)), which is about leaving alone and
// asks for no privilege. Which of them it was is told to `steps`. ErrorKind::local: no such interface (the
// error names those there are), or no right.
[[nodiscard]] Result<void> hold_to_interface(const Fd& fd, Transport transport, int domain,
                                             const std::string& name, StepSink* steps = nullptr);

}  // namespace pier
