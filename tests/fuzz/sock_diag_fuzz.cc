// Replies of sock_diag(7): a datagram of any bytes gives sockets with addresses of their family, or an error.
#include <linux/netlink.h>

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "host/sock_diag.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace pier;
  // From its own allocation, of that size, so that a read past the end is seen; as aligned as the kernel's.
  std::vector<std::uint32_t> words((size + 3) / 4);
  if (size > 0) std::memcpy(words.data(), data, size);
  std::vector<SocketInfo> sockets;
  const auto bytes = std::as_bytes(std::span(words)).first(size);
  const auto reply = parse_diag_replies(bytes, 0, 0, Transport::tcp, sockets);
  if (!reply && reply.error().code == 0) std::abort();
  for (const SocketInfo& socket : sockets) {
    if (socket.local.ip().family() != socket.family || socket.remote.ip().family() != socket.family)
      std::abort();
    if (state_name(socket).empty()) std::abort();
  }
  std::vector<SocketInfo> unix_sockets;
  if (const auto read = parse_diag_replies(bytes, 0, 0, Transport::unix_stream, unix_sockets);
      !read && read.error().code == 0)
    std::abort();
  for (const SocketInfo& socket : unix_sockets)
    if (!socket.is_unix() || socket.local.path().size() > 108) std::abort();
  return 0;
}
