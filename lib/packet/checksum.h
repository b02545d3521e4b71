// The Internet checksum (RFC 1071).
#pragma once

#include <cstdint>
#include <span>

#include "net/address.h"

namespace pier {

// A sum of 16-bit words in network order; bytes are added two by two, an odd last one as if a zero followed.
class ChecksumSum {
 public:
  void add(std::span<const std::uint8_t> bytes) {
    std::size_t i = 0;
    for (; i + 1 < bytes.size(); i += 2) sum_ += static_cast<std::uint32_t>(bytes[i] << 8 | bytes[i + 1]);
    if (i < bytes.size()) sum_ += static_cast<std::uint32_t>(bytes[i] << 8);
  }
  // The pseudo-header of TCP, UDP and ICMPv6 (RFC 9293, section 3.1; RFC 8200, section 8.1).
  void add_pseudo_header(const IpAddress& from, const IpAddress& to, std::uint8_t protocol,
                         std::size_t length) {
    add(from.bytes());
    add(to.bytes());
    sum_ += protocol;
    sum_ += static_cast<std::uint64_t>(length);
  }
  // What goes into the header; 0 over a whole that has a right checksum in it.
  [[nodiscard]] std::uint16_t value() const {
    std::uint64_t sum = sum_;
    while (sum > UINT16_MAX) sum = (sum & UINT16_MAX) + (sum >> 16);
    return static_cast<std::uint16_t>(~sum);
  }

 private:
  std::uint64_t sum_ = 0;
};

}  // namespace pier
