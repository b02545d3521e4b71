// STUN messages as a server, or anybody, may send them: an error of one line, or a message whose parts fit.
#include <cstdint>
#include <cstdlib>
#include <vector>

#include "host/stun.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace pier;
  const std::vector<std::byte> copy(reinterpret_cast<const std::byte*>(data),
                                    reinterpret_cast<const std::byte*>(data) + size);
  const auto length = stun_length(copy);
  if (length && *length && (**length < kStunHeader || **length > kStunLongest)) std::abort();
  const auto message = decode_stun(copy);
  if (!message) {
    if (message.error().message().find('\n') != std::string::npos) std::abort();
    return 0;
  }
  if (!length || !*length || **length != size) std::abort();
  for (const auto& address : {message->mapped, message->other, message->origin, message->alternate})
    if (address && !address->is_ip()) std::abort();
  if (message->error && (message->error->code < 300 || message->error->code > 699)) std::abort();
  return 0;
}
