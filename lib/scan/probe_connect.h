// The probe that needs no privilege: connect(2), and a reset as soon as it is known how that ended.
#pragma once

#include <optional>
#include <span>

#include "base/fd.h"
#include "net/step.h"
#include "scan/prober.h"

namespace pier {

// Whether sockets of these families can be made, bound to the source and to the interface: an error that
// would otherwise end every probe alike is told once, before the first. ErrorKind::local.
[[nodiscard]] Result<void> check_source(const ProbeSource& source, PortProtocol protocol,
                                        std::span<const Family> families);

// A socket for probes of one family and transport (tcp or udp): non-blocking, close-on-exec, bound to the
// source, keeping ICMP errors for take_icmp_error(). One of TCP is closed by a reset, so that neither end is
// left with a TIME_WAIT.
[[nodiscard]] Result<Fd> open_probe_socket(PortProtocol protocol, Family family, const ProbeSource& source,
                                           StepSink* steps = nullptr);

// Begins to connect: nullopt while there is no answer. The kernel repeats a SYN by itself after 1 s
// (RFC 6298).
[[nodiscard]] std::optional<ConnectEnd> begin_connect(const Fd& fd, const SocketAddress& target);

// What has become of it, when poll(2) or epoll(7) has reported something; nullopt while it goes on. `over`:
// they said that the socket is closed (POLLHUP).
[[nodiscard]] std::optional<ConnectEnd> connect_outcome(int fd, const SocketAddress& target, bool over);

// The same without asking poll(2) before, by a second connect(2) to the same target. After an end, the socket
// is as new: it may connect to somewhere else, and a connection has been reset.
[[nodiscard]] std::optional<ConnectEnd> connect_again(const Fd& fd, const SocketAddress& target);

}  // namespace pier
