// Packets that may be answers to a SYN: any bytes give none, or one whose addresses are of one family.
#include <cstdint>
#include <cstdlib>
#include <vector>

#include "packet/syn_reply.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace pier;
  const std::vector<std::uint8_t> packet(data, data + size);  // of that size, so that a read past it is seen
  const auto reply = parse_syn_reply(packet, Checksums::skip);
  if (!reply) return 0;
  if (reply->flow.local.family() != reply->flow.remote.family()) std::abort();
  if ((reply->kind == SynReply::Kind::icmp) != reply->icmp.has_value()) std::abort();
  const auto checked = parse_syn_reply(packet, Checksums::check);
  if (checked && checked->sequence != reply->sequence) std::abort();
  return 0;
}
