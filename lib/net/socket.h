// The socket calls, one function each, named after the system call it makes.
//
// Each returns an Error that names the call and its subject ("bind 127.0.0.1:80: permission denied") and
// tells each step to a StepSink when one is given. Every descriptor made here is close-on-exec and
// non-blocking.
#pragma once

#include <sys/socket.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "base/error.h"
#include "base/fd.h"
#include "net/address.h"
#include "net/endpoint.h"
#include "net/step.h"

namespace pier {

// socket(2) for a transport in an address family (AF_INET, AF_INET6, AF_UNIX, AF_VSOCK). ErrorKind::local on
// failure. `protocol`: 0 for the transport's own, or IPPROTO_MPTCP for TCP over several paths (RFC 8684).
[[nodiscard]] Result<Fd> open_socket(Transport transport, int domain, StepSink* steps = nullptr,
                                     int protocol = 0);

// bind(2). EACCES on a port below the host's first unprivileged one is told as a missing capability.
// ErrorKind::local.
[[nodiscard]] Result<void> bind_socket(const Fd& fd, const SocketAddress& address, StepSink* steps = nullptr);

// listen(2).
[[nodiscard]] Result<void> listen_socket(const Fd& fd, int backlog, StepSink* steps = nullptr);

struct Accepted {
  Fd fd;
  SocketAddress peer;
};
// accept4(2). nullopt: nobody is waiting, or the one who was has gone (EAGAIN, ECONNABORTED and the network
// errors that accept(2) tells to treat alike). An error is a fault of this host, such as no free descriptor
// (code EMFILE or ENFILE).
[[nodiscard]] Result<std::optional<Accepted>> accept_socket(const Fd& listener);

enum class ConnectState { connected, in_progress };
// connect(2), not waiting. An error's kind is `failed`, or `local` where the call never left this host
// (EACCES, EADDRNOTAVAIL…).
[[nodiscard]] Result<ConnectState> connect_socket(const Fd& fd, const SocketAddress& address);
// A TCP socket with TCP_FASTOPEN_CONNECT (tcp(7)) that is "connected" though no packet has been sent: the
// first write connects. start_deferred() connects without one, for a peer that speaks first.
[[nodiscard]] bool is_deferred(int fd);
void start_deferred(int fd);
// Whether an MPTCP socket, now connected, speaks MPTCP; false where the peer made it plain TCP.
[[nodiscard]] bool speaks_mptcp(int fd);
// The errno that connecting ended with, or 0, once the socket is writable (SO_ERROR, which this clears).
[[nodiscard]] int take_socket_error(int fd);

// Where connect(2) fails with this errno before a packet is sent, or because of this host's own limits or
// rules.
[[nodiscard]] bool is_local_connect_fault(int code);

// getsockname(2) and getpeername(2); an empty address where there is none.
[[nodiscard]] SocketAddress local_address(int fd);
[[nodiscard]] SocketAddress peer_address(int fd);

// setsockopt(2) with an int.
[[nodiscard]] Result<void> set_option(const Fd& fd, int level, int option, int value, std::string_view name);

// Makes the coming close(2) of a TCP socket send a reset in place of an orderly end (SO_LINGER of 0), so that
// the peer cannot take what it has for the whole. Without effect on other sockets.
void reset_on_close(int fd);

// How many bytes the kernel has taken but the peer has not yet acknowledged (TCP) or read (Unix): SIOCOUTQ. 0
// where the kernel does not tell.
[[nodiscard]] std::size_t unsent_bytes(int fd);

}  // namespace pier
