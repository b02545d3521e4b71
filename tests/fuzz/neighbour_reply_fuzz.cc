// Replies of neighbours: any bytes give none, or one host's MAC address for one address of that family. The
// first byte tells the family and whether the checksum counts.
#include <cstdint>
#include <cstdlib>
#include <vector>

#include "packet/neighbour_packet.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace pier;
  if (size == 0) return 0;
  const std::vector<std::uint8_t> packet(data + 1,
                                         data + size);  // of that size, so that a read past it is seen
  const Family family = (data[0] & 1) == 0 ? Family::ipv4 : Family::ipv6;
  const auto reply =
      parse_neighbour_reply(family, packet, (data[0] & 2) == 0 ? Checksums::check : Checksums::skip);
  if (!reply) return 0;
  if (reply->target.family() != family || reply->asked_by.family() != family) std::abort();
  if (reply->target.is_multicast() || (reply->mac[0] & 1) != 0 || reply->mac == MacAddress{}) std::abort();
  return 0;
}
