// The three classes of port numbers (RFC 6335 section 6).
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace pier {

// Ports from `first` to `last`, both included; first <= last.
struct PortRange {
  std::uint16_t first = 0;
  std::uint16_t last = 0;

  [[nodiscard]] constexpr bool contains(std::uint16_t port) const { return port >= first && port <= last; }
  [[nodiscard]] friend constexpr bool operator==(PortRange, PortRange) = default;
};

// "80", or "8000-8100".
[[nodiscard]] inline std::string to_string(PortRange range) {
  const std::string first = std::to_string(range.first);
  return range.first == range.last ? first : first + "-" + std::to_string(range.last);
}

enum class PortClass : std::uint8_t {
  well_known,  // 0 to 1023, also called system ports: assigned by IANA with the strictest review
  registered,  // 1024 to 49151, also called user ports: assigned by IANA on request
  dynamic,     // 49152 to 65535, also called private or ephemeral ports: never assigned
};

inline constexpr std::array kPortClasses{PortClass::well_known, PortClass::registered, PortClass::dynamic};

[[nodiscard]] constexpr PortRange range_of(PortClass which) {
  constexpr std::array<PortRange, kPortClasses.size()> kRanges{{{0, 1023}, {1024, 49151}, {49152, 65535}}};
  return kRanges[static_cast<std::size_t>(which)];
}

[[nodiscard]] constexpr PortClass port_class(std::uint16_t port) {
  for (const PortClass which : kPortClasses)
    if (port <= range_of(which).last) return which;
  return PortClass::dynamic;
}

// "well-known", "registered", "dynamic".
[[nodiscard]] constexpr std::string_view to_string(PortClass which) {
  constexpr std::array<std::string_view, kPortClasses.size()> kNames{"well-known", "registered", "dynamic"};
  return kNames[static_cast<std::size_t>(which)];
}

// The inverse of to_string; nullopt for anything else.
[[nodiscard]] constexpr std::optional<PortClass> parse_port_class(std::string_view text) {
  for (const PortClass which : kPortClasses)
    if (text == to_string(which)) return which;
  return std::nullopt;
}

}  // namespace pier
