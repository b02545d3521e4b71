// A block of addresses written as ADDRESS/PREFIX (RFC 4632; RFC 4291, section 2.3), and addresses as numbers.
#pragma once

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/error.h"
#include "net/address.h"

namespace pier {

// 128 bits: an IPv6 address as a number, or a count of addresses.
__extension__ using Uint128 = unsigned __int128;

// The address as a number, its first byte the most significant; and back. A number wider than the family's
// 32 or 128 bits loses its upper bits.
[[nodiscard]] Uint128 to_number(const IpAddress& address);
[[nodiscard]] IpAddress from_number(Family family, Uint128 number, std::uint32_t zone = 0);

// The largest number an address of the family stands for.
[[nodiscard]] constexpr Uint128 last_number(Family family) {
  return family == Family::ipv4 ? Uint128{UINT32_MAX} : ~Uint128{0};
}

// Decimal digits.
[[nodiscard]] std::string to_string(Uint128 number);

// Ordered by network, then prefix.
class Cidr {
 public:
  Cidr() = default;  // 0.0.0.0/0
  // The block of that many leading bits which `address` is in. `prefix` is at most 32 or 128, by family.
  Cidr(const IpAddress& address, unsigned prefix);

  // "10.0.0.0/8", "2001:db8::/32", or an address alone, which is a block of one. Bits to the right of the
  // prefix are masked off; `had_host_bits` then says so. A usage error otherwise.
  [[nodiscard]] static Result<Cidr> parse(std::string_view text, bool* had_host_bits = nullptr);

  [[nodiscard]] const IpAddress& network() const { return network_; }  // the first address
  [[nodiscard]] IpAddress last() const;
  [[nodiscard]] unsigned prefix() const { return prefix_; }

  // Whether the address is of the same family and in the block. A zone matters only where the block has one.
  // An IPv4-mapped address is in no IPv4 block: unmap it first where that is meant.
  [[nodiscard]] bool contains(const IpAddress& address) const;

  // Always with the prefix: "127.0.0.1/32".
  [[nodiscard]] std::string to_string() const;

  friend auto operator<=>(const Cidr&, const Cidr&) = default;

 private:
  IpAddress network_;
  unsigned prefix_ = 0;
};

}  // namespace pier
