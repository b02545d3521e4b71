#include "net/address.h"

#include <arpa/inet.h>
#include <linux/vm_sockets.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/un.h>

#include <algorithm>
#include <cstddef>
#include <cstring>

#include "base/number.h"

namespace pier {

int domain_of(Family family) {
  return family == Family::ipv4 ? AF_INET : AF_INET6;
}

IpAddress::IpAddress(Family family, std::span<const std::uint8_t> bytes, std::uint32_t zone)
    : family_(family), zone_(zone) {
  std::copy_n(bytes.begin(), std::min(bytes.size(), bytes_.size()), bytes_.begin());
}

IpAddress IpAddress::v4(std::uint32_t host_order) {
  const std::uint8_t bytes[4] = {
      static_cast<std::uint8_t>(host_order >> 24), static_cast<std::uint8_t>(host_order >> 16),
      static_cast<std::uint8_t>(host_order >> 8), static_cast<std::uint8_t>(host_order)};
  return {Family::ipv4, bytes};
}

Result<IpAddress> IpAddress::parse(std::string_view text) {
  const std::size_t percent = text.find('%');
  const std::string literal(text.substr(0, percent));
  std::uint8_t bytes[16];
  if (percent == std::string_view::npos && ::inet_pton(AF_INET, literal.c_str(), bytes) == 1)
    return IpAddress(Family::ipv4, std::span(bytes, 4));
  // An embedded NUL would end the C string early and let what follows pass unseen.
  if (literal.find('\0') != std::string::npos || ::inet_pton(AF_INET6, literal.c_str(), bytes) != 1)
    return usage_error("address", text, "not an IPv4 or IPv6 address");
  std::uint32_t zone = 0;
  if (percent != std::string_view::npos) {
    const std::string name(text.substr(percent + 1));
    zone = ::if_nametoindex(name.c_str());
    if (zone == 0) {
      const auto index = parse_unsigned(name, 1, UINT32_MAX, "zone");
      if (!index) return usage_error("address", text, "no interface of this host is named " + quoted(name));
      zone = static_cast<std::uint32_t>(*index);
    }
  }
  return IpAddress(Family::ipv6, bytes, zone);
}

IpAddress IpAddress::any(Family family) {
  const std::uint8_t zero[16] = {};
  return {family, zero};
}

IpAddress IpAddress::loopback(Family family) {
  if (family == Family::ipv4) return v4(INADDR_LOOPBACK);
  return {family, in6addr_loopback.s6_addr};
}

bool IpAddress::is_loopback() const {
  const IpAddress plain = unmapped();
  if (plain.family_ == Family::ipv4) return plain.bytes_[0] == 127;
  return plain.bytes_ == loopback(Family::ipv6).bytes_;
}

bool IpAddress::is_any() const {
  return bytes_ == std::array<std::uint8_t, 16>{};
}

bool IpAddress::is_multicast() const {
  return family_ == Family::ipv4 ? (bytes_[0] & 0xf0U) == 0xe0 : bytes_[0] == 0xff;
}

bool IpAddress::is_link_local() const {
  return family_ == Family::ipv6 && bytes_[0] == 0xfe && (bytes_[1] & 0xc0U) == 0x80;
}

bool IpAddress::is_v4_mapped() const {
  return family_ == Family::ipv6 &&
         std::all_of(bytes_.begin(), bytes_.begin() + 10, [](auto b) { return b == 0; }) &&
         bytes_[10] == 0xff && bytes_[11] == 0xff;
}

IpAddress IpAddress::unmapped() const {
  if (!is_v4_mapped()) return *this;
  return {Family::ipv4, std::span(bytes_).subspan(12)};
}

std::string IpAddress::to_string() const {
  char text[INET6_ADDRSTRLEN];
  ::inet_ntop(domain_of(family_), bytes_.data(), text, sizeof text);
  std::string out = text;
  if (zone_ != 0) {
    char name[IF_NAMESIZE];
    out += '%';
    out += ::if_indextoname(zone_, name) != nullptr ? std::string(name) : std::to_string(zone_);
  }
  return out;
}

bool looks_like_ipv4(std::string_view text) {
  if (text.ends_with('.')) text.remove_suffix(1);
  const std::string_view last = text.substr(text.rfind('.') + 1);  // npos + 1 is 0: the whole text
  if (last.empty()) return false;
  const bool hex = last.starts_with("0x") || last.starts_with("0X");
  const char* const digits = hex ? "0123456789abcdefABCDEF" : "0123456789";
  return last.substr(hex ? 2 : 0).find_first_not_of(digits) == std::string_view::npos;
}

SocketAddress::SocketAddress(const IpAddress& ip, std::uint16_t port) {
  if (ip.family() == Family::ipv4) {
    auto& in = reinterpret_cast<sockaddr_in&>(storage_);
    in.sin_family = AF_INET;
    in.sin_port = htons(port);
    std::memcpy(&in.sin_addr, ip.bytes().data(), 4);
    length_ = sizeof in;
  } else {
    auto& in = reinterpret_cast<sockaddr_in6&>(storage_);
    in.sin6_family = AF_INET6;
    in.sin6_port = htons(port);
    in.sin6_scope_id = ip.zone();
    std::memcpy(&in.sin6_addr, ip.bytes().data(), 16);
    length_ = sizeof in;
  }
}

Result<SocketAddress> SocketAddress::unix_path(std::string_view path) {
  SocketAddress address;
  auto& un = reinterpret_cast<sockaddr_un&>(address.storage_);
  const bool abstract = path.starts_with('@');
  // A path needs its terminating NUL; an abstract name begins with NUL in place of the "@".
  const std::size_t most = abstract ? sizeof un.sun_path : sizeof un.sun_path - 1;
  if (path.empty() || (abstract && path.size() == 1))
    return usage_error("socket path", path, "empty: a path or @NAME is needed");
  if (path.size() > most)
    return usage_error("socket path", path,
                       "longer than the " + std::to_string(most) + " bytes a Unix socket name may have");
  if (!abstract && path.find('\0') != std::string_view::npos)
    return usage_error("socket path", path, "has a zero byte");
  un.sun_family = AF_UNIX;
  std::memcpy(un.sun_path, path.data(), path.size());
  if (abstract) un.sun_path[0] = '\0';
  address.length_ =
      static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size() + (abstract ? 0 : 1));
  return address;
}

