#include "net/icmp_error.h"

#include <fmt/core.h>
#include <linux/errqueue.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <string_view>

#include "net/socket.h"

namespace pier {
namespace {

constexpr std::uint8_t kUnreachable4 = 3;
constexpr std::uint8_t kUnreachable6 = 1;
constexpr std::uint8_t kPort4 = 3;
constexpr std::uint8_t kPort6 = 4;

// Destination unreachable by code: RFC 792 (0 to 5), RFC 1122 section 3.2.2.1 (6 to 12), RFC 1812 section
// 5.2.7.1.
constexpr std::array<std::string_view, 16> kCodes4{"network unreachable",
                                                   "host unreachable",
                                                   "protocol unreachable",
                                                   "port unreachable",
                                                   "fragmentation needed",
                                                   "source route failed",
                                                   "network unknown",
                                                   "host unknown",
                                                   "source host isolated",
                                                   "network prohibited",
                                                   "host prohibited",
                                                   "network unreachable for this service",
                                                   "host unreachable for this service",
                                                   "administratively prohibited",
                                                   "host precedence violation",
                                                   "precedence cutoff"};
// RFC 4443, section 3.1.
constexpr std::array<std::string_view, 8> kCodes6{"no route",
                                                  "administratively prohibited",
                                                  "beyond the scope of the source",
                                                  "address unreachable",
                                                  "port unreachable",
                                                  "source address failed policy",
                                                  "route rejected",
                                                  "error in source routing header"};

std::string_view name_of(const IcmpError& icmp) {
  if (icmp.family == Family::ipv4) {
    if (icmp.type == kUnreachable4 && icmp.code < kCodes4.size()) return kCodes4[icmp.code];
    if (icmp.type == 11) return "time exceeded";
    return icmp.type == 12 ? "parameter problem" : "";
  }
  if (icmp.type == kUnreachable6 && icmp.code < kCodes6.size()) return kCodes6[icmp.code];
  if (icmp.type == 3) return "time exceeded";
  return icmp.type == 4 ? "parameter problem" : "";
}

bool is_unreachable(const IcmpError& icmp, std::uint8_t code4, std::uint8_t code6) {
  return icmp.family == Family::ipv4 ? icmp.type == kUnreachable4 && icmp.code == code4
                                     : icmp.type == kUnreachable6 && icmp.code == code6;
}

}  // namespace

std::string describe(const IcmpError& icmp) {
  const std::string_view name = name_of(icmp);
  std::string text =
      fmt::format("{} {}/{}", icmp.family == Family::ipv4 ? "icmp" : "icmpv6", icmp.type, icmp.code);
  if (!name.empty()) text += fmt::format(" ({})", name);
  return text;
}

bool is_no_neighbour(const IcmpError& icmp) {
  return icmp.from_this_host && is_unreachable(icmp, 1, 3);
}

bool is_port_unreachable(const IcmpError& icmp) {
  return is_unreachable(icmp, kPort4, kPort6);
}

void keep_icmp_errors(const Fd& fd, int domain, bool keep) {
  if (domain == AF_INET)
    (void)set_option(fd, SOL_IP, IP_RECVERR, keep ? 1 : 0, "IP_RECVERR");
  else if (domain == AF_INET6)
    (void)set_option(fd, SOL_IPV6, IPV6_RECVERR, keep ? 1 : 0, "IPV6_RECVERR");
}

std::optional<IcmpError> take_icmp_error(int fd, const SocketAddress& target) {
  if (!target.is_ip()) return std::nullopt;  // other sockets take MSG_ERRQUEUE for nothing, and give data
  alignas(cmsghdr) std::array<char, 512> control{};
  std::array<char, 1> data{};
  iovec part{data.data(), data.size()};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  if (retry_eintr([&] { return ::recvmsg(fd, &message, MSG_ERRQUEUE | MSG_DONTWAIT); }) < 0)
    return std::nullopt;
  for (cmsghdr* item = CMSG_FIRSTHDR(&message); item != nullptr; item = CMSG_NXTHDR(&message, item)) {
    const bool v4 = item->cmsg_level == SOL_IP && item->cmsg_type == IP_RECVERR;
    const bool v6 = item->cmsg_level == SOL_IPV6 && item->cmsg_type == IPV6_RECVERR;
    if (!v4 && !v6) continue;
    struct {
      sock_extended_err error;
      sockaddr_storage offender;
    } told{};
    std::memcpy(&told, CMSG_DATA(item), std::min(sizeof told, item->cmsg_len - CMSG_LEN(0)));
    const bool icmp4 = told.error.ee_origin == SO_EE_ORIGIN_ICMP;
    if (!icmp4 && told.error.ee_origin != SO_EE_ORIGIN_ICMP6) continue;
    const SocketAddress sender = SocketAddress::from(told.offender, sizeof told.offender);
    const SocketAddress own = local_address(fd);
    const bool ours = sender.is_ip() && own.is_ip() && sender.ip() == own.ip() && sender.ip() != target.ip();
    const bool target_says = sender.is_ip() && sender.ip() == target.ip();
    return IcmpError{icmp4 ? Family::ipv4 : Family::ipv6, told.error.ee_type, told.error.ee_code, ours,
                     target_says};
  }
  return std::nullopt;
}

}  // namespace pier
