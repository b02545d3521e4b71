// A datagram socket that knows which of our addresses each datagram was sent to, and answers from there.
//
// A UDP socket bound to every interface would answer from whatever address the route back has; a peer that
// wrote to another one takes such an answer for a stranger's. IP_PKTINFO (ip(7)) and IPV6_PKTINFO (RFC 3542,
// section 6) tell the address with each datagram, and set it for each answer.
#pragma once

#include <cstddef>
#include <optional>
#include <span>

#include "base/error.h"
#include "base/fd.h"
#include "net/address.h"

namespace pier {

// Where an answer goes to, and from where.
struct DatagramPath {
  SocketAddress peer;
  // What the peer wrote to: one of our addresses, a group, or a broadcast address. As bound where the kernel
  // does not tell (Unix).
  SocketAddress local;
  // What answers come from: `local`, or for a group or a broadcast the address of the interface it came in
  // by. Nothing, or an address of zeros: the kernel chooses.
  std::optional<IpAddress> source = {};
};

struct Arrival {
  std::size_t size = 0;
  DatagramPath path;
};

// Has the kernel tell of each datagram what it was sent to, where the UDP socket's own address `bound` does
// not say it: before binding, for it is noted as datagrams come. A kernel that refuses leaves the choice of
// the source to itself.
void tell_destinations(const Fd& fd, const SocketAddress& bound);

class DatagramSocket {
 public:
  // `server`: bound after tell_destinations(), and not connected.
  DatagramSocket(Fd fd, bool server);

  [[nodiscard]] const Fd& fd() const { return fd_; }
  [[nodiscard]] const SocketAddress& bound() const { return bound_; }

  // The next datagram, cut to `buffer`; does not wait. Nothing on failure, with errno set (EAGAIN: none is
  // there).
  [[nodiscard]] std::optional<Arrival> receive(std::span<std::byte> buffer) const;
  // 0, or the errno; does not wait. Without `to` the socket must be connected.
  [[nodiscard]] int send(std::span<const std::byte> datagram, const DatagramPath* to) const;

  // connect(2): the kernel keeps strangers out then, and tells of ICMP errors. Not where the peer can't be
  // named, or would no longer be answered from where it wrote to.
  void connect_if_same(const DatagramPath& path) const;

 private:
  Fd fd_;
  SocketAddress bound_;
  bool tells_ = false;
};

}  // namespace pier