SocketAddress SocketAddress::vsock(std::uint32_t cid, std::uint32_t port) {
  SocketAddress address;
  auto& vm = reinterpret_cast<sockaddr_vm&>(address.storage_);
  vm.svm_family = AF_VSOCK;
  vm.svm_cid = cid;
  vm.svm_port = port;
  address.length_ = sizeof vm;
  return address;
}

SocketAddress SocketAddress::from(const sockaddr_storage& storage, socklen_t length) {
  SocketAddress address;
  address.length_ = std::min(length, static_cast<socklen_t>(sizeof storage));
  std::memcpy(&address.storage_, &storage, address.length_);
  return address;
}

IpAddress SocketAddress::ip() const {
  if (domain() == AF_INET) {
    const auto& in = reinterpret_cast<const sockaddr_in&>(storage_);
    return IpAddress::v4(ntohl(in.sin_addr.s_addr));
  }
  const auto& in = reinterpret_cast<const sockaddr_in6&>(storage_);
  return {Family::ipv6, in.sin6_addr.s6_addr, in.sin6_scope_id};
}

std::uint16_t SocketAddress::port() const {
  if (domain() == AF_INET) return ntohs(reinterpret_cast<const sockaddr_in&>(storage_).sin_port);
  if (domain() == AF_INET6) return ntohs(reinterpret_cast<const sockaddr_in6&>(storage_).sin6_port);
  return 0;
}

std::string SocketAddress::path() const {
  const auto& un = reinterpret_cast<const sockaddr_un&>(storage_);
  if (length_ <= offsetof(sockaddr_un, sun_path)) return {};
  std::string path(un.sun_path, length_ - offsetof(sockaddr_un, sun_path));
  if (path[0] == '\0') {
    path[0] = '@';
    return path;
  }
  return path.c_str();  // up to the NUL that the kernel may count in the length
}

std::string SocketAddress::to_string() const {
  switch (domain()) {
    case AF_INET:
      return ip().to_string() + ":" + std::to_string(port());
    case AF_INET6:
      return "[" + ip().to_string() + "]:" + std::to_string(port());
    case AF_UNIX:
      return "unix:" + (path().empty() ? "(unnamed)" : path());
    case AF_VSOCK: {
      const auto& vm = reinterpret_cast<const sockaddr_vm&>(storage_);
      return "vsock:" + std::to_string(vm.svm_cid) + ":" + std::to_string(vm.svm_port);
    }
    default:
      return "(none)";
  }
}

bool operator==(const SocketAddress& a, const SocketAddress& b) {
  return a.length_ == b.length_ && std::memcmp(&a.storage_, &b.storage_, a.length_) == 0;
}

}  // namespace pier
