// The two ends of a probe, and the number by which its answer is known.
#pragma once

#include <cstdint>

#include "base/error.h"
#include "net/address.h"
#include "packet/sip_hash.h"

namespace pier {

// Both addresses are of one family; their zones count for nothing.
struct Flow {
  IpAddress local;
  std::uint16_t local_port = 0;
  IpAddress remote;
  std::uint16_t remote_port = 0;
};

// The sequence number of the SYN of each flow. Who has not seen the SYN cannot know it, so nothing has to be
// remembered of a probe to tell its answer from anything else: by chance, one forged packet in 2^32 passes.
class FlowCookie {
 public:
  explicit FlowCookie(const SipKey& key) : key_(key) {}
  // With a key by chance (getrandom(2)). ErrorKind::local.
  [[nodiscard]] static Result<FlowCookie> make();

  [[nodiscard]] std::uint32_t of(const Flow& flow) const;

 private:
  SipKey key_;
};

}  // namespace pier
