#include "net/rtnetlink.h"

#include <sys/socket.h>

#include <array>
#include <cerrno>

namespace pier {
namespace {

// As large as the kernel makes the parts of a dump (netlink_dump() in its net/netlink/af_netlink.c).
using Buffer = std::array<std::byte, 32768>;

constexpr int kMostErrno = 4095;  // MAX_ERRNO of the kernel

}  // namespace

void RouteRequest::append(ByteView bytes) {
  bytes_.insert(bytes_.end(), bytes.begin(), bytes.end());
  bytes_.resize(NLMSG_ALIGN(bytes_.size()));
}

void RouteRequest::attribute(std::uint16_t type, ByteView value) {
  rtattr header{};
  header.rta_type = type;
  header.rta_len = static_cast<std::uint16_t>(sizeof header + value.size());
  append(std::as_bytes(std::span(&header, 1)));
  append(value);
}

ByteView RouteRequest::bytes() {
  const auto length = static_cast<std::uint32_t>(bytes_.size());
  std::memcpy(bytes_.data() + offsetof(nlmsghdr, nlmsg_len), &length, sizeof length);
  return bytes_;
}

bool RouteRequest::is_dump() const {
  return (read_as<nlmsghdr>(bytes_)->nlmsg_flags & NLM_F_DUMP) == NLM_F_DUMP;
}

std::optional<ByteView> find_attribute(ByteView attributes, std::uint16_t type) {
  while (const auto attribute = read_as<rtattr>(attributes)) {
    if (attribute->rta_len < sizeof(rtattr) || attribute->rta_len > attributes.size()) break;
    if ((attribute->rta_type & NLA_TYPE_MASK) == type)
      return attributes.first(attribute->rta_len).subspan(sizeof(rtattr));
    attributes = attributes.subspan(std::min<std::size_t>(RTA_ALIGN(attribute->rta_len), attributes.size()));
  }
  return std::nullopt;
}

std::optional<IpAddress> address_from(Family family, ByteView bytes, std::uint32_t zone) {
  const std::size_t size = family == Family::ipv4 ? 4 : 16;
  if (bytes.size() < size) return std::nullopt;
  return IpAddress(family, {reinterpret_cast<const std::uint8_t*>(bytes.data()), size}, zone);
}

std::optional<IpAddress> find_gateway(ByteView attributes, Family family) {
  if (const auto gateway = find_attribute(attributes, RTA_GATEWAY)) return address_from(family, *gateway);
  const auto via = find_attribute(attributes, RTA_VIA);  // with its family before it
  if (!via) return std::nullopt;
  const auto other = read_as<std::uint16_t>(*via);
  if (!other || (*other != AF_INET && *other != AF_INET6)) return std::nullopt;
  return address_from(*other == AF_INET ? Family::ipv4 : Family::ipv6, via->subspan(sizeof *other));
}

int visit_messages(ByteView datagram, bool& done, const RouteVisit& visit) {
  while (const auto header = read_as<nlmsghdr>(datagram)) {
    if (header->nlmsg_len < sizeof(nlmsghdr) || header->nlmsg_len > datagram.size()) {
      done = true;  // where the next one begins is not known, nor whether there is one
      return EBADMSG;
    }
    const ByteView body = datagram.first(header->nlmsg_len).subspan(sizeof(nlmsghdr));
    // Both begin with an errno; a dump ends with one when the kernel could not go on.
    if (header->nlmsg_type == NLMSG_DONE || header->nlmsg_type == NLMSG_ERROR) {
      done = true;
      const auto error = read_as<int>(body);
      if (!error) return header->nlmsg_type == NLMSG_DONE ? 0 : EBADMSG;
      if (*error >= 0 && header->nlmsg_type == NLMSG_DONE) return 0;
      return *error <= 0 && *error >= -kMostErrno ? -*error : EBADMSG;
    }
    if (header->nlmsg_type >= NLMSG_MIN_TYPE) visit({header->nlmsg_type, body});
    datagram = datagram.subspan(std::min<std::size_t>(NLMSG_ALIGN(header->nlmsg_len), datagram.size()));
  }
  return 0;
}

Result<RouteSocket> RouteSocket::open(std::uint32_t groups) {
  Fd fd(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE));
  if (!fd.valid()) return system_error("socket", "netlink", errno, ErrorKind::local);
  sockaddr_nl address{};
  address.nl_family = AF_NETLINK;
  address.nl_groups = groups;
  if (groups != 0 && ::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    return system_error("bind", "netlink", errno, ErrorKind::local);
  return RouteSocket(std::move(fd));
}

Result<void> RouteSocket::ask(RouteRequest request, const RouteVisit& visit) const {
  const ByteView bytes = request.bytes();
  if (retry_eintr([&] { return ::send(fd_.get(), bytes.data(), bytes.size(), 0); }) < 0)
    return system_error("send", "netlink", errno, ErrorKind::local);
  Buffer reply;
  for (bool done = false; !done;) {
    const ssize_t n = retry_eintr([&] { return ::recv(fd_.get(), reply.data(), reply.size(), 0); });
    if (n < 0) return system_error("recv", "netlink", errno, ErrorKind::local);
    const int code = visit_messages(std::span(reply).first(static_cast<std::size_t>(n)), done, visit);
    if (code != 0) return system_error("netlink", "", code, ErrorKind::failed);
    if (!request.is_dump()) done = true;
  }
  return {};
}

bool RouteSocket::changes(const RouteVisit& visit) const {
  Buffer told;
  for (;;) {
    const ssize_t n = retry_eintr([&] { return ::recv(fd_.get(), told.data(), told.size(), MSG_DONTWAIT); });
    if (n < 0) return errno != ENOBUFS;
    bool done = false;
    if (visit_messages(std::span(told).first(static_cast<std::size_t>(n)), done, visit) != 0) return false;
  }
}

}  // namespace pier
