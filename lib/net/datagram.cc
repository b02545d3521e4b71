#include "net/datagram.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>

#include "net/socket.h"

namespace pier {
namespace {

// Room for one control message of either family.
union Control {
  cmsghdr align;
  char v4[CMSG_SPACE(sizeof(in_pktinfo))];
  char v6[CMSG_SPACE(sizeof(in6_pktinfo))];
};

template <class Info>
Info read_info(const cmsghdr& header) {
  Info info;
  std::memcpy(&info, CMSG_DATA(&header), sizeof info);
  return info;
}

IpAddress v6_of(const in6_pktinfo& info) {
  // Only an address of one link needs to be told which.
  const bool of_link = IN6_IS_ADDR_LINKLOCAL(&info.ipi6_addr) || IN6_IS_ADDR_MC_LINKLOCAL(&info.ipi6_addr);
  return {Family::ipv6, info.ipi6_addr.s6_addr, of_link ? info.ipi6_ifindex : 0};
}

void take_info(const msghdr& message, DatagramPath& path) {
  for (const cmsghdr* one = CMSG_FIRSTHDR(&message); one != nullptr;
       one = CMSG_NXTHDR(const_cast<msghdr*>(&message), const_cast<cmsghdr*>(one))) {
    if (one->cmsg_level == IPPROTO_IP && one->cmsg_type == IP_PKTINFO) {
      const auto info = read_info<in_pktinfo>(*one);
      path.local = SocketAddress(IpAddress::v4(ntohl(info.ipi_addr.s_addr)), path.local.port());
      // For a unicast datagram the same; for others an address of the interface (ip(7)).
      path.source = IpAddress::v4(ntohl(info.ipi_spec_dst.s_addr));
    } else if (one->cmsg_level == IPPROTO_IPV6 && one->cmsg_type == IPV6_PKTINFO) {
      const IpAddress address = v6_of(read_info<in6_pktinfo>(*one));
      path.local = SocketAddress(address, path.local.port());
      path.source = address.is_multicast() ? IpAddress::any(Family::ipv6) : address;
    }
  }
}

template <class Info>
void put_info(msghdr& message, Control& control, int level, int type, const Info& info) {
  message.msg_control = &control;
  message.msg_controllen = CMSG_SPACE(sizeof info);
  cmsghdr* const header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = level;
  header->cmsg_type = type;
  header->cmsg_len = CMSG_LEN(sizeof info);
  std::memcpy(CMSG_DATA(header), &info, sizeof info);
}

void put_source(msghdr& message, Control& control, const IpAddress& source) {
  if (source.is_any()) return;
  if (source.family() == Family::ipv4) {
    in_pktinfo info{};
    std::memcpy(&info.ipi_spec_dst, source.bytes().data(), sizeof info.ipi_spec_dst);
    return put_info(message, control, IPPROTO_IP, IP_PKTINFO, info);
  }
  in6_pktinfo info{};
  std::memcpy(&info.ipi6_addr, source.bytes().data(), sizeof info.ipi6_addr);
  info.ipi6_ifindex = source.zone();
  put_info(message, control, IPPROTO_IPV6, IPV6_PKTINFO, info);
}

// Whether datagrams to several addresses come to a socket so bound.
bool is_of_many(const SocketAddress& bound) {
  return bound.is_ip() && (bound.ip().is_any() || bound.ip().is_multicast());
}

// What the kernel would send from to `peer`: connecting looks up the route and sends nothing (udp(7)).
std::optional<SocketAddress> source_to(const SocketAddress& peer) {
  const auto fd = open_socket(Transport::udp, peer.domain());
  if (!fd || ::connect(fd->get(), peer.data(), peer.size()) != 0) return std::nullopt;
  return local_address(fd->get());
}

}  // namespace

void tell_destinations(const Fd& fd, const SocketAddress& bound) {
  if (!is_of_many(bound)) return;
  (void)(bound.domain() == AF_INET ? set_option(fd, IPPROTO_IP, IP_PKTINFO, 1, "IP_PKTINFO")
                                   : set_option(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1, "IPV6_RECVPKTINFO"));
}

DatagramSocket::DatagramSocket(Fd fd, bool server)
    : fd_(std::move(fd)), bound_(local_address(fd_.get())), tells_(server && is_of_many(bound_)) {}

std::optional<Arrival> DatagramSocket::receive(std::span<std::byte> buffer) const {
  sockaddr_storage from{};
  iovec bytes{buffer.data(), buffer.size()};
  Control control;
  void* const info = tells_ ? &control : nullptr;  // a lambda may not capture a flexible array
  msghdr message{};
  const ssize_t size = retry_eintr([&] {
    message = {};
    message.msg_name = &from;
    message.msg_namelen = sizeof from;
    message.msg_iov = &bytes;
    message.msg_iovlen = 1;
    message.msg_control = info;
    message.msg_controllen = tells_ ? sizeof control : 0;
    return ::recvmsg(fd_.get(), &message, MSG_DONTWAIT);
  });
  if (size < 0) return std::nullopt;
  Arrival arrival{static_cast<std::size_t>(size), {SocketAddress::from(from, message.msg_namelen), bound_}};
  take_info(message, arrival.path);
  return arrival;
}

int DatagramSocket::send(std::span<const std::byte> datagram, const DatagramPath* to) const {
  iovec bytes{const_cast<std::byte*>(datagram.data()), datagram.size()};
  Control control;
  msghdr message{};
  message.msg_iov = &bytes;
  message.msg_iovlen = 1;
  if (to != nullptr) {
    message.msg_name = const_cast<sockaddr*>(to->peer.data());
    message.msg_namelen = to->peer.size();
    if (to->source) put_source(message, control, *to->source);
  }
  return retry_eintr([&] { return ::sendmsg(fd_.get(), &message, MSG_DONTWAIT | MSG_NOSIGNAL); }) < 0 ? errno
                                                                                                      : 0;
}

void DatagramSocket::connect_if_same(const DatagramPath& path) const {
  if (path.peer.is_nameless()) return;
  if (tells_) {
    const auto source = source_to(path.peer);
    if (!source || source->ip() != path.local.ip()) return;
  }
  ::connect(fd_.get(), path.peer.data(), path.peer.size());
}

}  // namespace pier
