#include "proxy/socks_address.h"

#include "net/address.h"
#include "proxy/wire.h"

namespace pier::socks {
namespace {

constexpr unsigned kIpv4 = 1;
constexpr unsigned kName = 3;
constexpr unsigned kIpv6 = 4;
constexpr std::size_t kMostName = 255;

}  // namespace

bool can_write(const ProxyTarget& target) {
  return IpAddress::parse(target.host) || (!target.host.empty() && target.host.size() <= kMostName);
}

void write_address(std::string& into, const ProxyTarget& target) {
  if (const auto literal = IpAddress::parse(target.host)) {
    wire::put8(into, literal->family() == Family::ipv4 ? kIpv4 : kIpv6);
    into += wire::bytes_of(*literal);
  } else {
    wire::put8(into, kName);
    wire::put8(into, static_cast<unsigned>(target.host.size()));
    into += target.host;
  }
  wire::put16(into, target.port);
}

std::optional<std::size_t> address_size(std::string_view bytes) {
  if (bytes.empty()) return std::nullopt;
  switch (wire::get8(bytes, 0)) {
    case kIpv4:
      return 1 + 4 + 2;
    case kIpv6:
      return 1 + 16 + 2;
    case kName:
      if (bytes.size() < 2) return std::nullopt;
      return wire::get8(bytes, 1) == 0 ? 0 : 2 + std::size_t{wire::get8(bytes, 1)} + 2;
    default:
      return 0;
  }
}

ProxyTarget read_address(std::string_view bytes) {
  const std::uint16_t port = wire::get16(bytes, bytes.size() - 2);
  const std::string_view host = bytes.substr(1, bytes.size() - 3);
  switch (wire::get8(bytes, 0)) {
    case kIpv4:
      return {wire::address_of(Family::ipv4, host).to_string(), port};
    case kIpv6:
      return {wire::address_of(Family::ipv6, host).to_string(), port};
    default:
      return {std::string(host.substr(1)), port};
  }
}

}  // namespace pier::socks
