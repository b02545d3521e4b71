// Numbers and addresses as bytes in network order, as binary protocols have them. Internal to proxy/.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "net/address.h"

namespace pier::wire {

inline void put8(std::string& into, unsigned value) {
  into += static_cast<char>(value);
}
inline void put16(std::string& into, unsigned value) {
  put8(into, value >> 8U);
  put8(into, value);
}
inline void put32(std::string& into, std::uint32_t value) {
  put16(into, value >> 16U);
  put16(into, value);
}

// The number at `at`; the bytes must be there.
[[nodiscard]] inline std::uint8_t get8(std::string_view from, std::size_t at) {
  return static_cast<std::uint8_t>(from[at]);
}
[[nodiscard]] inline std::uint16_t get16(std::string_view from, std::size_t at) {
  return static_cast<std::uint16_t>(get8(from, at) << 8U | get8(from, at + 1));
}
[[nodiscard]] inline std::uint32_t get32(std::string_view from, std::size_t at) {
  return std::uint32_t{get16(from, at)} << 16U | get16(from, at + 2);
}

[[nodiscard]] inline std::string_view bytes_of(const IpAddress& ip) {
  return {reinterpret_cast<const char*>(ip.bytes().data()), ip.bytes().size()};
}
// `bytes`: 4 or 16 of them, by family.
[[nodiscard]] inline IpAddress address_of(Family family, std::string_view bytes) {
  return IpAddress(family, std::span(reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()));
}

}  // namespace pier::wire
