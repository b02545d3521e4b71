// The probe of a UDP port that needs no privilege: a message that its service would answer, and the socket's
// error queue for what ICMP says (ip(7), IP_RECVERR).
#pragma once

#include <optional>

#include "base/fd.h"
#include "scan/verdict.h"

namespace pier {

// Connects the socket, so that only answers of this target reach it, and sends the messages of the port's
// usual service. An end where this host could not, or an answer has come already.
[[nodiscard]] std::optional<DatagramEnd> begin_udp(const Fd& fd, const SocketAddress& target);

// What has come, when epoll(7) has reported something; nullopt for nothing that counts.
[[nodiscard]] std::optional<DatagramEnd> udp_outcome(int fd, const SocketAddress& target);

}  // namespace pier
