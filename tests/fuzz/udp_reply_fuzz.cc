// Answers of UDP services: the first two bytes are the port that was asked, the rest is the datagram.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "scan/udp_service.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const auto port = static_cast<std::uint16_t>(data[0] << 8 | data[1]);
  const std::string_view datagram(reinterpret_cast<const char*>(data + 2), size - 2);
  (void)pier::recognise_udp(port, datagram);
  for (const pier::UdpService& service : pier::udp_services()) (void)service.is_reply(datagram);
  return 0;
}
