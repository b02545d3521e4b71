#include "scan/udp_service.h"

#include <algorithm>
#include <array>
#include <iterator>

namespace pier {
namespace {

std::vector<UdpService> join() {
  std::vector<UdpService> all;
  for (auto part : {udp_name_services, udp_access_services, udp_other_services})
    std::ranges::move(part(), std::back_inserter(all));
  return all;
}

}  // namespace

std::span<const UdpService> udp_services() {
  static const std::vector<UdpService> all = join();
  return all;
}

const UdpService* udp_service_at(std::uint16_t port) {
  const auto all = udp_services();
  const auto found = std::ranges::find_if(
      all, [port](const UdpService& s) { return std::ranges::find(s.ports, port) != s.ports.end(); });
  return found == all.end() ? nullptr : &*found;
}

std::span<const std::string> udp_messages(std::uint16_t port) {
  static const std::array<std::string, 1> generic{"\r\n"};
  const UdpService* service = udp_service_at(port);
  return service == nullptr ? std::span<const std::string>(generic) : service->messages;
}

std::string_view recognise_udp(std::uint16_t port, std::string_view datagram) {
  const UdpService* usual = udp_service_at(port);
  if (usual != nullptr) return usual->is_reply(datagram) ? usual->name : std::string_view();
  // To what was not asked in its own protocol, only few answer so that it can be told.
  return {};
}

}  // namespace pier
