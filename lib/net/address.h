// Addresses as values: an IP address, and a socket's address (IP and port, Unix path, or vsock).
#pragma once

#include <sys/socket.h>

#include <array>
#include <compare>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "base/error.h"

namespace pier {

enum class Family : std::uint8_t { ipv4, ipv6 };

[[nodiscard]] constexpr std::string_view to_string(Family family) {
  return family == Family::ipv4 ? "ipv4" : "ipv6";
}
// AF_INET or AF_INET6.
[[nodiscard]] int domain_of(Family family);

// An IPv4 or IPv6 address, with the interface ("zone") of a link-local one. 24 bytes; ordered by family, then
// value.
class IpAddress {
 public:
  IpAddress() = default;  // 0.0.0.0
  // `bytes` in network order, 4 or 16 of them by family.
  IpAddress(Family family, std::span<const std::uint8_t> bytes, std::uint32_t zone = 0);
  [[nodiscard]] static IpAddress v4(std::uint32_t host_order);

  // A literal only, never a name: dotted quad without leading zeros, or RFC 4291 text with an optional %zone
  // (a name or an index of an interface of this host). No brackets, no prefix. A usage error otherwise.
  [[nodiscard]] static Result<IpAddress> parse(std::string_view text);

  [[nodiscard]] static IpAddress any(Family family);
  [[nodiscard]] static IpAddress loopback(Family family);

  [[nodiscard]] Family family() const { return family_; }
  // 4 or 16 bytes, network order.
  [[nodiscard]] std::span<const std::uint8_t> bytes() const {
    return {bytes_.data(), family_ == Family::ipv4 ? std::size_t{4} : std::size_t{16}};
  }
  [[nodiscard]] std::uint32_t zone() const { return zone_; }  // interface index, 0 for none
  [[nodiscard]] bool is_loopback() const;                     // 127/8, ::1, ::ffff:127/8
  [[nodiscard]] bool is_any() const;                          // 0.0.0.0 or ::
  [[nodiscard]] bool is_multicast() const;                    // 224/4, ff00::/8
  [[nodiscard]] bool is_link_local() const;                   // fe80::/10; of IPv4, never
  [[nodiscard]] bool is_v4_mapped() const;                    // ::ffff:a.b.c.d
  // The IPv4 address inside a mapped one, or the address itself.
  [[nodiscard]] IpAddress unmapped() const;

  // RFC 5952 text, with %zone by interface name where there is one; no brackets.
  [[nodiscard]] std::string to_string() const;

  friend auto operator<=>(const IpAddress&, const IpAddress&) = default;

 private:
  Family family_ = Family::ipv4;
  std::uint32_t zone_ = 0;
  std::array<std::uint8_t, 16> bytes_{};
};

// True for text made like an IPv4 address whose last label is numeric (`1.2.3`, `75.748.86.91`, `0x7f.1`): a
// name cannot look like that (RFC 3696, section 2), so it is never looked up.
[[nodiscard]] bool looks_like_ipv4(std::string_view text);

// What bind, connect and accept take and give: a sockaddr with its length.
class SocketAddress {
 public:
  SocketAddress() = default;  // empty: family AF_UNSPEC
  SocketAddress(const IpAddress& ip, std::uint16_t port);
  // A path in the file system, or "@name" for the abstract name space (unix(7)). A usage error when it is
  // longer than 107 bytes (108 for the abstract form with its "@") or empty.
  [[nodiscard]] static Result<SocketAddress> unix_path(std::string_view path);
  [[nodiscard]] static SocketAddress vsock(std::uint32_t cid, std::uint32_t port);
  // A copy of what a system call wrote.
  [[nodiscard]] static SocketAddress from(const sockaddr_storage& storage, socklen_t length);

  [[nodiscard]] const sockaddr* data() const { return reinterpret_cast<const sockaddr*>(&storage_); }
  [[nodiscard]] socklen_t size() const { return length_; }
  [[nodiscard]] int domain() const {
    return storage_.ss_family;
  }  // AF_INET, AF_INET6, AF_UNIX, AF_VSOCK, AF_UNSPEC
  [[nodiscard]] bool is_ip() const { return domain() == AF_INET || domain() == AF_INET6; }
  [[nodiscard]] bool is_unix() const { return domain() == AF_UNIX; }
  // Only where is_ip().
  [[nodiscard]] IpAddress ip() const;
  // 0 where there is none.
  [[nodiscard]] std::uint16_t port() const;
  // Only where is_unix(): the path, "@name", or empty for an unnamed socket.
  [[nodiscard]] std::string path() const;

  // A Unix socket that was not bound, or no address at all, as recvfrom(2) gives then: it cannot be answered.
  [[nodiscard]] bool is_nameless() const { return domain() == AF_UNSPEC || (is_unix() && path().empty()); }

  // "127.0.0.1:80", "[::1]:80", "unix:/run/x.sock", "unix:@name", "unix:(unnamed)", "vsock:3:80".
  [[nodiscard]] std::string to_string() const;

  friend bool operator==(const SocketAddress& a, const SocketAddress& b);

 private:
  sockaddr_storage storage_{};
  socklen_t length_ = 0;
};

}  // namespace pier
