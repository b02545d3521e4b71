#include "packet/flow.h"

#include <sys/random.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <span>

namespace pier {

Result<FlowCookie> FlowCookie::make() {
  SipKey key{};
  if (::getrandom(key.data(), sizeof key, 0) != sizeof key)
    return system_error("getrandom", "", errno, ErrorKind::local);
  return FlowCookie(key);
}

std::uint32_t FlowCookie::of(const Flow& flow) const {
  std::array<std::uint8_t, 16 + 16 + 4> bytes;
  auto at = std::ranges::copy(flow.local.bytes(), bytes.begin()).out;
  at = std::ranges::copy(flow.remote.bytes(), at).out;
  for (const std::uint16_t port : {flow.local_port, flow.remote_port}) {
    *at++ = static_cast<std::uint8_t>(port >> 8);
    *at++ = static_cast<std::uint8_t>(port);
  }
  const auto size = static_cast<std::size_t>(at - bytes.begin());
  const std::uint64_t hash = sip_hash(key_, std::span(bytes).first(size));
  return static_cast<std::uint32_t>(hash ^ hash >> 32);
}

}  // namespace pier
