// The transports that the port registry knows (RFC 6335 section 1): each has its own 65536 ports.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

namespace pier {

enum class PortProtocol : std::uint8_t { tcp, udp, sctp, dccp };

inline constexpr std::array kPortProtocols{PortProtocol::tcp, PortProtocol::udp, PortProtocol::sctp,
                                           PortProtocol::dccp};

// "tcp", "udp", "sctp", "dccp".
[[nodiscard]] constexpr std::string_view to_string(PortProtocol protocol) {
  constexpr std::array<std::string_view, kPortProtocols.size()> kNames{"tcp", "udp", "sctp", "dccp"};
  return kNames[static_cast<std::size_t>(protocol)];
}

// The inverse of to_string; lower case only, nullopt for anything else.
[[nodiscard]] constexpr std::optional<PortProtocol> parse_port_protocol(std::string_view text) {
  for (const PortProtocol protocol : kPortProtocols)
    if (text == to_string(protocol)) return protocol;
  return std::nullopt;
}

// A set of transports.
class PortProtocols {
 public:
  constexpr PortProtocols() = default;
  constexpr PortProtocols(PortProtocol one) : bits_(bit(one)) {}  // a transport is a set of one

  [[nodiscard]] constexpr bool contains(PortProtocol protocol) const { return (bits_ & bit(protocol)) != 0; }
  [[nodiscard]] constexpr bool empty() const { return bits_ == 0; }
  constexpr PortProtocols& operator|=(PortProtocols other) {
    bits_ = static_cast<std::uint8_t>(bits_ | other.bits_);
    return *this;
  }
  [[nodiscard]] friend constexpr PortProtocols operator|(PortProtocols a, PortProtocols b) { return a |= b; }
  [[nodiscard]] friend constexpr bool operator==(PortProtocols, PortProtocols) = default;

 private:
  static constexpr std::uint8_t bit(PortProtocol protocol) {
    return static_cast<std::uint8_t>(1U << static_cast<unsigned>(protocol));
  }
  std::uint8_t bits_ = 0;
};

[[nodiscard]] constexpr PortProtocols operator|(PortProtocol a, PortProtocol b) {
  return PortProtocols(a) | PortProtocols(b);
}

inline constexpr PortProtocols kTcpAndUdp = PortProtocol::tcp | PortProtocol::udp;
inline constexpr PortProtocols kEveryPortProtocol = kTcpAndUdp | PortProtocol::sctp | PortProtocol::dccp;

}  // namespace pier
