#include "stream/stream.h"

#include <cerrno>

namespace pier {

Io Io::of(ssize_t result, bool reading) {
  if (result > 0) return bytes(static_cast<std::size_t>(result));
  if (result == 0) return reading ? end() : again();
  if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR) return again();
  return error(errno);
}

}  // namespace pier
