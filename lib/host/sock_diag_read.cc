#include "host/sock_diag_read.h"

#include <arpa/inet.h>
#include <libmnl/libmnl.h>
#include <linux/inet_diag.h>
#include <linux/sock_diag.h>
#include <linux/tcp.h>
#include <linux/unix_diag.h>
#include <sys/un.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <cstring>

namespace pier {
namespace {

// The words of INET_DIAG_SKMEMINFO (enum of linux/sock_diag.h) that count bytes of memory now in use.
constexpr std::array kUsedMemory{SK_MEMINFO_RMEM_ALLOC, SK_MEMINFO_WMEM_ALLOC, SK_MEMINFO_FWD_ALLOC,
                                 SK_MEMINFO_OPTMEM, SK_MEMINFO_BACKLOG};

// A copy of the payload as far as both go; what the kernel did not send is zero.
template <class Value>
Value payload_of(const nlattr* attribute) {
  Value value{};
  std::memcpy(&value, mnl_attr_get_payload(attribute),
              std::min<std::size_t>(sizeof value, mnl_attr_get_payload_len(attribute)));
  return value;
}

SocketAddress address_of(Family family, const __be32 (&words)[4], __be16 port, std::uint32_t interface) {
  std::array<std::uint8_t, 16> bytes;
  std::memcpy(bytes.data(), words, bytes.size());
  const bool link_local = family == Family::ipv6 && bytes[0] == 0xfe && (bytes[1] & 0xc0) == 0x80;
  const IpAddress ip(family, std::span(bytes).first(family == Family::ipv4 ? 4 : 16),
                     link_local ? interface : 0);
  return {ip, ntohs(port)};
}

int read_inet_attribute(const nlattr* attribute, void* data) {
  SocketInfo& socket = *static_cast<SocketInfo*>(data);
  const std::size_t size = mnl_attr_get_payload_len(attribute);
  switch (mnl_attr_get_type(attribute)) {
    case INET_DIAG_SKV6ONLY:
      if (size >= 1) socket.v6only = mnl_attr_get_u8(attribute) != 0;
      break;
    case INET_DIAG_CGROUP_ID:
      if (size >= sizeof(std::uint64_t)) socket.cgroup = payload_of<std::uint64_t>(attribute);
      break;
    case INET_DIAG_SKMEMINFO: {
      const auto words = payload_of<std::array<std::uint32_t, SK_MEMINFO_VARS>>(attribute);
      std::uint32_t used = 0;
      for (const auto word : kUsedMemory) used += words[static_cast<std::size_t>(word)];
      socket.memory = used;
      break;
    }
    case INET_DIAG_INFO:
      if (size >= offsetof(tcp_info, tcpi_rttvar)) {
        const auto rtt = payload_of<tcp_info>(attribute).tcpi_rtt;
        if (rtt != 0) socket.rtt_us = rtt;
      }
      break;
    default:
      break;
  }
  return MNL_CB_OK;
}

bool refused() {
  errno = EBADMSG;
  return false;
}

bool is_state(unsigned state) {
  return state >= 1 && state <= static_cast<unsigned>(SocketState::bound);
}

// The name as the kernel has it: a path, or a NUL and the bytes of an abstract one.
SocketAddress unix_name(const void* bytes, std::size_t size) {
  sockaddr_storage storage{};
  auto* address = reinterpret_cast<sockaddr_un*>(&storage);
  address->sun_family = AF_UNIX;
  size = std::min(size, sizeof address->sun_path);
  std::memcpy(address->sun_path, bytes, size);
  return SocketAddress::from(storage, static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + size));
}

int read_unix_attribute(const nlattr* attribute, void* data) {
  SocketInfo& socket = *static_cast<SocketInfo*>(data);
  const std::size_t size = mnl_attr_get_payload_len(attribute);
  switch (mnl_attr_get_type(attribute)) {
    case UNIX_DIAG_NAME:
      socket.local = unix_name(mnl_attr_get_payload(attribute), size);
      break;
    case UNIX_DIAG_PEER:
      if (size >= sizeof(std::uint32_t)) socket.peer = mnl_attr_get_u32(attribute);
      break;
    case UNIX_DIAG_UID:
      if (size >= sizeof(std::uint32_t)) socket.uid = mnl_attr_get_u32(attribute);
      break;
    case UNIX_DIAG_RQLEN:
      if (size >= sizeof(unix_diag_rqlen)) {
        const auto queues = payload_of<unix_diag_rqlen>(attribute);
        socket.receive_queue = queues.udiag_rqueue;
        socket.send_queue = queues.udiag_wqueue;
      }
      break;
    default:
      break;
  }
  return MNL_CB_OK;
}

}  // namespace

bool read_inet_message(const nlmsghdr* header, SocketInfo& socket) {
  inet_diag_msg message;
  if (mnl_nlmsg_get_payload_len(header) < sizeof message) return refused();
  std::memcpy(&message, mnl_nlmsg_get_payload(header), sizeof message);
  const bool ipv4 = message.idiag_family == AF_INET;
  if ((!ipv4 && message.idiag_family != AF_INET6) || !is_state(message.idiag_state)) return refused();
  socket.family = ipv4 ? Family::ipv4 : Family::ipv6;
  socket.local = address_of(socket.family, message.id.idiag_src, message.id.idiag_sport, message.id.idiag_if);
  socket.remote =
      address_of(socket.family, message.id.idiag_dst, message.id.idiag_dport, message.id.idiag_if);
  socket.state = static_cast<SocketState>(message.idiag_state);
  // The only closed TCP sockets in a dump are those asked for by the bit of `bound`.
  if (socket.transport == Transport::tcp && socket.state == SocketState::close) {
    socket.state = SocketState::bound;
  }
  socket.uid = message.idiag_uid;
  socket.inode = message.idiag_inode;
  socket.interface = message.id.idiag_if;
  socket.receive_queue = message.idiag_rqueue;
  socket.send_queue = message.idiag_wqueue;
  mnl_attr_parse(header, sizeof message, read_inet_attribute, &socket);
  return true;
}

bool read_unix_message(const nlmsghdr* header, SocketInfo& socket) {
  unix_diag_msg message;
  if (mnl_nlmsg_get_payload_len(header) < sizeof message) return refused();
  std::memcpy(&message, mnl_nlmsg_get_payload(header), sizeof message);
  if (message.udiag_family != AF_UNIX || !is_state(message.udiag_state)) return refused();
  socket.transport = message.udiag_type == SOCK_DGRAM ? Transport::unix_dgram : Transport::unix_stream;
  socket.seqpacket = message.udiag_type == SOCK_SEQPACKET;
  socket.state = static_cast<SocketState>(message.udiag_state);
  socket.inode = message.udiag_ino;
  socket.local = unix_name("", 0);
  socket.remote = socket.local;
  mnl_attr_parse(header, sizeof message, read_unix_attribute, &socket);
  return true;
}

}  // namespace pier
